"""What a chip proves itself with: DG14, DG15, EF.CardAccess, EF.CardSecurity, and its answers, true or not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

from forge import DATA_GROUPS, State, attributes, security_object, sequence
from forge_keys import EcKey, RsaKey, key

from pki import der
from pki.active_authentication import ActiveAuthenticationEvidence
from pki.chip_authenticity import ChipAuthenticationEvidence, PaceCamEvidence

CHALLENGE = bytes.fromhex("0123456789abcdef")
CA_3DES, CA_AES_128, CA_AES_256 = (f"0.4.0.127.0.7.2.2.3.2.{arc}" for arc in (1, 2, 4))
CA_DH_AES_256 = "0.4.0.127.0.7.2.2.3.1.4"
PACE_GM_AES_128, PACE_GM_3DES, PACE_CAM_AES_128 = (f"0.4.0.127.0.7.2.2.4.{arcs}" for arcs in ("2.2", "2.1", "6.2"))
PUBLIC_KEY, AA_INFO, CARD_SECURITY = "0.4.0.127.0.7.2.2.1.2", "2.23.136.1.1.5", "0.4.0.127.0.7.3.2.1"
PLAIN = {hash_: f"0.4.0.127.0.7.1.1.4.1.{arc}" for arc, hash_ in enumerate(("sha1", "sha224", "sha256", "sha384", "sha512"), 1)}
TRAILERS = {"sha1": "bc", "sha1 named": "33cc", "sha224": "38cc", "sha256": "34cc", "sha384": "36cc", "sha512": "35cc"}
"""ISO/IEC 9796-2: BC alone, or the hash's number of ISO/IEC 10118-3 before CC."""


def info(oid: str, version: int, *more: int) -> bytes:
    """PACEInfo, ChipAuthenticationInfo and their like: numbers after an identifier."""
    return sequence(der.encode_oid(oid), *map(der.encode_integer, (version, *more)))


def key_info(public: bytes, *key_id: int) -> bytes:
    """ChipAuthenticationPublicKeyInfo."""
    return sequence(der.encode_oid(PUBLIC_KEY), public, *map(der.encode_integer, key_id))


def active_info(hash_: str = "sha256") -> bytes:
    """ActiveAuthenticationInfo for plain ECDSA."""
    return sequence(der.encode_oid(AA_INFO), der.encode_integer(1), der.encode_oid(PLAIN[hash_]))


def data_group_14(*infos: bytes) -> bytes:
    return der.encode(0x6E, der.encode_set(list(infos)))


def data_group_15(public: bytes) -> bytes:
    return der.encode(0x6F, public)


def card_access(*infos: bytes) -> bytes:
    return der.encode_set(list(infos))


def card_security(state: State, infos: Iterable[bytes], *, oid: str = CARD_SECURITY) -> bytes:
    """EF.CardSecurity: SecurityInfos signed by the signer of ``state``."""
    content = der.encode_set(list(infos))
    signed = sorted(attributes(content, content_type=oid).values())
    made = replace(state.signer.sod(content), content_type=oid, signers=(state.signer.info(signed),))
    return der.read(made.built()).only_child().encoded


def chip_key(role: str = "chip authentication") -> EcKey:
    made = key("ec:brainpoolP256r1", role)
    assert isinstance(made, EcKey)
    return made


def active_key(role: str = "active authentication") -> EcKey:
    made = key("ec:secp256r1", role)
    assert isinstance(made, EcKey)
    return made


def answered(signer: EcKey, hash_: str = "sha256", challenge: bytes = CHALLENGE, *, signed: bytes | None = None):
    """Plain r and s over ``signed`` (the challenge), as the terminal noted them."""
    numbers = signer.numbers(challenge if signed is None else signed, hash_)
    size = (signer.curve.p.bit_length() + 7) // 8
    response = b"".join(number.to_bytes(size, "big") for number in numbers)
    return ActiveAuthenticationEvidence(challenge=challenge, response=response)


def recovered(
    signer: RsaKey, trailer: str = "sha256", *, header: int = 0x6A, signed: bytes = CHALLENGE, end: bytes | None = None
):
    """ISO/IEC 9796-2 scheme 1 with partial recovery: header, M1, hash of M1 and the challenge, trailer."""
    octets = bytes.fromhex(TRAILERS[trailer]) if end is None else end
    size, hash_ = (signer.n.bit_length() + 7) // 8, trailer.partition(" ")[0]
    first = b"\x5a" * (size - 1 - hashlib.new(hash_).digest_size - len(octets))
    block = bytes((header,)) + first + hashlib.new(hash_, first + signed).digest() + octets
    return ActiveAuthenticationEvidence(challenge=CHALLENGE, response=signer.raw(block))


def agreed(public: bytes, oid: str = CA_AES_256, key_id: int | None = None, *, succeeded: bool = True):
    return ChipAuthenticationEvidence(public_key=public, oid=oid, key_id=key_id, succeeded=succeeded)


def mapped(public: bytes, oid: str = PACE_CAM_AES_128, *, succeeded: bool = True, one_session: bool = True):
    return PaceCamEvidence(public_key=public, oid=oid, succeeded=succeeded, one_session=one_session)


def groups_with(*, dg14: bytes | None = None, dg15: bytes | None = None) -> dict[int, bytes]:
    """The honest data groups and these."""
    return {**DATA_GROUPS, **({14: dg14} if dg14 else {}), **({15: dg15} if dg15 else {})}


def chip_groups() -> dict[int, bytes]:
    """A document with both proofs: chip authentication on one key, active authentication on another."""
    infos = data_group_14(info(CA_AES_256, 1), key_info(chip_key().public), active_info())
    return groups_with(dg14=infos, dg15=data_group_15(active_key().public))


def chip_sod(state: State, groups: dict[int, bytes] | None = None) -> bytes:
    return state.sod(security_object(chip_groups() if groups is None else groups))
