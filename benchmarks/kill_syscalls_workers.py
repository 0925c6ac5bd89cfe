"""The scenes of ``kill_syscalls`` for the registries' process with its outbox of crossings, and for the audit's with its checkpoints; what all
scenes of processes have in common that speak to the lane.

The real processes, as the service starts them; the lane's end of their line is played here. The registry of crossings is the reference
server; the witness is a file, which the audit's process writes, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import count, pairwise
from pathlib import Path
from typing import Any

from benchmarks import traced
from benchmarks.kill_lane import CONFIG
from benchmarks.kill_outbox import crossing
from benchmarks.kill_results import Result, Trial, missed
from gate.audit.command import opened
from gate.audit.keys import VERIFIER_FILE, make_key, read_verifier
from gate.audit.ledger import ledger_lines
from gate.audit.log import FILE_NAME, AuditLog
from gate.audit.note import Checkpoint
from gate.audit.verify import Evidence, verify_log
from gate.demo.registries import DemoRegistries
from gate.processes import messages as m
from gate.processes.channel import Channel, ChannelClosed, serve
from gate.profiles import DEMO_MARKER
from gate.registries.crossing import FILE_NAME as OUTBOX
from gate.registries.crossing_file import CrossingFile, OutboxError, standing
from gate.registries.sealed import SnapshotKey
from gate.runtime import Runtime

LIMIT_S = 20.0
LOOK_S = 0.01
GATE = "kill-1"
FIRST_START, CROSSINGS, CHECKPOINTS = "registries: first start", "registries: crossings", "audit: checkpoints"
KEY = "5b" * 32
ENDS = ("passed", "voided", "passed", "uncertain")
"""What becomes of the crossings of a run, one after the other; after them one is permitted and nothing more is said of it."""
RECORDS, FURTHER = 12, 3
NUMBERS = count(1)
"""Of crossings: none comes twice in a run of this process."""

_UNUSED = CONFIG.partition("[registries.issuance]")[0]
_REGISTRIES = """\
[registries.crossing]
url = "http://127.0.0.1:{port}"
key = "{keys}/public/crossing.pem"
[registries.snapshots]
folder = "{folder}/snapshots"
key_file = "{folder}/seal"
"""
_AUDIT = """\
[audit]
key = "{folder}/audit.key"
witness = "{folder}/state/seen.jsonl"
"""


class Worker:
    """One process of the gate whose lane is played here. ``sections``: of its configuration, after the usual ones."""

    role: m.Role
    module = ""
    """Where it is another than the role says."""
    ends = 0
    """Its status once the lane hung up."""

    def __init__(self, folder: Path, sections: str) -> None:
        self.folder, self.state, self._trace = folder, folder / "state", folder / "trace"
        self._runtime = Runtime(folder)
        self._process: subprocess.Popen[bytes] | None = None
        self.channel: Channel | None = None
        self.heard: list[m.AnyMessage] = []
        (folder / "trust").mkdir(parents=True)
        (folder / "trust" / DEMO_MARKER).touch()
        for name, text in (("key", KEY), ("seal", KEY), ("secret", KEY)):
            (folder / name).write_text(text, encoding="ascii")
            (folder / name).chmod(0o600)
        (folder / "gate.toml").write_text(_UNUSED.format(folder=folder, name=GATE) + sections.format(folder=folder))

    async def play(self) -> None:
        raise NotImplementedError

    async def again(self) -> None:
        """What the next start must bring to its end."""
        raise NotImplementedError

    def lay(self, scene: str) -> None:
        """The state that runs of ``scene`` begin with."""
        raise NotImplementedError

    def judge(self) -> Iterator[str]:
        raise NotImplementedError

    async def perform(self, trial: Trial) -> Result:
        self.lay(trial.scene)
        status = await self._live(self.play, traced.prefix(self._trace, traced.Places(self.folder), trial.blow))
        calls = traced.calls(self._trace, traced.Places(self.folder))
        findings = [] if status in _HONEST else [f"ended by itself, with status {status}"]
        last = await self._live(self.again)
        findings += [f"does not get to its end again: status {last}"] if last != self.ends else list(self.judge())
        return Result(trial=trial, calls=calls, findings=tuple(findings), void=float(missed(trial, calls)))

    async def _live(self, play: Callable[[], Any], before: Sequence[str] = ()) -> int | None:
        """Start the process, play the lane, hang up; its exit status, None where it did not end by itself."""
        self.heard.clear()
        self._runtime.lane_socket.unlink(missing_ok=True)
        server = await serve(self._runtime.lane_socket, self._runtime.secret, self._peer)
        module = self.module or f"gate.processes.{self.role}"
        command = [*before, sys.executable, "-m", module, "--config", str(self.folder / "gate.toml")]
        with (self.folder / "log").open("ab") as log:
            process = self._process = subprocess.Popen(  # noqa: ASYNC220 - forks and returns
                [*command, "--runtime", str(self.folder)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        acts = [asyncio.create_task(self._played(play)), asyncio.create_task(self._dead())]
        try:
            await asyncio.wait(acts[:1], timeout=LIMIT_S)
            await asyncio.wait(acts, timeout=LIMIT_S)
            return process.poll()
        finally:
            for act in acts:
                act.cancel()
            await asyncio.gather(*acts, return_exceptions=True)
            self._end(process)
            server.close()

    async def _played(self, play: Callable[[], Any]) -> None:
        with contextlib.suppress(ChannelClosed, TimeoutError):
            await play()
        await self.hang_up()

    async def _dead(self) -> None:
        while self._process is None or self._process.poll() is None:  # noqa: ASYNC110 - a process gives no event
            await asyncio.sleep(LOOK_S)

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(traced.child_of(process.pid) or process.pid, signal.SIGKILL)
            process.wait(LIMIT_S)

    async def _peer(self, join: m.Join, channel: Channel) -> None:
        assert join.role == self.role
        self.channel = channel
        try:
            while True:
                self.heard.append(await channel.receive())
        finally:
            self.channel = None

    async def hang_up(self) -> None:
        if self.channel is not None:
            self.channel.abort()

    async def until(self, condition: Callable[[], object]) -> None:
        """Raises ChannelClosed where the process ends before, TimeoutError."""
        assert self._process is not None
        async with asyncio.timeout(LIMIT_S):
            while not condition():
                if self._process.poll() is not None:
                    raise ChannelClosed("it ended")
                await asyncio.sleep(LOOK_S)

    async def joined(self) -> Channel:
        await self.until(lambda: self.channel)
        assert self.channel is not None
        return self.channel


_HONEST = {0, 2, 3, -signal.SIGKILL}
"""Ended in order, said why it cannot go on, was killed."""


class Registries(Worker):
    """Crossings are permitted, end, and are told to their registry."""

    role: m.Role = "registries"

    def __init__(self, folder: Path, server: DemoRegistries) -> None:
        super().__init__(folder, _REGISTRIES.replace("{port}", str(server.port)).replace("{keys}", str(server.folder)))
        self._server = server
        self._noted: dict[str, str] = {}

    def lay(self, scene: str) -> None:
        """But for a first start there is an outbox, so that the main thread, which makes it, hides no call of the thread that fills it."""
        shutil.rmtree(self.state, ignore_errors=True)
        self.state.mkdir()
        self._noted.clear()
        self._first = scene == FIRST_START
        if not self._first:
            CrossingFile(self.state / OUTBOX, SnapshotKey.read(self.folder / "seal"), datetime.now(UTC)).close()

    async def play(self) -> None:
        channel = await self.joined()
        if self._first:
            return
        for end in (*ENDS, None):
            one = crossing(next(NUMBERS))
            self._noted[one.transaction] = "asked"
            await channel.send(m.CrossingPermitted(crossing=one))
            await self.until(lambda one=one: m.CrossingDurable(transaction=one.transaction, durable=True) in self.heard)
            self._noted[one.transaction] = "durable"
            if end is not None:
                self._noted[one.transaction] = end
                await channel.send(m.CrossingEnded(transaction=one.transaction, end=end, at=datetime.now(UTC)))
        owed = sum(end != "voided" for end in ENDS)
        await self.until(lambda: len(self._told()) >= owed)

    async def again(self) -> None:
        await self.joined()
        await self.until(self._all_told)

    def _all_told(self) -> bool:
        with contextlib.suppress(OutboxError):
            left = standing(self.state / OUTBOX)
            return (left.open, left.waiting) == (0, 0)
        return False

    def _told(self) -> list[str]:
        return [transaction for transaction in self._server.crossings() if transaction in self._noted]

    def judge(self) -> Iterator[str]:
        told = Counter(self._told())
        for transaction, noted in self._noted.items():
            if noted not in {"asked", "voided"} and not told[transaction]:
                yield f"lost: a crossing that was {noted}"
        yield from (f"told {times} times" for times in told.values() if times > 1)
        yield from ("told before an earlier one" for before, after in pairwise(self._told()) if after < before)
        if left := standing(self.state / OUTBOX).aside:
            yield f"{left} set aside"


class Audit(Worker):
    """Checkpoints of a log that grows are signed and witnessed."""

    role: m.Role = "audit"

    def __init__(self, folder: Path, begins: Path) -> None:
        """``begins``: a state folder, made by whoever is first."""
        super().__init__(folder, _AUDIT)
        make_key(folder / "audit.key")
        self._begins = begins
        if not begins.exists():
            self._write(begins, RECORDS)

    def _write(self, state: Path, records: int) -> None:
        state.mkdir(exist_ok=True)
        log = AuditLog(state / FILE_NAME, KEY.encode())
        for number in range(records):
            log.append("event", f"t-{number}", b"{}", datetime.now(UTC), 1.0)
        log.close()

    def lay(self, scene: str) -> None:
        shutil.rmtree(self.state, ignore_errors=True)
        shutil.copytree(self._begins, self.state)

    @property
    def _seen(self) -> Path:
        return self.state / "seen.jsonl"

    def _sizes(self) -> list[int]:
        return [Checkpoint.parse(note.text).size for _, note in ledger_lines(self._seen) if note] if self._seen.exists() else []

    async def play(self) -> None:
        await self.joined()
        await self.until(lambda: RECORDS in self._sizes())
        self._write(self.state, FURTHER)

    async def again(self) -> None:
        await self.joined()
        await self.until(lambda: self._sizes()[-1:] >= [RECORDS])

    def judge(self) -> Iterator[str]:
        key, sizes = read_verifier(self.state / VERIFIER_FILE), self._sizes()
        with opened(self.state, KEY.encode()) as (log, tree):
            verdict = verify_log(log, tree, Evidence(gate=key, ledger=self._seen))
            last = log.head().seq
        yield from (f"record {found.seq}: {found.what}" for found in verdict.findings)
        if sizes != sorted(set(sizes)) or sizes[-1] != last:
            yield f"of {last} records these checkpoints were witnessed: {sizes}"


@contextlib.asynccontextmanager
async def registries(folder: Path, count: int) -> AsyncIterator[list[Registries]]:
    server = DemoRegistries(folder / "server", folder / "server.log", GATE, tls=False)
    server.start({})
    try:
        yield [Registries(folder / f"w{number}", server) for number in range(count)]
    finally:
        server.stop()


@contextlib.asynccontextmanager
async def audits(folder: Path, count: int) -> AsyncIterator[list[Audit]]:
    yield [Audit(folder / f"w{number}", folder / "begins") for number in range(count)]
