"""Whose signature it is: asked of the verifier's process, one question after the other, no more than it can answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from gate.clock import SystemClock, civil_time
from gate.console.acts import Refused
from gate.console.shifts import duty_left_s
from gate.processes.budget import Budget
from gate.processes.officer_messages import (
    ActVerified,
    VerifyAct,
)

VERIFY_S = 2.0
"""What takes the verifier milliseconds; a disk that hangs refuses the order."""
PROOFS, PROOF_EVERY_S = 12, 0.5
"""Signatures that may be proven at once, and the time in which one more may be: a mad console must not use up the processor."""
LONGEST_SIGNED = 2048
"""Octets of what an authenticator and a browser hand over; an honest order has three hundred."""


class Signed(Protocol):
    """What a console carries of an officer's signature."""

    @property
    def nonce(self) -> bytes: ...
    @property
    def credential(self) -> str: ...
    @property
    def authenticator_data(self) -> bytes: ...
    @property
    def client_data(self) -> bytes: ...
    @property
    def signature(self) -> bytes: ...


def oversized(signed: Signed) -> bool:
    """Whether it is longer than any honest one."""
    parts = (signed.authenticator_data, signed.client_data, signed.signature, signed.credential)
    return max(map(len, parts)) > LONGEST_SIGNED


class Prover:
    """Runs on the lane's loop alone. ``ask`` sends a question to the verifier; False where there is none."""

    def __init__(self, ask: Callable[[VerifyAct], bool], clock: SystemClock, checkpoint: str) -> None:
        self._ask, self._clock, self._checkpoint = ask, clock, checkpoint
        self._waiting: dict[bytes, asyncio.Future[ActVerified]] = {}
        self.budget = Budget(PROOFS, PROOF_EVERY_S, clock.boot)

    def proven(self, told: ActVerified) -> None:
        """The verifier's answer. What nobody waits for is dropped."""
        waiting = self._waiting.get(told.nonce)
        if waiting is not None and not waiting.done():
            waiting.set_result(told)

    async def prove(self, signed: Signed, challenge: bytes) -> ActVerified:
        """Whose signature over ``challenge`` it is, as the verifier says; nobody's where it does not say."""
        question = VerifyAct(
            nonce=signed.nonce,
            challenge=challenge,
            credential=signed.credential,
            authenticator_data=signed.authenticator_data,
            client_data=signed.client_data,
            signature=signed.signature,
        )
        waiting: asyncio.Future[ActVerified] = asyncio.get_running_loop().create_future()
        self._waiting[signed.nonce] = waiting
        try:
            if self._ask(question):
                await asyncio.wait({waiting}, timeout=VERIFY_S)
        finally:
            del self._waiting[signed.nonce]
        told = waiting.result() if waiting.done() else None
        if told is not None and told.refused in {"", *Refused}:
            return told
        return ActVerified(nonce=signed.nonce, refused=Refused.NOT_VERIFIABLE)

    def duty_left_s(self, who: ActVerified) -> float:
        """Seconds that ``who`` is still on duty, by the checkpoint's calendar and clock; 0: not."""
        if who.since is None or who.until is None:
            return 0.0
        now = civil_time(self._clock.wall(), self._checkpoint)
        return duty_left_s(now, since=who.since, until=who.until, shift=who.shift)
