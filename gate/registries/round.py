"""Which registries are asked about whom: one round of questions per traveller, all at once, each with its own deadline.

A registry that is not configured is not asked, and its facts stay ``not_performed``, which opens nothing. Runs in the registries'
process (``gate.processes.registries``); the lane asks it through :mod:`gate.registries.asking`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from gate.clock import civil_date
from gate.evidence import Direction, Fact
from gate.processes.messages import MrzRead
from gate.registries.answers import LISTS, OFFICIAL_CLASSES, WANTED, Answers, facts_asked, is_citizen, is_home_book
from gate.registries.arrival_declaration import ArrivalDeclarationQuestion, declaration_fact
from gate.registries.base import RegistryAnswer, Source
from gate.registries.connected_one import ConnectedOneQuestion
from gate.registries.exit_permit import ExitPermitQuestion, exit_permit_fact
from gate.registries.issuance import IssuanceQuestion, document_model_fact, issuance_fact, trail
from gate.registries.lost_and_stolen import LostAndStolenQuestion, sltd_fact
from gate.registries.names import ListName, PersonQuery
from gate.registries.official import official_answers
from gate.registries.stay_permit import StayPermitQuestion, stay_permit_fact
from gate.registries.watchlist import WatchlistQuestion, watchlist_fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Traveller:
    """Who is asked about, and where they stand."""

    read: MrzRead
    document_class: str
    direction: Direction
    checkpoint: str
    day: date

    @property
    def book(self) -> dict[str, str]:
        return {"issuing_state": self.read.issuing_state, "document_number": self.read.document_number}

    @property
    def crossing(self) -> dict[str, Any]:
        return self.book | {"date": self.day, "direction": self.direction, "checkpoint": self.checkpoint}

    @property
    def person(self) -> PersonQuery:
        return PersonQuery(
            primary_identifier=self.read.primary_identifier,
            secondary_identifier=self.read.secondary_identifier,
            birth=self.read.date_of_birth,
            sex=self.read.sex,
            **self.book,
        )


class RegistryRound:
    """Asks ``sources``, by registry name. Create and use it on one loop; who opened the sources closes them."""

    def __init__(self, sources: Mapping[str, Source[Any]], checkpoint: str) -> None:
        self._sources, self._checkpoint = sources, checkpoint
        self._rounds: dict[str, Callable[[Traveller], Coroutine[None, None, Answers]]] = {
            "issuance": self._issuance,
            "exit_permit": self._exit_permit,
            "watchlist": self._watchlist,
            "lost_and_stolen": self._lost_and_stolen,
            "stay_permit": self._stay_permit,
            "arrival_declaration": self._arrival_declaration,
        }

    def questions(
        self, read: MrzRead, document_class: str, direction: Direction, now: datetime
    ) -> dict[str, Coroutine[None, None, Answers]]:
        """The questions that this traveller raises, by registry. Each must be awaited."""
        day = civil_date(now, self._checkpoint)
        traveller = Traveller(read=read, document_class=document_class, direction=direction, checkpoint=self._checkpoint, day=day)
        asked = facts_asked(
            home_book=is_home_book(read.issuing_state),
            citizen=is_citizen(read.facts),
            document_class=document_class,
            direction=direction,
        )
        return {name: self._rounds[name](traveller) for name in asked if name in self._sources}

    async def _ask(self, registry: str, question: Any) -> RegistryAnswer[Any]:
        return await self._sources[registry].ask(question)

    async def _issuance(self, traveller: Traveller) -> Answers:
        issued = self._ask("issuance", IssuanceQuestion(**traveller.book))
        if traveller.document_class not in OFFICIAL_CLASSES:
            answer = await issued
            facts = {
                "issuance": issuance_fact(answer, traveller.document_class),
                "document_model": document_model_fact(answer),
            }
            return Answers(facts=facts, trail=trail(answer))
        if "connected_one" not in self._sources:
            answer = await issued
            return Answers(facts={"document_model": document_model_fact(answer)}, trail=trail(answer))
        answer, captured = await asyncio.gather(issued, self._ask("connected_one", ConnectedOneQuestion(**traveller.book)))
        return official_answers(answer, captured, traveller.document_class)

    async def _watchlist(self, traveller: Traveller) -> Answers:
        async def searched(name: ListName) -> tuple[str, Fact]:
            answer = await self._ask("watchlist", WatchlistQuestion(list=name, person=traveller.person))
            return name, watchlist_fact(answer, name)

        return Answers(facts=dict(await asyncio.gather(searched(LISTS[traveller.direction]), searched(WANTED))))

    async def _exit_permit(self, traveller: Traveller) -> Answers:
        question: Any = ExitPermitQuestion(**traveller.crossing, document_class=traveller.document_class)  # type: ignore[arg-type] # one of the official classes
        return Answers(facts={"exit_permit": exit_permit_fact(await self._ask("exit_permit", question))})

    async def _lost_and_stolen(self, traveller: Traveller) -> Answers:
        answer = await self._ask("lost_and_stolen", LostAndStolenQuestion(**traveller.book))
        return Answers(facts={"sltd": sltd_fact(answer)})

    async def _stay_permit(self, traveller: Traveller) -> Answers:
        answer = await self._ask("stay_permit", StayPermitQuestion(**traveller.crossing))
        return Answers(facts={"stay_permit": stay_permit_fact(answer)})

    async def _arrival_declaration(self, traveller: Traveller) -> Answers:
        answer = await self._ask("arrival_declaration", ArrivalDeclarationQuestion(**traveller.crossing))
        return Answers(facts={"declaration": declaration_fact(answer)})
