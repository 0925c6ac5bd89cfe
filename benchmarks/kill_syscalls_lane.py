"""The lane's scenes of ``kill_syscalls``: the real lane process with its log, workers that answer at once, a controller that witnesses.

Around it the outbox of crossings is the real one, in the process that judges. Every run begins with the same state folder, so that the
calls of a scene have the same numbers each time, and ends with a start of the lane on whatever is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import msgspec

from benchmarks import traced
from benchmarks.kill_controller import boot
from benchmarks.kill_judge import OUT_S, REST_S, Death, Line, judge
from benchmarks.kill_lane import CONFIG, KEY, KillLane
from benchmarks.kill_results import Result, Trial, missed
from gate.audit.chain import AuditRecord, Head
from gate.audit.log import FILE_NAME, decode, open_readonly
from gate.processes import messages as m
from gate.processes.channel import ChannelClosed
from gate.records import DecisionRecord, TransactionRecord
from gate.registries.crossing_file import CrossingFile
from gate.registries.sealed import SnapshotKey

AWAIT_S = 1
LONGEST_S = 12.0
"""A traveller takes five seconds; one whose permit the disk refuses is let out within this time."""
WATCHED_S = 1.4
"""After the death, with nobody inside: all that may move has come to rest in the first second."""
LOOK_S = 0.005
CROSSING = """\
[registries.crossing]
url = "http://127.0.0.1:1"
key = "{folder}/none"
[registries.snapshots]
folder = "{folder}/none"
key_file = "{folder}/none"
"""
SEAL = SnapshotKey.derive(KEY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """``begins``: with which state folder. ``play``: what happens; the host is killed at its end, if it still lives."""

    begins: str
    play: Callable[[TracedLane], Awaitable[None]]


async def _starts(lane: TracedLane) -> None:
    await lane.start_host()


async def _passes(lane: TracedLane) -> None:
    await lane.start_host()
    await lane.bring("exit closing")
    await lane.until_heard(m.TransactionEnded)


async def _held(lane: TracedLane) -> None:
    await lane.start_host()
    await lane.bring("hold")
    await lane.until_heard(m.TransactionEnded)


async def _stops(lane: TracedLane) -> None:
    await lane.start_host()
    lane.tell_to_end()
    await asyncio.sleep(LONGEST_S)  # it ends before


async def _comes_in(lane: TracedLane) -> None:
    await lane.start_host()
    await lane.bring("capture")


SCENES = {
    "lane: first start": Scene(begins="new", play=_starts),
    "lane: a traveller passes": Scene(begins="closed", play=_passes),
    "lane: a traveller is held and let out": Scene(begins="closed", play=_held),
    "lane: start after a death": Scene(begins="interrupted", play=_starts),
    "lane: orderly end": Scene(begins="killed", play=_stops),
}
STATES: dict[str, tuple[str, Callable[[TracedLane], Awaitable[None]]]] = {
    "closed": ("new", _stops),
    "interrupted": ("new", _comes_in),
    "killed": ("interrupted", _starts),
}
"""What runs begin with: from which state it comes, and by what. ``killed``: all is written down, and the log was not closed."""


class TracedLane(KillLane):
    """Use it as an async context manager."""

    def __init__(self, folder: Path, states: Path) -> None:
        """``states``: a folder for the state folders that runs begin with, the same for all lanes."""
        super().__init__(folder, "python")
        self._states, self._trace, self._outbox = states, folder / "trace", folder / "crossings.sqlite3"
        self._places = traced.Places(folder, folder / "gate-controller")
        self._crossings: CrossingFile | None = None
        self._status: int | None = None
        self._ordered: asyncio.Task[dict[str, Any]] | None = None

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        text = (CONFIG + CROSSING).format(folder=self._folder, name=self.name)
        (self._folder / "gate.toml").write_text(text.replace("await_officer_s = 15", f"await_officer_s = {AWAIT_S}"))
        return self

    async def __aexit__(self, *error: object) -> None:
        await super().__aexit__(*error)
        self._forget_crossings()

    # --- state folders ----------------------------------------------------------------------------------------------------

    async def make_state(self, name: str) -> None:
        """One of :data:`STATES`, and those that it comes from, once for all lanes."""
        if name == "new":
            (self._states / "new").mkdir()
            return
        before, play = STATES[name]
        await self.make_state(before)
        await self.live(Scene(begins=before, play=play))
        shutil.copytree(self.state, self._states / name)
        await self.rest()

    @property
    def state(self) -> Path:
        return self._folder / "state"

    def _lay(self, name: str) -> None:
        shutil.rmtree(self.state)
        shutil.copytree(self._states / name, self.state)
        self._forget_crossings()
        for file in self._folder.glob("crossings.sqlite3*"):
            file.unlink()
        self._crossings = CrossingFile(self._outbox, SEAL, datetime.now(UTC))

    def _forget_crossings(self) -> None:
        if self._crossings is not None:
            self._crossings.close()
            self._crossings = None

    # --- one run ----------------------------------------------------------------------------------------------------------

    async def perform(self, trial: Trial) -> Result:
        scene = SCENES[trial.scene]
        died = await self.live(scene, traced.prefix(self._trace, self._places, trial.blow))
        ended = [message.record for message in self.heard if isinstance(message, m.TransactionEnded)]
        calls, status = traced.calls(self._trace, self._places), self._status
        findings, late = await self._doors(died)
        head = self._head(self._states / scene.begins)
        findings += await self._again(head, ended)
        if status not in _HONEST:
            findings.append(f"ended by itself, with status {status}")
        return Result(trial=trial, calls=calls, findings=tuple(findings), void=late or float(missed(trial, calls)))

    async def live(self, scene: Scene, before: Sequence[str] = ()) -> float:
        """Begin with the scene's state, play until the host dies or all is played. Returns the boot seconds of its death."""
        self._lay(scene.begins)
        self.before = before
        self.lines.clear()
        self.held_up.clear()
        acts = [asyncio.create_task(scene.play(self)), asyncio.create_task(self._dead())]
        await asyncio.wait(acts, timeout=LONGEST_S, return_when=asyncio.FIRST_COMPLETED)
        died = boot()
        for act in acts:
            act.cancel()
        told = await asyncio.gather(*acts, return_exceptions=True)
        self._status = self._host.poll() if self._host else None
        await self.end_host()
        for error in told:
            if isinstance(error, Exception) and not isinstance(error, (TimeoutError, RuntimeError, OSError, ChannelClosed)):
                raise error
        return died

    async def _dead(self) -> None:
        while self._host is None or self._host.poll() is None:  # noqa: ASYNC110 - a process gives no event
            await asyncio.sleep(LOOK_S)

    def tell_to_end(self) -> None:
        assert self._host is not None
        os.kill(traced.child_of(self._host.pid) or self._host.pid, signal.SIGTERM)

    async def end_host(self) -> None:
        """With a strace around the host: end the host, and strace ends by itself, once it has written all down."""
        host = self._host
        if host is not None and self.before and host.poll() is None and (child := traced.child_of(host.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(host.wait, LONGEST_S)
        await super().end_host()

    async def order(self, do: str, **how: Any) -> dict[str, Any]:
        """One after the other, and to its end: whoever gave it may be cancelled meanwhile, and its answer is nobody else's."""
        before, give = self._ordered, super().order

        async def in_turn() -> dict[str, Any]:
            if before is not None:
                await asyncio.wait([before])
            return await give(do, **how)

        self._ordered = asyncio.ensure_future(in_turn())
        return await asyncio.shield(self._ordered)

    async def heed(self, message: m.AnyMessage) -> None:
        await super().heed(message)
        assert self._crossings is not None
        match message:
            case m.CrossingPermitted():
                one = message.crossing
                self._crossings.permitted(one.transaction, msgspec.json.encode(one), one.permitted_at)
                await self._peers["registries"].send(m.CrossingDurable(transaction=one.transaction, durable=True))
            case m.CrossingEnded(end="voided"):
                self._crossings.dropped(message.transaction, "permitted")
            case m.CrossingEnded():
                assert message.end != "voided"
                self._crossings.ended(message.transaction, message.end, message.at)
            case _:
                pass

    # --- what is left -----------------------------------------------------------------------------------------------------

    async def rest(self) -> None:
        """Until nobody is inside; whoever has not come in goes home."""
        with contextlib.suppress(TimeoutError):
            await self.until(lambda: self.inside() == 0, "the trap is empty", OUT_S + 2.0)
        await self.order("leave")

    async def _doors(self, died: float) -> tuple[list[str], float]:
        """What the plant saw after the death; and for how long the witness was held up, where that alone may be the cause of a finding."""
        await asyncio.sleep(WATCHED_S)
        await self.rest()
        told = await self.order("witness")
        death = Death(at=died, renewed=told["renewed"], watched=told["now"])
        verdict = judge(self.lines, death)
        held_up = self.held_up_between(death.renewed, death.renewed + REST_S)
        return list(verdict.findings), held_up if verdict.late else 0.0

    def _head(self, state: Path) -> Head | None:
        if not (state / FILE_NAME).exists():
            return None
        copy = self._folder / "head"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(state, copy)
        with open_readonly(copy / FILE_NAME) as log:
            return log.head()

    async def _again(self, head: Head | None, ended: Sequence[TransactionRecord]) -> list[str]:
        """Start on what is left; what the log, the plant and the outbox then say of one another."""
        self.before = ()
        try:
            await self.start_host()
        except (TimeoutError, RuntimeError) as error:
            return [f"does not start again: {error}"]
        finally:
            await self.end_host()
        with open_readonly(self.state / FILE_NAME, KEY.hex().encode()) as log:
            findings = [f"record {found.seq}: {found.what}" for found in log.verify(head)]
            records = list(log.records())
        seq = head.seq if head else 0
        new = [record for record in records if record.seq > seq]
        return [*findings, *judge_log(records, seq, ended), *judge_doors(new, self.lines, self._owed())]

    def _owed(self) -> dict[str, str]:
        """What the registry of crossings will be told once the outbox is opened again: transaction and end."""
        self._forget_crossings()
        self._crossings = file = CrossingFile(self._outbox, SEAL, datetime.now(UTC))
        found: dict[str, str] = {}
        while pending := file.next():
            found[pending.transaction] = pending.ended
            file.dropped(pending.transaction, pending.ended)
        return found


_HONEST = {None, 0, 2, -signal.SIGKILL}
"""Lived on, ended in order, said why it cannot start (:data:`gate.processes.worker.EXIT_CONFIG`), was killed."""


def judge_log(records: Sequence[AuditRecord], head: int, ended: Sequence[TransactionRecord]) -> Iterator[str]:
    """``ended``: the transactions that the lane had told its peers of since record ``head``: of them, the log says the same."""
    closed = Counter(record.transaction for record in records if record.kind == "transaction")
    for transaction in {record.transaction for record in records if record.kind in {"permit", "decision"}}:
        if closed[transaction] != 1:
            yield f"transaction {transaction} was closed {closed[transaction]} times"
    written = {record.transaction: record for record in records if record.kind == "transaction" and record.seq > head}
    for told in ended:
        found = written.get(told.transaction)
        if found is None or _gist(decode(found, TransactionRecord)) != _gist(told):
            yield f"transaction {told.transaction} was told of, and the log says otherwise"


def judge_doors(new: Sequence[AuditRecord], lines: Sequence[Line], owed: dict[str, str]) -> Iterator[str]:
    """``new``: what came into the log; ``lines``: what the plant saw; ``owed``: the crossings that will be told."""
    permits: dict[str, Any] = {}
    for record in new:
        if record.kind == "permit":
            permits[decode(record, DecisionRecord).decision.stage] = record.transaction
    seen = {line.what for line in lines}
    for door in ("entry", "exit"):
        if f"{door} opening" in seen and door not in permits:
            yield f"the {door} opened, and no permit is in the log"
    if "exit opening" in seen and permits.get("exit") not in owed:
        yield "the exit opened, and no crossing is written down"
    if len(owed) > 1:
        yield f"{len(owed)} crossings of one traveller"
    if "passed" in owed.values() and "passage exit out" not in seen:
        yield "a crossing is told of that nobody made"


def _gist(record: TransactionRecord) -> tuple[object, ...]:
    """What is not sealed of it."""
    return record.outcome, record.reasons, record.ended, len(record.decisions)
