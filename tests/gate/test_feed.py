"""What the lane tells the officer's page, and what the page makes of it: every view whole, the long list sent once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

from gate.evidence import Direction
from gate.lane import State, View
from gate.processes.display import Display
from gate.processes.messages import EndedTransactions, OfficerView, TravellerView
from gate.records import TransactionRecord
from gate.transaction import Transaction
from gate.ui.feed import officer_feed

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)


def ended(name: str) -> TransactionRecord:
    running = Transaction(
        transaction=name, lane="l", checkpoint="CGK", direction=Direction.DEPARTURE, started=NOW, boot=1.0, profile="demo"
    )
    return running.record(NOW, {}, demonstration=True)


def view(state: str, *records: TransactionRecord) -> OfficerView:
    where = {"lane": "l", "checkpoint": "CGK", "direction": "departure", "profile": "demo", "controller": "ready"}
    return OfficerView(**where, state=state, entry="locked", exit="locked", occupancy="0", ended=records)


def test_every_view_lists_who_ended_though_the_lane_tells_it_once(tmp_path: Path):
    feed, record = officer_feed(tmp_path / "lane.sock", ""), ended("t-1")
    feed.hear(view("idle"))
    feed.hear(EndedTransactions(records=(record,)))
    assert feed.current == view("idle", record)
    feed.hear(view("document"))
    assert feed.current == view("document", record)
    feed.hear(TravellerView(screen="open"))
    assert feed.current == view("document", record)


def test_the_list_is_sent_when_it_changed_and_to_a_page_that_comes_anew():
    config = SimpleNamespace(
        lane=SimpleNamespace(id="l", checkpoint="CGK", direction="departure", kind="mantrap"),
        profile="demo",
        face=SimpleNamespace(waiver=None),
    )
    case = SimpleNamespace(document_there=False, referral_screen=None, progress=0.0, guidance="", running=None, backends={})
    told: list[object] = []
    display = Display(config, lambda _, message: told.append(message))

    def lists(*, of: tuple[TransactionRecord, ...]) -> int:
        told.clear()
        for state in (State.IDLE, State.DOCUMENT, State.ENTRY_OPEN):
            display.show(state, View(), "ready", SimpleNamespace(**vars(case), ended=of))
        assert sum(isinstance(message, OfficerView) for message in told) == 3
        return told.count(EndedTransactions(records=of))

    first = (ended("t-1"),)
    assert [lists(of=()), lists(of=()), lists(of=first), lists(of=first)] == [1, 0, 1, 0]
    display.peer("officer_screen", joined=True)
    assert lists(of=first) == 1
