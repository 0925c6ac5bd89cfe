"""A scenario: every distribution that a simulated trial draws from, each with its source, or marked as an assumption with the reason."""

from __future__ import annotations

import math
import random
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from gate.clock import CHECKPOINT_ZONES
from gate.evidence import Direction

FILE = Path(__file__).with_name("scenarios.toml")
P95 = 1.645
"""Of the standard normal distribution."""

Seconds = Annotated[float, Meta(ge=0, le=86_400)]
Probability = Annotated[float, Meta(ge=0, le=1)]


class ScenarioError(Exception):
    """A scenario that cannot be used; the message names file and place."""


class Drawn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """Base of the distributions. ``source`` says where it comes from; else ``assumption`` is true and ``reason`` says why it is thought so."""

    source: str = ""
    assumption: bool = False
    reason: str = ""

    def __post_init__(self) -> None:
        if bool(self.source.strip()) == self.assumption or (self.assumption and not self.reason.strip()):
            raise ValueError("a distribution names its source, or is marked assumption = true with a reason")

    def draw(self, dice: random.Random) -> float:
        """One value."""
        raise NotImplementedError


class Share(Drawn, frozen=True, kw_only=True, tag="share"):
    """1 with this probability, else 0."""

    of: Probability

    def draw(self, dice: random.Random) -> float:
        return float(dice.random() < self.of)


class Fixed(Drawn, frozen=True, kw_only=True, tag="fixed"):
    value: Annotated[float, Meta(ge=0)]

    def draw(self, dice: random.Random) -> float:  # noqa: ARG002 - drawn like all others
        return self.value


class Uniform(Drawn, frozen=True, kw_only=True, tag="uniform"):
    low: Annotated[float, Meta(ge=-86_400)]
    high: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.high < self.low:
            raise ValueError("high is below low")

    def draw(self, dice: random.Random) -> float:
        return dice.uniform(self.low, self.high)


class Lognormal(Drawn, frozen=True, kw_only=True, tag="lognormal"):
    """By its median and 95th percentile; what lies above ``most`` is ``most``."""

    median: Annotated[float, Meta(gt=0)]
    p95: float
    most: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.median <= self.p95 <= self.most:
            raise ValueError("median, p95 and most do not rise")

    def draw(self, dice: random.Random) -> float:
        return min(self.most, dice.lognormvariate(math.log(self.median), math.log(self.p95 / self.median) / P95))


class Exponential(Drawn, frozen=True, kw_only=True, tag="exponential"):
    mean: Annotated[float, Meta(gt=0)]

    def draw(self, dice: random.Random) -> float:
        return dice.expovariate(1 / self.mean)


class Choice(Drawn, frozen=True, kw_only=True, tag="choice"):
    """One word of several, by weight."""

    weights: Annotated[dict[str, Annotated[float, Meta(ge=0)]], Meta(min_length=1)]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not sum(self.weights.values()) > 0:
            raise ValueError("no weight is above 0")

    def word(self, dice: random.Random) -> str:
        """One of the words."""
        return dice.choices(list(self.weights), list(self.weights.values()))[0]


Number = Share | Fixed | Uniform | Lognormal | Exponential


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the file's tables."""


class Bank(_Table, frozen=True, kw_only=True):
    """Lanes that one queue stands before. ``hours``: the weight of flights by hour of the day at the checkpoint."""

    airport: Annotated[str, Meta(pattern="^[A-Z]{3}$")]
    direction: Direction
    lanes: Annotated[int, Meta(ge=1, le=40)]
    travellers_per_day: Number
    travellers_per_flight: Number
    hours: Choice
    spread_s: Number
    """From a flight's time until one of its travellers stands before the bank; counted back from it where they leave."""

    def __post_init__(self) -> None:
        if self.airport not in CHECKPOINT_ZONES:
            raise ValueError(f"no zone is known for {self.airport}")
        if not all(hour.isdecimal() and int(hour) < 24 for hour in self.hours.weights):
            raise ValueError("an hour of the day is 0 to 23")

    @property
    def name(self) -> str:
        return f"{self.airport} {self.direction}"

    @property
    def lane_ids(self) -> tuple[str, ...]:
        return tuple(f"{self.airport}-{self.direction[:3]}-{number}" for number in range(1, self.lanes + 1))


class People(_Table, frozen=True, kw_only=True):
    """Who comes. What is said of families counts for ordinary books."""

    kind: Choice
    family_size: Choice
    age: Choice
    """Of whoever travels in a family behind its first."""
    listed: Share
    declared: Share
    luggage: Share
    impostor: Choice
    needs_longer: Share


class Motion(_Table, frozen=True, kw_only=True):
    """What people and leaves take, in seconds. Fixed before anything is measured."""

    approach_s: Number
    """Free lane until the document lies on the reader."""
    misplaced: Share
    realise_s: Number
    """Red light until the document lies there again."""
    tries: Annotated[int, Meta(ge=1, le=5)]
    take_up_s: Number
    walk_in_s: Number
    luggage_factor: Number
    longer_factor: Number
    looks_away: Share
    pose_s: Number
    looking_up_s: Number
    walk_out_s: Number
    second_inside: Share
    leaves_object: Share
    leaf_s: Number


class Documents(_Table, frozen=True, kw_only=True):
    """``office``: weight of each issuing office; ``quality``: of its books and pictures, by name of a row in ``qualities``."""

    tag_lost: Share
    chip_dead: Share
    chipless_official: Share
    no_anchor: Share
    chip_computing_s: Number
    foreign_state: Choice
    offices: Choice
    good_offices: Share
    bad_office_factor: Number
    no_biometric_record: Share
    no_exit_permit: Share
    permit_expired: Share
    stage_missing: Share


class Faces(_Table, frozen=True, kw_only=True):
    threshold: float
    mated: Uniform | Lognormal
    non_mated: Uniform | Lognormal
    poor: Share
    pad_bona_fide: Uniform | Lognormal
    pad_attack: Uniform | Lognormal
    pad_threshold: float


class Networks(_Table, frozen=True, kw_only=True):
    """``outage``: of all registries at once, on a day at an airport."""

    latency_s: Number
    outage: Share
    outage_s: Number
    link_losses_per_lane_day: Number
    link_loss_s: Number


class Officer(_Table, frozen=True, kw_only=True):
    reach_s: Number


class Scenario(_Table, frozen=True, kw_only=True):
    """All of it."""

    name: str
    begins: date
    bank: Annotated[tuple[Bank, ...], Meta(min_length=1)]
    people: People
    motion: Motion
    documents: Documents
    faces: Faces
    networks: Networks
    officer: Officer


def load_scenario(file: Path = FILE) -> Scenario:
    """The scenario in ``file``. Raises ScenarioError."""
    try:
        return msgspec.toml.decode(file.read_bytes(), type=Scenario)
    except OSError as error:
        raise ScenarioError(f"{file}: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{file}: {error}") from error


def distributions(scenario: Scenario) -> dict[str, Drawn]:
    """Every distribution by its place in the file."""
    found: dict[str, Drawn] = {}

    def walk(place: str, what: Any) -> None:
        if isinstance(what, Drawn):
            found[place] = what
        elif isinstance(what, tuple):
            for number, each in enumerate(what):
                walk(f"{place}[{number}]", each)
        elif isinstance(what, msgspec.Struct):
            for name in what.__struct_fields__:
                walk(f"{place}.{name}".lstrip("."), getattr(what, name))

    walk("", scenario)
    return found
