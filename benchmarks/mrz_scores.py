"""How readings of pictures are judged, counted and shown: the same for every reader."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import mrz

SHAPES = {3: ((30, 2),), 2: ((44, 0), (36, 0))}
"""Lines → their lengths, and which of the lines ends with the name."""
LEAST_ROW, LONGEST_CARD_ROW = 25, 33
GROUPS = (
    "large",
    "small",
    "large, turned",
    "small, turned",
    "check digits wrong in the document",
    "not ICAO's layout",
    "no zone",
)
COUNTS = ("exact", "accepted", "wrong")
NO_ANSWER = "no answer"
"""The reason where a reader's process died or hung: such a time is none."""


def group(image: dict[str, Any], turn: int) -> str:
    """Which of ``GROUPS`` a picture belongs to."""
    if not image.get("lines"):
        return "no zone"
    if image.get("format") == "FRA-ID":
        return "not ICAO's layout"
    if "check_digits" in image:
        return "check digits wrong in the document"
    return f"{image.get('size', 'large')}{', turned' if turn else ''}"


def tidy(rows: Sequence[str]) -> tuple[str, ...]:
    """The zone among ``rows`` of text: the lowest two or three that have its shape once fillers at the end of the name are made up;
    else the lowest that look like it.
    """
    clean = [re.sub("[^0-9A-Z<]", "", row.upper().replace("«", "<<").replace("‹", "<")) for row in rows]
    likely = [row for row in clean if len(row) >= LEAST_ROW and ("<" in row or re.search(r"\d{6}", row))]
    for count, shapes in SHAPES.items():
        for last in range(len(likely), count - 1, -1):
            for length, name in shapes:
                found = likely[last - count : last]
                if found[name].endswith("<"):
                    found[name] = found[name].rstrip("<").ljust(length, "<")
                if all(len(row) == length for row in found):
                    return tuple(found)
    return tuple(likely[-3:] if likely and len(likely[-1]) <= LONGEST_CARD_ROW else likely[-2:])


def judge(reader: str, image: dict[str, Any], turn: int, answer: dict[str, Any]) -> dict[str, Any]:
    """One answer, judged by the truth. A reader that gives no verdict of its own vouches for text that parses with all check digits right."""
    truth = tuple(image.get("lines", ()))
    own_verdict = "accepted" in answer
    lines = tuple(answer["lines"]) if own_verdict else tidy(answer["lines"])
    accepted = bool(answer["accepted"]) if own_verdict else _check_digits_agree(lines)
    return {
        "reader": reader,
        "image": image["name"],
        "group": group(image, turn),
        "turn": turn,
        "exact": bool(truth) and lines == truth,
        "accepted": accepted,
        "wrong": accepted and lines != truth,
        "read": lines,
        "reason": answer.get("reason", ""),
        "ms": round(answer["ms"], 2),
        "cpu_ms": round(answer["cpu_ms"], 2),
    }


def _check_digits_agree(lines: tuple[str, ...]) -> bool:
    try:
        return mrz.parse(lines).check_digits_ok
    except mrz.MrzError:
        return False


def table(results: Sequence[dict[str, Any]], cold: Mapping[str, float]) -> dict[str, Any]:
    """Reader → counts of each group, and milliseconds. ``cold``: reader → milliseconds to its first answer."""
    return {reader: _figures([each for each in results if each["reader"] == reader], first) for reader, first in cold.items()}


def _figures(results: Sequence[dict[str, Any]], cold: float) -> dict[str, Any]:
    counts = {}
    for name in GROUPS:
        held = [each for each in results if each["group"] == name]
        counts[name] = {"n": len(held), **{key: sum(each[key] for each in held) for key in COUNTS}}
    upright = [each for each in results if each["turn"] == 0 and each["reason"] != NO_ANSWER] or [{"ms": 0.0, "cpu_ms": 0.0}]
    times = sorted(each["ms"] for each in upright)
    return {
        "groups": counts,
        "median_ms": round(statistics.median_low(times), 1),
        "p90_ms": round(times[-(-len(times) * 9 // 10) - 1], 1),
        "cpu_ms": round(statistics.median_low(each["cpu_ms"] for each in upright), 1),
        "cold_ms": round(cold),
    }


def shown(report: dict[str, Any]) -> Iterator[str]:
    """The report as lines of text."""
    for name in GROUPS:
        rows = [(reader, told["groups"][name]) for reader, told in report.items() if told["groups"][name]["n"]]
        if rows:
            yield f"\n{name} ({rows[0][1]['n']})"
            yield f"  {'':16}{'exact':>12}{'accepted':>12}{'wrong':>7}{'refused':>9}"
        for reader, of in rows:
            exact, accepted = (f"{of[key]} {100 * of[key] / of['n']:3.0f} %" for key in ("exact", "accepted"))
            yield f"  {reader:16}{exact:>12}{accepted:>12}{of['wrong']:>7}{of['n'] - of['accepted']:>9}"
    yield f"\n{'milliseconds':18}{'median':>12}{'p90':>12}{'processor':>11}{'cold':>9}"
    for reader, told in report.items():
        yield f"  {reader:16}{told['median_ms']:>12}{told['p90_ms']:>12}{told['cpu_ms']:>11}{told['cold_ms']:>9}"
