"""Which registries are asked about whom: one round of questions per traveller, all at once, each with its own deadline.

A registry that is not configured is not asked, and its fact stays ``not_performed``, which opens nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from urllib.parse import urlsplit

from gate.clock import civil_date
from gate.config import Registries, Registry
from gate.evidence import Direction, Fact
from gate.processes.messages import MrzRead
from gate.registries import exit_permit, issuance, watchlist
from gate.registries.base import Contract, R, RegistryAnswer, RegistryClient
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
        asked: dict[str, Coroutine[None, None, Fact]] = {}
        if self._issuance:
            query = issuance_query(read.issuing_state, read.document_number)
            asked["issuance"] = _ask(self._issuance, query, lambda answer: issuance_fact(answer, document_class))
        if self._watchlist:
            query = watchlist_query(
                direction=direction,
                primary_identifier=read.primary_identifier,
                secondary_identifier=read.secondary_identifier,
                birth=read.date_of_birth,
                sex=read.sex,
            )
            asked["watchlist"] = _ask(self._watchlist, query, lambda answer: watchlist_fact(answer, direction))
        if self._exit_permit and direction is Direction.DEPARTURE and document_class in OFFICIAL_CLASSES:
            query = exit_permit_query(
                issuing_state=read.issuing_state,
                document_number=read.document_number,
                document_class=document_class,
                civil_date=civil_date(now, self._checkpoint),
                direction=direction,
                checkpoint=self._checkpoint,
            )
            asked["exit_permit"] = _ask(self._exit_permit, query, exit_permit_fact)
        return asked

    def _client(self, contract: Contract[R], registry: Registry | None, secret: str) -> RegistryClient[R] | None:
        if registry is None:
            return None
        address = urlsplit(registry.url)
        if address.scheme != "http":
            raise OSError(f"registry {contract.name}: no TLS client in this release: only http to this machine")
        deadline_s = min(registry.deadline_ms, self._limit_ms) / 1000
        return RegistryClient(contract, address.hostname or "", address.port or 80, secret=secret, deadline_s=deadline_s)


async def _ask(client: RegistryClient[R], query: Mapping[str, object], fact: Callable[[RegistryAnswer[R]], Fact]) -> Fact:
    return fact(await client.ask(query))
