"""The trust store: which CSCA certificates are believed, from where they came, and the CRLs that go with them. Immutable."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from pki.certificates import Certificate, parse_certificate
from pki.errors import PkiError, ReasonCode
from pki.revocation import parse_crl

CERTIFICATE_SUFFIXES, CRL_SUFFIX, DEMO_MARKER = frozenset({".cer", ".der", ".pem"}), ".crl", "DEMO"
MAX_FILE = 1 << 20
"""Octets of one file; a CSCA certificate has 1 to 2 KB, a CRL seldom more than 100 KB."""

_PEM = re.compile(rb"-----BEGIN (?:CERTIFICATE|X509 CRL)-----(.*?)-----END", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Csca:
    """A trust anchor: a CSCA or link certificate, ``provenance`` saying where it came from, and what it says."""

    certificate: bytes = field(repr=False)
    provenance: str
    parsed: Certificate = field(repr=False)

    @classmethod
    def of(cls, certificate: bytes, provenance: str) -> Csca:
        """From DER. Raises DerError."""
        return cls(certificate=certificate, provenance=provenance, parsed=parse_certificate(certificate))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustStore:
    """``version`` is a hash over everything else, so that a verdict can name what it rests on.

    ``demo`` marks pretend States: no operating profile may load such a store. Raises DerError on a CRL that cannot be read.
    """

    anchors: tuple[Csca, ...]
    crls: tuple[bytes, ...] = field(repr=False, default=())
    demo: bool = False
    version: str = field(init=False)

    def __post_init__(self) -> None:
        for crl in self.crls:
            parse_crl(crl)
        object.__setattr__(self, "version", _version(self))


def _version(store: TrustStore) -> str:
    content = hashlib.sha256(b"demo" if store.demo else b"")
    for kind, values in ((b"csca", [anchor.certificate for anchor in store.anchors]), (b"crl", store.crls)):
        for value in sorted(values):
            content.update(kind + hashlib.sha256(value).digest())
    return content.hexdigest()


def load_trust_store(folder: Path) -> TrustStore:
    """All ``*.cer``, ``*.der``, ``*.pem`` (one certificate or several) and ``*.crl`` in ``folder``, in DER or PEM.

    A file ``DEMO`` marks a demonstration store, ``README*`` is passed over. Raises PkiError naming the file for anything that
    cannot be read or is of another kind, as a CRL under a wrong name would silently let revoked signers pass.
    """
    anchors: dict[bytes, Csca] = {}
    crls: list[bytes] = []
    demo = False
    for path in _files(folder):
        if path.name == DEMO_MARKER:
            demo = True
        elif path.suffix.lower() in CERTIFICATE_SUFFIXES:
            anchors |= {value: _anchor(value, path) for value in _values(path)}
        elif path.suffix.lower() == CRL_SUFFIX:
            crls += _values(path)
        elif not path.name.startswith("README"):
            raise _unusable(path, "is neither certificate nor CRL")
    if not anchors:
        raise _unusable(folder, "holds no CSCA certificate")
    return TrustStore(anchors=tuple(anchors.values()), crls=tuple(crls), demo=demo)


def save_trust_store(store: TrustStore, folder: Path) -> None:
    """Write ``store`` into a folder that :func:`load_trust_store` reads back to the same version. Creates the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for anchor in store.anchors:
        country = re.sub(r"[^A-Z]", "", anchor.parsed.subject.country) or "XX"
        (folder / f"{country}-{hashlib.sha256(anchor.certificate).hexdigest()[:16]}.cer").write_bytes(anchor.certificate)
    for crl in store.crls:
        (folder / f"{hashlib.sha256(crl).hexdigest()[:16]}.crl").write_bytes(crl)
    if store.demo:
        (folder / DEMO_MARKER).write_text("Pretend States, for demonstration only.\n", encoding="utf-8")


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise _unusable(folder, f"cannot be read ({error.strerror})") from None


def _values(path: Path) -> list[bytes]:
    """The DER values of a file. A CRL is parsed here only to name its file."""
    try:
        content = path.read_bytes()
        blocks = _PEM.findall(content[: MAX_FILE + 1]) if len(content) <= MAX_FILE else []
        values = [base64.b64decode(b"".join(block.split()), validate=True) for block in blocks] or [content]
        if path.suffix.lower() == CRL_SUFFIX:
            for value in values:
                parse_crl(value)
    except OSError as error:
        raise _unusable(path, f"cannot be read ({error.strerror})") from None
    except (binascii.Error, PkiError) as error:
        raise _unusable(path, str(error)) from None
    return values


def _anchor(value: bytes, path: Path) -> Csca:
    try:
        return Csca.of(value, provenance=path.name)
    except PkiError as error:
        raise _unusable(path, error.detail) from None


def _unusable(path: Path, what: str) -> PkiError:
    return PkiError(ReasonCode.MALFORMED, f"{path}: {what}")
