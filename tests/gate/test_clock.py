"""Time never goes back, and a clock that did is doubtful."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gate.clock
from gate.clock import BUILD_DATE, SystemClock, WallFloor, civil_date

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def machine(monkeypatch):
    """The machine's clock, to be turned."""

    class Machine(datetime):
        shows = NOON

        @classmethod
        def now(cls, tz=None):
            assert tz is UTC
            return cls.shows

    monkeypatch.setattr(gate.clock, "datetime", Machine)
    return Machine


def test_boot_time_never_goes_back():
    clock = SystemClock()
    readings = [clock.boot() for _ in range(100)]
    assert readings == sorted(readings)


def test_wall_time_is_aware_and_never_goes_back(machine):
    clock = SystemClock()
    assert clock.wall() == NOON
    machine.shows = NOON - timedelta(days=1)
    assert clock.wall() == NOON
    assert not clock.trusted()
    machine.shows = NOON + SECOND
    assert clock.wall() == NOON + SECOND
    assert clock.trusted()


def test_a_clock_set_back_while_the_gate_was_off_is_doubtful_and_wall_stays_at_the_floor(machine, tmp_path):
    WallFloor(tmp_path / "floor").raise_to(NOON)
    machine.shows = NOON - SECOND
    clock = SystemClock(WallFloor(tmp_path / "floor"))
    assert (clock.wall(), clock.trusted()) == (NOON, False)
    machine.shows = NOON
    assert (clock.wall(), clock.trusted()) == (NOON, True)


def test_a_signed_time_seen_later_raises_the_floor_under_a_running_clock(machine, tmp_path):
    floor = WallFloor(tmp_path / "floor")
    clock = SystemClock(floor)
    floor.raise_to(NOON + timedelta(hours=1))
    assert (clock.wall(), clock.trusted()) == (NOON + timedelta(hours=1), False)


def test_a_clock_before_the_software_was_built_is_doubtful(machine, tmp_path):
    machine.shows = BUILD_DATE - SECOND
    assert not SystemClock().trusted()
    assert not WallFloor(tmp_path / "floor").trusted(machine.shows)
    assert SystemClock().wall() == BUILD_DATE


MOMENTS = st.tuples(st.integers(-(10**6), 10**9), st.sampled_from([UTC, timezone(timedelta(hours=7))])).map(
    lambda pair: (BUILD_DATE + pair[0] * SECOND).astimezone(pair[1])
)


@given(st.lists(MOMENTS, max_size=6))
@settings(max_examples=25, deadline=None)  # each new height is an fsync or two
def test_the_floor_is_the_highest_time_seen_and_survives_a_restart(tmp_path_factory, times):
    path = tmp_path_factory.mktemp("floor") / "floor"
    floor = WallFloor(path)
    for seen in times:
        floor.raise_to(seen)
    highest = max([BUILD_DATE, *times])
    for each in (floor, WallFloor(path)):
        assert each.highest == highest
        assert each.trusted(highest)
        assert not each.trusted(highest - SECOND)
    assert [file.name for file in path.parent.iterdir()] == (["floor"] if highest > BUILD_DATE else [])


@given(st.binary(max_size=40))
@settings(deadline=None)
def test_a_floor_file_of_any_bytes_is_read_or_leaves_the_clock_doubtful(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "floor"
    path.write_bytes(data)
    floor = WallFloor(path)
    assert floor.highest >= BUILD_DATE
    if not floor.readable:
        assert not floor.trusted(NOON)
        floor.raise_to(NOON)  # never overwritten silently
        assert path.read_bytes() == data


@pytest.mark.parametrize("data", [b"", b"yesterday", b"2026-11-22T12:00:00", b"\xff", b"2026-11-22T12:00:00+00:00 x"])
def test_a_damaged_floor_is_not_taken_for_a_new_gate(tmp_path, data):
    (tmp_path / "floor").write_bytes(data)
    assert not WallFloor(tmp_path / "floor").readable


@pytest.mark.parametrize(
    ("utc", "checkpoint", "day"),
    [
        (datetime(2026, 11, 22, 16, 59, tzinfo=UTC), "CGK", date(2026, 11, 22)),
        (datetime(2026, 11, 22, 17, 0, tzinfo=UTC), "CGK", date(2026, 11, 23)),
        (datetime(2026, 11, 22, 16, 0, tzinfo=UTC), "DPS", date(2026, 11, 23)),
        (datetime(2026, 11, 22, 15, 59, tzinfo=UTC), "DPS", date(2026, 11, 22)),
        (datetime(2026, 11, 23, 0, 30, tzinfo=timezone(timedelta(hours=9))), "CGK", date(2026, 11, 22)),
    ],
)
def test_the_civil_date_is_the_checkpoint_s(utc, checkpoint, day):
    assert civil_date(utc, checkpoint) == day


def test_a_time_without_zone_or_an_unknown_checkpoint_has_no_civil_date():
    with pytest.raises(ValueError, match="zone"):
        civil_date(datetime(2026, 11, 22), "CGK")  # noqa: DTZ001
    with pytest.raises(ValueError, match="XYZ"):
        civil_date(NOON, "XYZ")
