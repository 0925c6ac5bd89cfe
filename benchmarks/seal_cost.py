"""What sealing costs a permit: the log's own append beside one whose personal fields the audit's real process seals, in turns.

    python -m benchmarks.seal_cost [PERMITS]

The lane's loop, the local socket, the process and the disk are the gate's; the lane around them is not there. Prints milliseconds.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from gate.audit.keys import make_key
from gate.audit.log import FILE_NAME, SEALING_KEY_FILE, AuditLog, AuditWriter
from gate.audit.sealing import AskedSealer
from gate.clock import civil_date
from gate.decision import decide_exit
from gate.evidence import VOCABULARY, Direction, Evidence, successful
from gate.policy.schema import load_rules
from gate.processes.channel import Channel, serve
from gate.processes.messages import FieldsSealed, Join
from gate.profiles import DEMO_MARKER
from gate.records import DecisionRecord
from gate.runtime import Runtime

CONFIG = """\
profile = "demo"
state_dir = "state"
lane = {{ id = "L1", checkpoint = "CGK", direction = "departure" }}
scanner = {{ kind = "simulator", address = "world" }}
camera = {{ kind = "simulator", address = "world" }}
controller = {{ device = "run/controller.tty" }}
face = {{ pack = "demo", packs_dir = "packs" }}
trust = {{ store = "trust" }}
audit = {{ key = "audit.key", sealing_key = "{key}" }}
"""


def permit() -> DecisionRecord:
    """One as long as a traveller's."""
    now, facts = datetime.now(UTC), {name: successful(words[0], source="somebody") for name, words in VOCABULARY.items()}
    evidence = Evidence(
        transaction=secrets.token_hex(16),
        lane="L1",
        checkpoint="CGK",
        direction=Direction.DEPARTURE,
        civil_date=civil_date(now, "CGK"),
        facts=facts,
    )
    return DecisionRecord(at=now, evidence=evidence, decision=decide_exit(evidence, load_rules(), now))


class Lane:
    """Listens for the process, and asks it."""

    def __init__(self) -> None:
        self.channel: Channel | None = None
        self.there, self.over = asyncio.Event(), asyncio.Event()
        self.sealer = AskedSealer(self._tell, self.there.is_set)

    def _tell(self, message: object) -> None:
        assert self.channel is not None
        self.channel.tell(message)  # type: ignore[arg-type]  # whatever it tells is a message

    async def peer(self, _: Join, channel: Channel) -> None:
        self.channel = channel
        self.there.set()
        listening = asyncio.create_task(self._listen(channel))
        await self.over.wait()
        listening.cancel()

    async def _listen(self, channel: Channel) -> None:
        while True:
            message = await channel.receive()
            if isinstance(message, FieldsSealed):
                self.sealer.heard(message)


async def measure(permits: int, folder: Path) -> dict[str, list[float]]:
    """Milliseconds of each append, sealed and not."""
    (folder / "trust").mkdir()
    (folder / "trust" / DEMO_MARKER).touch()
    (folder / "state").mkdir()
    make_key(folder / "audit.key")
    key = folder / "state" / SEALING_KEY_FILE
    key.touch(mode=0o600)
    key.write_text(secrets.token_hex(32))
    (folder / "gate.toml").write_text(CONFIG.format(key=key))
    writer, runtime, lane = AuditWriter(AuditLog(folder / "state" / FILE_NAME, b"k" * 32)), Runtime.create(), Lane()
    server = await serve(runtime.lane_socket, runtime.secret, lane.peer)
    command = [sys.executable, "-m", "gate.processes.audit", "--config", folder / "gate.toml", "--runtime", runtime.folder]
    process = await asyncio.create_subprocess_exec(*command)
    took: dict[str, list[float]] = {"plain": [], "sealed": []}
    try:
        await asyncio.wait_for(lane.there.wait(), 30)
        for number in range(2 * permits):
            name, record = ("plain", "sealed")[number % 2], permit()
            writer.sealer = lane.sealer if name == "sealed" else None
            began = time.perf_counter()
            await writer.append("permit", record.evidence.transaction, record, record.at, 1.0, whole=True)
            took[name].append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(0.01)
    finally:
        lane.over.set()
        await process.wait()
        server.close()
        writer.close()
        runtime.remove()
    return took


def main() -> int:
    permits = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with TemporaryDirectory(prefix="autogate-seal-") as folder:
        took = asyncio.run(measure(permits, Path(folder)))
    for name, values in took.items():
        ordered = sorted(values)
        figures = {part: ordered[min(len(ordered) - 1, int(len(ordered) * part / 100))] for part in (50, 95, 99)}
        print(f"{name:7}", *(f"p{part} {value:.2f}" for part, value in figures.items()), f"of {len(ordered)} permits")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
