"""Whole readings: our reader before a chip by another hand, and another hand's reader before our virtual passport."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from second.bac import BacChip
from second.chip_authentication import ECDH, Agreement, Chip, dg14, protocol_oid
from second.dialogue import CAN, MRZ, PaceChip
from second.dice import Dice
from second.keys import subject_public_key_info
from second.messages import do
from second.pace import DH_GM, ECDH_CAM, ECDH_GM, ECDH_IM, Protocol, Side
from second.passport import Card, Inspection
from second.suite import SUITES
from sessions import Session

from hardware.emrtd.access_key import AccessKey
from hardware.emrtd.domain_parameters import STANDARDIZED
from hardware.emrtd.reader import read_chip
from hardware.sim.chip import VirtualPassport

MRZ_INFORMATION, CAN_DIGITS = "L898902C3674081221204159", "250312"
SECRETS = {MRZ: hashlib.sha1(MRZ_INFORMATION.encode()).digest(), CAN: CAN_DIGITS.encode()}
NAMES = {"EF.COM": 0x011E, "EF.SOD": 0x011D, "DG1": 0x0101, "DG2": 0x0102, "DG14": 0x010E}
CURVE = 13
AES_256 = 4


@dataclass(frozen=True)
class Way:
    """How the chip is entered: no protocol means BAC."""

    protocol: Protocol | None
    password: int = MRZ

    def __str__(self) -> str:
        return (
            "BAC"
            if self.protocol is None
            else f"{self.protocol.kind}/{self.protocol.suite.name}/{['MRZ', 'CAN'][self.password - 1]}"
        )


WAYS = [
    Way(None),
    Way(Protocol.of(ECDH_GM, 1, 12)),
    Way(Protocol.of(ECDH_GM, 4, 14), CAN),
    Way(Protocol.of(DH_GM, 3, 2)),
    Way(Protocol.of(ECDH_IM, 3, 17), CAN),
    Way(Protocol.of(ECDH_CAM, 2, 13)),
]


class StillClock:
    def boot(self) -> float:
        return 0.0

    def wall(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


def files_of(way: Way, chip_public: bytes) -> dict[str, bytes]:
    """Portrait beyond the reach of fifteen bits; contents tell their place."""
    files = {
        "EF.COM": do(0x60, bytes(range(20))),
        "EF.SOD": do(0x77, bytes(range(250)) * 6),
        "DG1": do(0x61, bytes(range(90))),
        "DG2": do(0x75, b"".join(number.to_bytes(4, "big") for number in range(9000))),
        "DG14": dg14(ECDH, AES_256, chip_public, version=1, key_id=None),
    }
    return files if way.protocol is None else files | {"EF.CardAccess": way.protocol.card_access()}


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_our_reader_reads_a_chip_by_another_hand(way: Way) -> None:
    session = Session("our reader")
    static = Agreement(SUITES[AES_256], CURVE, Dice(session.random("static")))
    files, dice = files_of(way, subject_public_key_info(static.group, static.element)), Dice(session.random("second"))
    if way.protocol is None:
        access = {"bac": BacChip(MRZ_INFORMATION, dice)}
    else:
        access = {"pace": PaceChip(Side(way.protocol, SECRETS[way.password], dice, static=7), password=way.password)}
    proof = Chip(static, protocol_oid(ECDH, AES_256), version=1, key_id=None)
    master = {0x011C: files["EF.CardAccess"]} if way.protocol else {}
    card = Card(master, {number: files[name] for name, number in NAMES.items()}, **access, chip_authentication=proof)
    key = AccessKey(MRZ_INFORMATION) if way.password == MRZ else AccessKey.from_can(CAN_DIGITS)
    data = read_chip(card, key, clock=StillClock(), random=session.random("ours"))
    assert {name: bytes(content) for name, content in data.files.items()} == files
    assert data.access.protocol == ("pace" if way.protocol else "bac")
    assert data.chip_authentication is not None
    assert data.chip_authentication.succeeded


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_another_hands_reader_reads_our_virtual_passport(way: Way) -> None:
    session = Session("our chip")
    dice = Dice(session.random("second"))
    static = Agreement(SUITES[AES_256], CURVE, Dice(session.random("static")))
    files = files_of(way, subject_public_key_info(static.group, static.element))
    cam_key = STANDARDIZED[CURVE].key(7)
    key = STANDARDIZED[CURVE].key(static.private)
    passport = VirtualPassport(files, MRZ_INFORMATION, None, key, can=CAN_DIGITS, cam_key=cam_key, random=session.random("ours"))
    inspection = Inspection(session.air(passport.transceive))
    if way.protocol is None:
        inspection.enter_by_bac(MRZ_INFORMATION, dice)
    else:
        assert inspection.read(0x011C) == files["EF.CardAccess"]
        inspection.enter_by_pace(Side(way.protocol, SECRETS[way.password], dice), way.password)
    assert {name: inspection.read(number) for name, number in NAMES.items()} == {name: files[name] for name in NAMES}
    oid = protocol_oid(ECDH, AES_256)
    inspection.authenticate_chip(Agreement(SUITES[AES_256], CURVE, dice), oid, static.public, version=1, key_id=None)
    assert inspection.read(NAMES["DG1"]) == files["DG1"]
