"""The certificates of a run: an authority of its own, a server's certificate, one for each gate, and every registry's signing key."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gate.registries.contracts import CONTRACTS

LASTS = timedelta(days=7)
HOSTS = ("127.0.0.1", "localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Issues certificates for one run. ``now`` is taken from the machine's clock."""

    certificate: x509.Certificate
    key: EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def create(cls, name: str = "Registries of this run") -> Self:
        key = generate_private_key(SECP256R1())
        subject = _named(name)
        builder = _builder(subject, subject, key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        return cls(certificate=builder.add_extension(usage, critical=True).sign(key, SHA256()), key=key)

    def issue(self, folder: Path, stem: str, name: str, hosts: tuple[str, ...] = ()) -> None:
        """Write ``STEM.pem`` and ``STEM.key`` for ``name``: a server's certificate where it has ``hosts``, else a gate's."""
        key = generate_private_key(SECP256R1())
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = (
            _builder(_named(name), self.certificate.subject, key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False)
        (folder / f"{stem}.pem").write_bytes(builder.sign(self.key, SHA256()).public_bytes(Encoding.PEM))
        _write_secret(folder / f"{stem}.key", key)

    def write(self, folder: Path) -> None:
        """Write ``ca.pem``: whom to trust."""
        (folder / "ca.pem").write_bytes(self.certificate.public_bytes(Encoding.PEM))


def write_identities(folder: Path, gate: str) -> None:
    """All that a run needs: ``tls/`` (ca, server, gate), ``keys/NAME.pem`` for the server, ``public/NAME.pem`` for the gate."""
    for part in ("tls", "keys", "public"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    authority = Authority.create()
    authority.write(folder / "tls")
    authority.issue(folder / "tls", "server", "reference server", HOSTS)
    authority.issue(folder / "tls", "gate", gate)
    for name in CONTRACTS:
        key = Ed25519PrivateKey.generate()
        _write_secret(folder / "keys" / f"{name}.pem", key)
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (folder / "public" / f"{name}.pem").write_bytes(public)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + LASTS)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write_secret(path: Path, key: EllipticCurvePrivateKey | Ed25519PrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
