"""Where a page gets its view from: the newest one only, and None while the lane cannot be reached."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import msgspec

from gate.processes.channel import Channel, ChannelClosed, connect
from gate.processes.messages import ENDED_KEPT, AnyMessage, EndedTransaction, OfficerView, Role, TravellerView
from gate.records import TransactionRecord

RETRY_FIRST_S, RETRY_LAST_S = 0.1, 2.0
"""Back-off between two tries to reach the lane: a restarted lane (≤ 3 s) is back on the screen at once, a dead one costs nothing."""

Shown = TypeVar("Shown")
View = TypeVar("View", TravellerView, OfficerView)
View_co = TypeVar("View_co", covariant=True)


class Feed(Protocol[View_co]):
    """What a page follows."""

    @property
    def current(self) -> View_co | None:
        """The newest view; None while the lane is gone."""
        ...

    def changes(self) -> AsyncIterator[View_co | None]:
        """The current view at once, then every newer one. A slow reader misses views, never the newest. Ends on close."""
        ...


class NewestView(Generic[Shown]):
    """A :class:`Feed` that shows what it is told. For use in one event loop."""

    def __init__(self) -> None:
        self.current: Shown | None = None
        self._closed = False
        self._changed = asyncio.Event()

    def show(self, view: Shown | None) -> None:
        """Make ``view`` the newest one (None: the lane is gone)."""
        if view != self.current:
            self.current = view
            self._wake()

    def close(self) -> None:
        """End every ``changes()``, so that open pages do not hold up the end of the process."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def changes(self) -> AsyncIterator[Shown | None]:
        while not self._closed:
            changed = self._changed  # taken before the view: a change in between is then not missed
            yield self.current
            await changed.wait()


class LaneFeed(NewestView[View]):
    """Follows the lane's local socket as one of its screens and comes back by itself after the lane was away."""

    def __init__(self, path: Path, role: Role, secret: str, kind: type[View]) -> None:
        super().__init__()
        self._path, self._role, self._secret = path, role, secret
        self._kind: type[View] = kind
        self._channel: Channel | None = None
        self._pause = RETRY_FIRST_S

    async def run(self) -> None:
        """Follow the lane until cancelled."""
        while True:
            try:
                await self._follow()
            except ChannelClosed:
                self.show(None)
            await asyncio.sleep(self._pause)
            self._pause = min(2 * self._pause, RETRY_LAST_S)

    async def _follow(self) -> None:
        channel = self._channel = await connect(self._path, self._role, self._secret)
        try:
            while True:
                self.hear(await channel.receive())
        finally:
            self._channel = None
            await channel.close()

    def tell(self, message: AnyMessage) -> bool:
        """Say ``message`` to the lane. False: it cannot be reached."""
        if self._channel is None:
            return False
        self._channel.tell(message)
        return True

    def hear(self, message: AnyMessage) -> None:
        """Take a message of the lane; whatever is not for this screen is dropped."""
        if isinstance(message, self._kind):
            self.show(message)
            self._pause = RETRY_FIRST_S


class OfficerFeed(LaneFeed[OfficerView]):
    """Puts the transactions that ended, each of which the lane tells once, into each view, newest first."""

    _ended: tuple[TransactionRecord, ...] = ()

    def hear(self, message: AnyMessage) -> None:
        if isinstance(message, EndedTransaction):
            others = (record for record in self._ended if record.transaction != message.record.transaction)
            self._ended = (message.record, *others)[:ENDED_KEPT]
        view = self.current if isinstance(message, EndedTransaction) else message
        if isinstance(view, OfficerView):
            super().hear(msgspec.structs.replace(view, ended=self._ended))


def traveller_feed(path: Path, secret: str) -> LaneFeed[TravellerView]:
    return LaneFeed(path, "traveller_screen", secret, TravellerView)


def officer_feed(path: Path, secret: str) -> OfficerFeed:
    return OfficerFeed(path, "officer_screen", secret, OfficerView)
