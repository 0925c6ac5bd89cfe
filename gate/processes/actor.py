"""The lane's actor: events in, the table's actions out. One loop, one queue, nothing that blocks.

Whatever happens (telemetry, a worker's message, a timer, a durable commit) is put into one queue and handled in order. The lease is
renewed by the same queue: a loop that no longer handles events no longer renews, and the controller makes the doors safe by itself.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Protocol, assert_never

from gate.clock import SystemClock
from gate.config import Timeouts
from gate.lane import LEASED, TABLES, TIMEOUT_KEY, Action, Event, Lane, State, View, step
from gate.lane_guards import passable
from gate.processes.bounds import bounded_backends, bounded_words
from gate.processes.casework import Casework
from gate.processes.display import Display
from gate.processes.fitness import (
    AT_REST,
    AWAITS_RESET,
    BENT,
    CLOSED,
    CONTROLLER,
    EMERGENCY_OPENED,
    LINK,
    LONGEST,
    NOBODY_WATCHES,
    STOPPING,
    SUPERVISION,
    Fitness,
)
from gate.processes.lag import LoopLag
from gate.processes.messages import (
    AnyMessage,
    AuditReport,
    DocumentPlaced,
    DocumentRemoved,
    FleetReport,
    MoreTime,
    Order,
    OrderTaken,
    PanelReport,
    Role,
    TrustReport,
)
from gate.processes.patience import WAITS, Patience
from gate.processes.sight import OLDEST_S, Sight
from gate.processes.witness import DoorWitness
from gate.records import LaneEvent
from hardware.controller.link import DownReason, LinkDown, LinkUp
from hardware.controller.protocol import (
    RENEW_EVERY_MS,
    Close,
    CommandResult,
    Door,
    Fault,
    GateCommand,
    GateEvent,
    LeaseLapsed,
    Obstruction,
    OpenEntry,
    OpenExit,
    Outcome,
    Passage,
    Purpose,
    SetSignal,
    Signal,
    Telemetry,
)

_STAGE_OF_STATE: Mapping[State, str] = {
    State.ENTRY_OPEN: "walk_in",
    State.ENTRY_CLOSE: "entry_close",
    State.CAPTURE: "capture",
    State.EXIT_OPEN: "walk_out",
    State.EXIT_CLOSE: "exit_close",
    State.HOLD: "await_officer",
    State.EJECT: "eject",
    State.EJECT_CLOSE: "eject_close",
}
"""The name that a state's duration bears in the transaction's timeline."""

_IRREGULAR = frozenset(State) - {
    State.IDLE,
    State.DOCUMENT,
    State.ENTRY_OPEN,
    State.ENTRY_CLOSE,
    State.CAPTURE,
    State.DECIDE,
    State.EXIT_OPEN,
    State.EXIT_CLOSE,
}
"""States off a traveller's ordinary way: coming into and out of them goes into the log, with or without a transaction."""

_LETS_ON = frozenset({Event.ENTRY_GRANTED, Event.EXIT_GRANTED, Event.LEASE_LAPSED, Event.OFFICER_PASS})
"""Upon these a door may open to let somebody further: only by what is seen now."""


class Controller(Protocol):
    """The gate controller's link, as the actor uses it. Nothing here waits."""

    def command(self, command: GateCommand) -> None: ...
    def next_command_id(self) -> int: ...
    def renew(self) -> None: ...


class LaneActor:
    """Where the lane stands, and the only thing that moves it. Its methods run on the loop; other threads use :meth:`post`."""

    def __init__(
        self,
        timeouts: Timeouts,
        clock: SystemClock,
        controller: Controller,
        casework: Casework,
        display: Display,
        *,
        kind: str = "mantrap",
        longer_times: float = 1.0,
        officers_supervise: bool = False,
        oldest_s: float = OLDEST_S,
    ) -> None:
        """``kind``: of the lane, as the configuration names it; ``longer_times``: by how much it waits longer for who asks for it;
        ``officers_supervise``: those on watch are the supervision, else it is the officer page's process;
        ``oldest_s``: nobody is let further on telemetry that is older; for doors that tell of changes alone it never is.
        """
        self._table, self._leased, self._kind = TABLES[kind], LEASED[kind], kind
        self._timeouts, self._clock, self._controller, self._case, self._display = timeouts, clock, controller, casework, display
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        self._inbox: asyncio.Queue[Callable[[], None]] = asyncio.Queue()
        self._lane, self._view, self._entered = Lane(), View(), clock.boot()
        self._timer: asyncio.TimerHandle | None = None
        self._visit = 0
        self._patience = Patience(longer_times, clock.boot)
        self._sent: dict[int, tuple[str, float]] = {}
        self._link_up = self._faulty = False
        self._witness = DoorWitness(frozenset(Door) if kind == "mantrap" else frozenset({Door.EXIT}))
        self._sight, self._unseen = Sight(clock.boot, oldest_s), list[Callable[[], None]]()
        self.fitness = Fitness(dict.fromkeys(sorted(display.workers), "its process has not come yet"))
        self._officers_supervise = officers_supervise
        if officers_supervise:
            self.fitness.note(SUPERVISION, NOBODY_WATCHES)
        self.rested = asyncio.Event()
        """After :meth:`withdraw`: nobody is being served, and no door is driven."""
        self.lag = LoopLag()
        casework.attach(self._apply, self.post, self._gate_seen, self.when_seen)

    # --- the loop ---------------------------------------------------------------------------------------------------------

    def post(self, what: Callable[[], None]) -> None:
        """Have ``what`` run on the loop, in its turn; for any thread."""
        if threading.get_ident() == self._thread:
            self._inbox.put_nowait(what)  # waking a loop from itself costs two system calls
        else:
            self._loop.call_soon_threadsafe(self._inbox.put_nowait, what)

    def handled(self) -> asyncio.Future[None]:
        """Done once everything that was posted before is handled. Call it on the loop."""
        done: asyncio.Future[None] = self._loop.create_future()
        self.post(lambda: None if done.done() else done.set_result(None))
        return done

    def when_seen(self, work: Callable[[], None]) -> None:
        """Run ``work`` once the lane is seen as it is now: at once, or upon the next telemetry that is of now. Without a line: at once, too.

        What happened meanwhile ``work`` has to look at itself. On the loop.
        """
        if self._sight.stale and self._link_up:
            self._unseen.append(work)
        else:
            work()

    def _go_on(self) -> None:
        """There is news of the doors, or none will come."""
        waited, self._unseen = self._unseen, []
        for work in waited:
            work()

    @property
    def waiting(self) -> int:
        """Events that wait for their turn."""
        return self._inbox.qsize()

    @property
    def state(self) -> State:
        return self._lane.state

    @property
    def in_service(self) -> bool:
        """Takes travellers, or has one."""
        return self._lane.state not in AT_REST | {State.RECOVER} and self.fitness.may_begin

    @property
    def gate_word(self) -> str:
        """How the gate controller is, in the word of the ``controller`` fact."""
        return self._gate_words()[0]

    def withdraw(self, cause: str = STOPPING, why: str = "no traveller is taken any more") -> None:
        """Take nobody any more, and serve whoever is inside to the end: the service is being stopped, or ``cause`` says why."""
        self.fitness.note(cause, why)
        self._publish()

    def process_ended(self, process: str, why: str) -> None:
        """The service says that a process of the gate ended, and with which words. What it owed is known already.

        Its successor may have joined before the word comes: then nobody is missing, and nothing would ever take the cause back.
        """
        if process in self._display.workers and not self._display.joined(process):
            self.fitness.note(process, why)
            self._publish()

    async def run(self) -> None:
        """Handle events for ever."""
        beat = asyncio.create_task(self._beat())
        try:
            while True:
                (await self._inbox.get())()
        finally:
            beat.cancel()

    async def _beat(self) -> None:
        due = self._loop.time()
        while True:
            self._inbox.put_nowait(partial(self._renew, due))
            due = self._loop.time() + RENEW_EVERY_MS / 1000
            await asyncio.sleep(RENEW_EVERY_MS / 1000)

    def _renew(self, due: float) -> None:
        self.lag.note(self._loop.time() - due)
        if self._lane.state in self._leased and self._view.linked:
            self._controller.renew()
        if self._case.forget_referral(self._lane.state) or self._patience.lapsed():
            self._publish()

    # --- the table --------------------------------------------------------------------------------------------------------

    def _apply(self, event: Event) -> None:
        before = self._lane
        self._lane, actions = step(before, event, self._shown(event), self._table)
        moved = self._lane.state is not before.state
        if moved:
            self._left(before.state)
            self._note(before.state, event)
        for action in actions:
            self._perform(action)
        if moved:
            self._visit += 1
        if moved or event is Event.TIMEOUT:
            self._restart_timer(first=moved)
        if self._lane.state is State.IDLE and self._case.document_waits and event is not Event.DOCUMENT_PLACED:
            self._apply(Event.DOCUMENT_PLACED)  # it was laid down while the lane could not take it
        self._publish()

    def _shown(self, event: Event) -> View:
        """What the table sees upon ``event``. Where it is not of now, nobody is known to be where they must be for a door to open."""
        view = self.fitness.seen(self._lane.state, self._view)
        return replace(view, occupancy=None) if event in _LETS_ON and self._sight.stale else view

    def _left(self, state: State) -> None:
        now = self._clock.boot()
        if state in _STAGE_OF_STATE:
            self._case.stage(_STAGE_OF_STATE[state], self._entered, now, f"→ {self._lane.state}")
        if self._kind == "mantrap" and (state, self._lane.state) == (State.EXIT_OPEN, State.EXIT_CLOSE):
            self._case.passed()  # a trap that is empty while the exit stands open; from an open zone one may also walk away
        self._entered = now

    def _note(self, before: State, event: Event) -> None:
        after, view = self._lane.state, self._view
        if before in _IRREGULAR or after in _IRREGULAR:
            entry, exit_ = view.entry.name.lower(), view.exit.name.lower()
            self._case.note(LaneEvent(before=before, after=after, event=event, entry=entry, exit=exit_, occupancy=view.occupancy))

    def _restart_timer(self, *, first: bool) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if key := TIMEOUT_KEY.get(self._lane.state):
            seconds = self._patience.seconds(self._lane.state, float(getattr(self._timeouts, key)), self._case.traveller)
            if self._lane.state is State.HOLD and first:
                seconds = self._case.await_officer_s(seconds)
            self._start_timer(seconds)

    def _start_timer(self, seconds: float) -> None:
        visit = self._visit
        self._timer = self._loop.call_later(seconds, self._inbox.put_nowait, lambda: self._timed_out(visit))

    def _give_time(self) -> None:
        """Somebody asks for more time: what the lane waits for at this moment grows, too."""
        state, traveller = self._lane.state, self._case.traveller
        if self._patience.ask(traveller) and self._timer and state in WAITS:
            configured, left = float(getattr(self._timeouts, TIMEOUT_KEY[state])), self._timer.when() - self._loop.time()
            longer = self._patience.seconds(state, configured, traveller)
            self._timer.cancel()
            self._start_timer(max(0.0, left) + longer - configured)
            if state is State.CAPTURE:
                self._case.look_longer(longer)

    def _timed_out(self, visit: int) -> None:
        """``visit`` counts the stays in a state: a timer of an earlier one means nothing any more."""
        if visit == self._visit:
            self._apply(Event.TIMEOUT)

    def _perform(self, action: Action) -> None:
        match action:
            case Action.BEGIN:
                self._case.begin()
                self._patience.begin(self._case.traveller)
            case Action.ADMIT:
                self._door("controller.admit", OpenEntry(command_id=self._controller.next_command_id(), purpose=Purpose.ADMIT))
            case Action.EJECT:
                self._door("controller.eject", OpenEntry(command_id=self._controller.next_command_id(), purpose=Purpose.EJECT))
            case Action.CLOSE_ENTRY:
                self._door("controller.close_entry", Close(command_id=self._controller.next_command_id(), door=Door.ENTRY))
            case Action.OPEN_EXIT:
                self._case.exit_opened()
                self._door("controller.open_exit", OpenExit(command_id=self._controller.next_command_id()))
            case Action.CLOSE_EXIT:
                self._door("controller.close_exit", Close(command_id=self._controller.next_command_id(), door=Door.EXIT))
            case Action.CAPTURE:
                self._case.capture(self._patience.seconds(State.CAPTURE, self._timeouts.capture_s, self._case.traveller))
            case Action.VERDICT:
                pass  # the table itself remembers it
            case Action.VOID:
                self._case.void(for_officer=self._lane.state is State.HOLD)
            case Action.COUNT_DISPUTED:
                self._case.rule_again()
            case Action.END:
                self._case.end()
            case Action.SIGNAL_GREEN:
                self._signal(Signal.GREEN_ARROW)
            case Action.SIGNAL_RED:
                self._signal(Signal.RED_CROSS)
            case Action.REFER | Action.ALARM:
                pass  # the state itself shows it on the officer's page
            case _:
                assert_never(action)

    def _door(self, name: str, command: GateCommand) -> None:
        self._sent[command.command_id] = (name, self._clock.boot())
        self._controller.command(command)

    def _signal(self, signal: Signal) -> None:
        self._controller.command(SetSignal(command_id=self._controller.next_command_id(), signal=signal))

    # --- the controller ---------------------------------------------------------------------------------------------------

    def on_controller(self, event: GateEvent | LinkUp | LinkDown) -> None:
        """Something the gate controller said, or that its line did."""
        match event:
            case LinkUp():
                self._link_up = True
                self._sight.forget()
                self.fitness.note(LINK, "")
                if self._lane.state not in AWAITS_RESET:
                    self._forgive()
                self._case.backends["controller"] = event.firmware
                self._apply(Event.LINK_BACK)
            case LinkDown():
                self._link_up = False
                self._sight.forget()
                if event.reason is not DownReason.CLOSED:
                    self.fitness.note(LINK, f"lost ({event.reason}): {event.what}")
                self._lose_sight()
            case Telemetry():
                self._on_telemetry(event)
            case CommandResult():
                self._on_result(event)
            case Fault():
                self._give_up(event.what)
            case LeaseLapsed():
                self.when_seen(partial(self._apply, Event.LEASE_LAPSED))
            case Passage(door=Door.EXIT):
                leaving = self._lane.state in {State.EXIT_OPEN, State.EXIT_CLOSE}
                if self._kind == "single_door" and leaving and not event.inwards:
                    self._case.passed()
                self._apply(Event.WRONG_WAY if event.inwards else Event.PASSED)
            case Passage() | Obstruction():
                pass  # the telemetry that follows says what came of it
            case _:
                assert_never(event)
        if isinstance(event, Passage) and (wrong := self._witness.passage(event)):
            self._give_up(wrong)

    def _give_up(self, why: str) -> None:
        """The gate controller says, or what it saw shows, that something is wrong at the doors: out of service until an officer has looked."""
        self._faulty = True
        self.fitness.note(CONTROLLER, why)
        self._apply(Event.DEVICE_FAULT)

    def _forgive(self) -> None:
        """Hold nothing against the controller any more: one that still cannot will say so again."""
        self._faulty = False
        self.fitness.note(CONTROLLER, "")
        self.fitness.note(EMERGENCY_OPENED, "")

    def _lose_sight(self) -> None:
        """Nobody knows what happens at the doors, or happened for a while: what was found before counts no longer."""
        self._witness.forget()
        self._sent.clear()
        self._view = View(supervised=self._view.supervised)
        self._apply(Event.LINK_LOST)
        self._go_on()

    def _on_telemetry(self, told: Telemetry) -> None:
        if not self._sight.telemetry(told):
            self._lose_sight()
        self._witness.telemetry(told)
        self._view = View(
            entry=told.entry,
            exit=told.exit,
            occupancy=told.occupancy,
            object_left=told.object_left,
            entry_clear=told.entry_clear,
            exit_clear=told.exit_clear,
            emergency=told.emergency,
            mains=told.mains,
            linked=self._link_up,
            supervised=self._view.supervised,
        )
        self._apply(Event.PLANT)
        if not self._sight.stale:
            self._go_on()

    def _on_result(self, result: CommandResult) -> None:
        name, sent = self._sent.pop(result.command_id, ("", 0.0))
        if not name:
            return  # a signal, or a command of a session that ended
        self._case.stage(name, sent, self._clock.boot(), result.outcome.name.lower())
        if result.outcome is not Outcome.EXECUTED:
            self._apply(Event.COMMAND_REFUSED)

    def _gate_words(self) -> tuple[str, View]:
        """The ``controller`` fact's word, and what the sensors say: the state of the gate at the moment of a decision."""
        if not self._link_up:
            return "lost", self._view
        if self._view.emergency or not self._view.mains:
            return "emergency", self._view
        return ("fault" if self._faulty or self._lane.state is State.FAULT else "ready"), self._view

    def _gate_seen(self) -> tuple[str, View]:
        """The same, for a decision: a controller of which nothing was heard lately is lost. Whoever was one too many is so still."""
        word, view = self._gate_words()
        lost = not view.linked or (self._sight.stale and view.occupancy in {0, 1})
        return ("lost" if word == "ready" and lost else word), view

    # --- peers ------------------------------------------------------------------------------------------------------------

    def on_peer(self, role: Role, backends: Mapping[str, str], *, joined: bool) -> None:
        """A peer came or went. Where no officers supervise, their page's process does."""
        self._display.peer(role, joined=joined)
        self._case.backends |= bounded_backends(role, backends)
        if role in self._display.workers:
            self.fitness.note(role, "" if joined else "its process ended")
        if role == "officer_screen":
            if not self._officers_supervise:
                self._supervise(present=joined)
        elif not joined:
            self._case.worker_gone(role, self._lane.state)
            if role == "reader":
                self._apply(Event.DOCUMENT_REMOVED)
        self._publish()

    def watched(self, until: Mapping[str, float]) -> None:
        """These officers are on watch, each until then (boot seconds); where officers supervise, no exit opens without one."""
        self._display.watching = dict(until)
        if self._officers_supervise:
            self.fitness.note(SUPERVISION, "" if until else NOBODY_WATCHES)
            if self._view.supervised is not bool(until):
                self._supervise(present=bool(until))
        self._publish()

    def _supervise(self, *, present: bool) -> None:
        self._view = replace(self._view, supervised=present)
        self._apply(Event.SUPERVISION_BACK if present else Event.SUPERVISION_LOST)

    def on_message(self, role: Role, message: AnyMessage) -> None:
        """A message of a peer. What is not its business is dropped."""
        if role == "reader" and isinstance(message, DocumentPlaced):
            self._case.document_placed()
            self._apply(Event.DOCUMENT_PLACED)
        elif role == "reader" and isinstance(message, DocumentRemoved):
            self._case.document_removed()
            self._apply(Event.DOCUMENT_REMOVED)
        elif role == "reader" and isinstance(message, TrustReport):
            self._case.backends |= bounded_backends(role, {"trust": message.trust})
            self._display.trust_problem = bounded_words(message.problem)
            self._publish()
        elif role == "panel" and isinstance(message, PanelReport):
            self._display.panel_says(message)
            if message.assistance:
                self._give_time()
            self._publish()
        elif role == "traveller_screen" and isinstance(message, MoreTime):
            self._give_time()
            self._publish()
        elif role == "pictures":
            self._display.pictures_say(message)
            self._publish()
        elif role == "audit" and isinstance(message, AuditReport):
            self._audit_says(message)
        elif role == "fleet" and isinstance(message, FleetReport):
            self._display.fleet_problem = bounded_words(message.problem)
            self._publish()
        else:
            self._case.on_message(role, message, self._lane.state)
            self._publish()

    def _audit_says(self, told: AuditReport) -> None:
        """A log that was changed takes no traveller; one that is merely not witnessed yet is told of."""
        self._display.audit_problem = " ".join(told.problem.split())[:LONGEST]
        if told.bent:
            self.fitness.note(BENT, self._display.audit_problem)
        self._publish()

    def order(self, order: Order) -> OrderTaken:
        """An officer's order that opens no exit. Where the table has no use for it, before is after."""
        before = self._lane.state
        if order == "reset":
            self._forgive()
        self._apply(Event.OFFICER_RESET if order == "reset" else Event.OFFICER_EJECT)
        return OrderTaken(before=before, after=self._lane.state)

    @property
    def visit(self) -> int:
        """Counts the lane's stays in its states."""
        return self._visit

    @property
    def waiting_s(self) -> float:
        """How long somebody inside waits for an officer."""
        return self._clock.boot() - self._entered if self._lane.state is State.HOLD else 0.0

    @property
    def passable(self) -> bool:
        """Exactly one person, nothing else, between locked leaves, and officers watch."""
        return passable(self._lane, self._shown(Event.OFFICER_PASS))

    def officer(self, event: Event) -> bool:
        """An officer's order, whose right to it is proven. Returns whether the lane moved."""
        before = self._visit
        self._apply(event)
        return self._visit != before

    def hold(self) -> None:
        """Keep whoever is inside for an officer, whose time begins anew."""
        if self._lane.state is not State.HOLD:
            self._apply(Event.EXIT_REFERRED)
        if self._lane.state is State.HOLD:
            self._restart_timer(first=False)

    def let_go(self, why: str) -> bool:
        """Open in an emergency: drive no door any more. The controller alone then shuts the exit, and lets whoever is inside out of the entry.

        So the lane stays until a supervisor has looked. Returns whether it moved.
        """
        moved = self.officer(Event.DEVICE_FAULT)
        self.fitness.note(EMERGENCY_OPENED, why if moved else "")
        self._publish()
        return moved

    def close_lane(self, why: str) -> None:
        """Take nobody any more until an officer opens the lane again; serve whoever is inside to the end."""
        self.withdraw(CLOSED, why)

    def open_lane(self) -> bool:
        """Undo :meth:`close_lane`. Returns whether there was anything to undo."""
        closed = CLOSED in self.fitness.causes
        self.fitness.note(CLOSED, "")
        self._publish()
        return closed

    def _publish(self) -> None:
        word, view = self._gate_words()
        if STOPPING in self.fitness.causes and self._lane.state in AT_REST and self._case.running is None:
            self.rested.set()
        self._display.troubles = self.fitness.words
        patient = self._patience.given(self._case.traveller)
        self._display.show(self._lane.state, view, word, self._case, since=self._entered, patient=patient)
