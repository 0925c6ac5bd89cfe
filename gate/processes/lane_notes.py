"""What goes into the log beside a traveller's decisions: what the lane did off the ordinary way, what officers ordered and saw, the panel.

Nothing here moves a door. The loop waits for none of it: each note is written by a task of its own, and one that the log refuses is lost;
the log refuses permits then, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress

from gate.audit.log import AuditError, AuditWriter
from gate.clock import SystemClock
from gate.records import CaseViewed, LaneEvent, OfficerActed, OfficerWatched, PanelEvent, PicturesShown
from gate.transaction import Transaction

SETTLE_S = 2.0
"""A commit takes milliseconds; a disk that takes longer than this keeps nobody from ending the process."""
Noted = LaneEvent | PanelEvent | OfficerActed | OfficerWatched | CaseViewed | PicturesShown


class LaneNotes:
    """Runs on the lane's loop alone. ``running``: the transaction that notes belong to, where they name none."""

    def __init__(self, audit: AuditWriter, clock: SystemClock) -> None:
        self._audit, self._clock = audit, clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._post: Callable[[Callable[[], None]], None]
        self.running: Transaction | None = None

    @property
    def traveller(self) -> str:
        """The transaction that runs; empty where none does."""
        return self.running.id if self.running else ""

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Let what is on its way to the disk arrive; nothing new is begun by then."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=SETTLE_S)

    def note(self, event: LaneEvent) -> None:
        """Put into the log what the lane did outside a traveller's ordinary way."""
        self._spawn(self._note(self.traveller, event))

    def note_panel(self, event: PanelEvent) -> None:
        """Put into the log what came from the reader's panel."""
        self._spawn(self._note(self.traveller, event, "panel"))

    def note_officer(self, acted: OfficerActed) -> None:
        """Put into the log what an officer ordered."""
        self._spawn(self._note(acted.transaction, acted, "officer"))

    def note_watch(self, watched: OfficerWatched) -> None:
        """Put into the log that an officer went on watch, or that a watch ended."""
        self._spawn(self._note("", watched, "watch"))

    def note_viewed(self, viewed: CaseViewed) -> None:
        """Put into the log that somebody was not shown a case."""
        self._spawn(self._note(viewed.transaction, viewed, "viewed"))

    async def write_viewed(self, viewed: CaseViewed) -> bool:
        """Make it durable that somebody looks, before they do. False: it is not."""
        return await self._written("viewed", viewed.transaction, viewed, whole=True)

    def pictures_shown(self, then: Callable[[], None]) -> None:
        """Put into the log that somebody looks at the running traveller; ``then`` runs on the loop once that is durable, else never."""
        if self.running:
            self._spawn(self._pictures_shown(self.running.id, then))

    async def _pictures_shown(self, transaction: str, then: Callable[[], None]) -> None:
        if await self._written("pictures", transaction, PicturesShown(transaction=transaction)):
            self._post(then)

    async def _note(self, transaction: str, event: Noted, kind: str = "event") -> None:
        await self._written(kind, transaction, event)

    async def _written(self, kind: str, transaction: str, event: Noted, *, whole: bool = False) -> bool:
        with suppress(AuditError):
            await self._audit.append(kind, transaction, event, at=self._clock.wall(), boot=self._clock.boot(), whole=whole)
            return True
        return False
