"""A gate counts official books of records that stay sealed: each day told once, whatever dies in between, and nothing said of few people."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gate.audit.tallier
import gate.audit.tally
from gate.audit.chain import AuditError, encode
from gate.audit.fields import sealed, taken
from gate.audit.keyring import FILE_NAME as KEYS
from gate.audit.keyring import Cause, Keyring
from gate.audit.log import FILE_NAME, SEALING_KEY_FILE, AuditLog, decode, open_readonly
from gate.audit.tallier import Tallier
from gate.audit.tally import DAYS, KIND, LEAST, MOST_COUNTS, MOST_TRAVELLERS, Crossed, Day, ToldTallies, fault, tally_of
from gate.config import Audit, Camera, Config, Controller, Face, Lane, Scanner, Trust
from gate.evidence import Direction
from gate.outcome import Outcome
from gate.processes.messages import TellTally
from gate.records import Tally, TallyCount, TransactionRecord
from gate.registries.answers import OFFICIAL_CLASSES
from gate.report.causes import OFFICIAL, OTHER
from gate.report.disclosure import K

KEY = b"k" * 32
DAY = timedelta(days=1)
MONDAY = date(2026, 3, 2)
NOON = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
"""Of :data:`MONDAY` at Soekarno-Hatta, seven hours ahead of UTC."""


def crossed(document_class: str = "ordinary", outcome: Outcome = Outcome.OPEN, *reasons: str) -> Crossed:
    return Crossed(
        direction=Direction.DEPARTURE, document_class=document_class, outcome=outcome, reasons=reasons, demonstration=True
    )


def day_of(*who: tuple[int, Crossed]) -> Day:
    day = Day()
    for times, each in who:
        for _ in range(times):
            day.add(each)
    return day


def told(tally: Tally) -> dict[tuple[bool, str, str], int]:
    return {(each.passed, each.document_class, each.cause): each.count for each in tally.counts}


# --- what is told --------------------------------------------------------------------------------------------------------------

REFERRED = crossed("service", Outcome.COUNTER, "EXIT_PERMIT_MISSING", "CHIPLESS_BOOK")


def test_a_book_counts_under_its_class_and_the_first_cause_as_on_the_page():
    day = day_of(
        (30, crossed()), (4, crossed("diplomatic")), (25, crossed("other", Outcome.HOLD, "PA_UNDETERMINED")), (2, REFERRED)
    )
    day.add(crossed("service", Outcome.RETRY))
    assert told(tally_of(MONDAY, {MONDAY: day}, [], demonstration=True)) == {
        (True, "", ""): 34,
        (True, "diplomatic", ""): 4,
        (False, "", ""): 27,
        (False, "service", "no chip in the book"): 2,
    }


def test_of_fewer_than_twenty_who_went_one_way_nothing_is_told_whoever_they_were():
    for official in range(LEAST):
        day = day_of((official, REFERRED), (LEAST - 1 - official, crossed("ordinary", Outcome.COUNTER)))
        assert tally_of(MONDAY, {MONDAY: day}, [], demonstration=True).counts == ()


travellers = st.lists(
    st.lists(
        st.builds(
            crossed,
            st.sampled_from(["ordinary", "ordinary", "service", "diplomatic", "other"]),
            st.sampled_from([Outcome.OPEN, Outcome.OPEN, Outcome.COUNTER, Outcome.HOLD]),
            st.sampled_from(["CHIPLESS_BOOK", "EXIT_PERMIT_USED", "UNHEARD_OF"]),
        ),
        max_size=30,
    ),
    min_size=1,
    max_size=8,
)


@settings(deadline=None)
@given(travellers)
def test_every_count_is_of_ten_or_hides_among_ten_and_nobody_is_told_of_twice_or_forgotten(came):
    """Over days that follow each other: who is not told of today is told of once there are enough."""
    days, so_far = dict[date, Day](), list[Tally]()
    seen: Counter[tuple[bool, str]] = Counter()
    for number, who in enumerate(came):
        day = MONDAY + number * DAY
        days[day] = day_of(*((1, each) for each in who))
        tally = tally_of(day, days, so_far, demonstration=True)
        assert fault(tally, day) == ""
        so_far.append(tally)
        everybody = {each.passed: each.count for each in tally.counts if not each.document_class}
        for each in tally.counts:
            assert each.count >= K or everybody[each.passed] - each.count >= K
            seen[each.passed, each.document_class] += each.count
    for passed in (True, False):
        own = [each for who in came for each in who if (each.outcome is Outcome.OPEN) is passed]
        kept = len(own) - seen[passed, ""]
        assert 0 <= kept < LEAST
        for name in ("service", "diplomatic"):
            all_of_it = sum(each.document_class == name for each in own)
            assert all_of_it - kept <= seen[passed, name] <= all_of_it


def test_the_control_with_a_lower_limit_a_count_would_hide_among_few(monkeypatch):
    monkeypatch.setattr(gate.audit.tally, "LEAST", LEAST - 2)
    day = day_of((9, REFERRED), (9, crossed("ordinary", Outcome.COUNTER)))
    assert set(told(tally_of(MONDAY, {MONDAY: day}, [], demonstration=True)).values()) == {18, 9}


def test_what_waits_for_more_is_dropped_after_a_fortnight():
    days = {MONDAY: day_of((LEAST - 1, REFERRED)), MONDAY + DAYS * DAY: day_of((1, REFERRED))}
    assert tally_of(MONDAY + DAYS * DAY, days, [], demonstration=True).counts == ()
    days = {MONDAY: day_of((LEAST - 1, REFERRED)), MONDAY + (DAYS - 1) * DAY: day_of((1, REFERRED))}
    assert {each.since for each in tally_of(MONDAY + (DAYS - 1) * DAY, days, [], demonstration=True).counts} == {MONDAY}


# --- what is believed ----------------------------------------------------------------------------------------------------------


def count(**changes: object) -> TallyCount:
    made = {"direction": Direction.ARRIVAL, "passed": True, "since": MONDAY, "document_class": "", "cause": "", "count": 40}
    return TallyCount(**(made | changes))


def tally(*counts: TallyCount, **changes: object) -> Tally:
    return Tally(**({"day": MONDAY, "demonstration": False, "unread": 0, "counts": counts or (count(),)} | changes))


GOOD = tally(
    count(),
    count(document_class="service", count=3),
    count(passed=False),
    count(passed=False, document_class="diplomatic", cause="other", count=40),
)
HOSTILE = {
    "ten to the nine": tally(count(count=10**9)),
    "none": tally(count(count=0)),
    "fewer than none": tally(count(), count(document_class="service", count=-1)),
    "ten thousand rows": tally(*(count(document_class="service", cause=f"{n}") for n in range(10_000))),
    "one thing twice": tally(count(), count()),
    "a class that is not told": tally(count(), count(document_class="ordinary", count=3)),
    "a cause that there is not": tally(count(passed=False), count(passed=False, document_class="service", cause="<b>", count=3)),
    "no cause": tally(count(passed=False), count(passed=False, document_class="service", count=3)),
    "a cause of who passed": tally(count(), count(document_class="service", cause="other", count=3)),
    "more books than people": tally(count(), count(document_class="service", count=41)),
    "books of nobody": tally(count(), count(passed=False, document_class="service", cause="other", count=3)),
    "too few people": tally(count(count=LEAST - 1)),
    "a day that is not over": tally(day=MONDAY + DAY, counts=()),
    "a day of long ago": tally(day=MONDAY - 15 * DAY, counts=()),
    "days of long ago": tally(count(since=MONDAY - DAYS * DAY)),
    "days to come": tally(count(since=MONDAY + DAY)),
    "too many unread": tally(unread=MOST_TRAVELLERS + 1),
    "fewer unread than none": tally(unread=-1),
}


def test_an_honest_one_is_believed():
    assert fault(GOOD, MONDAY) == fault(GOOD, MONDAY + DAYS * DAY) == ""


@pytest.mark.parametrize("what", HOSTILE)
def test_one_that_cannot_be_is_not_believed(what):
    assert fault(HOSTILE[what], MONDAY)


def test_there_is_room_for_all_that_an_honest_one_can_say():
    most = len(Direction) * (1 + len(OFFICIAL_CLASSES) + 1 + len(OFFICIAL_CLASSES) * len({*OFFICIAL, OTHER}))
    assert most == 44 <= MOST_COUNTS


# --- out of a log --------------------------------------------------------------------------------------------------------------


class Clock:
    def __init__(self, now: datetime) -> None:
        self.now, self.sure = now, True

    def wall(self) -> datetime:
        return self.now

    def trusted(self) -> bool:
        return self.sure


class Gate:
    """A sealed log, and who counts in it; what is told goes into the log at once, unless ``deaf``."""

    def __init__(self, folder, checkpoint: str = "CGK") -> None:
        key = folder / SEALING_KEY_FILE
        key.write_text("5a" * 32)
        key.chmod(0o600)
        self.folder, self.clock, self.deaf = folder, Clock(NOON), False
        self.config = Config(
            profile="demo",
            state_dir=folder,
            lane=Lane(id="x", checkpoint=checkpoint, direction=Direction.DEPARTURE),
            scanner=Scanner(kind="simulator", address="x"),
            camera=Camera(kind="simulator", address="x"),
            controller=Controller(device="x"),
            face=Face(pack="demo", packs_dir=folder),
            trust=Trust(store=folder),
            audit=Audit(key=folder / "audit.key", sealing_key=key),
        )
        self.log, self.ring = AuditLog(folder / FILE_NAME, KEY), Keyring.of(folder, key, "make")
        self.tallier, self.posts = None, 0
        self.restart()

    def cross(self, times: int = 1, document_class: str = "service", outcome: Outcome = Outcome.OPEN, **how) -> None:
        """At the clock's time."""
        for _ in range(times):
            record = TransactionRecord(
                **{
                    "transaction": "t",
                    "lane": "x",
                    "checkpoint": "CGK",
                    "direction": Direction.DEPARTURE,
                    "started": self.clock.now,
                    "ended": self.clock.now,
                    "document_class": document_class,
                    "document_key": "9f" * 16,
                    "outcome": outcome,
                    "reasons": () if outcome is Outcome.OPEN else ("CHIPLESS_BOOK",),
                    "stages": (),
                    "decisions": (),
                    "backends": {},
                    "demonstration": True,
                }
                | how
            )
            clear, parts = taken("transaction", encode(record))
            boxes = {
                kind: self.ring.seal("t", "transaction", kind, plain, self.clock.now.date()) for kind, plain in parts.items()
            }
            self.write("transaction", sealed(clear, boxes), "t")

    def write(self, kind: str, body: object, transaction: str = "") -> None:
        self.log.append(kind, transaction, body, self.clock.now, 1.0)

    def restart(self) -> None:
        if self.tallier:
            self.tallier.close()
        self.tallier, self.guard = Tallier(self.config, self.hear, self.clock), ToldTallies()

    def hear(self, message) -> None:
        assert isinstance(message, TellTally)
        self.posts += 1
        if not self.deaf and self.guard.taken(message.tally, self.clock.now.date() + DAY):
            self.write(KIND, message.tally)

    def look(self, times: int = 1) -> None:
        for _ in range(times):
            self.tallier.look()

    def tallies(self) -> list[Tally]:
        with open_readonly(self.folder / FILE_NAME) as log:
            return [decode(record, Tally) for record in log.records(KIND)]

    def close(self) -> None:
        self.tallier.close()
        self.ring.close()
        self.log.close()


@pytest.fixture
def gate_there(tmp_path):
    made = Gate(tmp_path)
    yield made
    made.close()


def test_a_day_is_told_once_it_is_over_and_then_never_again(gate_there):
    gate_there.cross(21)
    gate_there.cross(2, outcome=Outcome.COUNTER)
    gate_there.look(3)
    gate_there.clock.now = NOON + timedelta(hours=12, minutes=14)  # fourteen minutes past midnight
    gate_there.look(3)
    assert gate_there.posts == 0
    gate_there.clock.now = NOON + timedelta(hours=12, minutes=16)
    gate_there.look(5)
    (only,) = gate_there.tallies()
    assert (only.day, only.demonstration, only.unread) == (MONDAY, True, 0)
    assert told(only) == {(True, "", ""): 21, (True, "service", ""): 21}
    for _ in range(3):
        gate_there.restart()
        gate_there.look(3)
    assert gate_there.tallies() == [only]


def test_who_waited_for_more_is_counted_again_after_a_restart(gate_there):
    gate_there.cross(12, outcome=Outcome.COUNTER)
    gate_there.clock.now += DAY
    gate_there.look(3)
    gate_there.cross(9, outcome=Outcome.COUNTER)
    gate_there.clock.now += DAY
    gate_there.restart()
    gate_there.look(3)
    first, second = gate_there.tallies()
    assert first.counts == ()
    assert told(second) == {(False, "", ""): 21, (False, "service", "no chip in the book"): 21}
    assert {each.since for each in second.counts} == {MONDAY}
    gate_there.cross(19, outcome=Outcome.COUNTER)
    gate_there.clock.now += DAY
    gate_there.restart()
    gate_there.look(3)
    assert gate_there.tallies()[2].counts == ()


def test_what_was_told_and_not_written_is_told_again(gate_there):
    gate_there.cross(20)
    gate_there.clock.now += DAY
    gate_there.deaf = True
    gate_there.look(4)
    assert (gate_there.posts, gate_there.tallies()) == (4, [])
    gate_there.restart()
    gate_there.deaf = False
    gate_there.look(4)
    assert (gate_there.posts, len(gate_there.tallies())) == (5, 1)


def test_a_gate_that_was_off_makes_up_a_fortnight_in_order_and_no_more(gate_there):
    gate_there.cross(30)
    gate_there.clock.now += 40 * DAY
    gate_there.restart()
    gate_there.look(40)
    days = [each.day for each in gate_there.tallies()]
    assert days == [MONDAY + number * DAY for number in range(40 - DAYS, 40)]
    assert not any(each.counts for each in gate_there.tallies())


def test_a_log_is_followed_a_batch_at_a_time_and_told_of_at_its_end(gate_there, monkeypatch):
    monkeypatch.setattr(gate.audit.tallier, "BATCH", 7)
    gate_there.cross(50)
    gate_there.clock.now += DAY
    gate_there.look(7)
    assert gate_there.posts == 0
    gate_there.look()
    assert told(gate_there.tallies()[0])[True, "", ""] == 50


def test_the_day_is_the_checkpoints(tmp_path):
    gate_there = Gate(tmp_path, "DPS")
    gate_there.clock.now = datetime(2026, 3, 2, 16, 30, tzinfo=UTC)  # half past midnight in Denpasar, half past eleven in Jakarta
    gate_there.cross(20)
    gate_there.clock.now += DAY
    gate_there.look(3)
    (only,) = gate_there.tallies()
    gate_there.close()
    assert only.day == MONDAY + DAY


def test_a_doubtful_clock_ends_no_day(gate_there):
    gate_there.cross(20)
    gate_there.clock.now += DAY
    gate_there.clock.sure = False
    gate_there.look(3)
    assert gate_there.posts == 0


def test_travellers_whose_keys_are_gone_are_said_to_be_uncounted(gate_there):
    gate_there.cross(40)
    gate_there.write("transaction", sealed(b"{}", {"findings": None}), "t")
    with Keyring(gate_there.folder / KEYS, None, "change") as ring:
        assert ring.destroy(range(1, 6), Cause(why="asked for", at=NOON)) == 5
    gate_there.clock.now += DAY
    gate_there.look(2)
    (only,) = gate_there.tallies()
    assert only.unread == 6
    assert told(only)[True, "", ""] == 35


def test_what_lies_open_and_what_is_of_the_other_kind_is_not_counted(gate_there):
    gate_there.cross(20)
    gate_there.cross(30, demonstration=False)
    gate_there.write("transaction", b'{"document_class":"service"}', "t")
    gate_there.clock.now += DAY
    gate_there.look(2)
    assert told(gate_there.tallies()[0])[True, "", ""] == 20


def test_nothing_but_the_findings_is_opened(gate_there, monkeypatch):
    opened: list[bytes] = []
    unseal = Keyring.unseal
    monkeypatch.setattr(
        Keyring, "unseal", lambda ring, number, box, where: opened.append(where) or unseal(ring, number, box, where)
    )
    gate_there.cross(20)
    gate_there.look()
    assert len(opened) == 20
    assert all(msgspec.json.decode(where)[3] == "findings" for where in opened)


def test_keys_that_cannot_be_used_now_are_told_of_and_nobody_is_forgotten(gate_there, monkeypatch):
    gate_there.cross(20)
    gate_there.clock.now += DAY
    with monkeypatch.context() as patch:
        patch.setattr(Keyring, "unseal", locked)
        with pytest.raises(AuditError, match="locked"):
            gate_there.look()
    gate_there.look()
    assert told(gate_there.tallies()[0])[True, "", ""] == 20


def locked(*_: object) -> bytes:
    raise AuditError("the database is locked")


# --- the lane's end ------------------------------------------------------------------------------------------------------------


def test_the_lane_takes_a_day_once_and_again_only_where_the_log_did_not():
    guard = ToldTallies()
    assert guard.taken(GOOD, MONDAY + DAY)
    assert not guard.taken(GOOD, MONDAY + DAY)
    guard.lost(GOOD)
    assert guard.taken(GOOD, MONDAY + DAY)


@pytest.mark.parametrize("what", HOSTILE)
def test_the_lane_takes_none_that_cannot_be(what):
    assert not ToldTallies().taken(HOSTILE[what], MONDAY + DAY)


def test_the_lane_remembers_a_bounded_number_of_days():
    guard = ToldTallies()
    for number in range(500):
        assert guard.taken(tally(day=MONDAY + number * DAY, counts=()), MONDAY + (number + 1) * DAY)
    assert len(guard._days) <= 2 * DAYS + 1
