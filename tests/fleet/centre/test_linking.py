"""A log at the centre grows only by records that continue it, in whatever order they come."""

from __future__ import annotations

from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gate.fleet.centre.linking import Chain
from gate.fleet.messages import Row

DAY = date(2026, 11, 23)
START = b"\0" * 32


def row(seq: int, previous: bytes, digest: bytes) -> Row:
    return Row(seq, b"2026-11-23T00:00:00+00:00", 1.0, b"", b"event", b"{}", previous, digest)


def hash_of(seq: int, story: int = 0) -> bytes:
    return bytes([seq, story]) * 16


def log(count: int) -> list[Row]:
    return [row(seq, hash_of(seq - 1) if seq > 1 else START, hash_of(seq)) for seq in range(1, count + 1)]


def taken(batches: list[list[Row]]) -> tuple[Chain, dict[int, Row], list[Any]]:
    """One chain after the other, as a collector that forgets between batches all but what the database keeps."""
    chain, stored, forks = Chain(0, START), dict[int, Row](), list[Any]()
    for batch in batches:
        chain = Chain(chain.through, chain.hash, ahead=dict(chain.ahead))
        chain.take([(each, DAY) for each in batch])
        chain.link()
        stored |= {seq: each for seq, (each, _) in chain.new.items()}
        for seq, _ in chain.broken:
            del stored[seq]
        forks += chain.forks
    return chain, stored, forks


@given(st.integers(1, 30).flatmap(lambda count: st.tuples(st.just(count), st.permutations(range(count)))), st.data())
def test_every_order_and_every_cut_link_the_whole_log(drawn: tuple[int, list[int]], data: st.DataObject) -> None:
    count, order = drawn
    rows, batches = [log(count)[place] for place in order], []
    while rows:
        cut = data.draw(st.integers(1, len(rows)))
        batches.append(rows[:cut])
        rows = rows[cut - 1 :] if cut > 1 and data.draw(st.booleans()) else rows[cut:]  # the last one comes twice
    chain, stored, forks = taken(batches)
    assert (chain.through, chain.hash, forks, chain.ahead) == (count, hash_of(count), [], {})
    assert sorted(stored) == list(range(1, count + 1))


@given(
    st.lists(
        st.lists(st.tuples(st.integers(1, 6), st.integers(0, 2), st.integers(0, 6), st.integers(0, 2)), max_size=6), max_size=6
    )
)
def test_whatever_comes_what_counts_is_one_unbroken_story(told: list[list[tuple[int, int, int, int]]]) -> None:
    batches = [
        [row(seq, START if not before else hash_of(before, tale), hash_of(seq, story)) for seq, story, before, tale in batch]
        for batch in told
    ]
    chain, stored, _ = taken(batches)
    last = START
    for seq in range(1, chain.through + 1):
        assert stored[seq].previous == last
        last = stored[seq].hash
    assert chain.hash == last
    assert sorted(seq for seq in stored if seq > chain.through) == sorted(chain.ahead)


def test_a_second_story_ahead_of_its_turn_is_a_fork() -> None:
    chain, _, forks = taken([[row(5, hash_of(4), hash_of(5))], [row(5, hash_of(4), hash_of(5, 1))]])
    assert [(each.seq, each.held, each.told) for each in forks] == [(5, hash_of(5), hash_of(5, 1))]
    assert chain.through == 0
