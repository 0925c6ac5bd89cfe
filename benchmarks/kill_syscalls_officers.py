"""The scene of ``kill_syscalls`` for the verifier of officers' orders: what it has said yes to, no restart lets anybody say again."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from benchmarks.authenticator import Authenticator, put_in_force
from benchmarks.kill_syscalls_workers import Worker
from gate.console.acts import challenge
from gate.console.verifier import Verifier
from gate.processes import messages as m
from gate.processes.worker import EXIT_DEVICE

VERIFIED = "verifier: orders"
ORDERS, PORT = 3, 8412
_CONSOLE = """\
[console]
roster = "{folder}/roster"
origin = "http://localhost:8412"
signers = SIGNERS
"""


class Verifying(Worker):
    """Orders are proven, one after the other, by an authenticator that counts."""

    role: m.Role = "verifier"
    module, ends = "gate.console.verifier", EXIT_DEVICE

    def __init__(self, folder: Path, roster: Path, key: Authenticator, signers: tuple[str, ...]) -> None:
        named = ", ".join(f'"{signer}"' for signer in signers)
        super().__init__(folder, _CONSOLE.replace("{folder}/roster", str(roster)).replace("SIGNERS", f"[{named}]"))
        self._roster, self._key, self._signers = roster, key, signers
        self._proven: list[m.VerifyAct] = []

    def lay(self, scene: str) -> None:
        shutil.rmtree(self.state, ignore_errors=True)
        self.state.mkdir()
        self._proven.clear()

    async def play(self) -> None:
        channel = await self.joined()
        for number in range(ORDERS):
            asked = self._order(bytes([number]) * 32)
            await channel.send(asked)
            await self.until(lambda asked=asked: self._said(asked))
            self._proven.append(asked)

    def _order(self, nonce: bytes) -> m.VerifyAct:
        signed = challenge(action="close", transaction="", lane="x", reason="CLEANING", nonce=nonce)
        parts = self._key.sign(signed, f"http://localhost:{PORT}")
        return m.VerifyAct(nonce=nonce, challenge=signed, credential=self._key.credential, **parts)

    def _said(self, asked: m.VerifyAct) -> bool:
        """Whether it said yes to it; a refusal of the first kind is none that this scene is about."""
        answers = [each for each in self.heard if isinstance(each, m.ActVerified) and each.nonce == asked.nonce]
        return bool(answers) and not answers[0].refused

    async def again(self) -> None:
        """Nothing that was proven is proven again, and a new order is."""
        channel = await self.joined()
        for asked in self._proven:
            await channel.send(asked)
        new = self._order(b"n" * 32)
        await channel.send(new)
        await self.until(lambda: any(isinstance(each, m.ActVerified) and each.nonce == new.nonce for each in self.heard))

    def judge(self) -> Iterator[str]:
        answers = {each.nonce: each.refused for each in self.heard if isinstance(each, m.ActVerified)}
        yield from (
            f"order {asked.nonce[:1].hex()} was proven twice"
            for asked in self._proven
            if answers[asked.nonce] != "counter_went_back"
        )
        if answers[b"n" * 32]:
            yield f"a new order is refused: {answers[b'n' * 32]}"
        try:
            Verifier(self.state, self._roster, self._signers, f"http://localhost:{PORT}")._roster()
        except Exception as error:  # noqa: BLE001 - whatever it is, the roster cannot be used any more
            yield f"the roster is lost: {error}"


@contextlib.asynccontextmanager
async def verifiers(folder: Path, count: int) -> AsyncIterator[list[Verifying]]:
    key = Authenticator("Sari")
    signers = put_in_force(folder / "roster", [key])
    yield [Verifying(folder / f"w{number}", folder / "roster", key, signers) for number in range(count)]
