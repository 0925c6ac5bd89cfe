"""The newest signed statement that a gate has worked under, on its disk: none from before it is taken again."""

from __future__ import annotations

from pathlib import Path

import msgspec

from pki.durable import read_file, write_file
from pki.errors import PkiError, ReasonCode
from pki.signed_versions import Seen

MAX_SEEN = 1024
"""Octets of such a file."""


def last_seen(path: Path, command: str) -> Seen | None:
    """What ``path`` remembers, None for a new gate. Raises PkiError where that cannot be read: forgetting would let old ones in.

    ``command`` tells people what is in force.
    """
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(read_file(path, MAX_SEEN), type=Seen)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise PkiError(ReasonCode.MALFORMED, f"{path}: damaged: compare with {command}, then delete it") from None


def remember(seen: Seen, path: Path, command: str) -> None:
    """Never work under anything older than ``seen`` again. Raises OSError, and PkiError as :func:`last_seen` does."""
    if seen != last_seen(path, command):
        write_file(path, msgspec.json.encode(seen))
