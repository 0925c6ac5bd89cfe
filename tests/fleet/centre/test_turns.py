"""Whose message a collector takes next."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gate.fleet.centre.broker import CONSUMERS, Intake, connect, prepare
from gate.fleet.centre.turns import Turns
from gate.fleet.engines import RunningNats

KINDS = tuple(CONSUMERS)
LENGTH = 10


@dataclass(frozen=True, slots=True)
class Message:
    gate: str
    kind: str
    number: int
    data: bytes = bytes(LENGTH)

    @property
    def subject(self) -> str:
        return f"autogate.{self.gate}.{self.kind}"


def waiting(*messages: Any) -> Turns:
    turns = Turns(KINDS)
    for message in messages:
        turns.add(message.kind, message)
    return turns


def test_a_gates_crossings_go_before_its_records_and_these_before_its_status():
    turns = waiting(*(Message("CGK.D07", kind, number) for kind in reversed(KINDS) for number in range(3)))
    assert turns.waiting("record") == (3, 3 * LENGTH)
    taken: list[Any] = turns.take(4, 1000)
    assert [(one.kind, one.number) for one in taken] == [("crossing", 0), ("crossing", 1), ("crossing", 2), ("record", 0)]
    assert [one.number for one in turns.take(100, LENGTH + 5)] == [1, 2], "the one that makes it more is taken"  # type: ignore[attr-defined]
    assert turns.waiting("record") == (0, 0)
    assert len(turns.take(100, 1000)) == 6
    assert not turns


def test_a_gate_that_floods_the_highest_rank_is_behind_the_lowest_of_all_others():
    """Somebody has a gate's key and sends without end what goes first."""
    flood = [Message("CGK.D01", "crossing", number) for number in range(1000)]
    others = [Message(f"CGK.D{number:02}", "status", 0) for number in range(2, 52)]
    taken = waiting(*flood, *others).take(60, 10_000)
    assert Counter(one.gate for one in taken if one.kind == "status") == {one.gate: 1 for one in others}  # type: ignore[attr-defined]


@given(
    st.lists(st.tuples(st.sampled_from(("CGK.D1", "CGK.D2", "DPS.D1", "no gate")), st.sampled_from(KINDS)), max_size=60),
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 90)), min_size=1, max_size=9),
)
def test_each_is_taken_once_by_rank_and_no_gate_twice_while_another_waits(sent, bounds):
    messages = [Message(gate, kind, number) for number, (gate, kind) in enumerate(sent)]
    turns, taken, left = waiting(*messages), list[Any](), list(messages)
    while turns:
        for most, octets in bounds:
            taken += turns.take(most, octets)
    assert sorted(taken, key=lambda one: one.number) == messages
    last = dict[str, int]()
    for place, one in enumerate(taken):
        gate = one.gate if "." in one.gate else ""
        others = {each.gate for each in left} - {one.gate}
        passed_over = others - {each.gate for each in taken[last.get(gate, -1) + 1 : place]}
        assert gate not in last or not passed_over, "somebody waited and was passed over"
        assert one == min(
            (each for each in left if each.gate == one.gate), key=lambda each: (KINDS.index(each.kind), each.number)
        )
        left.remove(one)
        last[gate] = place


async def test_a_gate_whose_messages_lie_before_all_others_in_the_broker_takes_its_turn_like_them(
    own_nats: RunningNats, make_gate: Any
):
    client = await connect(own_nats.url, "test")
    await prepare(client)
    flood, other = make_gate("CGK.D01", "11" * 8), make_gate("CGK.D02", "22" * 8)
    for number in range(40):
        await client.jetstream().publish(flood.subject("record"), b"%d" % number, stream="EVENTS")
    await client.jetstream().publish(other.subject("record"), b"mine", stream="EVENTS")
    intake = Intake(client)
    running = asyncio.create_task(intake.run())
    async with asyncio.timeout(20):
        while intake._waiting.waiting("record")[0] < 41:
            await asyncio.sleep(0.01)
    assert b"mine" in [one.data for one in intake.take(2, 1000)]
    running.cancel()
    await client.close()
