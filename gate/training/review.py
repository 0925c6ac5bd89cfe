"""What an officer, and whoever trains them, reads afterwards: one session in words, as a page and as text, and a class in a table."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from gate.training.case import Case, packaged_rules, why_words, words_of
from gate.training.score import LOST, PASS
from gate.training.session import Line, Session
from gate.ui import words
from gate.ui.exercise import EXERCISE
from gate.ui.reasons import reason

GRAVITIES: dict[str, words.Words] = {
    "minor": ("ringan", "minor"),
    "serious": ("berat", "serious"),
    "critical": ("fatal", "critical"),
}
KINDS: dict[str, words.Words] = {
    "right": ("Tepat", "Right"),
    "half": ("Tepat, alasan lain tercatat", "Right, with another reason on record"),
    "missed": ("Tidak dilakukan", "Not done"),
    "wrong": ("Salah", "Wrong"),
    "look": ("Diperiksa", "Looked at"),
    "look_missed": ("Tidak diperiksa lebih dulu", "Not looked at first"),
    "time": ("Waktu", "Time"),
}
STATUSES: dict[str, words.Words] = {
    "seen": ("tertulis pada sumber", "read in a source"),
    "inferred": ("disimpulkan dari sumber", "inferred from a source"),
    "design_assumption": ("asumsi proyek ini", "an assumption of this project"),
}
LABELS: dict[str, words.Words] = {name: label for _, group in words.CHECK_TREE for name, label in group}
TONES = {"right": "good", "half": "warn", "look": "good", "time": "good", "missed": "bad", "look_missed": "warn", "wrong": "bad"}
VOID = (
    "Gerbang tidak menemukan apa yang diceritakan kasus ini; latihan tidak dinilai.",
    "The gate did not find what this case is about; nothing is scored.",
)


@cache
def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("review.html")


@cache
def style() -> str:
    """The page's style sheet: a page on the disk carries it, a served one names it."""
    return (Path(__file__).parent / "page" / "review.css").read_text(encoding="utf-8")


def page(session: Session, case: Case, *, whole: bool) -> str:
    """The review as HTML. ``whole``: with its style sheet inside."""
    return _template().render(
        session=session,
        case=case,
        style=style() if whole else "",
        exercise=EXERCISE,
        void=VOID,
        passing=PASS,
        rules=[packaged_rules()[each] for each in case.rules],
        statuses=STATUSES,
        evidence=_evidence(session),
        looked={each.look: each.after_s for each in session.looked},
        outcome=words.OUTCOMES[session.outcome],
        lines=lines(session, case),
        mistakes=[
            (words_of(session.place, each.action), each.why, GRAVITIES[each.grave], LOST[each.grave]) for each in case.wrong
        ],
        expected=[
            (words_of(session.place, act.action), [why_words(session.place, each) for each in act.reasons], act.why)
            for act in case.expected
        ],
        acts=[_act(session, number) for number in range(len(session.done))],
    )


def _evidence(session: Session) -> list[dict[str, object]]:
    """Every decision that the officer was shown: its reasons in words, and its facts in the order of the check tree."""
    return [
        {
            "outcome": words.OUTCOMES[shown.outcome],
            "code": shown.outcome,
            "rules": shown.rules,
            "reasons": [(code, reason(code).words) for code in shown.reasons],
            "facts": [
                (label, fact.value, words.RESULTS[fact.result], fact.result)
                for name, label in LABELS.items()
                if (fact := shown.facts.get(name)) is not None
            ],
        }
        for shown in session.shown
    ]


def _act(session: Session, number: int) -> dict[str, object]:
    done = session.done[number]
    return {
        "words": words_of(session.place, done.action),
        "reason": why_words(session.place, done.reason),
        "after_s": done.after_s,
        "refused": done.refused,
        "shown": done.shown + 1,
        "looked": [each.look for each in session.looked if each.after_s <= done.after_s],
    }


def lines(session: Session, case: Case) -> list[dict[str, object]]:
    """The score, line by line, in words: what a page places."""
    return [_line(line, session, case) for line in session.score.lines]


def _line(line: Line, session: Session, case: Case) -> dict[str, object]:
    what = words_of(session.place, line.action) if line.kind not in {"look", "look_missed", "time"} else None
    return {
        "kind": KINDS[line.kind],
        "tone": TONES[line.kind] if line.kind != "time" or line.points == line.most else "warn",
        "what": what,
        "why": line.why if line.kind != "time" else (f"seharusnya {case.time_s} detik", f"should take {case.time_s} s"),
        "grave": GRAVITIES[line.grave] if line.grave else None,
        "points": line.points,
        "most": line.most,
        "after_s": line.after_s,
    }


def text(session: Session, case: Case) -> str:
    """The review for a terminal."""
    score = session.score
    verdict = "VOID" if score.void else "PASSED" if score.passed else "NOT PASSED"
    told = [
        f"{EXERCISE[0]} · {EXERCISE[1]}",
        f"{case.title[1]} ({case.id}) · {session.officer} · {score.points}/100 {verdict}",
        *((VOID[1],) if score.void else ()),
    ]
    rules = (packaged_rules()[name] for name in case.rules)
    told += [f"  rule {each.id}: {each.note_en} [{each.basis}; {STATUSES[each.source_status][1]}]" for each in rules]
    for line in score.lines:
        what = f"{words_of(session.place, line.action)[1]}: " if line.kind in {"right", "half", "missed", "wrong"} else ""
        after = f" after {line.after_s:.0f} s" if line.after_s is not None else ""
        grave = f" [{line.grave}]" if line.grave else ""
        why = line.why[1] if line.kind != "time" else f"should take {case.time_s} s"
        told.append(f"  {line.points:+4d}  {KINDS[line.kind][1]}{after}{grave}: {what}{why}")
    return "\n".join(told)


def class_table(held: Iterable[Session]) -> dict[str, dict[str, dict[str, int | bool]]]:
    """By officer and case: how often, the best and the last points, and whether it was ever passed. What was void counts for nothing."""
    table: dict[str, dict[str, dict[str, int | bool]]] = {}
    for session in held:
        if session.score.void:
            continue
        rows = table.setdefault(session.officer, {})
        before = rows.get(session.case, {"tries": 0, "best": 0, "last": 0, "passed": False})
        rows[session.case] = {
            "tries": before["tries"] + 1,
            "best": max(before["best"], session.score.points),
            "last": session.score.points,
            "passed": bool(before["passed"]) or session.score.passed,
        }
    return table


def class_text(table: dict[str, dict[str, dict[str, int | bool]]]) -> str:
    """The class for a terminal: a line for each officer and case."""
    told = [f"{EXERCISE[0]} · {EXERCISE[1]}", f"{'officer':<20} {'case':<24} {'tries':>5} {'last':>5} {'best':>5}  passed"]
    for officer, rows in sorted(table.items()):
        for case, row in sorted(rows.items()):
            passed = "yes" if row["passed"] else "no"
            told.append(f"{officer:<20} {case:<24} {row['tries']:>5} {row['last']:>5} {row['best']:>5}  {passed}")
        passed_cases = sum(bool(row["passed"]) for row in rows.values())
        told.append(f"{officer:<20} {'passed':<24} {passed_cases:>5} of {len(rows)}")
    return "\n".join(told)
