"""A trust store in one file: the octets whose digest people sign are what is loaded, with nothing parsed that is not used.

It is no cache beside a source of truth that could differ from it. Whether it is believed is judged before it is read
(:mod:`pki.trust_versions`); here is the format alone::

    body = magic ‖ size of index (4 octets) ‖ index (JSON) ‖ certificates ‖ revocation lists
"""

from __future__ import annotations

import json
from itertools import accumulate, pairwise
from typing import Any

from pki.errors import PkiError, ReasonCode
from pki.trust import Csca, TrustStore

MAGIC = b"autogate trust store 1\n"
MAX_TRUST_FILE = 256 << 20
"""Octets; the union of all published lists has less than 1 MiB."""
_INDEX_AT = len(MAGIC) + 4


def trust_body(store: TrustStore, number: int) -> bytes:
    """The file of ``store`` as version ``number``, the same octets for the same two."""
    provenances = sorted({anchor.provenance for anchor in store.anchors})
    places = {provenance: place for place, provenance in enumerate(provenances)}
    index = {
        "number": number,
        "demo": store.demo,
        "provenances": provenances,
        "anchors": [_entry(anchor, places[anchor.provenance]) for anchor in store.anchors],
        "crls": [len(crl) for crl in store.crls],
    }
    header = json.dumps(index, separators=(",", ":"), sort_keys=True).encode()
    return b"".join(
        (MAGIC, len(header).to_bytes(4, "big"), header, *(anchor.certificate for anchor in store.anchors), *store.crls)
    )


def _entry(anchor: Csca, place: int) -> list[int | str | None]:
    identifier = anchor.key_identifier
    return [len(anchor.certificate), place, anchor.country, anchor.subject, None if identifier is None else identifier.hex()]


def read_trust_body(body: bytes) -> tuple[int, TrustStore]:
    """Number and store of what :func:`trust_body` wrote. Raises PkiError(MALFORMED), nothing else.

    The index is taken at its word about the certificates, which are parsed when they are used.
    """
    if not body.startswith(MAGIC) or len(body) > MAX_TRUST_FILE:
        raise _malformed("not of this format")
    content_at = _INDEX_AT + int.from_bytes(body[len(MAGIC) : _INDEX_AT], "big")
    try:
        return _store(json.loads(body[_INDEX_AT:content_at]), memoryview(body)[content_at:])
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise _malformed(f"index: {error}") from None


def _store(index: dict[str, Any], content: memoryview) -> tuple[int, TrustStore]:
    number, demo, provenances, entries, crls = (index[key] for key in ("number", "demo", "provenances", "anchors", "crls"))
    if type(number) is not int or type(demo) is not bool:
        raise TypeError("no number, or not said whether it is a demonstration's")
    parts = _cut(content, [*(entry[0] for entry in entries), *crls])
    anchors = tuple(_anchor(part, entry, provenances) for part, entry in zip(parts, entries, strict=False))
    return number, TrustStore(anchors=anchors, crls=tuple(parts[len(anchors) :]), demo=demo)


def _cut(content: memoryview, sizes: list[int]) -> list[bytes]:
    """All of ``content``, in parts of these sizes."""
    if not all(type(size) is int and size > 0 for size in sizes) or sum(sizes) != len(content):
        raise ValueError("sizes do not add up")
    return [bytes(content[begin:end]) for begin, end in pairwise(accumulate(sizes, initial=0))]


def _anchor(certificate: bytes, entry: list[Any], provenances: list[str]) -> Csca:
    _, place, country, subject, identifier = entry
    provenance = provenances[place]
    if not all(isinstance(text, str) for text in (provenance, country, subject)):
        raise TypeError("a name that is no text")
    return Csca(
        certificate=certificate,
        provenance=provenance,
        subject=subject,
        country=country,
        key_identifier=None if identifier is None else bytes.fromhex(identifier),
    )


def _malformed(what: str) -> PkiError:
    return PkiError(ReasonCode.MALFORMED, f"trust store: {what}")
