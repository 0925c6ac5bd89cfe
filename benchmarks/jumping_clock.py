"""``python -m benchmarks.jumping_clock FILE INTERPRETER -m MODULE …``: run the module in this process, its wall clock set by as many seconds as FILE says.

FILE is read each time that the clock is, so that a test sets the clock of a process that runs, and of no other.
"""

from __future__ import annotations

import runpy
import sys
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import gate.clock


class Jumping(datetime):
    """What ``gate.clock`` reads."""

    file: Path

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        """A plain datetime: no other can be written into a record."""
        return datetime.now(tz) + timedelta(seconds=float(cls.file.read_text(encoding="ascii")))


def set_clock(file: Path, seconds: float) -> None:
    """Whole or not at all: it is being read."""
    part = file.with_name(file.name + ".part")
    part.write_text(str(seconds), encoding="ascii")
    part.replace(file)


def main() -> None:
    Jumping.file = Path(sys.argv[1])
    gate.clock.datetime = Jumping  # type: ignore[misc]
    module, sys.argv = sys.argv[4], sys.argv[4:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
