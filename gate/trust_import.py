"""What ``autogate trust import`` does: read every source, keep what may be believed, name what may not."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Self

from pki.errors import PkiError, ReasonCode
from pki.inventory import take_inventory
from pki.revocation import parse_crl
from pki.sources import Found, read_sources
from pki.trust import Csca, TrustStore, read_anchors
from pki.trust_versions import TrustVersions
from pki.union import UNCONFIRMED, union

BAR = 24
"""Characters of a full progress bar."""


class Progress:
    """A bar on the standard error while long work runs, on a terminal alone; gone when the work is done."""

    def __enter__(self) -> Self:
        self._terminal = sys.stderr.isatty()
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def show(self, done: int, total: int, what: str) -> None:
        """``done`` of ``total`` parts are done; ``what`` is at work now."""
        if self._terminal:
            full = BAR * done // total
            print(f"\r\x1b[K[{'█' * full}{'·' * (BAR - full)}] {what}", end="", file=sys.stderr, flush=True)


def import_sources(versions: TrustVersions, options: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """Make a version of ``options.sources`` and what the newest one holds. Raises PkiError, OSError."""
    known = versions.versions()
    earlier = versions.read(known[-1]) if known and not options.fresh else TrustStore(anchors=())
    found = _read_all(options, progress)
    bare = found.bare if options.demo else []
    merged = union((*earlier.anchors, *found.anchors, *bare))
    crls = dict.fromkeys((*earlier.crls, *_readable(found)))
    anchors = tuple(replace(anchor, provenance=_each_once(anchor.provenance)) for anchor in merged.anchors)
    if not anchors:
        raise PkiError(ReasonCode.MALFORMED, "these sources hold no certificate that may be believed")
    progress.show(len(options.sources), len(options.sources) + 1, "checking which key signed which certificate")
    store = TrustStore(anchors=anchors, crls=tuple(crls), demo=options.demo)
    inventory = take_inventory(anchors)
    version = versions.add(store, onto=known[-1].number if known else 0)
    return {
        "store": str(versions.folder),
        "version": version.number,
        "digest": version.digest,
        "new": version not in known,
        "demo": store.demo,
        **asdict(inventory),
        "crls": len(crls),
        "unconfirmed": [anchor.parsed.label for anchor in anchors if UNCONFIRMED in anchor.provenance],
        "refused": [f"{anchor.parsed.label} ({anchor.provenance})" for anchor in merged.refused],
        "unreadable": found.unreadable,
        "bare_left_out": 0 if options.demo else len(found.bare),
    }


def _read_all(options: argparse.Namespace, progress: Progress) -> Found:
    list_anchors = TrustStore(anchors=tuple(anchor for file in options.anchor for anchor in read_anchors(file)))
    files = list(_files(options.sources))
    whole = Found()
    for number, file in enumerate(files):
        progress.show(number, len(files) + 1, file.name)
        found = read_sources([file], list_anchors, options.at)
        digest = _digest(file)
        whole.anchors += _from(found.anchors, file.name, digest)
        whole.bare += _from(found.bare, file.name, digest)
        whole.crls += found.crls
        whole.unreadable += (f"{file.name}: {line}" for line in found.unreadable)
    return whole


def _files(sources: Iterable[Path]) -> Iterator[Path]:
    for source in sources:
        yield from sorted(source.iterdir()) if source.is_dir() else [source]


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _from(anchors: Iterable[Csca], name: str, digest: str) -> Iterator[Csca]:
    """With the file in the provenance; that of a certificate that came alone is the file's name already."""
    for one in anchors:
        what = "" if one.provenance == name else f"{one.provenance}, "
        yield replace(one, provenance=f"{what}{name} sha256 {digest[:16]}")


def _readable(found: Found) -> Iterator[bytes]:
    """The revocation lists that can be read; the others are told of."""
    for crl in found.crls:
        try:
            parse_crl(crl)
        except PkiError as error:
            found.unreadable.append(f"revocation list: {error.detail}")
        else:
            yield crl


def _each_once(provenance: str) -> str:
    return "; ".join(dict.fromkeys(provenance.split("; ")))
