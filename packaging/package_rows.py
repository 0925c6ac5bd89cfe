"""The table of what was shown, with the time that each row took."""

from __future__ import annotations

import sys
import time


class Rows:
    def __init__(self) -> None:
        self._rows: list[tuple[str, str, float]] = []
        self._since = time.monotonic()

    def add(self, what: str, shown: str) -> None:
        """``shown`` happened, just now."""
        now = time.monotonic()
        self._rows.append((what, shown, now - self._since))
        self._since = now
        print(f"  {what}", file=sys.stderr, flush=True)

    def table(self) -> str:
        width = max((len(what) for what, _, _ in self._rows), default=0)
        return "\n".join(f"{what:<{width}}  {seconds:6.1f} s  {shown}" for what, shown, seconds in self._rows)
