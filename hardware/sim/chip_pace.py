"""PACE on the chip (Doc 9303-11 §4.4), for the virtual passport. Sans-IO; simulator code: private keys in plain memory."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hardware.emrtd import tlv
from hardware.emrtd.cipher_suites import SessionCipher, authentication_token
from hardware.emrtd.elliptic_curve import EcKey
from hardware.emrtd.errors import ChipError
from hardware.emrtd.groups import Element, Random
from hardware.emrtd.pace import (
    CAM_IV_COUNTER,
    DO_CHIP_AUTHENTICATION,
    DO_DYNAMIC,
    DO_KEY_CHIP,
    DO_KEY_TERMINAL,
    DO_MAP_CHIP,
    DO_MAP_TERMINAL,
    DO_MECHANISM,
    DO_NONCE,
    DO_PARAMETERS,
    DO_PASSWORD,
    DO_TOKEN_CHIP,
    DO_TOKEN_TERMINAL,
)
from hardware.emrtd.pace_mapping import map_generic, map_integrated, nonce_length
from hardware.emrtd.pace_offers import PaceOffer, usable
from hardware.emrtd.secure_messaging import SecureMessaging, pad
from hardware.emrtd.security_infos import PaceInfo, SecurityInfos, encode_oid

STATUSES = {"PACE_DENIED": 0x6300, "PACE_NOT_FOUND": 0x6A88, "PACE_ORDER": 0x6985}
"""Status words to the codes that a :class:`PaceChip` raises; 6A80 for all others (§4.4.4)."""


NOT_YET = Element(b"")


@dataclass(slots=True)
class _Run:
    """What the chip knows after each step."""

    offer: PaceOffer
    password: bytes = field(repr=False)
    expects: int | None = None
    nonce: bytes = field(default=b"", repr=False)
    mapping_scalar: int = field(default=0, repr=False)
    generator: Element = field(default=NOT_YET, repr=False)
    public: Element = NOT_YET
    peer: Element = NOT_YET
    cipher: SessionCipher | None = field(default=None, repr=False)


class PaceChip:
    """One chip's PACE. Offers are the standardised ones among ``infos``; ``passwords`` hold f(π) by reference (1 MRZ, 2 CAN), as
    :meth:`AccessKey.pace_secret` gives it; ``cam_key`` is the static key of EF.CardSecurity, on the curve of the CAM offers.

    ``random`` is asked for the nonce (16 octets, 32 for the integrated mapping with longer keys), the mapping key unless the mapping is
    integrated, the ephemeral key. Methods raise ChipError, the run is over then; :data:`STATUSES` has the status word.
    """

    def __init__(
        self,
        infos: Sequence[PaceInfo],
        passwords: Mapping[int, bytes],
        cam_key: EcKey | None = None,
        random: Random = secrets.token_bytes,
    ) -> None:
        self._offers = usable(
            SecurityInfos(
                pace=tuple(infos),
                pace_parameters=(),
                chip_authentication=(),
                public_keys=(),
                active_authentication=None,
                unknown=0,
            )
        )
        self._passwords, self._cam_key, self._random = dict(passwords), cam_key, random
        self._run: _Run | None = None

    def set_authentication(self, data: bytes) -> None:
        """MSE:Set AT for mutual authentication (§4.4.4.1)."""
        self._run = None
        objects = {item.tag: item.value for item in tlv.children(data)}
        password = self._passwords.get(int.from_bytes(objects.get(DO_PASSWORD, b"")))
        parameters = objects.get(DO_PARAMETERS)
        wanted = None if parameters is None else int.from_bytes(parameters)
        named = [offer for offer in self._offers if encode_oid(offer.oid) == objects.get(DO_MECHANISM)]
        fitting = [offer for offer in named if wanted in {None, offer.parameter_id}]
        if not named:
            raise ChipError("PACE_UNSUPPORTED", "no such protocol")
        if password is None or len(fitting) != 1:
            raise ChipError("PACE_NOT_FOUND", "no such password or domain parameters, or more than one")
        self._run = _Run(offer=fitting[0], password=password)

    def general_authenticate(self, data: bytes, *, last: bool) -> tuple[bytes, SecureMessaging | None]:
        """One step: the response's data, and with the last step the session. ``last``: the command does not announce another."""
        run, self._run = self._run, None
        items = list(tlv.children(tlv.only(data, DO_DYNAMIC)))
        tag = items[0].tag if items else None
        if run is None or len(items) > 1 or tag != run.expects or last != (tag == DO_TOKEN_TERMINAL):
            raise ChipError("PACE_ORDER", "a step out of order")
        value = items[0].value if items else b""
        match tag:
            case None:
                answer = self._encrypt_nonce(run)
            case 0x81:
                answer = self._map(run, value)
            case 0x83:
                answer = self._agree(run, value)
            case _:
                return tlv.encode(DO_DYNAMIC, self._confirm(run, value)), self._session(run)
        self._run = run
        return tlv.encode(DO_DYNAMIC, answer), None

    def _encrypt_nonce(self, run: _Run) -> bytes:
        suite = run.offer.protocol.suite
        run.nonce = self._random(nonce_length(suite) if run.offer.protocol.mapping == "IM" else 16)
        run.expects = DO_MAP_TERMINAL
        return tlv.encode(DO_NONCE, suite.encrypt(suite.password_key(run.password), run.nonce))

    def _map(self, run: _Run, value: bytes) -> bytes:
        group, protocol = run.offer.group, run.offer.protocol
        run.expects = DO_KEY_TERMINAL
        if protocol.mapping == "IM":
            if len(value) != protocol.suite.key_length:
                raise ChipError("PACE_NONCE", f"a nonce of {len(value)} bytes")
            run.generator = map_integrated(group, protocol.suite, run.nonce, value)
            return tlv.encode(DO_MAP_CHIP, b"")
        key = group.random_key(self._random)
        run.mapping_scalar, run.generator = key.scalar, map_generic(group, key, group.check(value), run.nonce)
        return tlv.encode(DO_MAP_CHIP, key.public)

    def _agree(self, run: _Run, value: bytes) -> bytes:
        group = run.offer.group
        key, run.peer, run.expects = group.random_key(self._random), group.check(value), DO_TOKEN_TERMINAL
        run.public = key.multiply(run.generator)
        if run.public == run.peer:
            raise ChipError("PACE_MIRROR", "our own public key comes back")
        run.cipher = run.offer.protocol.suite.session_cipher(key.agree(run.peer))
        return tlv.encode(DO_KEY_CHIP, run.public)

    def _confirm(self, run: _Run, value: bytes) -> bytes:
        assert run.cipher is not None
        oid, tag = run.offer.oid, run.offer.group.public_key_tag
        if not hmac.compare_digest(value, authentication_token(run.cipher, oid, tag, run.public)):
            raise ChipError("PACE_DENIED", "wrong token: wrong password")
        token = tlv.encode(DO_TOKEN_CHIP, authentication_token(run.cipher, oid, tag, run.peer))
        return token + (self._chip_authentication_data(run) if run.offer.protocol.mapping == "CAM" else b"")

    def _chip_authentication_data(self, run: _Run) -> bytes:
        """A_IC (§4.4.3.5.1); from a chip without its key, a scalar out of the air."""
        assert run.cipher is not None
        order = run.offer.group.order
        scalar = 1 if self._cam_key is None else pow(self._cam_key.scalar, -1, order) * run.mapping_scalar % order
        plain = pad(scalar.to_bytes((order.bit_length() + 7) // 8), run.cipher.block)
        return tlv.encode(DO_CHIP_AUTHENTICATION, run.cipher.encrypt(CAM_IV_COUNTER, plain))

    @staticmethod
    def _session(run: _Run) -> SecureMessaging:
        assert run.cipher is not None
        return SecureMessaging(run.cipher)
