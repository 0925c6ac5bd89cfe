"""A registry that is away is not waited for by one traveller after another."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.registries.breaker import FAILURES, OPEN_S, CircuitBreaker


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def fail(breaker: CircuitBreaker, times: int = FAILURES) -> None:
    for _ in range(times):
        assert breaker.admits()
        breaker.ended(well=False)


def test_after_three_failures_running_nobody_is_sent_until_the_time_is_over(clock: Clock) -> None:
    breaker = CircuitBreaker(now=clock)
    fail(breaker)
    assert not breaker.admits()
    clock.now += OPEN_S - 0.001
    assert not breaker.admits()
    clock.now += 0.001
    assert breaker.admits()


def test_one_probe_goes_ahead_and_nobody_beside_it(clock: Clock) -> None:
    breaker = CircuitBreaker(now=clock)
    fail(breaker)
    clock.now += OPEN_S
    assert [breaker.admits() for _ in range(3)] == [True, False, False]
    breaker.ended(well=True)
    assert [breaker.admits() for _ in range(3)] == [True, True, True]


def test_a_probe_that_fails_shuts_it_again_and_one_that_never_ends_does_not_shut_it_for_ever(clock: Clock) -> None:
    breaker = CircuitBreaker(now=clock)
    fail(breaker)
    clock.now += OPEN_S
    assert breaker.admits()
    breaker.ended(well=False)
    assert not breaker.admits()
    clock.now += OPEN_S
    assert breaker.admits()
    clock.now += OPEN_S
    assert breaker.admits(), "the one before was cancelled, and nobody said so"


def test_two_failures_and_a_success_are_no_outage(clock: Clock) -> None:
    breaker = CircuitBreaker(now=clock)
    for _ in range(5):
        fail(breaker, FAILURES - 1)
        breaker.ended(well=True)
    assert breaker.admits()


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 3))))
def test_it_is_open_only_after_failures_running_and_always_admits_somebody_in_the_end(steps: Any) -> None:
    clock, running = Clock(), 0
    breaker = CircuitBreaker(now=clock)
    for well, seconds in steps:
        if breaker.admits():
            breaker.ended(well=well)
            running = 0 if well else running + 1
        else:
            assert running >= FAILURES
        clock.now += seconds
    clock.now += OPEN_S
    assert breaker.admits()
