"""Lamp, buzzer and inputs under a secure channel, against libosdp's own device; and every way of not having one."""

from __future__ import annotations

import itertools

from hardware import osdp
from hardware.ports import PanelSignal
from hardware.sim.osdp_pd import PluggedInPanel
from hardware.sim.relay import FaultRelay

COUNT = 12


def test_lamp_and_buzzer_do_what_was_wanted_once(kit, panel, device):
    status = kit.shows(panel, lamp="green", blink=True, beeps=2)
    assert (status.fault, status.missed) == ("", 0)
    assert kit.executes(panel, device, 2) == [{"lamp": "green", "blink": True}, {"beeps": 2}]
    kit.shows(panel, lamp="amber")
    assert kit.executes(panel, device, 3)[2:] == [{"lamp": "amber", "blink": False}]


def test_button_and_tamper_switch_are_told_as_they_change(kit, panel, device):
    kit.shows(panel, lamp="white")
    for order, assistance, tamper in (("press", 1, 0), ("open", 1, 1), ("release", 0, 1), ("shut", 0, 0)):
        device.happen(order)
        kit.until(panel, lambda status, want=(assistance, tamper): (status.assistance, status.tamper) == want)


def test_an_enclosure_opened_while_nobody_listened_is_told_later(kit, panel, device):
    device.happen("open")
    assert kit.until(panel, lambda status: status.tamper).tamper


def test_another_key_brings_no_channel_and_nothing_is_executed(kit, device, tmp_path):
    panel = kit.panel(device.tty, kit.key_file(tmp_path / "another.key"))
    panel.show(PanelSignal(lamp="green", beeps=1))
    status = kit.until(panel, lambda status: "not under its key" in status.fault)
    assert status.shown is None
    assert device.executed == []
    assert kit.until(panel, lambda status: status.missed).missed == 1


def test_a_panel_in_install_mode_is_refused_and_nothing_is_executed(kit, key_file, tmp_path):
    with PluggedInPanel(tmp_path / "new", None) as device:
        panel = kit.panel(device.tty, key_file)
        panel.show(PanelSignal(lamp="green"))
        kit.until(panel, lambda status: "install mode" in status.fault)
        assert device.executed == []


def test_a_panel_that_is_not_there_is_said_and_waited_for(kit, key_file, tmp_path):
    panel = kit.panel(tmp_path / "tty", key_file)
    panel.show(PanelSignal(lamp="blue"))
    status = kit.until(panel, lambda status: status.fault)
    assert (str(tmp_path / "tty") in status.fault, status.tamper) == (True, None)
    with PluggedInPanel(tmp_path / "tty", key_file):
        assert kit.until(panel, lambda status: status.shown).fault == ""


def test_a_panel_that_was_away_is_found_again_and_shows_what_is_wanted_by_then(kit, panel, device):
    kit.shows(panel, lamp="blue")
    device.happen("unplug")
    kit.until(panel, lambda status: status.fault)
    panel.show(PanelSignal(lamp="green"))
    device.happen("plug")
    kit.until(panel, lambda status: status.shown == PanelSignal(lamp="green") and not status.fault)
    assert kit.executes(panel, device, 2)[-1] == {"lamp": "green", "blink": False}


def test_a_panel_that_falls_silent_is_said_and_heals(kit, device, key_file, tmp_path):
    with FaultRelay(tmp_path, device.tty) as relay:
        panel = kit.panel(relay.tty, key_file)
        kit.shows(panel, lamp="blue")
        relay.line(silent=True)
        assert kit.until(panel, lambda status: status.fault).fault == "the panel does not answer"
        relay.line()
        kit.until(panel, lambda status: status.shown and not status.fault)


def test_a_panel_that_refuses_lamp_commands_is_said_and_not_pestered(kit, panel, device, monkeypatch):
    monkeypatch.setattr(osdp, "_REST_S", 1.0)
    kit.shows(panel, lamp="blue")
    device.happen("deaf")
    panel.show(PanelSignal(lamp="green"))
    claimed: list[PanelSignal | None] = []
    status = kit.until(panel, lambda status: claimed.append(status.shown) or status.fault)
    assert status.fault == "the panel refuses lamp commands"
    assert PanelSignal(lamp="green") not in claimed
    drops = panel.drops
    kit.serve(panel, 0.3)
    assert panel.drops - drops <= 1
    device.happen("hear")
    kit.until(panel, lambda status: status.shown == PanelSignal(lamp="green"))


def test_on_a_noisy_line_every_lamp_is_shown_and_no_beep_sounds_twice_or_is_lost_unsaid(kit, device, key_file, tmp_path):
    """One byte in a thousand damaged: frames are lost with their channel, and every one of them is accounted for."""
    with FaultRelay(tmp_path, device.tty, seed=3) as relay:
        panel = kit.panel(relay.tty, key_file)
        kit.shows(panel, lamp="white")
        relay.line(flip=1e-3)
        wanted = [
            PanelSignal(lamp=lamp, beeps=beeps) for lamp, beeps in zip(itertools.cycle(("red", "blue")), range(1, COUNT + 1))
        ]
        for signal in wanted:
            panel.show(signal)
            kit.until(panel, lambda status, signal=signal: status.shown is signal)
        relay.line()
        missed = kit.serve(panel, 1.0).missed
        assert panel.drops > 0, "the line was not noisy"
    sounded = [each["beeps"] for each in device.executed if "beeps" in each]
    assert len(set(sounded)) == len(sounded), "a beep sounded twice"
    assert COUNT - len(sounded) <= missed, "a beep was lost without a word"
