"""Who comes to a bank on one day, when, with which book: all of it drawn from the scenario before the day begins. Nobody in it is real."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timezone

from gate.clock import CHECKPOINT_ZONES
from gate.evidence import Direction
from gate.simulation.scenario import Bank, Scenario

CLASSES = {
    "ordinary": ("ordinary", "P"),
    "foreigner": ("ordinary", "P"),
    "service": ("service", "PO"),
    "diplomatic": ("diplomatic", "PD"),
}
"""By kind of traveller: the class of the book and its document code."""
BIRTHS = {"adult": "850417", "from_14_to_17": "110305", "from_6_to_13": "170822", "under_6": "220611"}
"""Date of birth by age, as printed, for days in 2026."""
NAMES = (
    "WIRAGUNA",
    "KERTAWIDJAYA",
    "ANINDYAWATI",
    "PRAMUDITAMA",
    "SASTRAWINATA",
    "HERLAMBANGSARI",
    "MANGKUDIPURA",
    "TIRTAKENCANA",
)
GIVEN = ("LINTANG", "SEKAR", "BAGASKARA", "NIRMALA", "DANENDRA", "KIRANA", "ARUNIKA", "WISESA")
TOGETHER = frozenset({"ordinary", "foreigner"})
"""Kinds of travellers who come as families."""
DAY_S, HOUR_S, APART_S = 86_400, 3600, 2.0
LISTED_NAME = ("ZULQARNAENPUTRA", "FITRAH BAYANAKA")
"""Of everybody who stands on a list of persons: nobody else's is like it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One traveller. ``chip``: ``read``, ``dead``, ``none`` or ``lost``, which a second try mends;
    ``listed``: ``person`` (all lists of persons), ``lost_and_stolen``, ``revoked``, or empty.
    """

    number: int
    arrives: float
    """Seconds from the simulation's beginning."""
    kind: str
    state: str
    document_number: str
    name: tuple[str, str]
    age: str
    office: str
    chip: str
    anchored: bool
    recorded: bool
    permit: str
    declared: bool
    stage_missing: bool
    listed: str
    impostor: str
    luggage: bool
    needs_longer: bool
    dice_seed: str
    """Of whatever happens to this traveller at the lane."""

    @property
    def document_class(self) -> str:
        return CLASSES[self.kind][0]

    @property
    def document_code(self) -> str:
        return CLASSES[self.kind][1]

    @property
    def citizen(self) -> bool:
        return self.kind != "foreigner"

    @property
    def official(self) -> bool:
        return self.document_class != "ordinary"

    @property
    def birth(self) -> str:
        return BIRTHS[self.age]

    @property
    def portrait_sha256(self) -> str:
        """Stands for the digest of the portrait that the chip holds and the issuer recorded."""
        return hashlib.sha256(self.document_number.encode("ascii")).hexdigest()


def office_factors(scenario: Scenario, seed: int) -> dict[str, float]:
    """How much oftener each issuing office errs than the scenario says; 1 for a good one. The same for all days of a seed."""
    documents, dice = scenario.documents, random.Random(f"{seed} offices")
    return {
        office: 1.0 if documents.good_offices.draw(dice) else documents.bad_office_factor.draw(dice)
        for office in documents.offices.weights
    }


def midnight(day: date, airport: str) -> datetime:
    """The beginning of ``day`` at the checkpoint."""
    return datetime(day.year, day.month, day.day, tzinfo=timezone(CHECKPOINT_ZONES[airport]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What the travellers of one bank on one day (from 0) are drawn from."""

    scenario: Scenario
    bank: Bank
    seed: int
    day: int
    factors: Mapping[str, float]
    """Of :func:`office_factors`."""

    def travellers(self) -> list[Person]:
        """Those who come, in the order of their coming."""
        dice = random.Random(f"{self.seed} {self.bank.name} day {self.day}")
        least, people = round(self.bank.travellers_per_day.draw(dice)), list[Person]()
        while len(people) < least:
            flight = self.day * DAY_S + HOUR_S * int(self.bank.hours.word(dice)) + dice.uniform(0, HOUR_S)
            board = round(self.bank.travellers_per_flight.draw(dice))
            while board > 0:
                offset = self.bank.spread_s.draw(dice)
                arrives = flight - offset if self.bank.direction is Direction.DEPARTURE else flight + offset
                family = self._family(dice, arrives, len(people)) if arrives >= 0 else []  # else they came the evening before
                people += family
                board -= len(family) or 1
        return [replace(each, number=number) for number, each in enumerate(sorted(people, key=lambda one: one.arrives), 1)]

    def _family(self, dice: random.Random, arrives: float, first: int) -> list[Person]:
        people = self.scenario.people
        kind = people.kind.word(dice)
        size = int(people.family_size.word(dice)) if kind in TOGETHER else 1
        ages = ["adult", *(people.age.word(dice) for _ in range(size - 1))]
        return [self._person(dice, kind, age, arrives + APART_S * place, first + place) for place, age in enumerate(ages)]

    def _person(self, dice: random.Random, kind: str, age: str, arrives: float, number: int) -> Person:
        people, documents = self.scenario.people, self.scenario.documents
        office = documents.offices.word(dice)
        citizen, official = kind != "foreigner", CLASSES[kind][0] != "ordinary"
        worse = self.factors[office] if citizen else 1.0

        def oftener(share: float) -> bool:
            return dice.random() < min(1.0, share * worse)

        listed = dice.choice(_lists(citizen=citizen, adult=age == "adult")) if people.listed.draw(dice) else ""
        return Person(
            number=number,
            arrives=arrives,
            kind=kind,
            state="IDN" if citizen else documents.foreign_state.word(dice),
            document_number=self._document_number(kind, number),
            name=LISTED_NAME if listed == "person" else (dice.choice(NAMES), dice.choice(GIVEN)),
            age=age,
            office=office if citizen else "",
            chip=_chip(self.scenario, dice, official=official, dead=oftener(documents.chip_dead.of)),
            anchored=citizen or not documents.no_anchor.draw(dice),
            recorded=not oftener(documents.no_biometric_record.of),
            permit="none"
            if documents.no_exit_permit.draw(dice)
            else "expired"
            if documents.permit_expired.draw(dice)
            else "valid",
            declared=bool(people.declared.draw(dice)),
            stage_missing=oftener(documents.stage_missing.of),
            listed=listed,
            impostor=people.impostor.word(dice),
            luggage=bool(people.luggage.draw(dice)),
            needs_longer=bool(people.needs_longer.draw(dice)),
            dice_seed=f"{self.seed} {self.bank.name} {self.day} {number}",
        )

    def _document_number(self, kind: str, number: int) -> str:
        way = "D" if self.bank.direction is Direction.DEPARTURE else "A"
        return f"{kind[0].upper()}{self.bank.airport[0]}{way}{self.day:03d}{number:05d}"


def _lists(*, citizen: bool, adult: bool) -> list[str]:
    """Where somebody may stand: nobody of the age of a child is on a list of persons, and other States' revocations are not asked for."""
    return ["lost_and_stolen", *(["person"] if adult else []), *(["revoked"] if citizen else [])]


def _chip(scenario: Scenario, dice: random.Random, *, official: bool, dead: bool) -> str:
    documents = scenario.documents
    if official and documents.chipless_official.draw(dice):
        return "none"
    if dead:
        return "dead"
    return "lost" if documents.tag_lost.draw(dice) else "read"
