"""The fleet's own certificates for TLS: one authority, certificates that live for weeks and name one key of the directory.

Profile (RFC 5280). Keys: ECDSA on P-256, which every token can make; Ed25519 is taken, too. The authority: self-signed, ten years, no authority
below it, ``keyCertSign`` alone. A client's: ``clientAuth`` alone, CN its name, and one URI, :func:`user_of`, which is the broker's name for it: with
the id of its event key in it, so that a certificate dies with that key, and one made for a new key under the same name is another user. A
server's: ``serverAuth`` alone, its names and addresses. Serial numbers are random, and nothing of a request but its public key goes into a certificate.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gate.fleet.keys.directory import Entry, KeysError
from gate.signer_key import MAX_KEY

LIFE = timedelta(days=90)
"""Of a client's or server's certificate: after this a lost key is worth nothing, even where nobody noticed."""
RENEW = LIFE / 3
"""Before the end from which a gate asks for the next one: longer than the 14 days that it may be offline."""
ROOT_LIFE = timedelta(days=3650)
SKEW = timedelta(minutes=5)
"""How far clocks may be apart: certificates and approvals begin that much earlier."""
MOST_REQUEST = 4096
"""Bytes of a certificate request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Issues certificates to whom the directory lists."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def issue(self, request: bytes, entry: Entry, now: datetime, life: timedelta = LIFE) -> bytes:
        """A client's certificate (PEM) for the key in ``request`` (PEM). It ends with its entry. Raises KeysError."""
        if not entry.is_live(now):
            raise KeysError(f"{entry.name}: its key does not count now")
        uri = x509.UniformResourceIdentifier(user_of(entry))
        builder = self._builder(request, entry.name, now, min(now + life, entry.until), ExtendedKeyUsageOID.CLIENT_AUTH)
        return self._signed(builder.add_extension(x509.SubjectAlternativeName([uri]), critical=False))

    def issue_server(self, request: bytes, names: Iterable[str], now: datetime, life: timedelta = LIFE) -> bytes:
        """A server's certificate (PEM) for host names and addresses. Raises KeysError."""
        known = [_general_name(name) for name in names]
        if not known:
            raise KeysError("a server's certificate names a host")
        builder = self._builder(request, str(known[0].value), now, now + life, ExtendedKeyUsageOID.SERVER_AUTH)
        return self._signed(builder.add_extension(x509.SubjectAlternativeName(known), critical=False))

    def _builder(
        self, request: bytes, name: str, now: datetime, until: datetime, usage: x509.ObjectIdentifier
    ) -> x509.CertificateBuilder:
        public = requested_key(request)
        own = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(self.certificate.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - SKEW)
            .not_valid_after(min(until, self.certificate.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(own, critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )

    def _signed(self, builder: x509.CertificateBuilder) -> bytes:
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def save(self, folder: Path) -> None:
        """Raises OSError, also where there is one already."""
        write_key(folder / "authority.key", self.key)
        (folder / "authority.pem").write_bytes(self.pem)


def new_authority(name: str, now: datetime) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + ROOT_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Authority(certificate=builder.sign(key, hashes.SHA256()), key=key)


def load_authority(folder: Path) -> Authority:
    """Raises OSError, KeysError."""
    key = load_key(folder / "authority.key")
    try:
        certificate = x509.load_pem_x509_certificate((folder / "authority.pem").read_bytes())
    except ValueError as error:
        raise KeysError(f"{folder}: no authority of a fleet: {error}") from None
    if certificate.public_key() != key.public_key():
        raise KeysError(f"{folder}: authority.key is not the key of authority.pem")
    return Authority(certificate=certificate, key=key)


def user_of(entry: Entry) -> str:
    """What the broker knows the holder of this key by: the URI in its certificate."""
    return f"autogate:{entry.purpose}:{entry.name}:{entry.id.hex()}"


def request_for(key: ec.EllipticCurvePrivateKey, name: str) -> bytes:
    """A certificate request (PEM)."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(_named(name))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def requested_key(request: bytes) -> ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey:
    """The key that a request (PEM) shows to be its maker's. Raises KeysError."""
    try:
        if len(request) > MOST_REQUEST:
            raise KeysError(f"a certificate request of {len(request)} bytes")
        found = x509.load_pem_x509_csr(request)
        public, proven = found.public_key(), found.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature, x509.InvalidVersion) as error:
        raise KeysError(f"no certificate request: {error}") from None
    allowed = isinstance(public, ed25519.Ed25519PublicKey) or (
        isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1)
    )
    if not allowed or not proven:
        raise KeysError("no certificate request: its key is to be of P-256 or Ed25519, and to have signed it")
    assert isinstance(public, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey)
    return public


def is_renewal_due(certificate: bytes, now: datetime) -> bool:
    """Whether the holder of this one (PEM) should ask for the next. Raises KeysError."""
    try:
        return x509.load_pem_x509_certificate(certificate).not_valid_after_utc - now < RENEW
    except ValueError as error:
        raise KeysError(f"no certificate: {error}") from None


def load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Raises OSError, KeysError."""
    try:
        key = load_pem_private_key(path.read_bytes()[:MAX_KEY], None)
    except (ValueError, TypeError) as error:
        raise KeysError(f"{path}: no key that can be read: {error}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise KeysError(f"{path}: no key of P-256")
    return key


def write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """PEM, mode 0600. Raises OSError, also where there is one already."""
    raw = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(raw)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name)
    except ValueError as error:
        raise KeysError(f"{name}: no name of a host: {error}") from None


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
