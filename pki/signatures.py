"""Public keys and signatures as certificates and CMS write them (RFC 3279, 4055, 5758), checked by ``cryptography`` where it can."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from pki import der
from pki.curves import curve_of
from pki.elliptic import CurveKey, curve_key
from pki.errors import DerError, PkiError, ReasonCode

EcPublicKey = ec.EllipticCurvePublicKey | CurveKey
PublicKey = rsa.RSAPublicKey | EcPublicKey

MAX_RSA_BITS = 8192
"""The longest CSCA key met has 6144 bits; verifying grows with the square."""
MIN_RSA_BITS = 1024
"""Active authentication keys of 1024 bits are in genuine passports; whether a CSCA vouches for one is that State's choice."""

# SHA-1 stays: passports live ten years, and documents signed with it are still presented. The State signed it; a changed
# document would need a second preimage, which SHA-1 withstands.
HASHES: dict[str, hashes.HashAlgorithm] = {
    "1.3.14.3.2.26": hashes.SHA1(),  # noqa: S303 (see above)
    "2.16.840.1.101.3.4.2.4": hashes.SHA224(),
    "2.16.840.1.101.3.4.2.1": hashes.SHA256(),
    "2.16.840.1.101.3.4.2.2": hashes.SHA384(),
    "2.16.840.1.101.3.4.2.3": hashes.SHA512(),
}
HASH_NAMED = {algorithm.name: algorithm for algorithm in HASHES.values()}
_SHA1, _SHA224, _SHA256, _SHA384, _SHA512 = HASHES.values()

RSA_ENCRYPTION = "1.2.840.113549.1.1.1"
_RSA_PSS = "1.2.840.113549.1.1.10"
_MGF1 = "1.2.840.113549.1.1.8"
_EC_PUBLIC_KEY = "1.2.840.10045.2.1"
_PKCS1 = {
    "1.2.840.113549.1.1.5": _SHA1,
    "1.2.840.113549.1.1.14": _SHA224,
    "1.2.840.113549.1.1.11": _SHA256,
    "1.2.840.113549.1.1.12": _SHA384,
    "1.2.840.113549.1.1.13": _SHA512,
}
ECDSA = {
    "1.2.840.10045.4.1": _SHA1,
    "1.2.840.10045.4.3.1": _SHA224,
    "1.2.840.10045.4.3.2": _SHA256,
    "1.2.840.10045.4.3.3": _SHA384,
    "1.2.840.10045.4.3.4": _SHA512,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureScheme:
    """What an AlgorithmIdentifier asks for: ``padding`` is None for ECDSA, ``salt_length`` and ``mask`` for all but PSS."""

    hash: hashes.HashAlgorithm
    padding: padding.PKCS1v15 | padding.PSS | None
    salt_length: int | None = None
    mask: hashes.HashAlgorithm | None = None


def digest(algorithm: hashes.HashAlgorithm, data: bytes) -> bytes:
    context = hashes.Hash(algorithm)
    context.update(data)
    return context.finalize()


def hash_of(identifier: der.Element) -> hashes.HashAlgorithm:
    """The hash an AlgorithmIdentifier names; parameters (absent or NULL) are ignored. PkiError(UNSUPPORTED_ALGORITHM)."""
    oid = identifier.fields().take().oid()
    if (found := HASHES.get(oid)) is None:
        raise PkiError(ReasonCode.UNSUPPORTED_ALGORITHM, f"hash {oid}")
    return found


def scheme_of(identifier: der.Element, message_hash: hashes.HashAlgorithm | None = None) -> SignatureScheme:
    """Read a signature AlgorithmIdentifier; ``message_hash`` is what a bare rsaEncryption means in CMS (RFC 3370 §3.2).

    NULL parameters of ECDSA are let pass: States write them. Raises DerError, PkiError(UNSUPPORTED_ALGORITHM).
    """
    try:
        return _scheme(identifier.encoded, message_hash.name if message_hash else "")
    except DerError as error:
        raise error.moved(identifier.start) from None


@lru_cache(maxsize=128)
def _scheme(encoded: bytes, message_hash: str) -> SignatureScheme:
    """Cached: a dozen identifiers serve all States."""
    fields = der.read(encoded).fields()
    oid = fields.take().oid()
    if oid == _RSA_PSS:
        return _pss(fields.take(der.SEQUENCE))  # RFC 4056 §2.2: a signature's parameters are always there
    if oid in _PKCS1 or (oid == RSA_ENCRYPTION and message_hash):
        return SignatureScheme(hash=_PKCS1.get(oid) or HASH_NAMED[message_hash], padding=padding.PKCS1v15())
    if oid in ECDSA:
        return SignatureScheme(hash=ECDSA[oid], padding=None)
    raise PkiError(ReasonCode.UNSUPPORTED_ALGORITHM, f"signature {oid}")


def _pss(parameters: der.Element) -> SignatureScheme:
    """RSASSA-PSS-params (RFC 4055 §3.1): everything from the parameters, SHA-1 and 20 octets of salt where they are silent."""
    message, mask, salt, last = _SHA1, _SHA1, 20, 0
    for element in parameters.children():
        if element.tag <= last:
            raise element.error("PSS parameters twice or out of order")
        last = element.tag
        match last:
            case 0xA0:
                message = hash_of(element.only_child())
            case 0xA1:
                generator = element.only_child().fields()
                if generator.take().oid() != _MGF1:
                    raise PkiError(ReasonCode.UNSUPPORTED_ALGORITHM, "mask generation other than MGF1")
                mask = hash_of(generator.take())
            case 0xA2:
                salt = element.only_child().integer()
            case 0xA3 if element.only_child().integer() == 1:
                pass
            case _:
                raise element.error("unknown PSS parameter")
    if not 0 <= salt <= MAX_RSA_BITS // 8:
        raise PkiError(ReasonCode.UNSUPPORTED_ALGORITHM, "PSS salt length")
    pss = padding.PSS(mgf=padding.MGF1(mask), salt_length=salt)
    return SignatureScheme(hash=message, padding=pss, salt_length=salt, mask=mask)


_RSA_PSS_NAME = der.encode_oid(_RSA_PSS)


@lru_cache(maxsize=1024)
def load_public_key(subject_public_key_info: bytes) -> PublicKey:
    """RSA or EC key of a SubjectPublicKeyInfo. Raises DerError, PkiError(UNSUPPORTED_ALGORITHM or UNSUPPORTED_CURVE).

    Cached: a State signs millions of documents with few keys, and building an EC key costs more than reading a SOD.
    """
    fields = der.read(subject_public_key_info).fields()
    algorithm, key = fields.take(der.SEQUENCE), fields.take(der.BIT_STRING)
    fields.end()
    identifier = algorithm.fields()
    oid = identifier.take().oid()
    if oid in (RSA_ENCRYPTION, _RSA_PSS):
        return _rsa(key, subject_public_key_info if oid == RSA_ENCRYPTION else b"")
    if oid == _EC_PUBLIC_KEY:
        return _ec(identifier.take(), key)
    raise PkiError(ReasonCode.UNSUPPORTED_ALGORITHM, f"public key {oid}")


def _rsa(key: der.Element, ordinary: bytes) -> rsa.RSAPublicKey:
    """``ordinary``: the whole SubjectPublicKeyInfo where ``cryptography`` may read it itself: a fifth of the time of building a key."""
    numbers = der.read(key.bits()).fields()
    # Unsigned: chips are in use whose modulus lacks the leading zero octet and so reads as a negative INTEGER.
    n, e = (int.from_bytes(numbers.take(der.INTEGER).content, "big") for _ in "ne")
    numbers.end()
    if not MIN_RSA_BITS <= n.bit_length() <= MAX_RSA_BITS or n % 2 == 0:
        raise PkiError(ReasonCode.UNSUPPORTED_ALGORITHM, f"RSA modulus of {n.bit_length()} bits")
    if ordinary and e % 2 and 3 <= e < n:
        with suppress(ValueError, UnsupportedAlgorithm):  # a modulus without its leading zero, say: built from its numbers below
            loaded = load_der_public_key(ordinary)
            if isinstance(loaded, rsa.RSAPublicKey):
                return loaded
    try:
        return rsa.RSAPublicNumbers(e, n).public_key()
    except ValueError:
        raise key.error("RSA numbers are no key") from None


def _ec(parameters: der.Element, key: der.Element) -> EcPublicKey:
    curve, point = curve_of(parameters), key.bits()
    try:
        if curve.arithmetic is None:
            return curve_key(curve, point)
        return ec.EllipticCurvePublicKey.from_encoded_point(curve.arithmetic, point)
    except ValueError:
        raise key.error("point is not on the curve") from None


def signed_by(subject_public_key_info: bytes, scheme: SignatureScheme, signature: bytes, message: bytes) -> bool:
    """Whether this key signed ``message``, and is for signatures of this kind. Raises as :func:`load_public_key`."""
    key = load_public_key(subject_public_key_info)
    return verifies(key, scheme, signature, message) and _serves(subject_public_key_info, scheme)


def _serves(subject_public_key_info: bytes, scheme: SignatureScheme) -> bool:
    """A key named id-RSASSA-PSS serves PSS alone (RFC 4055 §1.2), one with parameters only these, or a longer salt (§3.3)."""
    if _RSA_PSS_NAME not in subject_public_key_info:  # nearly all
        return True
    named_pss, limits = _limits(subject_public_key_info)
    if not named_pss:
        return True
    if scheme.salt_length is None or scheme.mask is None:
        return False
    if limits is None or limits.mask is None:
        return True
    alike = (limits.hash.name, limits.mask.name) == (scheme.hash.name, scheme.mask.name)
    return alike and scheme.salt_length >= (limits.salt_length or 0)


@lru_cache(maxsize=1024)
def _limits(subject_public_key_info: bytes) -> tuple[bool, SignatureScheme | None]:
    """Whether a key is named id-RSASSA-PSS, and the parameters that it is limited to. Cached as the keys are."""
    identifier = der.read(subject_public_key_info).children()[0].fields()
    if identifier.take().oid() != _RSA_PSS:
        return False, None
    parameters = identifier.optional(der.SEQUENCE)
    return True, _pss(parameters) if parameters else None


def verifies(key: PublicKey, scheme: SignatureScheme, signature: bytes, message: bytes) -> bool:
    """Whether ``signature`` over ``message`` is good. A key of another kind than the scheme's is a bad signature."""
    try:
        if isinstance(key, rsa.RSAPublicKey):
            if scheme.padding is None:
                return False
            key.verify(signature, message, scheme.padding, scheme.hash)
        elif scheme.padding is not None:
            return False
        elif isinstance(key, CurveKey):
            return key.verifies(signature, digest(scheme.hash, message))
        else:
            key.verify(signature, message, ec.ECDSA(scheme.hash))
    except (InvalidSignature, ValueError):  # ValueError: lengths that cannot be, e.g. a salt longer than the modulus
        return False
    return True
