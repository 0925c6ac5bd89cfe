"""Chip authentication version 1 over ECDH (Doc 9303-11 §6.2), the terminal's side. Sans-IO.

The chip proves that it holds the private key to a public key in DG14: only then can it go on under the session keys agreed here.
The proof counts only once passive authentication has bound DG14; that is for others to judge.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hardware.emrtd import tlv
from hardware.emrtd.apdu import SHORT_NE, CommandApdu
from hardware.emrtd.curves import INTEGER, OBJECT_IDENTIFIER, SEQUENCE, Curve, EcKey, read_public_key
from hardware.emrtd.errors import ChipError
from hardware.emrtd.secure_messaging import SecureMessaging, session

SET = 0x31
DG14_TAG = 0x6E
ID_PK_ECDH = "0.4.0.127.0.7.2.2.1.2"
ID_CA_ECDH = "0.4.0.127.0.7.2.2.3.2"
MANAGE_SECURITY_ENVIRONMENT, GENERAL_AUTHENTICATE = 0x22, 0x86
SET_KEY_AGREEMENT, SET_AUTHENTICATION = (0x41, 0xA6), (0x41, 0xA4)
DO_MECHANISM, DO_KEY_REFERENCE, DO_EPHEMERAL_KEY, DO_DYNAMIC = 0x80, 0x84, 0x91, 0x7C
MAX_SECURITY_INFOS = 32
"""Real DG14s hold about five."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """What an id-CA-ECDH object identifier names: cipher and length of its keys in bytes."""

    cipher: str
    key_length: int


SUITES = {
    f"{ID_CA_ECDH}.4": Suite(cipher="AES", key_length=32),
    f"{ID_CA_ECDH}.3": Suite(cipher="AES", key_length=24),
    f"{ID_CA_ECDH}.2": Suite(cipher="AES", key_length=16),
    f"{ID_CA_ECDH}.1": Suite(cipher="3DES", key_length=16),
}
"""Strongest first: where a chip offers several, the first one is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipAuthenticationEvidence:
    """What happened. ``public_key`` is the SubjectPublicKeyInfo (DER) from DG14 that was used; ``succeeded`` means that the chip
    answered under the agreed keys.
    """

    public_key: bytes
    oid: str
    key_id: int | None
    succeeded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One key of the chip and the protocol to run with it."""

    oid: str
    key_id: int | None
    public_key: bytes
    curve: Curve
    point: bytes

    def commands(self, ephemeral: bytes) -> tuple[CommandApdu, ...]:
        """The commands that hand over the terminal's ``ephemeral`` point: §6.2.4.1 for 3DES, §6.2.4.2 for AES."""
        reference = b"" if self.key_id is None else tlv.encode(DO_KEY_REFERENCE, _unsigned(self.key_id))
        if SUITES[self.oid].cipher == "3DES":
            return (_manage(SET_KEY_AGREEMENT, tlv.encode(DO_EPHEMERAL_KEY, ephemeral) + reference),)
        dynamic = tlv.encode(DO_DYNAMIC, tlv.encode(DO_MECHANISM, ephemeral))
        return (
            _manage(SET_AUTHENTICATION, tlv.encode(DO_MECHANISM, encode_oid(self.oid)) + reference),
            CommandApdu(ins=GENERAL_AUTHENTICATE, data=dynamic, ne=SHORT_NE),
        )

    def session(self, key: EcKey) -> SecureMessaging:
        """The session under the agreed keys, its counter at zero (§6.2.2, §9.8.6.3, §9.8.7.3)."""
        return new_session(self.oid, key.agree(self.point))

    def evidence(self, *, succeeded: bool) -> ChipAuthenticationEvidence:
        return ChipAuthenticationEvidence(public_key=self.public_key, oid=self.oid, key_id=self.key_id, succeeded=succeeded)


def new_session(oid: str, secret: bytes) -> SecureMessaging:
    """Session keys from the shared secret, on either side."""
    return session(secret, cipher=SUITES[oid].cipher, key_length=SUITES[oid].key_length)


def choose(dg14: bytes) -> Choice | None:
    """Return the strongest offer in DG14 that we can run; None where it offers no chip authentication at all.

    A key without a ChipAuthenticationInfo of its own key id means 3DES. Raises ChipError for a malformed
    DG14, and for one whose every offer is out of reach (CURVE_UNSUPPORTED, KEY_UNSUPPORTED, CA_UNSUPPORTED).
    """
    keys: dict[int | None, bytes] = {}
    offers: list[tuple[str, int | None]] = []
    for oid, fields in _security_infos(dg14):
        if oid == ID_PK_ECDH:
            keys[_key_id(fields)] = _encoded(fields)
        elif oid in SUITES:
            offers.append((oid, _key_id(fields)))
    offered = {key_id for _, key_id in offers}
    offers += [(f"{ID_CA_ECDH}.1", key_id) for key_id in keys if key_id not in offered]
    reason = None
    for oid, key_id in sorted(offers, key=lambda offer: tuple(SUITES).index(offer[0])):
        try:
            if key_id in keys:
                curve, point = read_public_key(keys[key_id])
                return Choice(oid=oid, key_id=key_id, public_key=keys[key_id], curve=curve, point=point)
        except ChipError as error:
            reason = error
    if reason is None and offers:
        reason = ChipError("CA_UNSUPPORTED", "no public key belongs to the protocols offered", file="DG14")
    if reason is not None:
        raise reason
    return None


def encode_oid(oid: str) -> bytes:
    """Value octets of an object identifier."""
    first, second, *rest = (int(arc) for arc in oid.split("."))
    octets = bytearray()
    for arc in (40 * first + second, *rest):
        groups = [arc >> shift & 0x7F for shift in range(0, max(arc.bit_length(), 1), 7)]
        octets += bytes(group | 0x80 for group in groups[:0:-1]) + bytes(groups[:1])
    return bytes(octets)


_KNOWN = {encode_oid(oid): oid for oid in (ID_PK_ECDH, *SUITES)}


def _security_infos(dg14: bytes) -> Iterator[tuple[str | None, list[tlv.Tlv]]]:
    """Yield (object identifier or None for one of no concern, fields after it) of each SecurityInfo."""
    for count, info in enumerate(tlv.children(tlv.only(tlv.only(dg14, DG14_TAG), SET))):
        fields = list(tlv.children(info.value))
        if count >= MAX_SECURITY_INFOS or info.tag != SEQUENCE or not fields or fields[0].tag != OBJECT_IDENTIFIER:
            raise ChipError("DG14_MALFORMED", "no set of SecurityInfo", file="DG14", offset=info.start)
        yield _KNOWN.get(fields[0].value), fields[1:]


def _encoded(fields: list[tlv.Tlv]) -> bytes:
    if not fields or fields[0].tag != SEQUENCE:
        raise ChipError("DG14_MALFORMED", "no SubjectPublicKeyInfo", file="DG14")
    return tlv.encode(SEQUENCE, fields[0].value)


def _key_id(fields: list[tlv.Tlv]) -> int | None:
    """The optional key id: the INTEGER after the required field (§9.2)."""
    if len(fields) < 2:
        return None
    if fields[1].tag != INTEGER or not 1 <= len(fields[1].value) <= 8 or fields[1].value[0] & 0x80:
        raise ChipError("DG14_MALFORMED", "key id is no small non-negative INTEGER", file="DG14")
    return int.from_bytes(fields[1].value)


def _manage(which: tuple[int, int], data: bytes) -> CommandApdu:
    return CommandApdu(ins=MANAGE_SECURITY_ENVIRONMENT, p1=which[0], p2=which[1], data=data)


def _unsigned(value: int) -> bytes:
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8))
