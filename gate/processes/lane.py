"""The lane process: table, link, log, decisions. It alone holds the serial port and the gate's key.

No numpy, cv2, ONNX Runtime or ASN.1 is loaded in here: nothing that parses what a chip or a camera says runs beside the doors.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from datetime import datetime

import msgspec

from gate.audit.log import FILE_NAME, AuditError, AuditLog, AuditWriter, gate_key
from gate.audit.sealing import AskedSealer, ToldDestroyed
from gate.audit.tally import KIND as TALLY
from gate.audit.tally import ToldTallies
from gate.clock import WALL_FLOOR_FILE, SystemClock, WallFloor, civil_date
from gate.config import Config
from gate.doctor import refuse_foreign_names
from gate.evidence import Direction
from gate.interrupted import close_interrupted
from gate.notify import READY, notify
from gate.policy.schedule import Schedule
from gate.policy.schema import RulesError
from gate.processes.actor import LaneActor
from gate.processes.casework import Casework
from gate.processes.channel import Channel, ChannelClosed, serve
from gate.processes.display import WORKERS, Display
from gate.processes.fitness import DRAIN_S
from gate.processes.hardening import harden, overwrite_what_is_freed
from gate.processes.lag import BOUNDS_MS
from gate.processes.messages import (
    AnyMessage,
    DestroyedTold,
    FieldsSealed,
    Histogram,
    Join,
    LaneHealth,
    MrzRead,
    OfficerOrder,
    OrderTaken,
    ProcessEnded,
    Role,
    TellDestroyed,
    TellTally,
    TransactionEnded,
)
from gate.processes.officer_messages import (
    ActVerified,
    AskCase,
    AskNonce,
    ConsoleRefused,
    OfficerAct,
    OfficerWatch,
    VerifyAct,
    WatchOver,
)
from gate.processes.officers import Officers
from gate.processes.panel_watch import PanelWatch
from gate.processes.pictures_lane import PictureDesk
from gate.processes.rules_watch import RulesWatch, open_schedule
from gate.processes.vitals import Vitals
from gate.processes.watchdog import Watchdog
from gate.processes.worker import EXIT_CONFIG, arguments
from gate.records import DecisionRecord, KeysDestroyed, LinkWaived, Tally
from gate.registries.answers import Answers
from gate.registries.asking import AskedRegistries
from gate.registries.crossing_record import End
from gate.runtime import RUNTIME_FILE, Runtime
from hardware.controller.host import CommandIds, ControllerLink, GateLink
from hardware.controller.link import DownReason, LinkDown, LinkUp
from hardware.controller.protocol import GateCommand, GateEvent
from hardware.controller.serial_port import SerialPort
from hardware.ports import DeviceError

REMEMBER_EVERY_S = 60.0
HEALTH_EVERY_S = 1.0
CLOSING_S = 1.0
"""For the last events to be handled once the link is closed."""
NICE = -10
PEER_BURST, PEER_PAUSE_S = 60, 0.002
"""Messages that the peers of a role may send at once, and the pause between those beyond: an honest traveller causes about forty in
five seconds, and a flood leaves the processor to the doors."""
SWITCH_INTERVAL_S = 0.0005
"""Python's default of 5 ms let the loop lag 74 ms beside two busy threads; with 0.5 ms it was 10."""


ALONE: frozenset[Role] = WORKERS | {"registries", "panel", "audit", "verifier", "pictures", "health", "fleet"}
"""Roles of which there is one: a second one is refused."""
MOST_PEERS = 8
"""Of any other role: a screen that comes back while the last one is not known gone, a director, and whoever watches in a test."""
HEALTH_ROLES: tuple[Role, ...] = ("health", "fleet")
"""Who hears how the lane does."""
DEVICE_ROLES: tuple[Role, ...] = ("reader", "vision", "officer_screen", "traveller_screen")
"""Processes whose presence ``/metrics`` tells: a worker is there while its device is."""


class Allowance:
    """How much the peers of one role may still say at once, their coming included; fills up again with time."""

    def __init__(self) -> None:
        self._left, self._since = float(PEER_BURST), time.monotonic()

    async def spend(self) -> None:
        """Take one message; wait where the allowance is used up."""
        now = time.monotonic()
        self._left = min(PEER_BURST, self._left + (now - self._since) / PEER_PAUSE_S) - 1
        self._since = now
        if self._left < 0:
            await asyncio.sleep(PEER_PAUSE_S)


class LaneProcess:
    """Wires the actor to its peers, the gate controller, the registries and the audit."""

    def __init__(self, config: Config, runtime: Runtime, key: bytes, schedule: Schedule, log: AuditWriter) -> None:
        floor = WallFloor(config.state_dir / WALL_FLOOR_FILE)
        self._config, self._runtime, self._log, self._floor = config, runtime, log, floor
        self._clock = SystemClock(floor)
        self._peers: dict[Role, set[Channel]] = {}
        self._refused: set[Role] = set()
        self._allowances: dict[Role, Allowance] = {}
        self._loop = asyncio.get_running_loop()
        self._registries = AskedRegistries(
            config.registries.named,
            lambda message: self.tell("registries", message),
            lambda: bool(self._peers.get("registries")),
            gate=config.lane.id,
            checkpoint=config.lane.checkpoint,
            limit_ms=config.timeouts.registry_ms,
        )
        self._sealing = AskedSealer(lambda message: self.tell("audit", message), lambda: bool(self._peers.get("audit")))
        self._destroyed, self._tallies = ToldDestroyed(), ToldTallies()
        if config.audit.sealing_key:
            log.sealer = self._sealing
        self._ids = CommandIds(self._clock)
        watch = self._rules = RulesWatch(config, schedule, self._clock, floor=floor, log=log, tell=self._tell_rules)
        casework = self._casework = Casework(
            config, watch.now(), log, clock=self._clock, helpers=self, key=key, rules_now=watch.now
        )
        self._panel = PanelWatch(self._clock.boot, casework.note_panel) if config.panel.kind != "none" else None
        pictures = PictureDesk(self._clock.boot, self.tell, casework.pictures_shown) if config.console.shows_pictures else None
        display = self._display = Display(config, self.tell, self._panel, pictures)
        longer = config.screens.longer_times
        self.actor = LaneActor(
            config.timeouts,
            self._clock,
            self,
            casework,
            display,
            kind=config.lane.kind,
            longer_times=longer,
            officers_supervise=config.officers_supervise,
        )
        self._officers = Officers(config, self._clock, self.actor, casework, self._ask_verifier)
        self._officers.watching.pictures = lambda: display.pictures_address
        self._acting: set[asyncio.Task[None]] = set()
        self._link = self._open_link(config, key)
        self._vitals, self._started = Vitals(), self._clock.boot()
        self._watchdog = Watchdog(
            str(runtime.notify_socket),
            handled=self.actor.handled,
            durable=lambda: asyncio.ensure_future(log.caught_up()),
            link=self._link,
            status=lambda: ", ".join((self.actor.state, *self.actor.fitness.words)),
        )

    def _open_link(self, config: Config, key: bytes) -> ControllerLink:
        """Raises DeviceError where what the link is made of is not installed."""

        def open_port() -> SerialPort:
            return SerialPort(config.controller.device, config.controller.baud)

        if config.controller.link == "modbus":
            from hardware.controller.modbus import UnsafeUnauthenticatedLink

            return UnsafeUnauthenticatedLink(open_port, config.controller.unit, self._clock, self._on_controller)
        return GateLink(open_port, key, self._clock, self._on_controller)

    # --- what the actor can do to the world ----------------------------------------------------------------------------------

    def command(self, command: GateCommand) -> None:
        self._link.send(command)

    def next_command_id(self) -> int:
        return self._ids.next()

    def renew(self) -> None:
        self._link.renew()

    def tell(self, role: Role, message: AnyMessage) -> None:
        if isinstance(message, TransactionEnded):
            self._vitals.ended(message.record)
        for channel in self._peers.get(role, set()):
            channel.tell(message)

    def ask_registries(
        self, read: MrzRead, document_class: str, direction: Direction
    ) -> Mapping[str, Coroutine[None, None, Answers]]:
        return self._registries.questions(read, document_class, direction)

    async def crossing_permitted(self, record: DecisionRecord) -> bool:
        decision = record.decision
        return await self._registries.permitted(
            record.evidence.transaction, rules_version=decision.rules_version, tolerances=decision.tolerances, at=record.at
        )

    def crossing_ended(self, transaction: str, end: End, *, at: datetime) -> None:
        self._registries.ended(transaction, end, at=at)

    def _ask_verifier(self, question: VerifyAct) -> bool:
        self.tell("verifier", question)
        return bool(self._peers.get("verifier"))

    # --- peers -----------------------------------------------------------------------------------------------------------------

    async def _on_peer(self, join: Join, channel: Channel) -> None:
        role = join.role
        if role == "command":
            await self._on_command(channel)
            return
        if role == "service":
            await self._on_service(channel)
            return
        if len(self._peers.get(role, ())) >= (1 if role in ALONE else MOST_PEERS):
            if role not in self._refused:  # said once: a peer that comes again and again fills no log
                self._refused.add(role)
                print(f"lane: one {role} too many was refused", file=sys.stderr, flush=True)
            return
        self._peers.setdefault(role, set()).add(channel)
        self._vitals.joins[role] += 1
        self.actor.post(lambda: self.actor.on_peer(role, join.backends, joined=True))
        allowance = self._allowances.setdefault(role, Allowance())
        try:
            while True:
                await allowance.spend()
                message = await channel.receive()
                if role == "console":
                    self._on_console(message, channel)
                else:
                    await self._on_message(role, message)
                del message  # it may carry a portrait, and the next one may be long in coming
        finally:
            self._peers[role].discard(channel)
            if role == "registries":
                self._registries.gone()
            if role == "audit":
                self._sealing.gone()
            if role == "console" and not self._peers[role]:
                self._officers.watching.console_gone()
            if not self._peers[role]:
                self.actor.post(lambda: self.actor.on_peer(role, {}, joined=False))

    async def _on_command(self, channel: Channel) -> None:
        """One order, one answer. It waits for no disk: the log is told beside it."""
        asked = await channel.receive()
        if isinstance(asked, OfficerOrder):
            order = asked
            answered: asyncio.Future[OrderTaken] = self._loop.create_future()
            self.actor.post(lambda: answered.set_result(self._officers.order(order)))
            await channel.send(await answered)

    def _on_console(self, message: AnyMessage, channel: Channel) -> None:
        """What officers' screen asks for; the proof of an order takes its time beside everything else."""
        match message:
            case AskNonce():
                channel.tell(self._officers.nonce(message))
            case WatchOver():
                self._officers.watching.over(message)
            case ConsoleRefused():
                self._officers.watching.console_refused(message)
            case OfficerAct():
                self._answer(self._officers.act(message), channel)
            case OfficerWatch():
                self._answer(self._officers.watching.watch(message), channel)
            case AskCase():
                self._answer(self._officers.watching.show(message), channel)
            case _:
                pass

    def _answer(self, work: Coroutine[None, None, AnyMessage], channel: Channel) -> None:
        async def answer() -> None:
            channel.tell(await work)

        self._aside(answer())

    def _aside(self, work: Coroutine[None, None, None]) -> None:
        """Do it beside all else."""
        acting = self._loop.create_task(work)
        self._acting.add(acting)
        acting.add_done_callback(self._acting.discard)

    async def _on_service(self, channel: Channel) -> None:
        """Who starts the processes says why one ended."""
        said = await channel.receive()
        if isinstance(said, ProcessEnded):
            ended = said
            self.actor.post(lambda: self.actor.process_ended(ended.process, ended.why))

    async def _on_message(self, role: Role, message: AnyMessage) -> None:
        """Have the actor handle ``message``, and only then listen on: a peer that talks without end holds up nobody but itself."""
        if role == "registries":
            self._registries.heard(message)
            return
        if role == "audit" and isinstance(message, FieldsSealed):
            self._sealing.heard(message)
            return
        if role == "audit" and isinstance(message, TellDestroyed):
            if destroyed := self._destroyed.taken(message.destroyed):
                self._aside(self._log_destroyed(destroyed))  # boxes come this way, too: listen on
            return
        if role == "audit" and isinstance(message, TellTally):
            today = civil_date(self._clock.wall(), self._config.lane.checkpoint)
            if self._casework.running is None and self._tallies.taken(message.tally, today):
                self._aside(self._log_tally(message.tally))
            return
        if role == "verifier":
            if isinstance(message, ActVerified):
                self._officers.proven(message)
            return
        handled = asyncio.Event()
        self.actor.post(lambda: self.actor.on_message(role, message))
        self.actor.post(handled.set)
        await handled.wait()

    async def _log_destroyed(self, destroyed: KeysDestroyed) -> None:
        """Put into the log that personal fields can be read no more; whoever says so repeats it until it stands there."""
        with suppress(AuditError):
            await self._log.append("event", "", destroyed, at=self._clock.wall(), boot=self._clock.boot())
            self.tell("audit", DestroyedTold(number=destroyed.number))

    async def _log_tally(self, tally: Tally) -> None:
        """Put a day's count into the log, while nobody is served; whoever counted it repeats it until it stands there."""
        try:
            await self._log.append(TALLY, "", tally, at=self._clock.wall(), boot=self._clock.boot())
        except AuditError:
            self._tallies.lost(tally)

    def _on_controller(self, event: GateEvent | LinkUp | LinkDown) -> None:
        """Called by the link's own thread. A lost link is said once, with its reason and its remedy, and waited for."""
        if isinstance(event, LinkDown) and event.reason is not DownReason.CLOSED:
            print(f"lane: gate controller lost ({event.reason}): {event.what}", file=sys.stderr, flush=True)
            self.actor.post(lambda: self._vitals.link_losses.update((event.reason,)))
        self.actor.post(lambda: self.actor.on_controller(event))

    async def _remember_time(self) -> None:
        """Keep the highest time seen on disk, so that a clock set back while the gate was off is noticed."""
        while True:
            with suppress(OSError):  # a full disk refuses permits too; this is not the place to stop the lane
                await asyncio.to_thread(self._floor.raise_to, self._clock.wall())
            await asyncio.sleep(REMEMBER_EVERY_S)

    async def _heed_last_day(self) -> None:
        """A lane may run for longer than the waiver that it started under: once that is over it takes nobody any more."""
        waiver, checkpoint = self._config.controller.waiver, self._config.lane.checkpoint
        while waiver is not None:
            if ended := waiver.ended(civil_date(self._clock.wall(), checkpoint)):
                self.actor.withdraw("waiver", ended)
                return
            await asyncio.sleep(REMEMBER_EVERY_S)

    def _tell_rules(self, problem: str) -> None:
        self.actor.post(lambda: setattr(self._display, "rules_problem", problem))

    async def _tell_health(self) -> None:
        while True:
            for role in HEALTH_ROLES:
                if self._peers.get(role):
                    self.tell(role, self._health())
            await asyncio.sleep(HEALTH_EVERY_S)

    def _health(self) -> LaneHealth:
        actor, lag = self.actor, self.actor.lag
        lists = self._registries.lists if self._peers.get("registries") else {}
        return LaneHealth(
            state=actor.state,
            in_service=actor.in_service,
            causes=actor.fitness.words,
            stuck=self._watchdog.stuck,
            outcomes=dict(self._vitals.outcomes),
            stages={name: durations.told() for name, durations in self._vitals.stages.items()},
            link_losses=dict(self._vitals.link_losses),
            damaged_frames=self._link.damaged_frames,
            loop_lag=Histogram(
                bounds=tuple(bound / 1000 for bound in BOUNDS_MS), counts=tuple(lag.counts), total=lag.total_ms / 1000
            ),
            queue=actor.waiting,
            clock_trusted=self._clock.trusted(),
            devices={"controller": actor.gate_word == "ready"}
            | {role: bool(self._peers.get(role)) for role in DEVICE_ROLES}
            | ({"registries": bool(self._peers.get("registries"))} if self._config.registries.named else {})
            | ({"panel": not self._panel.fault} if self._panel else {}),
            joins=dict(self._vitals.joins),
            uptime_s=self._clock.boot() - self._started,
            rules_problem=self._display.rules_problem,
            trust_problem=self._display.trust_problem,
            audit_problem=self._display.audit_problem,
            fleet_problem=self._display.fleet_problem,
            waiting_s=actor.waiting_s,
            versions={"rules": self._casework.rules_version, **self._casework.backends, **_list_versions(lists)},
            freshness={name: as_of for name, (_, as_of) in lists.items()},
        )

    def _hang_up(self, *roles: Role) -> None:
        for channel in [channel for role in roles for channel in self._peers.get(role, ())]:
            channel.abort()

    async def _until_ended(self) -> None:
        """SIGTERM: until whoever is inside was served or let out, :data:`DRAIN_S` at most. SIGINT: at once."""
        asked, hurried = asyncio.Event(), asyncio.Event()
        self._loop.add_signal_handler(signal.SIGTERM, asked.set)
        self._loop.add_signal_handler(signal.SIGINT, hurried.set)
        first = asyncio.FIRST_COMPLETED
        at_once = asyncio.create_task(hurried.wait())
        await asyncio.wait({at_once, asyncio.create_task(asked.wait())}, return_when=first)
        self.actor.withdraw()
        await asyncio.wait({at_once, asyncio.create_task(self.actor.rested.wait())}, timeout=DRAIN_S, return_when=first)

    async def run(self) -> None:
        """Serve until SIGTERM, and then whoever is inside to the end; or until SIGINT."""
        server = await serve(self._runtime.lane_socket, self._runtime.secret, self._on_peer)
        self._link.start()
        running = asyncio.create_task(self.actor.run())
        works = (self._remember_time(), self._heed_last_day(), self._rules.heed(), self._watchdog.run(), self._tell_health())
        beside = [asyncio.create_task(work) for work in works]
        ending = asyncio.create_task(self._until_ended())
        self.actor.post(self._officers.stay_closed)
        notify(str(self._runtime.notify_socket), READY)
        await asyncio.wait({running, ending}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.to_thread(self._link.close)  # leases lapse: the controller makes the doors safe by itself
        await asyncio.wait({self.actor.handled(), running}, timeout=CLOSING_S, return_when=asyncio.FIRST_COMPLETED)
        server.close()
        for task in (*beside, ending):
            task.cancel()
        await self._casework.settle()  # whoever waits for a transaction's end hears of it: first it is sealed and written
        self._hang_up(*(role for role in self._peers if role != "audit"))
        running.cancel()
        await self._casework.settle()
        self._hang_up("audit")
        await asyncio.to_thread(self._log.close)
        with suppress(asyncio.CancelledError):
            await running  # a bug in the actor ends the process with its trace


def _list_versions(lists: Mapping[str, tuple[int, int]]) -> dict[str, str]:
    """As the centre names them."""
    return {f"snapshots/{name}": f"{version:06}" for name, (version, _) in lists.items()}


def main() -> int:
    """Entry point. Returns the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the loop knows better, the end is the end
    harden()
    overwrite_what_is_freed()
    refuse_foreign_names()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    first_in_line()
    config, runtime = arguments("lane")

    try:
        asyncio.run(_run(config, runtime))
    except (RulesError, AuditError, ChannelClosed, DeviceError, OSError) as error:
        print(f"lane: {error}", file=sys.stderr)
        return EXIT_CONFIG
    return 0


def first_in_line() -> None:
    """A lane that waits for its turn loses its leases: ask for priority where it is allowed, and keep the collector short."""
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    gc.collect()
    gc.freeze()


def heed_waiver(config: Config, log: AuditLog, clock: SystemClock) -> None:
    """Have the waiver of an unauthenticated link examined by a process that may load cryptography, and put into the log that it is used.

    Raises OSError where it does not hold, AuditError where the log does not take it.
    """
    waiver = config.controller.waiver
    if waiver is None:
        return
    command = [sys.executable, "-m", "gate.link_waiver", clock.wall().isoformat()]
    examined = subprocess.run(command, input=msgspec.json.encode(config, enc_hook=str), capture_output=True, check=False)
    if examined.returncode or examined.stdout:
        raise OSError(f"controller.waiver: {examined.stdout.decode() or 'it could not be examined'} (autogate lane waive)")
    used = LinkWaived(
        link=config.controller.link,
        granted_by=waiver.granted_by,
        reason=waiver.reason,
        until=waiver.until,
        signature=waiver.signature,
    )
    log.append("event", "", used, at=clock.wall(), boot=clock.boot())


async def _run(config: Config, runtime: Runtime) -> None:
    if config.controller.key_file is None:
        raise OSError("no key: set controller.key_file")
    key = gate_key(config.controller.key_file)
    clock = SystemClock(WallFloor(config.state_dir / WALL_FLOOR_FILE))
    schedule = open_schedule(config, clock)
    log = AuditLog(config.state_dir / FILE_NAME, key)
    try:
        close_interrupted(log, config, clock.wall(), clock.boot())
    except AuditError as error:  # a log that takes nothing grants nothing either, and the next start tries again
        print(f"lane: {error}", file=sys.stderr, flush=True)
    heed_waiver(config, log, clock)
    (config.state_dir / RUNTIME_FILE).write_text(str(runtime.folder), encoding="utf-8")
    await LaneProcess(config, runtime, key, schedule, AuditWriter(log)).run()


if __name__ == "__main__":
    raise SystemExit(main())
