"""The scenes of ``kill_syscalls`` for the audit's process as it seals personal fields, and as it destroys the keys of those whose time is over."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.kill_syscalls_workers import KEY, Worker
from gate.audit.fields import Box, place
from gate.audit.keyring import FILE_NAME as KEYS
from gate.audit.keyring import Keyring
from gate.audit.keys import make_key
from gate.audit.log import FILE_NAME, AuditLog
from gate.processes import messages as m

SEALED_FIELDS, KEYS_DESTROYED = "audit: sealed fields", "audit: keys destroyed"
SEALED, PARTS = 3, {"scores": b"0.8", "findings": b"[]"}
LONG_AGO = datetime.now(UTC).date() - timedelta(days=3000)
_SEALING = """\
[audit]
key = "{folder}/audit.key"
sealing_key = "{folder}/seal"
"""


class Sealing(Worker):
    """Personal fields are sealed under keys of their own; in another scene, keys whose time is over are destroyed. Two threads write the one
    file, so that in one scene each would hide calls of the other.
    """

    role: m.Role = "audit"

    def __init__(self, folder: Path, begins: Path) -> None:
        super().__init__(folder, _SEALING)
        make_key(folder / "audit.key")
        self._begins, self._scene = begins, SEALED_FIELDS
        self._boxes: list[tuple[str, str, Box, bytes]] = []
        if not begins.exists():
            begins.mkdir()
            AuditLog(begins / FILE_NAME, KEY.encode()).close()
            with Keyring.of(begins, folder / "seal", "make") as ring:
                ring.seal("t-old", "permit", "scores", b"old", LONG_AGO)
        with contextlib.closing(sqlite3.connect(begins / KEYS)) as keys:
            self._old = [row[0] for row in keys.execute("SELECT wrapped FROM key UNION SELECT wrapped FROM period")]

    def lay(self, scene: str) -> None:
        shutil.rmtree(self.state, ignore_errors=True)
        shutil.copytree(self._begins, self.state)
        self._scene = scene
        if scene == SEALED_FIELDS:
            (self.state / KEYS).unlink()
            Keyring.of(self.state, self.folder / "seal", "make").close()
        self._boxes.clear()

    async def play(self) -> None:
        channel = await self.joined()
        await self.until(lambda: any(self.state.glob("audit-tree-*")))  # the other thread looks once, and then waits
        for number in range(SEALED if self._scene == SEALED_FIELDS else 0):
            asked = m.SealFields(number=number, transaction=f"t-{number}", record="permit", parts=PARTS)
            await channel.send(asked)
            sealed = await self._heard(m.FieldsSealed, number)
            self._boxes += [(asked.transaction, kind, box, PARTS[kind]) for kind, box in sealed.parts.items()]
        await self.again()

    async def _heard(self, kind: type[m.FieldsSealed], number: int) -> m.FieldsSealed:
        def found() -> list[m.FieldsSealed]:
            return [each for each in self.heard if isinstance(each, kind) and each.number == number]

        await self.until(found)
        return found()[0]

    async def again(self) -> None:
        """Put into the log what was destroyed, until nothing is left that does not stand there."""
        channel, told = await self.joined(), set[int]()

        def new() -> list[int]:
            numbers = [each.destroyed.number for each in self.heard if isinstance(each, m.TellDestroyed)]
            return [number for number in numbers if number not in told]

        while self._unsettled():
            await self.until(lambda: new() or not self._unsettled())
            for number in new():
                told.add(number)
                await channel.send(m.DestroyedTold(number=number))

    def _unsettled(self) -> bool:
        with Keyring(self.state / KEYS, None) as ring:
            return bool(ring.unlogged()) or ring.count("scores", LONG_AGO) > 0

    def judge(self) -> Iterator[str]:
        with Keyring.of(self.state, self.folder / "seal") as ring:
            for transaction, kind, box, plain in self._boxes:
                if ring.unseal(box.key, box.box, place(transaction, "permit", kind, box.key)) != plain:
                    yield f"the key of {kind} of {transaction} was handed out, and is lost"
            destroyed = ring._db.execute("SELECT count(*) FROM destroyed").fetchone()[0]
        if destroyed != (self._scene == KEYS_DESTROYED):
            yield f"{destroyed} destructions are known"
        files = [path.read_bytes() for path in self.state.iterdir() if path.is_file()]
        if any(key in file for key in self._old for file in files):
            yield "a key that was destroyed lies on the disk"


@contextlib.asynccontextmanager
async def sealings(folder: Path, count: int) -> AsyncIterator[list[Sealing]]:
    yield [Sealing(folder / f"w{number}", folder / "begins") for number in range(count)]
