"""SecurityInfos (Doc 9303-11 §9.2): what a chip says it can do, in EF.CardAccess, DG14 and EF.CardSecurity. All of it is unproven here."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice

from hardware.emrtd import tlv
from hardware.emrtd.errors import ChipError
from hardware.emrtd.tlv import INTEGER, OBJECT_IDENTIFIER, SEQUENCE, SET

ID_PK = "0.4.0.127.0.7.2.2.1."
ID_CA = "0.4.0.127.0.7.2.2.3."
ID_PACE = "0.4.0.127.0.7.2.2.4."
ID_AA = "2.23.136.1.1.5"
MAX_SECURITY_INFOS = 32
"""Passports hold about five, identity cards up to twenty."""
FIELDS = 4
"""Fields of an entry that are looked at: none that counts has more than three."""
MAX_OID, MAX_INTEGER = 32, 8
"""Octets of an object identifier and of a number: far above any that counts here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceInfo:
    """§9.2.1. ``parameter_id`` names standardised domain parameters, or the chip's own."""

    oid: str
    version: int
    parameter_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceDomainParameterInfo:
    """§9.2.2: the chip's own domain parameters, an AlgorithmIdentifier in DER."""

    oid: str
    parameters: bytes = field(repr=False)
    parameter_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipAuthenticationInfo:
    """§9.2.5."""

    oid: str
    version: int
    key_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipAuthenticationPublicKeyInfo:
    """§9.2.6. ``public_key`` is the SubjectPublicKeyInfo in DER, as the chip holds it."""

    oid: str
    public_key: bytes = field(repr=False)
    key_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityInfos:
    """All entries of one file in their order. ``active_authentication`` is the signature algorithm's object identifier; ``unknown``
    counts the entries of other protocols.
    """

    pace: tuple[PaceInfo, ...]
    pace_parameters: tuple[PaceDomainParameterInfo, ...]
    chip_authentication: tuple[ChipAuthenticationInfo, ...]
    public_keys: tuple[ChipAuthenticationPublicKeyInfo, ...]
    active_authentication: str | None
    unknown: int


def parse_security_infos(der_set: bytes, file: str) -> SecurityInfos:
    """Parse a SET OF SecurityInfo out of ``file``. Raises ChipError with the code of that file, such as CARD_ACCESS_MALFORMED."""
    reader = _Reader(file)
    try:
        for info in tlv.children(tlv.only(der_set, SET)):
            reader.take(info)
    except ChipError as error:
        raise ChipError(_code(file), error.what, file=file, offset=error.offset) from error
    return SecurityInfos(
        pace=tuple(reader.pace),
        pace_parameters=tuple(reader.pace_parameters),
        chip_authentication=tuple(reader.chip_authentication),
        public_keys=tuple(reader.public_keys),
        active_authentication=reader.active_authentication,
        unknown=reader.unknown,
    )


class _Reader:
    """Sorts entries by their object identifier."""

    def __init__(self, file: str) -> None:
        self._file, self._count = file, 0
        self.pace: list[PaceInfo] = []
        self.pace_parameters: list[PaceDomainParameterInfo] = []
        self.chip_authentication: list[ChipAuthenticationInfo] = []
        self.public_keys: list[ChipAuthenticationPublicKeyInfo] = []
        self.active_authentication: str | None = None
        self.unknown = 0

    def take(self, info: tlv.Tlv) -> None:
        self._count += 1
        fields = list(islice(tlv.children(info.value), FIELDS))
        if self._count > MAX_SECURITY_INFOS or info.tag != SEQUENCE or not fields or fields[0].tag != OBJECT_IDENTIFIER:
            raise ChipError(_code(self._file), "no set of SecurityInfo", offset=info.start)
        oid, rest = decode_oid(fields[0].value), fields[1:]
        if oid.startswith(ID_PACE) and oid.count(".") == ID_PACE.count(".") + 1:
            self.pace.append(PaceInfo(oid=oid, version=_number(rest, 0), parameter_id=_optional(rest, 1)))
        elif oid.startswith(ID_PACE):
            own = PaceDomainParameterInfo(oid=oid, parameters=_sequence(rest), parameter_id=_optional(rest, 1))
            self.pace_parameters.append(own)
        elif oid.startswith(ID_CA) and oid.count(".") == ID_CA.count(".") + 1:  # id-CA-ECDH alone names domain parameters
            self.chip_authentication.append(ChipAuthenticationInfo(oid=oid, version=_number(rest, 0), key_id=_optional(rest, 1)))
        elif oid.startswith(ID_PK):
            key = ChipAuthenticationPublicKeyInfo(oid=oid, public_key=_sequence(rest), key_id=_optional(rest, 1))
            self.public_keys.append(key)
        elif oid == ID_AA and len(rest) > 1 and rest[1].tag == OBJECT_IDENTIFIER:
            self.active_authentication = decode_oid(rest[1].value)
        else:
            self.unknown += 1


def _number(fields: list[tlv.Tlv], index: int) -> int:
    value = fields[index].value if index < len(fields) and fields[index].tag == INTEGER else b""
    if not 1 <= len(value) <= MAX_INTEGER or value[0] & 0x80:
        raise ChipError("SECURITY_INFO", "no small non-negative INTEGER where one must stand")
    return int.from_bytes(value)


def _optional(fields: list[tlv.Tlv], index: int) -> int | None:
    return _number(fields, index) if index < len(fields) else None


def _sequence(fields: list[tlv.Tlv]) -> bytes:
    if not fields or fields[0].tag != SEQUENCE:
        raise ChipError("SECURITY_INFO", "no SEQUENCE where one must stand")
    return tlv.encode(SEQUENCE, fields[0].value)


def _code(file: str) -> str:
    """``EF.CardAccess`` → ``CARD_ACCESS_MALFORMED``, ``DG14`` → ``DG14_MALFORMED``."""
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", file.removeprefix("EF.")).upper() + "_MALFORMED"


def encode_oid(oid: str) -> bytes:
    """Value octets of an object identifier."""
    first, second, *rest = (int(arc) for arc in oid.split("."))
    octets = bytearray()
    for arc in (40 * first + second, *rest):
        groups = [arc >> shift & 0x7F for shift in range(0, max(arc.bit_length(), 1), 7)]
        octets += bytes(group | 0x80 for group in groups[:0:-1]) + bytes(groups[:1])
    return bytes(octets)


def decode_oid(octets: bytes) -> str:
    """Inverse of :func:`encode_oid`. Raises ChipError."""
    if not 1 <= len(octets) <= MAX_OID or octets[-1] & 0x80:
        raise ChipError("SECURITY_INFO", "no object identifier")
    arcs, arc = [], 0
    for octet in octets:
        arc = arc << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))
