"""Counts travellers in the audit's process, out of the log, and has the lane put each day's tally into it.

It follows the log from its beginning or from :data:`~gate.audit.tally.DAYS` days ago, a batch at each look, and keeps counts in memory alone. What
was told stands in the log, so whatever dies in between, the next start counts the same again and tells what is missing. Of a record
only the findings are opened, for as long as it takes to count it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

import msgspec

from gate.audit.chain import AuditError, Row
from gate.audit.fields import MARK, opened, parts_of
from gate.audit.keyring import Keyring
from gate.audit.log import FILE_NAME, open_readonly
from gate.audit.tally import DAYS, KIND, Crossed, Day, tally_of
from gate.clock import SystemClock, civil_date
from gate.config import Config
from gate.processes.messages import AnyMessage, TellTally
from gate.profiles import PROFILES
from gate.records import Tally

BATCH = 500
"""Records at a look: some ten milliseconds of a processor, beside which others are sealed."""
SETTLES = timedelta(minutes=15)
"""After midnight, until whoever ended before it stands in the log."""
FINDINGS = "findings"
"""The kind of personal field that class and reasons are."""
_DAY = timedelta(days=1)


class Tallier:
    """Not for two threads; a process of the gate calls :meth:`look` now and then."""

    def __init__(self, config: Config, post: Callable[[AnyMessage], None], clock: SystemClock) -> None:
        """``post`` sends to the lane. What the log has of demonstrations is counted in one, and nowhere else. Raises AuditError."""
        assert config.audit.sealing_key is not None
        self._ring = Keyring.of(config.state_dir, config.audit.sealing_key)
        self._log = open_readonly(config.state_dir / FILE_NAME)
        self._post, self._clock, self._checkpoint = post, clock, config.lane.checkpoint
        self._demonstration = PROFILES[config.profile].demonstration
        self._after: int | None = None
        self._first = date.max
        self._days: dict[date, Day] = {}
        self._told: dict[date, Tally] = {}

    def close(self) -> None:
        self._ring.close()
        self._log.close()

    def look(self) -> None:
        """Follow the log, and tell the first tally that it lacks, until it has it. Raises AuditError; the next look goes on from there."""
        if not self._clock.trusted():
            return
        today = civil_date(self._clock.wall() - SETTLES, self._checkpoint)
        if self._after is None:
            self._begin(today)
        assert self._after is not None
        rows = self._log.rows(self._after, BATCH)
        for row in rows:
            self._take(row)
            self._after = row[0]
        if len(rows) == BATCH:
            return
        self._forget(today)
        if (missing := self._missing(today)) is not None:
            told = [each for each in self._told.values() if each.day < missing]
            self._post(TellTally(tally=tally_of(missing, self._days, told, demonstration=self._demonstration)))

    def _begin(self, today: date) -> None:
        """Find where the log came into the days that may have to be told of; none is older than the log."""
        since = today - DAYS * _DAY
        instant = datetime.combine(since - _DAY, time(), UTC).isoformat().encode()  # a day's start anywhere on earth is later
        after = bisect_left(range(1, self._log.head().seq + 1), instant, key=self._at)
        self._first = max(since, self._civil(self._at(1)) if self._log.row(1) else today)
        self._after = after

    def _at(self, seq: int) -> bytes:
        row = self._log.row(seq)
        if row is None:
            raise AuditError(f"record {seq} is missing")
        return row[1]

    def _civil(self, at: bytes) -> date:
        try:
            return civil_date(datetime.fromisoformat(at.decode()), self._checkpoint)
        except ValueError as error:
            raise AuditError(f"a record of no time: {error}") from error

    def _take(self, row: Row) -> None:
        if row[4] == KIND.encode():
            try:
                told = msgspec.json.decode(row[5], type=Tally)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                raise AuditError(f"record {row[0]}: {error}") from error
            self._told[told.day] = told
        elif row[4] == b"transaction" and row[5].startswith(MARK) and (day := self._civil(row[1])) >= self._first:
            self._count(row, self._days.setdefault(day, Day()))

    def _count(self, row: Row, day: Day) -> None:
        """A sealed one: the others lie open, and the centre counts them itself."""
        crossed = self._crossed(row)
        if crossed is None:
            day.unread += 1
        elif crossed.demonstration is self._demonstration:
            day.add(crossed)

    def _crossed(self, row: Row) -> Crossed | None:
        """What a transaction's record says, None where its findings cannot be opened. Raises AuditError where the keys cannot be used now."""
        try:
            box = parts_of(row[5]).get(FINDINGS)

            def unseal(number: int, sealed: bytes, where: bytes) -> bytes | None:
                return self._ring.unseal(number, sealed, where) if box and number == box.key else None

            body, gone = opened(row[3].decode(), row[4].decode(), row[5], unseal)
            return None if FINDINGS in gone else msgspec.json.decode(body, type=Crossed)
        except (msgspec.MsgspecError, ValueError, RecursionError):  # `autogate audit verify` tells of it
            return None

    def _missing(self, today: date) -> date | None:
        """The first day that is over and has no tally."""
        days = (max(self._first, today - DAYS * _DAY) + number * _DAY for number in range(DAYS))
        return next((day for day in days if day < today and day not in self._told), None)

    def _forget(self, today: date) -> None:
        """What no tally will need any more."""
        oldest = today - 2 * DAYS * _DAY
        self._days = {day: each for day, each in self._days.items() if day >= oldest}
        self._told = {day: each for day, each in self._told.items() if day >= oldest}
