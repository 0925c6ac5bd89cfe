"""Files that trust anchors come from: master lists, directory files, certificates and revocation lists alone, folders of these."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pki.errors import PkiError, ReasonCode
from pki.ldif import read_ldif
from pki.masterlist import open_master_list
from pki.signed_list import MAX_LIST
from pki.trust import CERTIFICATE_SUFFIXES, CRL_SUFFIX, Csca, TrustStore, read_anchors, read_values


@dataclass(slots=True, kw_only=True)
class Found:
    """What the sources held.

    ``anchors`` are of verified master lists and of files that somebody chose one by one. ``bare`` are of directory files: nobody
    signed for them, so they are fit for a store marked as a demonstration's alone. ``crls`` are unverified. ``unreadable`` says
    in one line each what had to be left out.
    """

    anchors: list[Csca] = field(default_factory=list)
    bare: list[Csca] = field(default_factory=list)
    crls: list[bytes] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def read_sources(paths: Iterator[Path] | list[Path], list_anchors: TrustStore, now: datetime) -> Found:
    """Read files and folders. Master lists must verify to ``list_anchors``. Raises PkiError naming the file, OSError."""
    found = Found()
    for path in paths:
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            try:
                _read(file, list_anchors, now, found)
            except PkiError as error:
                raise PkiError(error.code, f"{file}: {error.detail.removeprefix(f'{file}: ')}") from None
    return found


def _read(file: Path, list_anchors: TrustStore, now: datetime, found: Found) -> None:
    match file.suffix.lower():
        case ".ml":
            if file.stat().st_size > MAX_LIST:
                raise PkiError(ReasonCode.MALFORMED, f"more than {MAX_LIST} octets")
            _add_master_list(file.read_bytes(), list_anchors, now, found)
        case ".ldif":
            _read_directory(file, list_anchors, now, found)
        case suffix if suffix in CERTIFICATE_SUFFIXES:
            found.anchors += read_anchors(file)
        case suffix if suffix == CRL_SUFFIX:
            found.crls += read_values(file)
        case _:
            raise PkiError(ReasonCode.MALFORMED, "neither master list, directory file, certificate nor revocation list")


def _add_master_list(encoded: bytes, list_anchors: TrustStore, now: datetime, found: Found) -> None:
    opened = open_master_list(encoded, list_anchors, now)
    found.anchors += opened.certificates
    found.unreadable += (f"master list of {opened.country}: {line}" for line in opened.unreadable)


def _read_directory(file: Path, list_anchors: TrustStore, now: datetime, found: Found) -> None:
    """One bad value spoils no other: a directory holds what all States put into it."""
    with file.open("rb") as lines:
        for value in read_ldif(lines):
            try:
                match value.kind:
                    case "master_list":
                        _add_master_list(value.content, list_anchors, now, found)
                    case "csca_certificate":
                        found.bare.append(Csca.of(value.content, f"bare, {value.entry}"))
                    case "crl":
                        found.crls.append(value.content)
            except PkiError as error:
                found.unreadable.append(f"line {value.line}, {value.entry}: {error.detail}")
