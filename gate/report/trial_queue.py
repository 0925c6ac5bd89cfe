"""How long travellers waited before the lanes, where a file beside the logs tells: gates themselves see nobody before the document.

``queue.json`` lies in a state folder, or beside the state folders of all lanes, as :mod:`gate.simulation` leaves it. What it holds besides
the fields named here is not read.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec

FILE_NAME = "queue.json"
MOST_BYTES = 256 << 20
ANOTHER, OF_OTHERS = "queue file left out: not readable as schema 1", "queue file left out: it is about other lanes"

Seconds = Annotated[float, msgspec.Meta(ge=0.0)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Portion = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds over ``n`` travellers, percentiles by nearest rank."""

    n: Count
    p50: float
    p90: float
    p95: float
    p99: float
    max: float


class Hour(msgspec.Struct, frozen=True, kw_only=True):
    """``arrived``: who came to the queue in that hour."""

    begins: Annotated[datetime, msgspec.Meta(tz=True)]
    arrived: Count
    longest_queue: Count
    waiting_s: Spread


class Bank(msgspec.Struct, frozen=True, kw_only=True):
    """Lanes with one queue. ``within_5_min``: the share of those served who waited no longer."""

    name: str
    lanes: tuple[str, ...]
    arrived: Count
    served: Count
    gave_up: Count = 0
    longest_queue: Count
    waiting_s: Spread
    within_5_min: Portion | None = None
    hours: tuple[Hour, ...] = ()


class WholeTraveller(msgspec.Struct, frozen=True, kw_only=True):
    """Where the time of those went who passed, in a simulation that knows when they stood right: a log sees only that vision looked."""

    opened: Count
    total_s: Spread
    human_s: Spread
    door_s: Spread
    neither_s: Spread
    neither_without_chip_allowance_s: Spread
    one_after_another_s: Spread
    saved_by_concurrency_s: Spread


class QueueFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file. ``impostors``: transactions of travellers who were not the holder, known in simulations alone."""

    schema: Literal[1]
    simulated: bool
    scenario: str = ""
    seed: int | None = None
    banks: tuple[Bank, ...] = ()
    whole_traveller: WholeTraveller | None = None
    impostors: tuple[str, ...] = ()

    @property
    def lanes(self) -> frozenset[str]:
        return frozenset(lane for bank in self.banks for lane in bank.lanes)


class Queues(msgspec.Struct, frozen=True, kw_only=True):
    """All files."""

    files: tuple[QueueFile, ...] = ()

    @property
    def impostors(self) -> frozenset[str]:
        return frozenset(name for each in self.files if each.simulated for name in each.impostors)


def read_queues(states: Iterable[Path], lanes: AbstractSet[str]) -> tuple[Queues, list[tuple[str, str]]]:
    """The queue files in ``states`` and in the folders that hold them, each once; and (name, why) of those that are left out.

    A file counts only if it is about any of these ``lanes``: queues of others say nothing about them.
    """
    files = dict.fromkeys(folder / FILE_NAME for state in states for folder in (state.resolve(), state.resolve().parent))
    told: list[QueueFile] = []
    problems: list[tuple[str, str]] = []
    for file in files:
        if not file.is_file():
            continue
        try:
            if file.stat().st_size > MOST_BYTES:
                raise msgspec.ValidationError("too large")
            found = msgspec.json.decode(file.read_bytes(), type=QueueFile)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            problems.append((FILE_NAME, ANOTHER))
            continue
        if lanes & found.lanes:
            told.append(found)
        else:
            problems.append((FILE_NAME, OF_OTHERS))
    return Queues(files=tuple(told)), problems
