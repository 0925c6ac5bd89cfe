"""The lane's end of the registries' process: questions go over the local socket, and come back as :class:`Answers` or as silence.

TLS, signatures, snapshots and whatever else strangers can reach stay in that process; the lane loads none of it. It takes a registry's
facts and no others, only those that it asked for, and waits for nobody longer than its limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping
from datetime import datetime
from typing import Any

import msgspec

from gate.evidence import Direction
from gate.processes.bounds import LONGEST_WORD, bounded_facts
from gate.processes.messages import (
    AskRegistries,
    CrossingDurable,
    CrossingEnded,
    CrossingPermitted,
    ListsReport,
    MrzRead,
    RegistryAnswered,
)
from gate.registries.answers import Answers, expected, facts_asked, is_citizen, is_home_book, silence
from gate.registries.crossing_record import CONTRACT as CROSSING
from gate.registries.crossing_record import Crossing, End

GRACE_S = 0.1
"""The process keeps the registries' deadlines by itself; this much longer the lane waits for it."""
DURABLE_S = 2.5
"""A disk that takes longer keeps the exit shut."""
Ask = AskRegistries | CrossingPermitted | CrossingEnded


class AskedRegistries:
    """Runs on the lane's loop. ``tell`` sends to the registries' process; ``present`` says whether there is one."""

    def __init__(
        self,
        configured: Collection[str],
        tell: Callable[[Ask], None],
        present: Callable[[], bool],
        *,
        gate: str,
        checkpoint: str,
        limit_ms: int,
    ) -> None:
        self._configured, self._tell, self._present = frozenset(configured), tell, present
        self._gate, self._checkpoint, self._limit_s = gate, checkpoint, limit_ms / 1000 + GRACE_S
        self._waiting: dict[tuple[str, str], asyncio.Future[Any]] = {}
        self._asked: AskRegistries | None = None
        self.lists: Mapping[str, tuple[int, int]] = {}
        """Which version of a registry's list is kept there, and as of when it speaks (POSIX seconds), as was told last."""

    def questions(self, read: MrzRead, document_class: str, direction: Direction) -> dict[str, Coroutine[None, None, Answers]]:
        """The questions that this traveller raises, by registry; all of them are on their way. Each must be awaited."""
        asked = facts_asked(
            home_book=is_home_book(read.issuing_state),
            citizen=is_citizen(read.facts),
            document_class=document_class,
            direction=direction,
        )
        asked = {name: facts for name, facts in asked.items() if name in self._configured}
        self.gone()  # whoever was here before waits for nothing any more
        self._asked = AskRegistries(read=_bounded(read), document_class=document_class, direction=direction)
        if asked and self._present():
            self._waiting = {(read.transaction, name): asyncio.get_running_loop().create_future() for name in asked}
            self._tell(self._asked)
        return {name: self._answer((read.transaction, name), facts) for name, facts in asked.items()}

    async def permitted(self, transaction: str, *, rules_version: str, tolerances: tuple[str, ...], at: datetime) -> bool:
        """Have it written down that this traveller may cross, before the exit opens. False: it is not, and the exit stays shut."""
        if CROSSING.name not in self._configured:
            return True
        asked = self._asked
        if asked is None or asked.read.transaction != transaction or not self._present():
            return False
        key = (transaction, CROSSING.name)
        waiting = self._waiting[key] = asyncio.get_running_loop().create_future()
        crossing = Crossing(
            transaction=transaction,
            gate=self._gate,
            checkpoint=self._checkpoint,
            direction=asked.direction,
            issuing_state=asked.read.issuing_state,
            document_number=asked.read.document_number,
            document_class=asked.document_class,
            permitted_at=at,
            rules_version=rules_version,
            tolerances=tolerances,
        )
        self._tell(CrossingPermitted(crossing=crossing))
        await asyncio.wait({waiting}, timeout=DURABLE_S)
        self._waiting.pop(key, None)
        return waiting.done() and not waiting.cancelled() and bool(waiting.result())

    def ended(self, transaction: str, end: End, *, at: datetime) -> None:
        """The traveller is through, or the permit came to nothing, or nobody can say; who it was is forgotten."""
        if CROSSING.name in self._configured:
            self._tell(CrossingEnded(transaction=transaction, end=end, at=at))
        if self._asked and self._asked.read.transaction == transaction:
            self._asked = None
            self.gone()

    def heard(self, message: object) -> None:
        """The process said something. What nobody waits for is dropped."""
        match message:
            case RegistryAnswered():
                self._settle((message.transaction, message.registry), message.answers)
            case CrossingDurable():
                self._settle((message.transaction, CROSSING.name), message.durable)
            case ListsReport():
                self.lists = {name: told for name, told in message.lists.items() if name in self._configured}
            case _:
                pass

    def gone(self) -> None:
        """The process is gone, and with it whatever it owed."""
        for waiting in self._waiting.values():
            waiting.cancel()
        self._waiting = {}

    def _settle(self, key: tuple[str, str], what: Answers | bool) -> None:
        waiting = self._waiting.get(key)
        if waiting is not None and not waiting.done() and isinstance(what, bool) is (key[1] == CROSSING.name):
            waiting.set_result(what)

    async def _answer(self, key: tuple[str, str], facts: tuple[str, ...]) -> Answers:
        waiting = self._waiting.get(key)
        if waiting is None:
            return silence(facts, key[1], "unreachable")
        await asyncio.wait({waiting}, timeout=self._limit_s)
        if not waiting.done():
            return silence(facts, key[1], "timeout")
        if waiting.cancelled():
            return silence(facts, key[1], "unreachable")
        return expected(waiting.result(), facts)


def _bounded(read: MrzRead) -> MrzRead:
    """What a page can say: told on as it came, a reader's longest message would be too long for the lane to send."""
    told = {name: word[:LONGEST_WORD] for name, word in msgspec.structs.asdict(read).items() if isinstance(word, str)}
    return msgspec.structs.replace(read, facts=bounded_facts(read.facts), **told)
