"""``autogate train``: sets the demonstration's stage under the profile ``training``, starts the gate's real processes, plays the cases."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import get_args

import msgspec

from faceverify.packs import demo_pack
from gate.audit.log import AuditError
from gate.config import Config, ConfigError, load
from gate.demo.console import DemoConsole
from gate.demo.director import DemoError, Director
from gate.demo.faces import PictureMissingError
from gate.demo.run import join, supervise
from gate.demo.stage import DemoStage
from gate.demo.terminal import Terminal
from gate.doctor import refuse_foreign_names
from gate.processes.channel import ChannelClosed
from gate.service import Service, ServiceError, commands
from gate.training import review
from gate.training.app import DeskApp
from gate.training.case import FOLDER, Case, CaseError, cast_of, load_cases
from gate.training.desk import Desk
from gate.training.exercise import LOOK_S, Exercise
from gate.training.scripted import Key, Play, ScriptedOfficer
from gate.training.session import OfficerName, Session, SessionError, sessions
from gate.training.trainees import Trainees
from gate.ui.exercise import EXERCISE, PROFILE
from gate.ui.serve import listen_on_localhost, serve
from hardware.ports import DeviceError
from pki.errors import PkiError

EXIT_OK, EXIT_STUCK, EXIT_USAGE = 0, 1, 2
PORTS = {"traveller": 8420, "officer": 8421, "desk": 8422, "console": 8423}
"""Others than a demonstration's, so that the two are not taken for each other."""
PAGES_CLOSE_S = 0.3
"""For open pages to see that their stream has ended."""


def add_arguments(parser: argparse.ArgumentParser, state: Path) -> None:
    """The options of ``autogate train``; ``state``: the training folder."""
    parser.add_argument("report", nargs="?", choices=("report",), help="what a class did, instead of an exercise")
    parser.add_argument("--state", type=Path, default=state, metavar="DIR", help="the training folder: sessions, keys, the log")
    parser.add_argument(
        "--cases", type=Path, default=FOLDER, metavar="DIR", help="a folder of cases instead of the packaged ones"
    )
    parser.add_argument("--list", action="store_true", help="which cases there are")
    parser.add_argument("--case", action="append", metavar="NAME", help="this case; again for more; all where none is named")
    parser.add_argument("--officer", default="", metavar="NAME", help="what the class calls whoever decides")
    parser.add_argument("--json", action="store_true", help="print sessions, or the class's table, as JSON")
    parser.add_argument(
        "--headless",
        nargs="?",
        choices=get_args(Play),
        const="right",
        help="a scripted officer decides, rightly or wrongly; ends after the last case",
    )
    for name, port in PORTS.items():
        parser.add_argument(f"--{name}-port", type=int, default=port, metavar="PORT")


def train_command(options: argparse.Namespace) -> int:
    """Play cases, or say what there is. Returns 0; 1 where the exercise got stuck or nothing was scored; 2 where it cannot be done as asked."""
    try:
        cases = load_cases(options.cases)
        if options.list:
            return _list(cases)
        if options.report:
            return _report(options)
        return _train(_chosen(cases, options.case), options)
    except (CaseError, SessionError, ConfigError, PkiError, DeviceError, PictureMissingError, OSError) as error:
        print(f"autogate train: {error}", file=sys.stderr)
        return EXIT_USAGE
    except (DemoError, ServiceError, ChannelClosed, AuditError) as error:
        print(f"autogate train: {error}", file=sys.stderr)
        return EXIT_STUCK


def _list(cases: Sequence[Case]) -> int:
    for case in cases:
        print(f"{case.id:<24} {case.place:<8} {case.time_s:>4} s  {case.title[1]} / {case.title[0]}")
    return EXIT_OK


def _chosen(cases: Sequence[Case], names: Sequence[str] | None) -> tuple[Case, ...]:
    """Raises CaseError for a name that no case has."""
    known = {case.id: case for case in cases}
    for name in names or ():
        if name not in known:
            raise CaseError(f"no case {name}: one of {', '.join(known)}")
    return tuple(known[name] for name in names) if names else tuple(cases)


def _report(options: argparse.Namespace) -> int:
    held = [each for each in sessions(options.state) if options.officer in {"", each.officer}]
    held = [each for each in held if not options.case or each.case in options.case]
    table = review.class_table(held)
    print(msgspec.json.format(msgspec.json.encode(table)).decode() if options.json else review.class_text(table))
    return EXIT_OK


def _train(cases: Sequence[Case], options: argparse.Namespace) -> int:
    name = options.officer or ("scripted" if options.headless else "")
    try:
        msgspec.convert(name, OfficerName)
    except msgspec.ValidationError:
        raise CaseError(
            "--officer NAME: 1 to 32 letters, digits, dots, hyphens; a name that only the class knows will do"
        ) from None
    refuse_foreign_names()
    packs = options.state.resolve() / "packs"
    demo_pack(packs)
    console = DemoConsole(options.console_port, None)
    trainees = Trainees(options.state.resolve(), console)
    ports = (options.traveller_port, options.officer_port)
    with DemoStage(cast_of(cases), options.state, ports, packs, console=console, profile="training") as stage:
        training = Training(stage, cases, options, trainees, name)
        asyncio.run(training.run())
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(training.held)).decode())
    scored = len(training.held) == len(cases) and not any(session.score.void for session in training.held)
    return EXIT_OK if scored else EXIT_STUCK


class Training:
    """The gate's processes, the desk and one officer, on a stage that is set."""

    def __init__(
        self, stage: DemoStage, cases: Sequence[Case], options: argparse.Namespace, trainees: Trainees, name: str
    ) -> None:
        """Raises PkiError, OSError where a scripted officer's key does not come onto the roster."""
        self._stage, self._cases, self._options, self._trainees, self._name = stage, cases, options, trainees, name
        self._origin = f"http://localhost:{options.desk_port}"
        self._desk = Desk(self._origin)
        self._known = trainees.find(name, _today())
        self._officer: ScriptedOfficer | None = None
        if options.headless:
            key = Key()
            self._known = trainees.enrol(name, key.credential, key.public, _today())
            self._officer = ScriptedOfficer(key, cases, (options.desk_port, options.console_port), options.headless)
        self.held: list[Session] = []
        """The sessions so far."""

    async def run(self) -> None:
        """Until the last case of a scripted officer, else until Ctrl-C. Raises what :func:`train_command` names."""
        stage, listeners = self._stage, listen_on_localhost(self._options.desk_port)
        config = load(stage.config_path)
        assert config.profile == PROFILE
        app = DeskApp(self._desk, self._enrol, self._origin, f"http://localhost:{self._options.console_port}/").app()
        service = Service(commands(stage.config_path, config, stage.runtime), stage.log, stage.runtime)
        try:
            serving = asyncio.create_task(serve(app, self._desk, *listeners))
            supervising = asyncio.create_task(self._supervise(service))
            work = asyncio.create_task(self._play(config))
            done, _ = await asyncio.wait({serving, supervising, work}, return_when=asyncio.FIRST_COMPLETED)
            if work in done and work.exception() is None and not self._officer:
                print("  the review stays up at the desk; Ctrl-C ends the exercise", flush=True)
                done, _ = await asyncio.wait({serving, supervising}, return_when=asyncio.FIRST_COMPLETED)
            self._desk.close()
            await asyncio.sleep(PAGES_CLOSE_S)
            for task in (serving, supervising, work):
                task.cancel()
            for task in done:
                task.result()
        finally:
            if self._officer:
                self._officer.stop()
            service.stop(at_once=True)

    async def _supervise(self, service: Service) -> None:
        """Raises ServiceError, and DemoError where a scripted officer gave up."""
        supervising = asyncio.create_task(supervise(service))
        try:
            while not supervising.done() and not (self._officer and self._officer.failure):
                await asyncio.wait({supervising}, timeout=LOOK_S)
            if supervising.done():
                supervising.result()
            elif self._officer:
                raise DemoError(f"the scripted officer gave up: {self._officer.failure!r}")
        finally:
            supervising.cancel()

    def _enrol(self, credential: str, key: str) -> None:
        self._desk.enrolled(self._trainees.enrol(self._name, credential, key, _today()))

    async def _play(self, config: Config) -> None:
        director = Director(self._stage, Terminal(quiet=True))
        await join(director)
        _say(self._options)
        if self._officer:
            self._officer.start()
        await self._desk.until_enrolled(self._known, self._name)
        exercise = Exercise(director, self._desk, config.state_dir, self._name)
        for number, case in enumerate(self._cases, 1):
            session = await exercise.play(case, number, len(self._cases))
            self.held.append(session)
            if not self._options.json:
                print("\n" + review.text(session, case), flush=True)
        await director.leave()


def _say(options: argparse.Namespace) -> None:
    if options.json:
        return
    print(f"  {EXERCISE[0]} · {EXERCISE[1]}")
    print(f"  exercise desk     http://localhost:{options.desk_port}/")
    print(f"  officers' console http://localhost:{options.console_port}/")
    print(f"  traveller screen  http://127.0.0.1:{options.traveller_port}/")
    print(f"  officer page      http://127.0.0.1:{options.officer_port}/", flush=True)


def _today() -> date:
    return datetime.now(UTC).date()
