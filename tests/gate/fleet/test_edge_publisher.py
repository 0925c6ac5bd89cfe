"""The publisher: in the end the centre has everything, whatever the broker loses; a full or silent one is not run down."""

from __future__ import annotations

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from edge_gate import GATE, GATE_SIGNER, START, Gate, TwoKeys
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.audit.keys import make_key, open_signer
from gate.audit.notary import Notary
from gate.audit.note import Checkpoint, Note
from gate.audit.store import tree_path
from gate.fleet import publisher as module
from gate.fleet.connection import BrokerError
from gate.fleet.messages import CheckpointNote, Parcel, believed
from gate.fleet.outbox import CROSSING
from gate.fleet.publisher import BURST_S, LONGEST_RESEND_S, RESEND_S, SILENCE, Pace, Pauses, Publisher, Resending


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Centre:
    """Holds what reaches it, and acknowledges it up to the first gap."""

    def __init__(self) -> None:
        self.held: set[int] = set()
        self.ids: list[str] = []

    def take(self, raw: bytes) -> None:
        self.held |= {row.seq for row in believed(raw, Parcel, TwoKeys(), "gate").rows}

    @property
    def through(self) -> int:
        return next(number for number in range(1, len(self.held) + 2) if number not in self.held) - 1


def publisher_of(outbox, thread=None, clock=None, rows_per_s=1e9, seed=1) -> Publisher:
    thread = thread or ThreadPoolExecutor(1)
    return Publisher(outbox, GATE_SIGNER, GATE, thread, rows_per_s=rows_per_s, boot=clock or Clock(), dice=random.Random(seed))


@given(
    st.lists(st.sampled_from(["event", "permit", CROSSING]), min_size=1, max_size=50),
    st.lists(st.sampled_from(["arrives", "lost", "arrives, receipt lost", "start"]), max_size=30),
    st.integers(1, 6),
    st.integers(0, 99),
)
@settings(max_examples=50)
def test_whatever_is_lost_on_the_way_the_centre_has_everything_in_the_end(tmp_path_factory, kinds, fates, parcel, seed):
    """Lost: the broker said that it has it, and has it not."""
    gate, centre, clock = Gate(tmp_path_factory.mktemp("log")), Centre(), Clock()
    gate.write(kinds)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gate.fleet.outbox.MOST_ROWS", parcel)
        patch.setattr("gate.fleet.outbox.MOST_CROSSINGS", parcel)
        outbox = gate.outbox()
        publisher = publisher_of(outbox, clock=clock, seed=seed)
        for _ in range(5000):
            if outbox.through == len(kinds):
                break
            sending = publisher._next()
            if sending is None:
                clock.now += 10
                continue
            clock.now += 0.01
            fate = fates.pop() if fates else "arrives"
            if fate != "lost":
                centre.take(sending.raw)
            sending.went()
            if fate == "arrives":
                outbox.received(gate.receipt(centre.through))
            if fate == "start":
                outbox = gate.outbox()
                publisher = publisher_of(outbox, clock=clock, seed=seed)
    gate.close()
    assert centre.held == set(range(1, len(kinds) + 1))
    assert outbox.through == len(kinds)


def test_what_nobody_acknowledges_goes_again_in_one_parcel_later_and_later(gate):
    gate.write(["event"] * 4)
    clock, again = Clock(), []
    publisher = publisher_of(gate.outbox(), clock=clock)
    publisher._next().went()
    begun = clock.now
    while clock.now < begun + 8 * LONGEST_RESEND_S:
        if sending := publisher._next():
            again.append((clock.now, sending.id))
            sending.went()
        clock.now += 1
    gaps = [later - sooner for (sooner, _), (later, _) in pairwise(again)]
    assert again[0][0] - begun < 1.3 * RESEND_S
    assert max(gaps) <= 1.3 * LONGEST_RESEND_S
    assert len(again) < 20
    assert len({id_ for _, id_ in again}) == len(again), "the broker must not take it for what it lost"


def test_where_the_answer_ends_behind_what_went_again_the_next_goes_at_once():
    clock = Clock()
    resending = Resending(clock, random.Random(1))
    assert not resending.is_due(0, 30)
    clock.now += 2 * RESEND_S
    assert resending.is_due(0, 30)
    resending.went(10)
    assert not resending.is_due(0, 30)
    assert resending.is_due(10, 30)
    resending.went(20)
    assert not resending.is_due(25, 30), "the centre had what comes behind"
    assert not resending.is_due(30, 30)


def test_crossings_that_happened_meanwhile_go_before_the_rest_of_an_outage(gate):
    gate.write(["event"] * 900)
    publisher = publisher_of(gate.outbox())
    first = publisher._next()
    gate.write([CROSSING])
    first.went()
    assert publisher._next().kind == "crossing"


def test_a_pace_is_kept_and_a_burst_is_small():
    clock = Clock()
    pace = Pace(200, clock)
    clock.now += 3600
    assert pace.owed(100) == 0
    assert pace.owed(150) == pytest.approx(50 / 200)
    begun, rows = clock.now, 0
    while clock.now < begun + 60:
        rows += 50
        clock.now += pace.owed(50)
    assert rows == pytest.approx(60 * 200, rel=0.05)
    assert BURST_S <= 1


def test_pauses_grow_to_their_bound_and_gates_differ():
    pauses = [Pauses(0.5, 60, 0.5, random.Random(seed)) for seed in range(50)]
    firsts = [each.next() for each in pauses]
    assert len(set(firsts)) == 50
    assert all(0.25 <= first <= 0.75 for first in firsts)
    assert all(30 <= [each.next() for _ in range(20)][-1] <= 90 for each in pauses)


@pytest.fixture
def thread():
    with ThreadPoolExecutor(1) as thread:
        yield thread


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 0.004)
    monkeypatch.setattr(module, "LOOK_S", 0.001)


async def begun(gate, thread, **how):
    """The outbox belongs to the thread that made it."""
    outbox = await asyncio.get_running_loop().run_in_executor(thread, gate.outbox)
    return outbox, publisher_of(outbox, thread, **how)


async def ended(gate, thread):
    await asyncio.get_running_loop().run_in_executor(thread, gate.close)
    gate.outboxes.clear()


async def test_a_broker_that_is_full_is_waited_for_and_told_of_and_nothing_is_lost(gate, thread, quick):
    gate.write([CROSSING] + ["event"] * 5)
    _, publisher = await begun(gate, thread)
    centre, refused, told = Centre(), 12, []

    async def send(subject, raw, id_):
        nonlocal refused
        told.append(publisher.problem)
        centre.ids.append(id_)
        if refused:
            refused -= 1
            raise BrokerError("the broker takes no more: maximum bytes exceeded")
        centre.take(raw)

    running = asyncio.create_task(publisher.run(send))
    async with asyncio.timeout(20):
        while len(centre.held) < 6:
            await asyncio.sleep(0.005)
    assert "maximum bytes exceeded" in told[12]
    assert len(set(centre.ids[:13])) == 1, "what did not go goes again under the same id"
    assert publisher.problem == ""
    assert len(publisher.publish_ms) >= 2
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await ended(gate, thread)


async def test_a_broker_that_never_answers_is_given_up_after_a_few_messages(gate, thread, quick):
    gate.write(["event"])
    _, publisher = await begun(gate, thread)
    asked = []

    async def send(*message):
        asked.append(message)
        raise BrokerError("no answer", silent=True)

    with pytest.raises(BrokerError):
        await publisher.run(send)
    assert len(asked) == SILENCE
    await ended(gate, thread)


async def test_one_message_at_a_time_is_out(gate, thread, quick):
    gate.write(["event"] * 2000)
    _, publisher = await begun(gate, thread)
    out, most = 0, 0

    async def send(*_):
        nonlocal out, most
        out += 1
        most = max(most, out)
        await asyncio.sleep(0.001)
        out -= 1

    running = asyncio.create_task(publisher.run(send))
    await asyncio.sleep(0.1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await ended(gate, thread)
    assert most == 1


def test_the_newest_checkpoint_goes_once_and_a_later_one_later(gate):
    gate.write(["event"] * 3)
    make_key(gate.folder / "audit.key")
    notary = Notary(gate.path, open_signer(gate.folder / "audit.key", "autogate/D07"), clock=lambda: START)
    notary.look()
    clock, outbox = Clock(), gate.outbox()
    publisher = publisher_of(outbox, clock=clock)
    assert noted(publisher._next()) == 3
    gate.write(["event"] * 2)
    notary.look()
    notary.close()
    sending = publisher._next()
    assert sending.kind == "record"
    sending.went()
    outbox.received(gate.receipt(5))
    assert publisher._next() is None, "the next one has time"
    clock.now += module.NOTE_EVERY_S + 1
    assert noted(publisher._next()) == 5
    clock.now += module.NOTE_EVERY_S + 1
    assert publisher._next() is None, "it went already"


def test_records_go_on_where_the_file_of_checkpoints_is_damaged(gate):
    gate.write(["event"] * 3)
    outbox = gate.outbox()
    tree_path(gate.path, outbox.log_id).write_bytes(b"no database" * 1000)
    publisher = publisher_of(outbox)
    assert publisher._next().kind == "record"


def noted(sending) -> int:
    """The size that the checkpoint says; it went."""
    assert sending.kind == "checkpoint"
    sending.went()
    note = Note.parse(believed(sending.raw, CheckpointNote, TwoKeys(), "gate").note)
    return Checkpoint.parse(note.text).size
