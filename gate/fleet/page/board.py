"""Makes what stands on the page of the figures alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from gate.fleet.messages import instant
from gate.fleet.page import words
from gate.fleet.page.figures import Alert, Books, Fleet, Gate, Hour, Tallied
from gate.fleet.page.shown import Airport, AlertShown, BankShown, Board, BooksShown, Cause, Held, ListShown, Tile, VersionShown
from gate.outcome import Outcome
from gate.report.causes import OFFICIAL, causes_of
from gate.report.disclosure import K, kept_apart
from gate.ui.officer.present import ZONES
from gate.ui.words import DIRECTIONS, STATE_TONES, STATES, Words, warning

SILENT = timedelta(seconds=60)
"""A gate tells its status every ten seconds, and so does a collector."""
BEHIND = 50
"""Records that may be under way between a gate and the centre's receipt before the page speaks of a backlog."""
OLD, TOO_OLD = timedelta(hours=24), timedelta(hours=72)
"""Lists as of so long ago are marked. What a gate still decides by, its own rules say."""
MOST_ALERTS, MOST_CAUSES = 8, 6
MOST_BADGE, DIGITS = 10, 7
_NUMBER = re.compile(r"[-_]?[0-9]+$")


def board(fleet: Fleet) -> Board:
    """What the page shows of ``fleet``."""
    common = {name: found[0][0] for name, found in _versions(fleet.gates).items()}
    banks = _banks(fleet, common)
    tiles = [tile for bank in banks for tile in bank.tiles]
    crossings, passed = sum(hour.crossings for hour in fleet.hours), sum(hour.passed for hour in fleet.hours)
    return Board(
        at=fleet.at,
        gates=len(tiles),
        serving=sum(bank.serving for bank in banks),
        waiting=sum(tile.waits_since is not None for tile in tiles),
        longest_since=min((tile.waits_since for tile in tiles if tile.waits_since is not None), default=None),
        behind=sum(gate.behind for gate in fleet.gates),
        crossings=crossings,
        passed=_percent(passed, crossings),
        airports=tuple(_airports(fleet, banks)),
        books=tuple(_books(fleet.books, fleet.tallies)),
        sealed=sum(hour.sealed for hour in fleet.hours),
        lists=tuple(_lists(fleet)),
        versions=tuple(VersionShown(name=words.VERSIONS[name], found=found) for name, found in _versions(fleet.gates).items()),
        uncollected=_uncollected(fleet),
        alerts=tuple(_alert(each) for each in fleet.alerts[:MOST_ALERTS]),
        alerts_left_out=max(0, len(fleet.alerts) - MOST_ALERTS),
    )


def bank_of(gate: str) -> str:
    """``CGK.D07`` → ``D``, ``DPS.DPS-arr-2`` → ``arr``: what gates are called that stand side by side."""
    name = name_of(gate)
    return _NUMBER.sub("", name) or name


def name_of(gate: str) -> str:
    """Without the airport, however often it stands in the name."""
    airport, _, name = gate.partition(".")
    return name.removeprefix(airport).lstrip("-_") or name


def civil(at: datetime, airport: str) -> datetime:
    """By the airport's clock; UTC where its zone is not known."""
    return at.astimezone(ZONES.get(airport, UTC))


# --- gates ------------------------------------------------------------------------------------------------------------------------


def _banks(fleet: Fleet, common: dict[str, str]) -> list[BankShown]:
    banks: dict[tuple[str, str], list[Gate]] = {}
    for gate in sorted(fleet.gates, key=_natural):
        banks.setdefault((gate.gate[:3], bank_of(gate.gate)), []).append(gate)
    return [
        BankShown(
            airport=airport,
            name=name,
            directions=tuple(DIRECTIONS[each] for each in sorted({gate.direction for gate in gates} & DIRECTIONS.keys())),
            serving=sum(_serves(gate, fleet.at) for gate in gates),
            tiles=tuple(_tile(gate, fleet.at, common) for gate in gates),
        )
        for (airport, name), gates in banks.items()
    ]


def _natural(gate: Gate) -> tuple[str, int, str]:
    """So that 10 comes after 9."""
    bank, number = bank_of(gate.gate), re.search(r"[0-9]+$", gate.gate)
    return f"{gate.gate[:3]} {bank}", int(number[0][:18]) if number else 0, gate.gate


def _serves(gate: Gate, now: datetime) -> bool:
    return _is_heard(gate, now) and STATE_TONES.get(gate.state.lower(), "busy") in {"good", "busy"} and gate.state != ""


def _is_heard(gate: Gate, now: datetime) -> bool:
    return gate.heard is not None and now - gate.heard <= SILENT


def _tile(gate: Gate, now: datetime, common: dict[str, str]) -> Tile:
    tone, state = _state(gate, now)
    heard = int(gate.heard.timestamp()) if gate.heard else None
    known = {name: version for name, version in gate.versions.items() if name in words.VERSIONS}
    return Tile(
        gate=gate.gate,
        name=name_of(gate.gate),
        tone=tone,
        state=state,
        lane=STATES.get(gate.state.lower(), (gate.state, gate.state)),
        heard=heard,
        waits_since=heard - round(gate.waiting_s) if heard and gate.waiting_s > 0 and _is_heard(gate, now) else None,
        behind=_coarse(gate.behind) if gate.behind > BEHIND else "",
        version=_badge(gate.versions.get("rules", "")),
        differs=tuple(words.VERSIONS[name] for name, version in sorted(known.items()) if common.get(name) != version),
        troubles=tuple(warning(text) for text in gate.troubles),
        versions=tuple((words.VERSIONS.get(name, (name, name)), version) for name, version in sorted(gate.versions.items())),
        days_left="" if gate.days_left is None else f"{gate.days_left:.0f}",
    )


def _state(gate: Gate, now: datetime) -> tuple[str, Words]:
    if gate.heard is None:
        return "bad", words.NEVER
    if not _is_heard(gate, now):
        return "bad", words.SILENT
    if not gate.state:
        return "bad", words.NO_LANE
    state = gate.state.lower()
    tone = STATE_TONES.get(state, "busy")
    return tone, words.SERVING if tone == "busy" and state in STATES else STATES.get(state, (state, state))


def _coarse(number: int) -> str:
    """To two digits, so that the page stays still while a gate catches up."""
    step = 10 ** max(0, len(str(number)) - 2)
    return f"{number // step * step:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _badge(version: str) -> str:
    """Of ``NAME@DIGEST`` the digest's beginning; else the first word."""
    short = version.partition(" ")[0]
    name, at, digest = short.partition("@")
    return f"@{digest[:DIGITS]}" if at else name[:MOST_BADGE]


# --- airports ---------------------------------------------------------------------------------------------------------------------


def _airports(fleet: Fleet, banks: Sequence[BankShown]) -> Iterator[Airport]:
    hours = {hour.airport: hour for hour in fleet.hours}
    for name in sorted({bank.airport for bank in banks} | hours.keys()):
        yield Airport(
            name=name,
            hour=hours.get(name) or Hour(airport=name, crossings=0, passed=0, median_s=None, p95_s=None, sealed=0),
            slots=tuple(sorted((slot for slot in fleet.slots if slot.airport == name), key=lambda slot: slot.at)),
            banks=tuple(bank for bank in banks if bank.airport == name),
        )


def _percent(hits: int, trials: int) -> float | None:
    return 100 * hits / trials if trials else None


# --- official books ---------------------------------------------------------------------------------------------------------------


def _books(books: Iterable[Books], tallies: Iterable[Tallied]) -> Iterator[BooksShown]:
    """Those that lie open, and those that only their gates can count, together: a gate counts none that lies open."""
    crossings, until = Counter[str](), dict[str, date]()
    stopped: dict[str, Counter[str]] = {}
    told = [(each.airport, each.outcome == Outcome.OPEN, causes_of(each.reasons, OFFICIAL)[0], each.crossings) for each in books]
    for tally in tallies:
        told.append((tally.airport, tally.passed, tally.cause, tally.crossings))
        until[tally.airport] = max(until.get(tally.airport, tally.until), tally.until)
    for airport, passed, cause, count in told:
        crossings[airport] += count
        if not passed:
            stopped.setdefault(airport, Counter())[cause] += count
    for airport, count in sorted(crossings.items()):
        yield replace(_books_of(airport, count, stopped.get(airport, Counter())), until=until.get(airport))


def _books_of(airport: str, crossings: int, stopped: Counter[str]) -> BooksShown:
    """A book counts under one cause, so that parts and whole say no more than each of them may."""
    if crossings < K:
        return BooksShown(airport=airport, crossings=None, passed=None, causes=())
    not_passed = stopped.total()
    told = all(number == 0 or number >= K for number in (not_passed, crossings - not_passed))
    if not told:
        return BooksShown(airport=airport, crossings=crossings, passed=None, causes=())
    apart = kept_apart(stopped)
    shown = [(words.CAUSES[cause], count) for cause, count in stopped.most_common() if cause in apart]
    shown, rest = shown[:MOST_CAUSES], not_passed - sum(count for _, count in shown[:MOST_CAUSES])
    shown += [(words.FEW, rest)] if rest else []
    causes = tuple(Cause(name=name, count=count, percent=100 * count / crossings) for name, count in shown)
    return BooksShown(airport=airport, crossings=crossings, passed=_percent(crossings - not_passed, crossings), causes=causes)


# --- lists, versions, alerts --------------------------------------------------------------------------------------------------------


def _lists(fleet: Fleet) -> Iterator[ListShown]:
    found: dict[str, dict[str, tuple[datetime, str]]] = {}
    for gate in fleet.gates:
        for name, text in gate.freshness.items():
            if (as_of := instant(text)) is not None:
                oldest, airport = found.setdefault(name, {}), gate.gate[:3]
                oldest[airport] = min(oldest.get(airport, (as_of, gate.gate)), (as_of, gate.gate))
    airports = sorted({gate.gate[:3] for gate in fleet.gates})
    for name, oldest in sorted(found.items()):
        yield ListShown(name=name, held=tuple(_held(*oldest[each], fleet.at) if each in oldest else None for each in airports))


def _held(as_of: datetime, gate: str, now: datetime) -> Held:
    age = now - as_of
    tone = "bad" if age > TOO_OLD else "warn" if age > OLD else "good"
    return Held(as_of=int(as_of.timestamp()), tone=tone, gate=name_of(gate))


def _versions(gates: Iterable[Gate]) -> dict[str, tuple[tuple[str, int], ...]]:
    counts: dict[str, Counter[str]] = {name: Counter() for name in words.VERSIONS}
    for gate in gates:
        for name in counts.keys() & gate.versions.keys():
            counts[name][gate.versions[name]] += 1
    return {name: tuple(sorted(found.items(), key=lambda item: (-item[1], item[0]))) for name, found in counts.items() if found}


def _uncollected(fleet: Fleet) -> int | None:
    if fleet.collected is not None and fleet.at - fleet.collected <= SILENT:
        return None
    return int(fleet.collected.timestamp()) if fleet.collected else 0


def _alert(alert: Alert) -> AlertShown:
    return AlertShown(words=words.alert(alert.code), gate=alert.gate, opened=int(alert.opened.timestamp()), detail=alert.detail)
