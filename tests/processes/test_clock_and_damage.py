"""A clock that is set while the gate runs, either way, and a log whose pages are damaged: the gate refers, and says why."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import pytest

from benchmarks.jumping_clock import set_clock
from benchmarks.kill_controller import boot
from benchmarks.kill_lane import CONFIG, KEY, KillLane
from gate.audit.command import verify_command
from gate.audit.log import FILE_NAME, KEY_FILE, AuditLog, decode, open_readonly
from gate.processes import messages as m
from gate.records import DecisionRecord

pytestmark = [pytest.mark.processes, pytest.mark.timeout(120)]
LOG_KEY = KEY.hex().encode()
PAGE, ATTEMPTS = 4096, 3


class Lane(KillLane):
    """A real lane process with a clock of its own."""

    @property
    def state(self) -> Path:
        return self._folder / "state"

    def set_clock(self, by: timedelta) -> None:
        set_clock(self._folder / "clock", by.total_seconds())

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        text = CONFIG.format(folder=self._folder, name=self.name)
        (self._folder / "gate.toml").write_text(text.replace("capture_s = 15", "capture_s = 15\nwalk_in_s = 1"))
        self.set_clock(timedelta())
        self.before = [sys.executable, "-m", "benchmarks.jumping_clock", str(self._folder / "clock")]
        return self

    async def judged(self) -> tuple[str, tuple[str, ...]]:
        """A sound document is laid down, and lifted again; nobody walks in. What became of it."""
        self.heard[:] = [heard for heard in self.heard if not isinstance(heard, (m.TransactionEnded, m.LaneReady))]
        await self._peers["reader"].send(m.DocumentPlaced(boot=boot()))
        ended = await self.until_heard(m.TransactionEnded)
        await self._peers["reader"].send(m.DocumentRemoved())
        await self.until_heard(m.LaneReady)
        return ended.record.outcome, ended.record.reasons

    def opened(self) -> int:
        return sum(line.what == "entry opening" for line in self.lines)

    async def serves(self) -> bool:
        """The entry opens for an honest traveller; on a busy machine they may have to lay their document down again."""
        before = self.opened()
        for _ in range(ATTEMPTS):
            await self.judged()
            if self.opened() > before:
                return True
        return False

    def permits(self) -> Iterator[datetime]:
        with open_readonly(self.state / FILE_NAME, LOG_KEY) as log:
            assert log.verify() == []
            yield from (decode(record, DecisionRecord).at for record in log.records("permit"))


def with_lane(folder: Path, play) -> None:
    async def run() -> None:
        async with Lane(folder / "lane", "python") as lane:
            await play(lane)

    asyncio.run(run())


def test_a_clock_that_jumps_either_way_opens_nothing_that_it_had_not(tmp_path):
    async def play(lane: Lane) -> None:
        await lane.start_host()
        lane.set_clock(-timedelta(hours=2))
        assert await lane.judged() == ("COUNTER", ("CLOCK_DOUBTFUL",))
        assert lane.opened() == 0
        lane.set_clock(timedelta())
        assert await lane.serves(), "set right, it serves again"
        lane.set_clock(timedelta(days=2))
        assert await lane.serves(), "forward nobody can tell it from a night without power"
        opened = lane.opened()
        lane.set_clock(timedelta())
        assert await lane.judged() == ("COUNTER", ("CLOCK_DOUBTFUL",)), "and nobody is judged by an earlier day than one before"
        assert lane.opened() == opened
        permits = list(lane.permits())
        assert permits[-1] - permits[0] > timedelta(days=2)

    with_lane(tmp_path, play)


def fill(state: Path, records: int) -> None:
    """A log of some pages, all of them in the file."""
    log = AuditLog(state / FILE_NAME, LOG_KEY)
    for number in range(records):
        log.append("event", f"t-{number}", b'"' + b"x" * 1400 + b'"', datetime.now(UTC), 1.0)
    log.close()
    (state / KEY_FILE).write_text(LOG_KEY.decode())


def overwrite(state: Path, *pages: int) -> None:
    with (state / FILE_NAME).open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * PAGE)
            file.write(b"\xa5" * PAGE)


def test_a_damaged_log_is_read_as_far_as_it_can_be_and_the_lane_begins_with_nobody(tmp_path, capsys):
    async def play(lane: Lane) -> None:
        fill(lane.state, 60)
        with closing(sqlite3.connect(lane.state / FILE_NAME)) as db:
            pages = db.execute("PRAGMA page_count").fetchone()[0]
        overwrite(lane.state, *range(pages - 4, pages + 1))
        damaged = (lane.state / FILE_NAME).read_bytes()
        with pytest.raises(
            RuntimeError, match=r"lane: .*audit\.sqlite3: cannot be read \(.*\); a damaged log .*autogate audit verify.*move it"
        ):
            await lane.start_host()
        await lane.end_host()
        assert lane.opened() == 0
        assert (lane.state / FILE_NAME).read_bytes() == damaged, "opened for reading alone"
        assert verify_command(lane.state) == 1
        assert "cannot be read" in capsys.readouterr().out
        (lane.state / FILE_NAME).rename(lane.state / "damaged.sqlite3")
        await lane.start_host()
        assert await lane.serves(), "with a log of its own again"

    with_lane(tmp_path, play)
