"""Which registries are asked about whom: one round of questions per traveller, all at once, each with its own deadline.

A registry that is not configured is not asked, and its fact stays ``not_performed``, which opens nothing.
"""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import datetime
from urllib.parse import urlsplit

from gate.clock import civil_date
from gate.config import Registries, Registry
from gate.evidence import Direction, Fact
from gate.processes.messages import MrzRead
from gate.registries import exit_permit, issuance, watchlist
from gate.registries.base import Contract, R, RegistryClient
from gate.registries.exit_permit import exit_permit_fact, exit_permit_query
from gate.registries.issuance import issuance_fact, issuance_query
from gate.registries.watchlist import watchlist_fact, watchlist_query

OFFICIAL_CLASSES = frozenset({"service", "diplomatic"})
"""Classes that travel on an exit permit of the Foreign Ministry (facts: without it the book may not be used)."""


class RegistryRound:
    """The clients of the configured registries. Create and use it on the lane's loop."""

    def __init__(self, registries: Registries, checkpoint: str, secret: str, *, limit_ms: int) -> None:
        """``limit_ms``: what a decision waits for any registry, whatever that registry's own deadline is."""
        self._checkpoint, self._limit_ms = checkpoint, limit_ms
        self._issuance = self._client(issuance.CONTRACT, registries.issuance, secret)
        self._exit_permit = self._client(exit_permit.CONTRACT, registries.exit_permit, secret)
        self._watchlist = self._client(watchlist.CONTRACT, registries.watchlist, secret)

    def questions(
        self, read: MrzRead, document_class: str, direction: Direction, now: datetime
    ) -> dict[str, Coroutine[None, None, Fact]]:
        """The questions that this traveller raises, by the name of the fact that answers them. Each must be awaited."""
        asked = {"issuance": self._ask_issuance(read, document_class), "watchlist": self._ask_watchlist(read, direction)}
        if direction is Direction.DEPARTURE and document_class in OFFICIAL_CLASSES:
            asked["exit_permit"] = self._ask_exit_permit(read, document_class, direction, now)
        return {name: question for name, question in asked.items() if question is not None}

    def _ask_issuance(self, read: MrzRead, document_class: str) -> Coroutine[None, None, Fact] | None:
        client = self._issuance
        if client is None:
            return None

        async def ask() -> Fact:
            answer = await client.ask(issuance_query(read.issuing_state, read.document_number))
            return issuance_fact(answer, document_class)

        return ask()

    def _ask_watchlist(self, read: MrzRead, direction: Direction) -> Coroutine[None, None, Fact] | None:
        client = self._watchlist
        if client is None:
            return None
        query = watchlist_query(
            direction=direction,
            primary_identifier=read.primary_identifier,
            secondary_identifier=read.secondary_identifier,
            birth=read.date_of_birth,
            sex=read.sex,
        )

        async def ask() -> Fact:
            return watchlist_fact(await client.ask(query), direction)

        return ask()

    def _ask_exit_permit(
        self, read: MrzRead, document_class: str, direction: Direction, now: datetime
    ) -> Coroutine[None, None, Fact] | None:
        client = self._exit_permit
        if client is None:
            return None
        query = exit_permit_query(
            issuing_state=read.issuing_state,
            document_number=read.document_number,
            document_class=document_class,
            civil_date=civil_date(now, self._checkpoint),
            direction=direction,
            checkpoint=self._checkpoint,
        )

        async def ask() -> Fact:
            return exit_permit_fact(await client.ask(query))

        return ask()

    def _client(self, contract: Contract[R], registry: Registry | None, secret: str) -> RegistryClient[R] | None:
        if registry is None:
            return None
        address = urlsplit(registry.url)
        if address.scheme != "http":
            raise OSError(f"registry {contract.name}: no TLS client in this release: only http to this machine")
        deadline_s = min(registry.deadline_ms, self._limit_ms) / 1000
        return RegistryClient(contract, address.hostname or "", address.port or 80, secret=secret, deadline_s=deadline_s)
