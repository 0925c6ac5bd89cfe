"""EF.SOD, the document security object (Doc 9303-10 §4.6.2): a SignedData over the hashes of all data groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cryptography.hazmat.primitives import hashes

from pki import der
from pki.cms import SignedData, parse_signed_data
from pki.signatures import hash_of

EF_SOD = 0x77
LDS_SECURITY_OBJECT = "2.23.136.1.1.1"
DATA_GROUPS = range(1, 17)
FEWEST = 2
"""Hashes of a security object: DG1 and DG2 are mandatory."""
MAX_SOD = 64 * 1024
"""Octets; real ones have 1 to 3 KB, and EF.SOD is read before anything of it is proven."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LdsSecurityObject:
    """LDSSecurityObject (Doc 9303-10 §4.6.2.2), version 0 or 1: the hash of each data group by its number."""

    version: int
    hash: hashes.HashAlgorithm
    hashes: Mapping[int, bytes]


def parse_sod(encoded: bytes) -> SignedData:
    """EF.SOD as read from the chip. Raises DerError."""
    return parse_signed_data(der.read(encoded, limit=MAX_SOD).expect(EF_SOD).only_child())


def parse_security_object(encoded: bytes) -> LdsSecurityObject:
    """The content of a SOD. Raises DerError (also if a hash has not its algorithm's length), PkiError(UNSUPPORTED_ALGORITHM)."""
    root = der.read(encoded)
    fields = root.fields()
    version, algorithm = fields.take().integer(), hash_of(fields.take())
    values: dict[int, bytes] = {}
    for element in fields.take(der.SEQUENCE).children(len(DATA_GROUPS)):
        entry = element.fields()
        number, value = entry.take().integer(), entry.take().octets()
        entry.end()
        if number not in DATA_GROUPS or number in values:
            raise element.error("data group unknown or twice")
        if len(value) != algorithm.digest_size:
            raise element.error(f"hash of data group {number} has {len(value)} octets")
        values[number] = value
    if len(values) < FEWEST:
        raise root.error(f"hashes of {len(values)} data groups")
    if version not in (0, 1):
        raise root.error("LDS security object of unknown version")
    if version == 1:
        fields.optional(der.SEQUENCE)  # LDSVersionInfo: informative, EF.COM says the same
    fields.end()
    return LdsSecurityObject(version=version, hash=algorithm, hashes=MappingProxyType(values))
