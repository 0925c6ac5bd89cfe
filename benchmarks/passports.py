"""Passports for benchmarks and soak: the demonstration's own issuing, without its faces where none are needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key

from gate.clock import SystemClock
from gate.demo.cast import Cast, load_cast
from gate.demo.issue import Passport, create_states, issue_passports, trust_store
from hardware.emrtd.reader import AccessKey, ChipData, read_chip
from hardware.ports import Transceiver
from hardware.sim.chip import VirtualPassport
from pki.trust import TrustStore

PORTRAIT = b"\xff\xd8\xff" + bytes(index * 7 % 251 for index in range(15_000))
"""As long as a real one; nothing in here looks at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """A passport, the trust store that knows its State, and the moment it was made."""

    passport: Passport = field(repr=False)
    trust: TrustStore
    now: datetime

    @property
    def data_groups(self) -> Mapping[int, bytes]:
        return {int(name[2:]): content for name, content in self.passport.files.items() if name.startswith("DG")}

    def chip(self, kind: type[VirtualPassport] = VirtualPassport) -> VirtualPassport:
        """Its chip, answering at once. ``kind`` may be one that misbehaves."""
        active, chip = (load_der_private_key(key, None) for key in (self.passport.active_key, self.passport.chip_key))
        assert isinstance(active, ec.EllipticCurvePrivateKey)
        assert isinstance(chip, ec.EllipticCurvePrivateKey)
        cam_key = chip if "EF.CardSecurity" in self.passport.files else None
        return kind(self.passport.files, self.passport.mrz_information, active, chip, cam_key=cam_key)

    def read(self, chip: Transceiver) -> ChipData:
        """Read ``chip`` as the gate would. Raises ChipError."""
        return read_chip(chip, AccessKey(self.passport.mrz_information), clock=SystemClock())


def issue(portrait: bytes = PORTRAIT, access: Literal["pace-gm", "pace-im", "pace-cam", "bac"] = "pace-gm") -> Book:
    """The first traveller's passport of the demonstration's cast, opened by ``access``."""
    now, whole = datetime.now(UTC), load_cast()
    first = whole.traveller[0]
    document = msgspec.structs.replace(first.document, access=access)
    cast = Cast(state=whole.state, traveller=(msgspec.structs.replace(first, document=document),))
    states = create_states(cast, now)
    passports = issue_passports(cast, states, lambda _: portrait)
    return Book(passport=passports[cast.traveller[0].id], trust=trust_store(cast, states), now=now)
