"""Made-up books of many offices at the gates of two airports, three offices with a deviation: as records, and as real audit logs.

``python -m benchmarks.sop_data --out DIR [--seed 7]`` writes a state folder per gate. Rates, sizes and names are invented. One gate has
a bad chip reader, and the offices near it send most of their books there: that is the gate's fault, and no report may call it theirs.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

from benchmarks.soak_cases import Case
from gate.audit.log import FILE_NAME, KEY_FILE, AuditLog
from gate.evidence import CheckResult, Direction, Evidence, Fact, Stage
from gate.outcome import Outcome, PolicyDecision
from gate.records import DecisionRecord, SopStage, SopTrail, TransactionRecord
from gate.report.sop import sop_report
from gate.sop import SPPT_2014, STAGES

GATES = {"CGK": ("cgk-1", "cgk-2", "cgk-3"), "DPS": ("dps-1", "dps-2")}
BAD_READER, BAD_READER_RATE = "dps-2", 0.12
DIRECTIONS = (Direction.ARRIVAL, Direction.DEPARTURE)
KEY = b"k" * 64
WIB = timezone(timedelta(hours=7))
FIRST_DAY = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
DECREE = datetime(2025, 12, 1, 9, 0, tzinfo=WIB)

PLANTED = {"MISSING_INTERVIEW": 0.7, "chip": 0.45, "biometric record": 0.95}
"""The three deviations, and how many of the office's books show each (the last: of its official books)."""
SMALLEST_PLANTED = 80
"""Books of an office that is given one. With 60 books and chips at 0.35 one of 1,200 planted offices was not seen: so much is chance."""
RATES = {
    "chip": 0.015,
    "electronic proof": 0.005,
    "biometric record": 0.02,
    "exit permit": 0.03,
    "face": 0.025,
    "registry silent": 0.01,
}
CODES = {
    "chip": "CHIP_UNREADABLE",
    "electronic proof": "NO_TRUST_ANCHOR",
    "biometric record": "NO_BIOMETRIC_RECORD",
    "exit permit": "EXIT_PERMIT_MISSING",
    "face": "FACE_NO_MATCH",
    "registry silent": "WATCHLIST_UNAVAILABLE",
}
OFFICIAL_ONLY = frozenset({"biometric record", "exit permit"})
FLAWS = {"MISSING_PAYMENT": 0.01, "SAME_OFFICER": 0.01, "LATE": 0.02, "OUT_OF_ORDER": 0.005}
"""Everybody's share of audit flags."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All crossings, and which office was given which deviation."""

    records: tuple[TransactionRecord, ...]
    planted: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    name: str
    books: int
    at_dps: float
    deviation: str = ""


def world(dice: random.Random, offices: int = 30, *, planted: bool = True) -> World:
    """``offices`` of very different size, three of them with a deviation unless not ``planted``."""
    sizes = [min(240, 4 + int(dice.expovariate(1 / 60))) for _ in range(offices)]
    if planted:
        sizes[:3] = [max(size, SMALLEST_PLANTED) for size in sizes[:3]]
    kinds = [*PLANTED] if planted else []
    dice.shuffle(kinds)
    made = [
        Office(
            name=f"Kanim {number:02}",
            books=size,
            at_dps=dice.choice((0.05, 0.3, 0.9)),
            deviation=kinds[number] if number < len(kinds) else "",
        )
        for number, size in enumerate(sizes)
    ]
    records = sorted((record for office in made for record in _crossings(dice, office)), key=lambda record: record.started)
    return World(records=tuple(records), planted={office.name: office.deviation for office in made if office.deviation})


def _crossings(dice: random.Random, office: Office) -> Iterator[TransactionRecord]:
    for number in range(office.books):
        document_class = dice.choices(("ordinary", "service", "diplomatic"), (60, 32, 8))[0]
        trail, checkpoint = _trail(dice, office), "DPS" if dice.random() < office.at_dps else "CGK"
        lane = dice.choice(GATES[checkpoint])
        for _ in range(1 + (dice.random() < 0.1)):  # some come back
            book = f"{office.name}/{number}"
            yield _crossing(
                dice,
                book=book,
                document_class=document_class,
                trail=trail,
                checkpoint=checkpoint,
                lane=lane,
                deviation=office.deviation,
            )


def _trail(dice: random.Random, office: Office) -> SopTrail:
    rates = {**FLAWS, **({office.deviation: PLANTED[office.deviation]} if office.deviation == "MISSING_INTERVIEW" else {})}
    flaws = {flaw for flaw, rate in rates.items() if dice.random() < rate}
    begun, stages = DECREE + timedelta(days=7 * dice.randrange(10), minutes=dice.randrange(300)), []
    for place, name in enumerate(STAGES):
        day = (0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4)[place] + (14 if "LATE" in flaws and place >= STAGES.index("signing") else 0)
        stages.append(SopStage(name=name, at=begun + timedelta(days=day, minutes=10 * place), office=office.name))
    if "OUT_OF_ORDER" in flaws:
        stages[1], stages[2] = stages[2], stages[1]
    return SopTrail(
        sop_version=SPPT_2014,
        issuing_office=office.name,
        capturing_office=office.name,
        stages=tuple(stage for stage in stages if f"MISSING_{stage.name.upper()}" not in flaws),
        distinct_approver="SAME_OFFICER" not in flaws,
    )


def _crossing(
    dice: random.Random, *, book: str, document_class: str, trail: SopTrail, checkpoint: str, lane: str, deviation: str
) -> TransactionRecord:
    rates = dict(RATES)
    if deviation in rates:
        rates[deviation] = PLANTED[deviation]
    if lane == BAD_READER:
        rates["chip"] = max(rates["chip"], BAD_READER_RATE)
    direction = DIRECTIONS[GATES[checkpoint].index(lane) % 2]
    impossible = OFFICIAL_ONLY if document_class == "ordinary" else {"exit permit"} if direction is Direction.ARRIVAL else set()
    causes = [cause for cause in rates if cause not in impossible]
    reasons = tuple(CODES[cause] for cause in causes if dice.random() < rates[cause])[:1]
    outcome, transaction = Outcome.COUNTER if reasons else Outcome.OPEN, f"{dice.getrandbits(128):032x}"
    started = FIRST_DAY + timedelta(seconds=dice.randrange(30 * 86_400))
    evidence = Evidence(
        transaction=transaction,
        lane=lane,
        checkpoint=checkpoint,
        direction=direction,
        civil_date=date(2026, 3, 2),
        facts={"profile": Fact(value="trial", result=CheckResult.SUCCESSFUL)},
    )
    decision = PolicyDecision(
        stage=Stage.EXIT, outcome=outcome, reasons=reasons, grant=None, rules=(), tolerances=(), unmet=(), rules_version="made-up"
    )
    return TransactionRecord(
        transaction=transaction,
        lane=lane,
        checkpoint=checkpoint,
        direction=direction,
        started=started,
        ended=started + timedelta(seconds=9),
        document_class=document_class,
        document_key=book,
        outcome=outcome,
        reasons=reasons,
        stages=(),
        decisions=(DecisionRecord(at=started, evidence=evidence, decision=decision),),
        backends={},
        demonstration=False,
        trail=trail,
    )


def write_logs(records: Iterable[TransactionRecord], folder: Path) -> list[Path]:
    """A state folder per gate, each with a real audit log. Returns the folders."""
    logs: dict[str, AuditLog] = {}
    for record in records:
        if record.lane not in logs:
            state = folder / record.lane
            state.mkdir(parents=True)
            (state / KEY_FILE).write_bytes(KEY)
            logs[record.lane] = AuditLog(state / FILE_NAME, KEY)
            logs[record.lane]._connection.execute("PRAGMA synchronous = OFF")  # made-up records need not outlive a power cut
        logs[record.lane].append("transaction", record.transaction, record, record.ended, 1.0)
    for log in logs.values():
        log.close()
    return [folder / lane for lane in sorted(logs)]


def named(records: Iterable[TransactionRecord]) -> set[tuple[str, str]]:
    """The offices that the report says depart, each with the finding."""
    return {(each.question.office, each.question.finding) for each in sop_report(records).departures}


@contextmanager
def sop_offices() -> Iterator[Case]:
    """One month of 30 offices a case: those with a deviation are named, and how often is anybody else?"""

    def case(dice: random.Random) -> str:
        made = world(dice)
        found, wanted = named(made.records), set(made.planted.items())
        assert wanted <= found, f"not seen: {wanted - found}"
        return "exactly the three" if found == wanted else "another one besides"

    yield case


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sop_data", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    made = world(random.Random(options.seed))
    print(*write_logs(made.records, options.out), made.planted, sep="\n")


if __name__ == "__main__":
    main()
