"""What every message between the processes of a lane is."""

from __future__ import annotations

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of all messages; the tag is the class name. What they carry (secrets, portraits, names) stays out of logs and traces."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {getattr(self, 'transaction', '')}>"
