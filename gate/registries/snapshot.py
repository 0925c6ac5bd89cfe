"""A registry's snapshot for one gate, as it travels: what the gate may answer from while the registry cannot be reached.

The first line is a compact JWS (RFC 7515) by the registry's key over the :class:`Head`; every further line is one JSON object, an entry,
and the head tells how many there are and the SHA-256 of all of them with their line ends::

    eyJhbGciOi…                                                                  {registry, gate, version, as_of, expires, entries, sha256}
    {"issuing_state": "IDN", "document_number": "S1", "records": [{…}, …]}       all that the registry holds of one book
    …

A snapshot of the watchlist has a listed person on each line instead. A book, or a person, without an entry is unknown to the registry.
Whatever is wrong with a snapshot is a :class:`SnapshotRefused` with one of the reasons that a live answer may be refused for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, BinaryIO, TypeVar

import msgspec
from joserfc.jwk import OKPKey

from gate.registries.base import MAX_SKEW_S, Instant, Why
from gate.registries.envelope import EnvelopeError, signed, verified

MAX_HEAD = 4096
"""Bytes of the first line; a head takes some five hundred."""
MAX_LINE = 65_536
"""Bytes of an entry: a book with its permits, or a person with their aliases, takes a thousandth of it."""

T = TypeVar("T")


class SnapshotRefused(Exception):
    """A snapshot that speaks for nobody: ``why`` as in ``Unavailable``, ``what`` for people."""

    def __init__(self, why: Why, what: str) -> None:
        super().__init__(f"{why}: {what}")
        self.why, self.what = why, what


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the registry signs. ``version`` rises with every snapshot; ``as_of`` is the state of its data, ``expires`` the end of its word."""

    registry: str
    gate: str
    version: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    as_of: Instant
    expires: Instant
    entries: Annotated[int, msgspec.Meta(ge=0, le=2**31)]
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]

    def check_time(self, now: datetime) -> None:
        """That it is in force at ``now``, which must never go back (``gate.clock``). Raises SnapshotRefused: ``clock``, ``expired``."""
        if self.as_of > now + timedelta(seconds=MAX_SKEW_S):
            raise SnapshotRefused("clock", f"it is of {self.as_of}, and the gate's clock shows {now}")
        if now >= self.expires:
            raise SnapshotRefused("expired", f"its word ended at {self.expires}")


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that a registry holds of one book."""

    issuing_state: str
    document_number: str
    records: tuple[msgspec.Raw, ...]


_HEADS = msgspec.json.Decoder(Head)
_WRONG = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What bytes raise that are no JSON of the right shape."""


def published(
    lines: Sequence[bytes], key: OKPKey, *, registry: str, gate: str, version: int, as_of: datetime, expires: datetime
) -> Iterator[bytes]:
    """The lines of a snapshot, each with its end, as a registry sends them to ``gate``, signed with its private ``key``.

    ``lines``: the entries, as JSON, without line ends.
    """
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line + b"\n")
    head = Head(
        registry=registry,
        gate=gate,
        version=version,
        as_of=as_of,
        expires=expires,
        entries=len(lines),
        sha256=digest.hexdigest(),
    )
    yield signed(msgspec.json.encode(head), key, "snapshot").encode() + b"\n"
    for line in lines:
        yield line + b"\n"


def signed_head(stream: BinaryIO, key: OKPKey, *, registry: str, gate: str, now: datetime) -> Head:
    """The head of the snapshot in ``stream``, which then stands at the first entry. It is signed by ``key``, for this gate, and in force.

    Raises SnapshotRefused; OSError where the stream breaks.
    """
    line = stream.readline(MAX_HEAD)
    if not line.endswith(b"\n"):
        raise SnapshotRefused("malformed", "it has no head")
    try:
        head = _HEADS.decode(verified(line[:-1], key, "snapshot"))
    except EnvelopeError as error:
        raise SnapshotRefused(error.why, "its head is not what the registry signs") from None
    except _WRONG as error:
        raise SnapshotRefused("malformed", f"its head is signed and wrong: {error}") from None
    if (head.registry, head.gate) != (registry, gate):
        raise SnapshotRefused("misaddressed", f"it is of {head.registry!r} for the gate {head.gate!r}")
    head.check_time(now)
    return head


def entries(stream: BinaryIO, head: Head, kind: type[T]) -> Iterator[T]:
    """The entries that follow ``head``. They count only once the iterator has ended without a SnapshotRefused: until then the
    snapshot may be half a one, or another's.
    """
    decoder, digest = msgspec.json.Decoder(kind), hashlib.sha256()
    for number in range(1, head.entries + 1):
        line = stream.readline(MAX_LINE)
        if not line.endswith(b"\n"):
            raise SnapshotRefused("malformed", f"it ends in entry {number} of {head.entries}")
        digest.update(line)
        try:
            yield decoder.decode(line)
        except _WRONG as error:
            raise SnapshotRefused("malformed", f"entry {number}: {error}") from None
    if stream.read(1):
        raise SnapshotRefused("malformed", f"it goes on after its {head.entries} entries")
    if digest.hexdigest() != head.sha256:
        raise SnapshotRefused("forged", "its entries are not those that were signed")
