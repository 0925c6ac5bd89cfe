"""The trust store: which CSCA certificates are believed, from where they came, and the CRLs that go with them. Immutable."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from pki.certificates import Certificate, Name, parse_certificate
from pki.durable import unusable
from pki.errors import PkiError
from pki.revocation import parse_crl

CERTIFICATE_SUFFIXES, CRL_SUFFIX, DEMO_MARKER = frozenset({".cer", ".der", ".pem"}), ".crl", "DEMO"
MAX_FILE = 1 << 20
"""Octets of one file; a CSCA certificate has 1 to 2 KB, a CRL seldom more than 100 KB."""

_PEM = re.compile(rb"-----BEGIN (?:CERTIFICATE|X509 CRL)-----(.*?)-----END", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Csca:
    """A trust anchor: a CSCA or link certificate, and ``provenance``: where it came from.

    ``subject`` (a folded name), ``country`` and ``key_identifier`` are what it is searched by; it is parsed when it is used.
    """

    certificate: bytes = field(repr=False)
    provenance: str
    subject: str = field(repr=False)
    country: str
    key_identifier: bytes | None = field(repr=False)

    @classmethod
    def of(cls, certificate: bytes, provenance: str) -> Csca:
        """From DER. Raises DerError."""
        parsed = _parsed(certificate)
        return cls(
            certificate=certificate,
            provenance=provenance,
            subject=parsed.subject.folded,
            country=parsed.subject.country,
            key_identifier=parsed.extensions.subject_key_identifier,
        )

    @property
    def parsed(self) -> Certificate:
        return _parsed(self.certificate)


_parsed = lru_cache(maxsize=4096)(parse_certificate)
"""Anchors alone, so that no document pushes them out; the union of all known lists has 915."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustStore:
    """``version`` is a hash over everything else, so that a verdict can name what it rests on.

    ``demo`` marks pretend States: no operating profile may load such a store. Raises DerError on a CRL that cannot be read.
    """

    anchors: tuple[Csca, ...]
    crls: tuple[bytes, ...] = field(repr=False, default=())
    demo: bool = False
    version: str = field(init=False)
    _found_by: Mapping[tuple[str, str | bytes | None], tuple[Csca, ...]] = field(init=False, repr=False, compare=False)
    _crls_by: Mapping[str, tuple[bytes, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "version", _version(self))
        keys = ((("key", anchor.key_identifier), ("name", anchor.subject), ("State", anchor.country)) for anchor in self.anchors)
        pairs = ((key, anchor) for anchor, found in zip(self.anchors, keys, strict=True) for key in found)
        object.__setattr__(self, "_found_by", _grouped(pairs))
        object.__setattr__(self, "_crls_by", _grouped((parse_crl(crl).issuer.folded, crl) for crl in self.crls))

    def holding_key(self, key_identifier: bytes | None) -> tuple[Csca, ...]:
        """Anchors with this subject key identifier; none for None."""
        return () if key_identifier is None else self._found_by.get(("key", key_identifier), ())

    def named(self, name: Name) -> tuple[Csca, ...]:
        """Anchors whose subject is ``name``."""
        return self._found_by.get(("name", name.folded), ())

    def of_country(self, country: str) -> tuple[Csca, ...]:
        """Anchors of a country (two letters, upper case); none for an empty one."""
        return self._found_by.get(("State", country), ()) if country else ()

    def authorities_of(self, certificate: Certificate) -> Iterator[Certificate]:
        """Anchors that bear the name of its issuer and may issue: whose revocation lists speak about it."""
        return (anchor.parsed for anchor in self.named(certificate.issuer) if anchor.parsed.may_issue)

    def crls_of(self, issuer: Name) -> tuple[bytes, ...]:
        """CRLs that ``issuer`` claims to have issued, unverified."""
        return self._crls_by.get(issuer.folded, ())


_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def _grouped(pairs: Iterable[tuple[_Key, _Value]]) -> dict[_Key, tuple[_Value, ...]]:
    groups: dict[_Key, list[_Value]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in groups.items()}


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
            anchors |= {anchor.certificate: anchor for anchor in read_anchors(path)}
        elif path.suffix.lower() == CRL_SUFFIX:
            crls += read_values(path)
        elif not path.name.startswith("README"):
            raise unusable(path, "is neither certificate nor CRL")
    if not anchors:
        raise unusable(folder, "holds no CSCA certificate")
    return TrustStore(anchors=tuple(anchors.values()), crls=tuple(crls), demo=demo)


def save_trust_store(store: TrustStore, folder: Path) -> None:
    """Write ``store`` into a folder that :func:`load_trust_store` reads back to the same version. Creates the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for anchor in store.anchors:
        country = re.sub(r"[^A-Z]", "", anchor.country) or "XX"
        (folder / f"{country}-{hashlib.sha256(anchor.certificate).hexdigest()[:16]}.cer").write_bytes(anchor.certificate)
    for crl in store.crls:
        (folder / f"{hashlib.sha256(crl).hexdigest()[:16]}.crl").write_bytes(crl)
    if store.demo:
        (folder / DEMO_MARKER).write_text("Pretend States, for demonstration only.\n", encoding="utf-8")


def read_anchors(path: Path) -> list[Csca]:
    """The certificates of one file (DER, or PEM with one or several), its name their provenance. Raises PkiError naming the file."""
    return [_anchor(value, path) for value in read_values(path)]


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise unusable(folder, f"cannot be read ({error.strerror})") from None


def read_values(path: Path) -> list[bytes]:
    """The DER values of a certificate's or revocation list's file, in DER or PEM. Raises PkiError naming the file."""
    try:
        content = path.read_bytes()
        blocks = _PEM.findall(content[: MAX_FILE + 1]) if len(content) <= MAX_FILE else []
        values = [base64.b64decode(b"".join(block.split()), validate=True) for block in blocks] or [content]
        if path.suffix.lower() == CRL_SUFFIX:
            for value in values:
                parse_crl(value)
    except OSError as error:
        raise unusable(path, f"cannot be read ({error.strerror})") from None
    except (binascii.Error, PkiError) as error:
        raise unusable(path, str(error)) from None
    return values


def _anchor(value: bytes, path: Path) -> Csca:
    try:
        return Csca.of(value, provenance=path.name)
    except PkiError as error:
        raise unusable(path, error.detail) from None
