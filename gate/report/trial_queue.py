"""How long travellers waited before the lanes, where a file beside the logs tells: gates themselves see nobody before the document.

``queue.json`` lies in a state folder or beside the state folders of a bank's lanes::

    {"schema": 1, "simulated": true, "banks": [{"name": "CGK arrival", "waits_s": [0.0, 12.3], "gave_up": 0,
     "lengths": [["2026-03-02T01:00:00+00:00", 12]]}], "impostors": ["transaction id"]}
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec

FILE_NAME = "queue.json"
MOST_BYTES = 256 << 20

Seconds = Annotated[float, msgspec.Meta(ge=0.0)]
Count = Annotated[int, msgspec.Meta(ge=0)]


class Bank(msgspec.Struct, frozen=True, kw_only=True):
    """Lanes with one queue. ``waits_s``: of each traveller who came to a lane; ``lengths``: of the queue at these instants."""

    name: str
    waits_s: tuple[Seconds, ...]
    gave_up: Count = 0
    lengths: tuple[tuple[Annotated[datetime, msgspec.Meta(tz=True)], Count], ...] = ()


class _File(msgspec.Struct, frozen=True, kw_only=True):
    schema: Literal[1]
    simulated: bool
    banks: tuple[Bank, ...]
    impostors: tuple[str, ...] = ()


class Queues(msgspec.Struct, frozen=True, kw_only=True):
    """All banks of all files. ``impostors``: transactions of travellers who were not the holder, known in simulations alone."""

    banks: tuple[Bank, ...] = ()
    simulated: bool = False
    impostors: frozenset[str] = frozenset()


def read_queues(states: Iterable[Path]) -> tuple[Queues, list[str]]:
    """The queue files in ``states`` and in the folders that hold them, each once, and the names of those that cannot be understood."""
    files = dict.fromkeys(folder / FILE_NAME for state in states for folder in (state.resolve(), state.resolve().parent))
    told: list[_File] = []
    problems: list[str] = []
    for file in files:
        if not file.is_file():
            continue
        try:
            if file.stat().st_size > MOST_BYTES:
                raise msgspec.ValidationError("too large")
            told.append(msgspec.json.decode(file.read_bytes(), type=_File))
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            problems.append(str(file))
    return Queues(
        banks=tuple(bank for each in told for bank in each.banks),
        simulated=any(each.simulated for each in told),
        impostors=frozenset(name for each in told if each.simulated for name in each.impostors),
    ), problems
