"""What the lane tells the officer's page, and what the page makes of it: every view whole, the long list sent once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
from msgspec.structs import replace

from gate.decision import decide_exit
from gate.evidence import VOCABULARY, CheckResult, Direction, Fact
from gate.lane import State, View
from gate.policy.schema import load_rules
from gate.processes.bounds import MOST_STAGES, bounded_facts, bounded_inspection, bounded_stages
from gate.processes.channel import MESSAGE_LIMIT
from gate.processes.display import Display
from gate.processes.messages import ENDED_KEPT, EndedTransaction, OfficerView, TravellerView
from gate.records import DecisionRecord, InspectionCheck, StageTiming, TransactionRecord
from gate.transaction import Transaction
from gate.ui.feed import officer_feed

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)

CONFIG: Any = SimpleNamespace(
    lane=SimpleNamespace(id="l", checkpoint="CGK", direction="departure", kind="mantrap"),
    profile="demo",
    face=SimpleNamespace(waiver=None),
    registries=SimpleNamespace(named={}),
    audit=SimpleNamespace(witness=None, sealing_key=None),
    fleet=None,
)
CASE = SimpleNamespace(document_there=False, referral_screen=None, progress=0.0, guidance="", running=None, backends={})


def running(name: str) -> Transaction:
    return Transaction(
        transaction=name, lane="l", checkpoint="CGK", direction=Direction.DEPARTURE, started=NOW, boot=1.0, profile="demo"
    )


def ended(name: str) -> TransactionRecord:
    return running(name).record(NOW, {}, demonstration=True)


def view(state: str, *records: TransactionRecord) -> OfficerView:
    where = {"lane": "l", "checkpoint": "CGK", "direction": "departure", "profile": "demo", "controller": "ready"}
    return OfficerView(**where, state=state, entry="locked", exit="locked", occupancy="0", ended=records)


def test_every_view_lists_who_ended_though_the_lane_tells_it_once(tmp_path: Path):
    feed, record = officer_feed(tmp_path / "lane.sock", ""), ended("t-1")
    feed.hear(view("idle"))
    feed.hear(EndedTransaction(record=record))
    assert feed.current == view("idle", record)
    feed.hear(view("document"))
    assert feed.current == view("document", record)
    feed.hear(TravellerView(screen="open"))
    assert feed.current == view("document", record)


def test_the_list_is_as_the_lane_told_it_newest_first_none_twice_and_no_longer_than_the_page(tmp_path: Path):
    feed = officer_feed(tmp_path / "lane.sock", "")
    feed.hear(view("idle"))
    records = [ended(f"t-{number}") for number in range(ENDED_KEPT + 1)]
    for record in (*records, *records[-2:]):  # told again, because a second page came
        feed.hear(EndedTransaction(record=record))
    assert feed.current == view("idle", *reversed(records[1:]))


def test_each_that_ended_is_sent_once_and_to_a_page_that_comes_anew():
    told: list[object] = []
    display = Display(CONFIG, lambda _, message: told.append(message))

    def sent(*, of: tuple[TransactionRecord, ...]) -> list[str]:
        told.clear()
        for state in (State.IDLE, State.DOCUMENT, State.ENTRY_OPEN):
            display.show(state, View(), "ready", SimpleNamespace(**vars(CASE), ended=of))
        assert sum(isinstance(message, OfficerView) for message in told) == 3
        return [message.record.transaction for message in told if isinstance(message, EndedTransaction)]

    one, two = (ended("t-1"),), (ended("t-2"), ended("t-1"))
    assert [sent(of=()), sent(of=one), sent(of=one), sent(of=two)] == [[], ["t-1"], [], ["t-2"]]
    display.peer("officer_screen", joined=True)
    assert sent(of=two) == ["t-1", "t-2"]


def test_what_ended_fits_a_message_however_much_the_workers_said():
    """A message that is too long would end the lane."""
    much = "\N{GRINNING FACE}" * 1000
    stages = bounded_stages(
        [StageTiming(name=much, start_ms=-1e-300, duration_ms=1e-300, result=much, room=much)] * 1000, MOST_STAGES
    )
    checks = [InspectionCheck(step=1, name=much, group=much, result=CheckResult.NOT_PERFORMED, code=much, detail=much)] * 1000
    fact = Fact(value=much, code=much, source=much, as_of=NOW, score=1e-300, threshold=1e-300)
    evidence = replace(running("t-1").evidence(NOW), facts=bounded_facts(dict.fromkeys(VOCABULARY, fact)))
    decision = decide_exit(evidence, load_rules(), NOW)
    decisions = (DecisionRecord(at=NOW, evidence=evidence, decision=decision),) * 4  # entry, exit, voided, and one to spare
    record = replace(ended("t-1"), stages=stages, inspection=bounded_inspection(checks), decisions=decisions)
    told: list[object] = []
    display = Display(CONFIG, lambda _, message: told.append(message))
    case = SimpleNamespace(**vars(CASE), ended=tuple(replace(record, transaction=f"t-{number}") for number in range(ENDED_KEPT)))
    display.show(State.IDLE, View(), "ready", case)
    assert len([message for message in told if isinstance(message, EndedTransaction)]) == ENDED_KEPT
    assert max(len(msgspec.msgpack.encode(message)) for message in told) < MESSAGE_LIMIT
