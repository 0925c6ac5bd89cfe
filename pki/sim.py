"""A pretend State: a CSCA, document signers, signed documents and revocation lists, for demonstration and tests only.

Every name in its certificates says so. Nothing here is used to judge a document.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from pki import der
from pki.card_security import SECURITY_OBJECT
from pki.certificates import parse_certificate
from pki.cms import CONTENT_TYPE, MESSAGE_DIGEST, SIGNED_DATA, SIGNING_TIME
from pki.security_infos import ACTIVE_AUTHENTICATION, DATA_GROUP_14, DATA_GROUP_15, ECDSA_PLAIN, PACE
from pki.signatures import ECDSA, HASHES, digest
from pki.sod import EF_SOD, LDS_SECURITY_OBJECT
from pki.trust import Csca, TrustStore

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

MARK = "DEMONSTRATION ONLY"
CSCA_LIFE, CSCA_KEY_LIFE = timedelta(days=15 * 365), timedelta(days=4 * 365)
SIGNER_LIFE, SIGNER_KEY_LIFE = timedelta(days=11 * 365), timedelta(days=90)
CRL_LIFE = timedelta(days=90)
"""Doc 9303-12 §5 and §7.1.4: ten-year passports, CSCA keys of three to five years, signers of three months, a CRL each 90 days."""

CHIP_AUTHENTICATION_AES_256 = "0.4.0.127.0.7.2.2.3.2.4"
PACE_ECDH_GM_AES_128, PACE_ECDH_IM_AES_128, PACE_ECDH_CAM_AES_128 = (f"{PACE}{mapping}.2" for mapping in (2, 4, 6))
_CHIP_PUBLIC_KEY = "0.4.0.127.0.7.2.2.1.2"
_RSA_PSS, _MGF1 = "1.2.840.113549.1.1.10", "1.2.840.113549.1.1.8"
_CURVES: dict[str, type[ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
    "brainpoolP256r1": ec.BrainpoolP256R1,
    "brainpoolP384r1": ec.BrainpoolP384R1,
    "brainpoolP512r1": ec.BrainpoolP512R1,
}
_HASHES = {algorithm.name: algorithm for algorithm in HASHES.values()}
_HASH_OIDS = {algorithm.name: oid for oid, algorithm in HASHES.items()}
_ECDSA_OIDS = {algorithm.name: oid for oid, algorithm in ECDSA.items()}
_ECDSA_PLAIN_OIDS = {algorithm.name: oid for oid, algorithm in ECDSA_PLAIN.items()}


def new_key(kind: str) -> PrivateKey:
    """A fresh key: ``ec:`` and a curve (``ec:P-256``, ``ec:brainpoolP256r1``, …) or ``rsa:`` and bits (``rsa:2048``)."""
    family, _, size = kind.partition(":")
    if family == "ec":
        return ec.generate_private_key(_CURVES[size]())
    if family == "rsa":
        return rsa.generate_private_key(65537, int(size))
    raise ValueError(f"unknown kind of key {kind!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentSigner:
    """A document signer: its key, its certificate in DER, and when it signs."""

    private_key: PrivateKey = field(repr=False)
    certificate: bytes = field(repr=False)
    now: datetime

    def sign(self, data_groups: Mapping[int, bytes], algorithm: str = "sha256") -> bytes:
        """EF.SOD over ``data_groups`` (number → bytes with header). RSA keys sign with PSS, EC keys with ECDSA."""
        content = security_object(data_groups, algorithm)
        attributes = signed_attributes(content, algorithm, self.now)
        return wrap_sod(content, [self.certificate], [self.signer_info(attributes, algorithm)])

    def sign_card_security(self, infos: Sequence[bytes], algorithm: str = "sha256") -> bytes:
        """EF.CardSecurity over these SecurityInfos (each encoded)."""
        content = der.encode_set(list(infos))
        attributes = signed_attributes(content, algorithm, self.now, SECURITY_OBJECT)
        return wrap_signed_data(content, [self.certificate], [self.signer_info(attributes, algorithm)], SECURITY_OBJECT)

    def signer_info(self, attributes: list[bytes], algorithm: str) -> bytes:
        """SignerInfo over ``attributes`` (each encoded), the signer named by issuer and serial number."""
        certificate = parse_certificate(self.certificate)
        signature_algorithm, signature = _sign(self.private_key, der.encode_set(attributes), algorithm)
        identifier = der.encode(der.SEQUENCE, certificate.issuer.encoded, der.encode_integer(certificate.serial))
        return der.encode(
            der.SEQUENCE,
            der.encode_integer(1),
            identifier,
            _identifier(_HASH_OIDS[algorithm]),
            der.encode(0xA0, *sorted(attributes)),
            signature_algorithm,
            der.encode(der.OCTET_STRING, signature),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PretendState:
    """A State made of nothing. ``country`` has two letters as in certificates; the MRZ says its three-letter code."""

    country: str
    name: str
    now: datetime
    key: str
    private_key: PrivateKey = field(repr=False)
    csca: bytes = field(repr=False)
    """The CSCA certificate in DER."""
    signer: DocumentSigner = field(repr=False)

    @classmethod
    def create(cls, *, country: str, name: str, now: datetime, key: str = "ec:P-256") -> PretendState:
        """A State with a CSCA and one document signer, both with a new key of kind ``key`` (:func:`new_key`)."""
        private_key, start = new_key(key), now - timedelta(days=365)
        subject = _name(country, f"CSCA {name}")
        csca = _certificate(subject, subject, private_key, private_key.public_key(), (start, CSCA_LIFE, CSCA_KEY_LIFE), csca=True)
        signer = _document_signer(name, private_key, csca, key, now)
        return cls(country=country, name=name, now=now, key=key, private_key=private_key, csca=csca, signer=signer)

    def document_signer(self, *, key: str | None = None) -> DocumentSigner:
        """Another document signer of this State, with a new key and certificate."""
        return _document_signer(self.name, self.private_key, self.csca, key or self.key, self.now)

    def sign_sod(self, data_groups: Mapping[int, bytes], hash: str = "sha256") -> bytes:  # noqa: A002 (the word of the field)
        """EF.SOD by the State's own signer. See :meth:`DocumentSigner.sign`."""
        return self.signer.sign(data_groups, hash)

    def crl(self, revoked: Iterable[DocumentSigner] = (), *, at: datetime | None = None) -> bytes:
        """A CRL in DER that lists the certificates of ``revoked``, issued ``at`` (default: the State's now)."""
        issued = at or self.now
        builder = x509.CertificateRevocationListBuilder().issuer_name(x509.load_der_x509_certificate(self.csca).subject)
        builder = builder.last_update(issued).next_update(issued + CRL_LIFE)
        for signer in revoked:
            serial = parse_certificate(signer.certificate).serial
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(issued).build()
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self.private_key, hashes.SHA256()).public_bytes(Encoding.DER)

    def trust_store(self, *, crls: Iterable[bytes] = ()) -> TrustStore:
        """A demonstration trust store that holds this State alone."""
        anchor = Csca.of(self.csca, provenance=f"pretend State {self.name}")
        return TrustStore(anchors=(anchor,), crls=tuple(crls), demo=True)


def active_authentication_key(kind: str = "ec:P-256") -> tuple[PrivateKey, bytes]:
    """A chip's key for active authentication, and the DG15 with its public half."""
    private_key = new_key(kind)
    return private_key, der.encode(DATA_GROUP_15, _public(private_key))


def chip_authentication_key(
    curve: str = "brainpoolP256r1", *, active_hash: str | None = None, pace: Sequence[bytes] = (), key_id: int | None = None
) -> tuple[ec.EllipticCurvePrivateKey, bytes]:
    """A chip's key for chip authentication (ECDH, AES-256), and the DG14 with its public half.

    ``active_hash`` (``sha256``, …) adds the ActiveAuthenticationInfo that an EC key in DG15 needs (Doc 9303-11 §9.2.4), ``pace`` the
    SecurityInfos of EF.CardAccess (§9.2.11). A key that serves PACE with chip authentication mapping needs a ``key_id`` (§9.2.6).
    """
    private_key = ec.generate_private_key(_CURVES[curve]())
    infos = [*pace, chip_authentication_info(key_id), chip_key_info(private_key, key_id)]
    if active_hash:
        infos.append(active_authentication_info(active_hash))
    return private_key, data_group_14(infos)


def chip_authentication_info(key_id: int | None = None) -> bytes:
    """ChipAuthenticationInfo: ECDH with AES-256, version 1."""
    return der.encode(der.SEQUENCE, der.encode_oid(CHIP_AUTHENTICATION_AES_256), der.encode_integer(1), _number(key_id))


def chip_key_info(private_key: PrivateKey, key_id: int | None = None) -> bytes:
    """ChipAuthenticationPublicKeyInfo of an EC key."""
    return der.encode(der.SEQUENCE, der.encode_oid(_CHIP_PUBLIC_KEY), _public(private_key), _number(key_id))


def pace_info(oid: str = PACE_ECDH_GM_AES_128, parameter_id: int | None = 13) -> bytes:
    """PACEInfo, version 2; 13 is brainpoolP256r1, 12 is P-256 (Doc 9303-11 §9.5.1)."""
    return der.encode(der.SEQUENCE, der.encode_oid(oid), der.encode_integer(2), _number(parameter_id))


def card_access(infos: Sequence[bytes]) -> bytes:
    """EF.CardAccess with these SecurityInfos (each encoded)."""
    return der.encode_set(list(infos))


def _number(value: int | None) -> bytes:
    return b"" if value is None else der.encode_integer(value)


def active_authentication_info(algorithm: str) -> bytes:
    """ActiveAuthenticationInfo for plain ECDSA with the named hash."""
    oids = der.encode_oid(ACTIVE_AUTHENTICATION), der.encode_oid(_ECDSA_PLAIN_OIDS[algorithm])
    return der.encode(der.SEQUENCE, oids[0], der.encode_integer(1), oids[1])


def data_group_14(infos: list[bytes]) -> bytes:
    return der.encode(DATA_GROUP_14, der.encode_set(infos))


# --- the parts of a SOD, one by one, so that a test can put them together wrongly


def security_object(data_groups: Mapping[int, bytes], algorithm: str) -> bytes:
    """LDSSecurityObject, version 0."""
    entries = [
        der.encode(der.SEQUENCE, der.encode_integer(number), der.encode(der.OCTET_STRING, digest(_HASHES[algorithm], content)))
        for number, content in sorted(data_groups.items())
    ]
    return der.encode(der.SEQUENCE, der.encode_integer(0), _identifier(_HASH_OIDS[algorithm]), der.encode(der.SEQUENCE, *entries))


def signed_attributes(
    content: bytes, algorithm: str, now: datetime | None, content_type: str = LDS_SECURITY_OBJECT
) -> list[bytes]:
    """contentType, messageDigest and (unless ``now`` is None) signingTime, each encoded."""
    values = {
        CONTENT_TYPE: der.encode_oid(content_type),
        MESSAGE_DIGEST: der.encode(der.OCTET_STRING, digest(_HASHES[algorithm], content)),
    }
    if now:
        values[SIGNING_TIME] = der.encode(der.UTC_TIME, now.strftime("%y%m%d%H%M%SZ").encode())
    return [der.encode(der.SEQUENCE, der.encode_oid(oid), der.encode(der.SET, value)) for oid, value in values.items()]


def wrap_sod(
    content: bytes, certificates: list[bytes], signer_infos: list[bytes], content_type: str = LDS_SECURITY_OBJECT
) -> bytes:
    """EF.SOD around its parts."""
    return der.encode(EF_SOD, wrap_signed_data(content, certificates, signer_infos, content_type))


def wrap_signed_data(content: bytes, certificates: list[bytes], signer_infos: list[bytes], content_type: str) -> bytes:
    """ContentInfo with a SignedData around its parts."""
    signed_data = der.encode(
        der.SEQUENCE,
        der.encode_integer(3),
        der.encode_set([_identifier(_HASH_OIDS["sha256"])]),
        der.encode(der.SEQUENCE, der.encode_oid(content_type), der.encode(0xA0, der.encode(der.OCTET_STRING, content))),
        der.encode(0xA0, *certificates),
        der.encode_set(signer_infos),
    )
    return der.encode(der.SEQUENCE, der.encode_oid(SIGNED_DATA), der.encode(0xA0, signed_data))


# --- certificates and keys


def _document_signer(name: str, csca_key: PrivateKey, csca: bytes, kind: str, now: datetime) -> DocumentSigner:
    private_key = new_key(kind)
    issuer = x509.load_der_x509_certificate(csca).subject
    country = str(issuer.get_attributes_for_oid(NameOID.COUNTRY_NAME)[0].value)
    life = now - timedelta(days=30), SIGNER_LIFE, SIGNER_KEY_LIFE
    certificate = _certificate(_name(country, f"Document Signer {name}"), issuer, csca_key, private_key.public_key(), life)
    return DocumentSigner(private_key=private_key, certificate=certificate, now=now)


def _name(country: str, common_name: str) -> x509.Name:
    values = (
        (NameOID.COUNTRY_NAME, country),
        (NameOID.ORGANIZATION_NAME, MARK),
        (NameOID.COMMON_NAME, f"{common_name} ({MARK})"[:64]),
    )
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in values])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    issuer_key: PrivateKey,
    public_key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
    life: tuple[datetime, timedelta, timedelta],
    *,
    csca: bool = False,
) -> bytes:
    """A certificate by the profile of Doc 9303-12 §7.1.1; ``life`` is start, validity and use of the private key."""
    start, validity, key_life = life
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
    )
    builder = x509.CertificateBuilder(issuer, subject, public_key, x509.random_serial_number(), start, start + validity)
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False),
        (x509.SubjectKeyIdentifier.from_public_key(public_key), False),
        (x509.PrivateKeyUsagePeriod(start, start + key_life), False),
        (x509.KeyUsage(digital_signature=not csca, key_cert_sign=csca, crl_sign=csca, **usage), True),
    ]
    if csca:
        extensions.append((x509.BasicConstraints(ca=True, path_length=0), True))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(Encoding.DER)


def _public(private_key: PrivateKey) -> bytes:
    return private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _identifier(oid: str, *parameters: bytes) -> bytes:
    return der.encode(der.SEQUENCE, der.encode_oid(oid), *parameters)


def _sign(private_key: PrivateKey, message: bytes, algorithm: str) -> tuple[bytes, bytes]:
    """AlgorithmIdentifier and signature."""
    chosen = _HASHES[algorithm]
    if isinstance(private_key, ec.EllipticCurvePrivateKey):
        return _identifier(_ECDSA_OIDS[algorithm]), private_key.sign(message, ec.ECDSA(chosen))
    scheme = padding.PSS(mgf=padding.MGF1(chosen), salt_length=chosen.digest_size)
    hashed = _identifier(_HASH_OIDS[algorithm])
    parameters = der.encode(
        der.SEQUENCE,
        der.encode(0xA0, hashed),
        der.encode(0xA1, _identifier(_MGF1, hashed)),
        der.encode(0xA2, der.encode_integer(chosen.digest_size)),
    )
    return _identifier(_RSA_PSS, parameters), private_key.sign(message, scheme, chosen)
