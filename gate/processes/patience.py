"""Longer waiting for a traveller who asks for it, on the screen or by the reader's button.

Only what the lane waits *for the traveller* grows, by one bounded factor: leases, closing attempts and what an officer is waited for stay as
they are. Nothing of it is written down: that somebody needed time may say something about their health.
"""

from __future__ import annotations

from collections.abc import Callable

from gate.lane import State
from gate.processes.budget import Budget

WAITS = frozenset({State.DOCUMENT, State.ENTRY_OPEN, State.CAPTURE, State.EXIT_OPEN})
"""Where the lane waits for the traveller, and for nothing else."""
KEPT_S = 60.0
"""How long the request of somebody who has not put down a document yet stands."""
REQUESTS, REQUEST_EVERY_S = 5, 60.0
"""Travellers who may be granted it one after another, and the time in which one more may: a screen that lies slows no more than that."""


class Patience:
    """``factor``: by how much waiting grows, 1 for never; ``boot`` tells boot seconds."""

    def __init__(self, factor: float, boot: Callable[[], float]) -> None:
        self._factor, self._boot = factor, boot
        self._whose: str | None = None
        self._asked = float("-inf")
        self._budget = Budget(REQUESTS, REQUEST_EVERY_S, boot)

    def ask(self, traveller: str) -> bool:
        """Somebody asks: the running transaction's traveller, or with ``""`` whoever comes next. Returns whether that changed anything."""
        if self._factor <= 1 or self.given(traveller) or not self._budget.spend():
            return False
        self._whose, self._asked = traveller, self._boot()
        return True

    def begin(self, traveller: str) -> None:
        """A transaction begins: whoever asked a moment ago is taken to be its traveller."""
        self._whose = traveller if self.given("") else None

    def given(self, traveller: str) -> bool:
        """Whether the lane waits longer for ``traveller`` (``""``: for whoever comes next)."""
        if self._whose != traveller:
            return False
        return traveller != "" or self._boot() - self._asked < KEPT_S

    def lapsed(self) -> bool:
        """Forget a request that nobody came for. Returns whether there was one."""
        if self._whose != "" or self.given(""):
            return False
        self._whose = None
        return True

    def seconds(self, state: State, configured: float, traveller: str) -> float:
        """How long ``state`` lasts for ``traveller`` where ``configured`` is what everybody gets."""
        return configured * self._factor if state in WAITS and self.given(traveller) else configured
