"""The power fails at every moment at which a file is put in place: the next look goes on, and nothing that was seen is forgotten."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.fleet.messages import EnvelopeError
from gate.fleet.updates.assignment import Assignments
from gate.fleet.updates.targets import UpdateError


class Cut(BaseException):
    """The power."""


class Power:
    """Fails at the ``left``th replacement of a file from now on, before or after it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left, self.after = -1, False
        for name in ("replace", "rename"):  # what pathlib calls, too
            monkeypatch.setattr(os, name, self._failing(getattr(os, name)))

    def _failing(self, real):
        def replace(*arguments, **named):
            self.left -= 1
            if self.left == 0 and not self.after:
                raise Cut
            done = real(*arguments, **named)
            if self.left == 0:
                raise Cut
            return done

        return replace


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_whenever_the_power_fails_the_next_look_takes_everything(centre, new_gate, monkeypatch, after):
    forth = centre.bring_rules("two")
    third = centre.bring_rules("three")
    centre.allow(dict([forth, third]))
    old = centre.assignment({"rules": forth[0]})
    told = centre.assignment({"rules": third[0]})
    power, moments = Power(monkeypatch), 0
    for moment in range(1, 100):
        gate = new_gate(f"gate-{moment}")
        power.left, power.after = moment, after
        try:
            gate.look(told)
        except Cut:
            moments += 1
        else:
            break
        finally:
            power.left = -1
        gate.restarted()
        assert gate.look(told) == ""
        assert gate.work() == "three"
        gate.look(old)
        assert gate.updater.refused == {"rolled_back": 1}
    assert moments > 8, "roots, timestamp, snapshot, targets, mark, statements, version, what is in force"


def test_the_gate_of_before_is_in_force_until_the_last_file_is_there(centre, gate, monkeypatch):
    forth = centre.bring_rules("two")
    centre.allow(dict([forth]))
    told, power, judged = centre.assignment({"rules": forth[0]}), Power(monkeypatch), []
    for moment in range(1, 100):
        power.left = moment
        try:
            gate.restarted().look(*_asked(centre, told))
        except Cut:
            power.left = -1
            judged.append(gate.work())
        else:
            power.left = -1
            break
    assert set(judged[:-1]) == {"one"}
    assert gate.work() == "two"


def _asked(centre, told):
    from gate.fleet.updates.sources import Folder

    return Folder(centre.repository.folder), lambda _: told


class Nobody:
    """A directory in which nobody is listed."""

    def public(self, key, gate, purpose):
        raise EnvelopeError("unknown_key", "nobody")


@given(st.binary(max_size=400))
def test_any_octets_as_an_assignment_are_a_refusal(raw):
    with pytest.raises(UpdateError):
        Assignments(Path("/nowhere"), "CGK.D07", lambda: None).take(raw, Nobody())
