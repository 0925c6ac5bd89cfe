"""What the officer page draws: an :class:`OfficerView` in words, tones and groups, as JSON. The page's script only places it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec

from gate.evidence import IN_SNAPSHOT, CheckResult, Fact
from gate.outcome import Outcome
from gate.processes.messages import OfficerView
from gate.records import DecisionRecord, InspectionCheck, StageTiming, TransactionRecord
from gate.ui import words
from gate.ui.reasons import reason
from gate.ui.words import Words

ZONES = {
    "CGK": timezone(timedelta(hours=7), "WIB"),
    "SUB": timezone(timedelta(hours=7), "WIB"),
    "DPS": timezone(timedelta(hours=8), "WITA"),
}
"""Civil time of the checkpoints; any other is shown in UTC and says so."""

OUTCOME_TONES = {
    Outcome.OPEN: "good",
    Outcome.RETRY: "warn",
    Outcome.COUNTER: "warn",
    Outcome.SECONDARY: "bad",
    Outcome.HOLD: "bad",
}

Json = dict[str, Any]


def encode(view: OfficerView | None) -> Mapping[str, bytes]:
    """Two parts: ``lane`` (state, running transaction, referral) and ``ended`` (the list), so that the list travels only when it grew."""
    if view is None:
        return {"lane": b"null"}
    return {
        "lane": msgspec.json.encode(_lane(view)),
        "ended": msgspec.json.encode([_ended(record) for record in view.ended]),
    }


def _lane(view: OfficerView) -> Json:
    return {
        "name": view.lane,
        "checkpoint": view.checkpoint,
        "direction": _words(words.DIRECTIONS, view.direction),
        "profile": view.profile,
        "tiles": _tiles(view),
        "doors": {"entry": view.entry.lower(), "exit": view.exit.lower(), "occupancy": _occupancy(view)},
        "warnings": [words.warning(text) for text in view.warnings],
        "running": _running(view),
        "referral": _referral(view),
    }


def _tiles(view: OfficerView) -> list[Json]:
    def tile(name: Words, table: Mapping[str, Words], word: str, tone: str) -> Json:
        return {"name": name, "value": _words(table, word), "tone": tone}

    state, controller, occupancy = view.state.lower(), view.controller.lower(), _occupancy(view)
    entry = (tile(("Pintu masuk", "Entry"), words.LEAVES, view.entry.lower(), _leaf_tone(view.entry)),)
    return [
        tile(("Lajur", "Lane"), words.STATES, state, words.STATE_TONES.get(state, "busy")),
        tile(("Pengendali", "Controller"), words.CONTROLLERS, controller, "good" if controller == "ready" else "bad"),
        *(entry if view.entry != words.NO_LEAF else ()),
        tile(("Pintu keluar", "Exit"), words.LEAVES, view.exit.lower(), _leaf_tone(view.exit)),
        tile(("Di dalam", "Inside"), words.OCCUPANCIES, occupancy, {"none": "good", "one": "busy"}.get(occupancy, "warn")),
        *(
            [tile(("Panel pembaca", "Reader panel"), words.PANELS, view.panel, "good" if view.panel == "ready" else "bad")]
            * bool(view.panel)
        ),
        *([tile(("Panggilan", "Call"), words.PANELS, "assistance", "warn")] * view.assistance),
    ]


def _occupancy(view: OfficerView) -> str:
    """The count as a word; whatever is no count is uncertain, and that is not 1."""
    if not view.occupancy.isdecimal():
        return "uncertain"
    return {0: "none", 1: "one"}.get(int(view.occupancy), "many")


def _leaf_tone(leaf: str) -> str:
    return {"locked": "good", "opening": "busy", "open": "busy", "closing": "busy"}.get(leaf.lower(), "warn")


def _running(view: OfficerView) -> Json | None:
    if not view.transaction:
        return None
    return {
        "transaction": view.transaction,
        "stages": [_stage(stage) for stage in view.stages],
        "outcome": None if view.outcome is None else _outcome(view.outcome),
    }


def _referral(view: OfficerView) -> Json | None:
    """What an officer is to know of the running transaction, else of the last one that ended; None where neither was referred or annotated."""
    if view.transaction and view.outcome is not None and (view.outcome is not Outcome.OPEN or view.reasons):
        return {
            "transaction": view.transaction,
            "now": True,
            "outcome": _outcome(view.outcome),
            "reasons": _reasons(view.reasons),
        }
    last = view.ended[0] if view.ended and not view.transaction else None
    if last is not None and (last.outcome is not Outcome.OPEN or _told(last)):
        return {
            "transaction": last.transaction,
            "now": False,
            "outcome": _outcome(last.outcome),
            "reasons": _reasons(_told(last)),
        }
    return None


def _told(record: TransactionRecord) -> tuple[str, ...]:
    """Why it ended as it did, and what else an officer is told."""
    return (*record.reasons, *(record.decisions[-1].decision.annotations if record.decisions else ()))


def _ended(record: TransactionRecord) -> Json:
    return {
        "transaction": record.transaction,
        "time": _civil(record.started, record.checkpoint),
        "class": _words(words.CLASSES, record.document_class),
        "outcome": _outcome(record.outcome),
        "reasons": _reasons(_told(record)),
        "seconds": round((record.ended - record.started).total_seconds(), 1),
        "stages": [_stage(stage) for stage in record.stages],
        "checks": [*_check_tree(record.decisions), *inspection(record.inspection)],
        "decisions": [_decision(decision) for decision in record.decisions],
        "backends": record.backends,
        "demonstration": record.demonstration,
    }


def _stage(stage: StageTiming) -> Json:
    return {
        "name": stage.name.replace("_", " "),
        "room": stage.room,
        "start": stage.start_ms,
        "duration": stage.duration_ms,
        "result": stage.result.replace("_", " "),
        "tone": _result_tone(stage.result),
    }


def _result_tone(result: str) -> str:
    """TR-03135-1 §3.5.2: green, red, yellow, grey. A word that is none of the results gets the neutral tone."""
    try:
        known = CheckResult(result)
    except ValueError:
        return {"OPEN": "good", "executed": "good"}.get(result, "busy")
    return {CheckResult.SUCCESSFUL: "good", CheckResult.FAILED: "bad", CheckResult.UNDETERMINED: "warn"}.get(known, "grey")


def _check_tree(decisions: Iterable[DecisionRecord]) -> list[Json]:
    """Every fact of the newest evidence in its group."""
    facts: Mapping[str, Fact] = {}
    for decision in decisions:
        facts = {**facts, **decision.evidence.facts}
    return check_tree(facts)


def check_tree(facts: Mapping[str, Fact]) -> list[Json]:
    """``facts`` in their groups and colours; one that nobody delivered stands there as not performed."""
    return [
        {"name": name, "checks": [{"name": check, **_check(facts.get(fact, Fact()))} for fact, check in members]}
        for name, members in words.CHECK_TREE
    ]


def inspection(checks: tuple[InspectionCheck, ...]) -> list[Json]:
    """The electronic proof step by step, as a group of its own; none where there was none."""
    steps = [
        {
            "name": _words(words.INSPECTION_STEPS, check.name),
            "value": f"{check.step}",
            "result": words.RESULTS[check.result],
            "tone": _result_tone(check.result),
            "code": check.code,
            "source": check.detail,
            "score": None,
            "threshold": None,
        }
        for check in checks
    ]
    return [{"name": words.INSPECTION, "checks": steps}] if steps else []


def _check(fact: Fact) -> Json:
    return {
        "value": "" if fact.value == fact.result else fact.value.replace("_", " "),  # the result's own word says it
        "result": words.RESULTS[fact.result],
        "tone": _result_tone(fact.result),
        "code": fact.code or _age(fact),
        "source": fact.source,
        "score": fact.score,
        "threshold": fact.threshold,
    }


def _age(fact: Fact) -> str:
    """Of when a copy is that spoke in place of its registry."""
    return f"{fact.as_of:%Y-%m-%d %H:%M %Z}" if fact.as_of and fact.value.endswith(IN_SNAPSHOT) else ""


def _decision(record: DecisionRecord) -> Json:
    decision = record.decision
    return {
        "stage": decision.stage,
        "outcome": _outcome(decision.outcome),
        "grant": decision.grant or "",
        "rules": decision.rules,
        "tolerances": decision.tolerances,
        "unmet": decision.unmet,
        "version": decision.rules_version,
    }


def _outcome(outcome: Outcome) -> Json:
    return {"code": outcome, "words": words.OUTCOMES[outcome], "tone": OUTCOME_TONES[outcome]}


def _reasons(codes: Iterable[str]) -> list[Json]:
    return [{"code": code, "words": reason(code).words, "checks": reason(code).checks} for code in codes]


def _words(table: Mapping[str, Words], word: str) -> Words:
    """The words for ``word``; the word itself where the table does not know it, so that nothing is hidden."""
    return table.get(word, (word, word))


def _civil(at: datetime, checkpoint: str) -> str:
    return at.astimezone(ZONES.get(checkpoint, UTC)).strftime("%H:%M:%S %Z")
