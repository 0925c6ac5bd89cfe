"""Neither memory nor disk keeps a face: one search finds all of it in processes that keep what they see, and nothing in ours.

Every outcome, and processes killed in the middle: ``python -m benchmarks.soak --only biometrics_left_behind``.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from benchmarks.biometric_gate import BIOMETRIC, Left, WatchedGate, watched_gate

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

SEEN = {
    "reader": {"DG2"},
    "lane": {"DG2"},
    "vision": {"DG2", "portrait pixels", "frame pixels", "reference features", "probe features"},
}
"""What goes through which process."""


@pytest.fixture(scope="module")
def story(request: pytest.FixtureRequest) -> Iterator[Mapping[str, Left]]:
    """A gate whose processes keep what they see, until they die; honest ones come after them, and more travellers."""
    with watched_gate(hoarding=True) as gate:
        if not _may_look(gate):
            plugin = request.config.pluginmanager.get_plugin(str(Path(__file__).parents[1] / "conftest.py"))
            plugin.absent("this user may not read the memory of processes that cannot be dumped")
        kept = gate.send("ordinary")
        gate.crash(signal.SIGSEGV)
        yield {"kept": kept, "went": gate.send("service"), "referred": gate.send("borrowed", bundle=True)}


def _may_look(gate: WatchedGate) -> bool:
    try:
        Path(f"/proc/{gate.service.pids['vision']}/mem").open("rb").close()
    except PermissionError:
        return False
    return True


def found_by_process(left: Left) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for place, told in left.in_memory.items():
        found.setdefault(place.split()[0].rstrip(","), set()).update(told)
    return found


@pytest.mark.conforms("UU 27/2022 art. 4", "defect")
def test_search_finds_each_part_of_a_face_in_every_process_that_keeps_it(story):
    kept = story["kept"]
    assert kept.outcome == "OPEN"
    found = found_by_process(kept)
    assert set(found) == set(BIOMETRIC)
    for process, parts in SEEN.items():
        assert found[process] >= parts, process
    assert all(kept.windows.of(part) > 100 for part in SEEN["vision"])


@pytest.mark.parametrize(("when", "outcome"), [("went", "OPEN"), ("referred", "COUNTER")])
@pytest.mark.conforms("UU 27/2022 art. 4", "positive")
def test_no_process_holds_any_window_of_a_face_two_seconds_after_the_lane_is_idle(story, when, outcome):
    """Of this traveller or the one before: the first one after the crash looks for whom the dead processes had seen, too."""
    left = story[when]
    assert left.outcome == outcome
    assert all(left.windows.of(part) > 100 for part in SEEN["vision"])
    assert left.in_memory == {}


def test_an_officer_had_looked_at_whoever_was_referred(story):
    assert story["referred"].windows.of("pictures shown") > 1000


@pytest.mark.conforms("UU 27/2022 art. 4", "negative")
def test_nothing_of_a_face_is_ever_on_disk_nor_a_core_of_a_process_that_died(story):
    assert {when: left.on_disk for when, left in story.items() if left.on_disk} == {}
