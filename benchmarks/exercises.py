"""``python -m benchmarks.exercises``: a scripted officer at every case of ``autogate train``, who does right, and one who does wrong.

The command runs as it ships, all the gate's processes; the officer signs in at the real console over HTTP. In the end the sessions in the
training folder are held against what was done: right acts pass, mistakes do not, and each is told with its gravity.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import get_args

import msgspec

from benchmarks.machine import free_ports
from benchmarks.soak_cases import Case
from gate.training.case import Case as Exercise
from gate.training.case import load_cases
from gate.training.scripted import Play
from gate.training.session import Session, sessions

LIMIT_S = 600.0
RIGHT = 85
"""Points of who does everything right, however slow the machine."""


def played(play: Play, cases: tuple[Exercise, ...], folder: Path) -> list[Session]:
    """The sessions of one run. Raises AssertionError where it did not end well, or told something else than it kept.

    A case that the gate did not play, because a registry was too slow on a busy machine, is played once more.
    """
    command = [sys.executable, "-m", "gate", "train", "--headless", play, "--json", "--state", str(folder / "state")]
    command += [word for case in cases for word in ("--case", case.id)]
    for page, port in zip(("traveller", "officer", "desk", "console"), free_ports(4), strict=True):
        command += [f"--{page}-port", str(port)]
    folder.mkdir()
    environment = {**os.environ, "TMPDIR": str(folder)}
    ran = subprocess.run(command, capture_output=True, timeout=LIMIT_S, check=False, env=environment)
    assert ran.returncode == 0 or not ran.stderr, ran.stderr.decode()[-4000:]
    told = msgspec.json.decode(ran.stdout, type=list[Session])
    kept = sessions(folder / "state")
    names = [[session.name for session in each] for each in (told, kept)]
    assert told == kept, f"the command tells another story than its files: {names}"
    return told


def judge(play: Play, cases: tuple[Exercise, ...], held: list[Session]) -> None:
    """Raises AssertionError where a session is not what was done."""
    assert [session.case for session in held] == [case.id for case in cases]
    for case, session in zip(cases, held, strict=True):
        meant = case.expected if play == "right" else case.wrong[:1]
        carried_out = [done.action for done in session.done if not done.refused]
        assert carried_out == [act.action for act in meant], (case.id, session.done)
        assert not session.score.void, case.id
        if play == "right":
            assert session.score.passed, (case.id, session.score)
            assert session.score.points >= RIGHT, (case.id, session.score)
        else:
            assert not session.score.passed, (case.id, session.score)
            graves = [line.grave for line in session.score.lines if line.kind == "wrong"]
            assert graves == [case.wrong[0].grave], (case.id, graves)


def run(play: Play) -> None:
    """Every case whose first mistake is an act; a lane that nobody closed cannot be opened."""
    cases = tuple(case for case in load_cases() if play == "right" or not case.wrong[0].reasons)
    with tempfile.TemporaryDirectory() as folder:
        held = {session.case: session for session in played(play, cases, Path(folder) / "first")}
        void = tuple(case for case in cases if held[case.id].score.void)
        if void:
            print("played again:", [(case.id, held[case.id].shown[-1].rules) for case in void], file=sys.stderr)
            held |= {session.case: session for session in played(play, void, Path(folder) / "again")}
        judge(play, cases, list(held.values()))


@contextmanager
def exercises() -> Iterator[Case]:
    """Once right, once wrong, and so on."""
    plays: Iterator[Play] = cycle(get_args(Play))

    def case(_: random.Random) -> str:
        run(next(plays))
        return "scored"

    yield case


if __name__ == "__main__":
    for each in get_args(Play):
        run(each)
        print(f"{each}: as it must be", flush=True)
