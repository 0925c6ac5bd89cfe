"""``autogate demo``: sets the stage, starts the gate's real processes, sends the cast through, reports."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import get_args

import msgspec

from faceverify.packs import Pack, PackError, demo_pack, installed_pack
from faceverify.permission import label
from gate.audit.log import FILE_NAME as LOG_FILE
from gate.clock import CHECKPOINT_ZONES
from gate.config import Config, ConfigError, load, load_fleet, load_rules_section
from gate.config_sections import Rules
from gate.demo.cast import DEFAULT_CAST, Cast, CastError, Traveller, load_cast
from gate.demo.console import DemoConsole
from gate.demo.director import READY_TIMEOUT_S, SIGN_IN_S, DemoError, Director
from gate.demo.faces import PictureMissingError
from gate.demo.panel import PanelKind
from gate.demo.stage import DemoStage
from gate.demo.terminal import Terminal, tolerances
from gate.doctor import refuse_foreign_names
from gate.evidence import Direction
from gate.outcome import Outcome
from gate.processes.channel import ChannelClosed
from gate.records import TransactionRecord
from gate.service import Service, ServiceError, commands
from gate.trust_store import OpenedStore, open_configured
from hardware.controller.protocol import LaneKind
from hardware.ports import DeviceError
from hardware.sim.controller import FirmwareKind
from hardware.sim.relay import LineKind
from pki.errors import PkiError

CONNECT_TIMEOUT_S = 20.0
TOLD_S = 1.5
"""The lane tells its health once a second, and the registries' process of crossings at once."""
RECEIVED_S = 20.0
"""The centre acknowledges within a second or two; a busy machine takes longer."""
SUPERVISE_S = 0.2
EXIT_OK, EXIT_STUCK, EXIT_USAGE = 0, 1, 2
NOTICE = "a demonstration: simulated devices, pretend States, invented people; nobody crosses a border"
ONE_PHOTO = "chip and camera pictures come from one photo: no claim of accuracy"
NO_PAD = "UnsafeNoPad: presentation attack detection is not available in this pack"
PHOTO_PAD = "the camera shows photographs of people, not people: presentation attack detection may well say so"

Commands = Callable[[Mapping[str, Sequence[str]]], Mapping[str, Sequence[str]]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``autogate demo``."""
    parser.add_argument("--cast", type=Path, default=DEFAULT_CAST, help="who comes (TOML)")
    parser.add_argument("--headless", action="store_true", help="no live timeline: only the table at the end")
    parser.add_argument("--once", action="store_true", help="end after the cast instead of serving the screens until Ctrl-C")
    parser.add_argument("--json", type=Path, help="write the transactions to this file")
    parser.add_argument("--state", type=Path, default=Path(".state/demo"), help="where the audit is kept")
    parser.add_argument(
        "--chip-reader", metavar="NAME", help='read the chips through PC/SC, in this reader of vpcd ("Virtual PCD 00 00")'
    )
    parser.add_argument(
        "--faces", type=Path, metavar="PACK", help="compare faces with this installed pack instead of the demonstration's"
    )
    parser.add_argument(
        "--controller",
        choices=get_args(FirmwareKind),
        default="python",
        help="the gate controller: simulated in python, the reference firmware in c, or one on modbus (make firmware setup-modbus)",
    )
    parser.add_argument(
        "--lane", choices=get_args(LaneKind), default="mantrap", help="two doors with a space between, or one door"
    )
    parser.add_argument(
        "--line",
        choices=get_args(LineKind),
        default="clean",
        help="the serial line to the gate controller: bad turns bits and loses frames",
    )
    parser.add_argument(
        "--panel",
        choices=get_args(PanelKind),
        default="none",
        help="the reader's lamp, buzzer and inputs: simulated, or over osdp with a secure channel (make setup-osdp)",
    )
    parser.add_argument(
        "--trust", type=Path, metavar="DIR", help="believe the States of this trust store beside the pretend ones"
    )
    parser.add_argument(
        "--camera",
        type=Path,
        metavar="FILM",
        help="look at this recording through OpenCV instead of the simulated camera: everybody then looks like whoever it shows",
    )
    parser.add_argument("--health-port", type=int, metavar="PORT", help="answer /healthz, /readyz and /metrics there")
    parser.add_argument(
        "--console",
        type=int,
        metavar="PORT",
        help="officers' console there, on localhost, for those in --officers; who is referred inside then waits for them",
    )
    parser.add_argument(
        "--officers", type=Path, metavar="FILE", help='{"officers": […]} with keys made on the console\'s page (docs/console.md)'
    )
    parser.add_argument(
        "--fleet",
        type=Path,
        metavar="FILE",
        help="tell the centre that [fleet] in this file names (docs/fleet.md), and go by its [rules]",
    )
    parser.add_argument("--checkpoint", choices=tuple(CHECKPOINT_ZONES), default="CGK", help="where the gate stands")
    parser.add_argument("--rules", type=Path, metavar="DIR", help="a folder of rule files instead of the packaged ones")
    parser.add_argument("--direction", type=Direction, choices=tuple(Direction), default=Direction.DEPARTURE)
    parser.add_argument("--traveller-port", type=int, default=8410)
    parser.add_argument("--officer-port", type=int, default=8411)


def demo_command(options: argparse.Namespace, change: Commands = dict) -> int:
    """Run the demonstration. ``change`` may replace the command of a process (tests do). Returns the exit status."""
    refuse_foreign_names()
    terminal = Terminal(quiet=options.headless)
    try:
        cast = load_cast(options.cast)
        pack, folder = _faces(options)
        ports = (options.traveller_port, options.officer_port)
        stage = DemoStage(
            cast,
            options.state,
            ports,
            folder.parent,
            options.chip_reader,
            trust=options.trust,
            pack=folder.name,
            firmware=options.controller,
            lane=options.lane,
            line=options.line,
            panel=options.panel,
            film=options.camera,
            health_port=options.health_port,
            rules=_rules(options),
            direction=options.direction,
            console=_console(options),
            checkpoint=options.checkpoint,
            fleet=load_fleet(options.fleet) if options.fleet else None,
        )
        with stage:
            return asyncio.run(_run(stage, cast, options, terminal, change, pack=pack))
    except (CastError, PackError, PictureMissingError, DeviceError, ConfigError, PkiError) as error:
        print(f"autogate demo: {error}", file=sys.stderr)
        return EXIT_USAGE
    except (DemoError, ServiceError, ChannelClosed) as error:
        print(f"autogate demo: {error}", file=sys.stderr)
        return EXIT_STUCK


def _rules(options: argparse.Namespace) -> Rules | None:
    """None: those that come with the software."""
    if options.rules:
        return Rules(folder=options.rules.resolve())
    told = load_rules_section(options.fleet) if options.fleet else Rules()
    return told if told != Rules() else None


def _console(options: argparse.Namespace) -> DemoConsole | None:
    supervised = options.officers is not None
    return DemoConsole(options.console, options.officers, supervised=supervised) if options.console else None


def _faces(options: argparse.Namespace) -> tuple[Pack, Path]:
    """The pack, and its folder as the configuration names it. The demonstration's is built here, before any process needs it."""
    if options.faces is None:
        packs = options.state / "packs"
        return demo_pack(packs), packs / "demo"
    folder = options.faces.resolve()
    return installed_pack(folder), folder


async def _run(
    stage: DemoStage, cast: Cast, options: argparse.Namespace, terminal: Terminal, change: Commands, *, pack: Pack
) -> int:
    config = load(stage.config_path)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    service = Service(change(commands(stage.config_path, config, stage.runtime)), stage.log, stage.runtime)
    try:
        supervising = asyncio.create_task(supervise(service))
        work = asyncio.create_task(_perform(stage, cast.traveller, options, terminal, open_configured(config), pack=pack))
        ending = asyncio.create_task(_wait(stop))
        done, _ = await asyncio.wait({supervising, work, ending}, return_when=asyncio.FIRST_COMPLETED)
        if work in done and work.exception() is None and not options.once:
            terminal.say("\nThe screens stay up. Ctrl-C ends the demonstration.")
            done, _ = await asyncio.wait({supervising, ending}, return_when=asyncio.FIRST_COMPLETED)
        for task in (supervising, work, ending):
            task.cancel()
        for task in done:
            task.result()
        return EXIT_OK
    finally:
        service.stop(at_once=True)


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


async def supervise(service: Service) -> None:
    """Start again what dies. Raises ServiceError where that does not help."""
    while True:
        service.poll()
        for name, why in service.given_up.items():
            raise ServiceError(f"{name}: {why}")
        await asyncio.sleep(SUPERVISE_S)


async def _perform(
    stage: DemoStage,
    travellers: Sequence[Traveller],
    options: argparse.Namespace,
    terminal: Terminal,
    trust: OpenedStore,
    *,
    pack: Pack,
) -> None:
    begun = time.monotonic()
    director = Director(stage, terminal)
    await join(director)
    if options.console and options.officers:
        print(f"  the lane serves once an officer has signed in at http://localhost:{options.console}/", flush=True)
    await director.until_ready(SIGN_IN_S if options.officers else READY_TIMEOUT_S)
    terminal.warnings(notices(pack))
    terminal.say(f"  trust store {trust.label}")
    terminal.say(f"  ready in {time.monotonic() - begun:.1f} s")
    print(f"  traveller screen  http://127.0.0.1:{options.traveller_port}/", flush=True)
    print(f"  officer page      http://127.0.0.1:{options.officer_port}/", flush=True)
    if options.console:
        print(f"  officers' console http://localhost:{options.console}/", flush=True)
    if options.health_port:
        print(f"  health            http://127.0.0.1:{options.health_port}/metrics", flush=True)
    rows: list[tuple[str, TransactionRecord]] = []
    shown: dict[str, tuple[str, ...]] = {}
    for number, traveller in enumerate(travellers, 1):
        await director.until_ready()
        terminal.arrives(number, len(travellers), traveller.title)
        record = await director.play(traveller)
        terminal.transaction(record)
        rows.append((traveller.title, record))
        shown[traveller.id] = await asyncio.to_thread(stage.panel.shown)
    line = await asyncio.to_thread(stage.line)
    crossings = await asyncio.to_thread(_crossings, stage, sum(record.outcome is Outcome.OPEN for _, record in rows))
    await director.leave()
    Terminal().summary(rows)
    if options.json:
        told = as_json(travellers, rows, trust, pack, shown) | {
            "line": line,
            "crossings": crossings,
            "health": await asyncio.to_thread(_health, options.health_port),
            "fleet": await asyncio.to_thread(_fleet, load(stage.config_path)),
        }
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(told)) + b"\n")


def _health(port: int | None) -> dict[str, object] | None:
    """What the gate's health process says at the end of the run, where there is one."""
    if port is None:
        return None
    time.sleep(TOLD_S)
    line = HTTPConnection("127.0.0.1", port, timeout=CONNECT_TIMEOUT_S)
    told: dict[str, object] = {}
    for path in ("/healthz", "/readyz", "/metrics"):
        line.request("GET", path)
        answer = line.getresponse()
        told[path] = {"status": answer.status, "lines": answer.read().decode().splitlines()}
        line.close()
    return told


def _fleet(config: Config) -> dict[str, object] | None:
    """What the centre holds of this gate at the end of the run, where there is one; what was written last may still be on the way."""
    if config.fleet is None:
        return None
    from gate.fleet.keys.file_keys import FileKeys  # only a gate of a fleet needs its libraries
    from gate.fleet.outbox import Outbox
    from gate.fleet.receipts import FILE_NAME as RECEIPT_FILE

    gate, deadline = f"{config.lane.checkpoint}.{config.lane.id}", time.monotonic() + RECEIVED_S
    while True:
        outbox = Outbox(config.state_dir / LOG_FILE, config.state_dir / RECEIPT_FILE, gate, FileKeys(config.fleet.keys))
        told = {"gate": gate, "records": outbox.head, "received": outbox.through}
        outbox.close()
        if told["records"] == told["received"] or time.monotonic() > deadline:
            return told
        time.sleep(SUPERVISE_S)


def _crossings(stage: DemoStage, expected: int) -> list[str]:
    """The transactions that the registry of crossings was told of; who went through last may still be on the way."""
    deadline = time.monotonic() + TOLD_S
    while len(told := stage.registries.crossings()) < expected and time.monotonic() < deadline:
        time.sleep(SUPERVISE_S)
    return told


async def join(director: Director) -> None:
    """Have ``director`` look on as soon as the lane is there. Raises ChannelClosed where it does not come."""
    deadline = time.monotonic() + CONNECT_TIMEOUT_S
    while True:
        try:
            await director.join()
        except ChannelClosed:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)
        else:
            return


def notices(pack: Pack) -> tuple[str, ...]:
    """What whoever watches must know about this run."""
    use = "demonstration recogniser, not for operation" if pack.demonstration else f"faces: {label(pack)}"
    return NOTICE, f"{use}; {ONE_PHOTO}", PHOTO_PAD if pack.pad else NO_PAD


def as_json(
    travellers: Sequence[Traveller],
    rows: Sequence[tuple[str, TransactionRecord]],
    trust: OpenedStore,
    pack: Pack,
    shown: Mapping[str, Sequence[str]],
) -> dict[str, object]:
    """The machine-readable result of a run. ``shown``: by traveller, what the reader's panel says that it did."""
    return {
        "demonstration": True,
        "notice": notices(pack),
        "trust": trust.as_json(),
        "faces": {"pack": pack.id, "sha256": pack.sha256, "licence": pack.licence, "permitted_use": pack.permitted_use},
        "transactions": [
            {
                "traveller": traveller.id,
                "title": title,
                "transaction": record.transaction,
                "lane": record.kind,
                "outcome": record.outcome,
                "reasons": record.reasons,
                "tolerances": tolerances(record),
                "stages": record.stages,
                "backends": record.backends,
                "panel": shown[traveller.id],
                "checks": _checks(record),
                "scores": _scores(record),
                "inspection": record.inspection,
                "rules_version": record.decisions[-1].decision.rules_version if record.decisions else "",
            }
            for traveller, (title, record) in zip(travellers, rows, strict=True)
        ],
    }


def _checks(record: TransactionRecord) -> dict[str, str]:
    """The facts that the last decision stood on: each one's word, with the code that says why or how."""
    facts = record.decisions[-1].evidence.facts if record.decisions else {}
    return {name: f"{fact.value} {fact.code}".rstrip() for name, fact in facts.items()}


def _scores(record: TransactionRecord) -> dict[str, dict[str, float | None]]:
    """Score and threshold of each fact of the last decision that has them (``face``, ``pad``)."""
    facts = record.decisions[-1].evidence.facts if record.decisions else {}
    return {name: {"score": fact.score, "threshold": fact.threshold} for name, fact in facts.items() if fact.score is not None}
