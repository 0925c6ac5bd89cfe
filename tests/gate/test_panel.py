"""The reader's panel as the gate sees it: a lamp that knows no reason, and a device that can do nothing but tell."""

from __future__ import annotations

import threading
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.outcome import Outcome
from gate.panel import SIGNALS
from gate.policy.schema import load_rules
from gate.processes.bounds import LONGEST_WORD
from gate.processes.messages import PanelReport, PanelView, TravellerScreen
from gate.processes.panel import PanelWork
from gate.processes.panel_watch import CALL_S, NOTE_EVERY_S, NOTES, PanelWatch
from gate.records import PanelEvent
from hardware.ports import DeviceError, PanelSignal, PanelStatus
from hardware.sim.panel import PanelStage, SimulatedPanel
from hardware.sim.server import DeviceServer


def test_there_is_a_signal_for_every_word_of_the_screen():
    assert set(SIGNALS) == set(typing.get_args(TravellerScreen))


def test_every_referral_looks_the_same_whatever_it_was_for():
    referrals = {action.screen for key, action in load_rules().lane_actions.items() if key[0] is not Outcome.OPEN}
    signals = {SIGNALS[screen] for screen in referrals - {"closed", "wait"}}
    assert referrals >= {"retry", "counter"}
    assert signals == {PanelSignal(lamp="amber", blink=True, beeps=2)}
    assert not signals & {SIGNALS[screen] for screen in SIGNALS if screen not in referrals}


class Boot:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def boot():
    return Boot()


@pytest.fixture
def noted():
    return list[PanelEvent]()


@pytest.fixture
def watch(boot, noted):
    watch = PanelWatch(boot, noted.append)
    watch.peer(joined=True)
    return watch


def test_before_it_says_anything_and_after_it_went_the_panel_is_at_fault(watch, noted):
    assert (watch.word, bool(watch.fault)) == ("fault", True)
    watch.report(PanelReport())
    assert (watch.word, watch.fault) == ("ready", "")
    watch.peer(joined=False)
    assert watch.word == "fault"
    assert [event.what for event in noted] == ["obeys", "fault"]


def test_a_call_stays_on_the_page_after_the_button_was_let_go(watch, boot, noted):
    watch.report(PanelReport(assistance=True))
    watch.report(PanelReport())
    boot.now += CALL_S - 1
    assert watch.called
    boot.now += 2
    assert not watch.called
    assert [event.what for event in noted] == ["obeys", "assistance"]


def test_an_open_enclosure_is_forgotten_by_no_crash(watch, noted):
    watch.report(PanelReport(tamper=True))
    watch.peer(joined=False)
    watch.peer(joined=True)
    watch.report(PanelReport())  # obeys, and has not said yet how its enclosure is
    assert watch.word == "tamper"
    watch.report(PanelReport(tamper=False))
    assert watch.word == "ready"
    assert [event.what for event in noted] == ["obeys", "opened", "fault", "obeys", "shut"]


def test_a_panel_that_says_too_much_is_written_down_now_and_then_and_counted(watch, boot, noted):
    for n in range(1000):
        watch.report(PanelReport(tamper=bool(n % 2)))
    assert len(noted) == NOTES
    boot.now += NOTE_EVERY_S
    watch.report(PanelReport(assistance=True))
    assert noted[-1].what == "assistance"
    assert noted[-1].left_out == 1000 - NOTES


@given(st.lists(st.builds(PanelReport, fault=st.text(max_size=400), assistance=st.booleans(), tamper=st.none() | st.booleans())))
def test_whatever_it_says_is_bounded_and_one_of_our_words(reports):
    noted: list[PanelEvent] = []
    watch = PanelWatch(lambda: 0.0, noted.append)
    for report in reports:
        watch.report(report)
    assert watch.word in {"ready", "fault", "tamper"}
    said = [watch.fault, *(event.detail for event in noted)]
    assert all(len(text) <= LONGEST_WORD and text.isprintable() for text in said)


def test_what_turns_letters_round_on_a_page_is_not_taken_over(watch, noted):
    watch.report(PanelReport(fault="gone\u202e\n\x1b[2J"))
    assert watch.fault == noted[-1].detail == "gone???[2J"
    assert watch.word == "fault"


# --- its process -------------------------------------------------------------------------------------------------------------


class Panel:
    """Shows what it is told and says so."""

    def __init__(self) -> None:
        self.wanted: PanelSignal | None = None

    def show(self, signal: PanelSignal) -> None:
        self.wanted = signal

    def work(self, timeout: float) -> PanelStatus:
        threading.Event().wait(0.01)
        return PanelStatus(shown=self.wanted)

    def close(self) -> None: ...


def test_a_panel_that_cannot_be_begun_with_is_told_of_and_tried_again(monkeypatch):
    monkeypatch.setattr("gate.processes.panel.RETRY_S", 0.01)
    tries, told, panel = [0], list[object](), Panel()

    def open_panel() -> Panel:
        tries[0] += 1
        if tries[0] < 3:
            raise DeviceError("panel.key", "others may read the panel's key")
        return panel

    work = PanelWork(open_panel, told.append)
    work.on_message(PanelView(screen="scan"))
    thread = threading.Thread(target=work.run)
    thread.start()
    while panel.wanted != SIGNALS["scan"] or len(told) < 2:
        threading.Event().wait(0.01)
    work.on_message(PanelView(screen="open"))
    assert panel.wanted == SIGNALS["open"]
    work.stop()
    thread.join()
    assert told == [PanelReport(fault="panel.key: others may read the panel's key"), PanelReport()]


@pytest.fixture
def stage(tmp_path):
    stage = PanelStage()
    server = DeviceServer(tmp_path / "panel.sock", "secret", stage.handle)
    yield stage
    server.close()


def test_the_simulated_panel_shows_each_signal_once_and_tells_its_switches(stage, tmp_path):
    panel = SimulatedPanel(str(tmp_path), "secret")
    panel.show(SIGNALS["lift"])
    for _ in range(5):
        assert panel.work(0.01).shown == SIGNALS["lift"]
    assert [{name: did[name] for name in did if name != "at"} for did in stage.executed()] == [
        {"lamp": "green", "blink": True},
        {"beeps": 1},
    ]
    stage.switch(assistance=True, tamper=True)
    status = panel.work(1.0)
    assert (status.assistance, status.tamper) == (True, True)
    panel.close()


def test_a_simulated_panel_of_another_run_is_a_fault(stage, tmp_path):
    panel = SimulatedPanel(str(tmp_path), "another")
    assert "another run" in panel.work(0.01).fault
