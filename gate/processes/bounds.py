"""How much a worker may say: a record that grew over the log's limit would stop the lane, so whatever a peer sends is cut to size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import islice

import msgspec

from gate.evidence import VOCABULARY, Fact
from gate.records import InspectionCheck, SopTrail, StageTiming

MOST_STAGES = 100
"""Stages of a transaction: an honest one has about thirty."""
MOST_CHECKS = 32
"""Checks of an inspection: an honest record has fifteen."""
BACKENDS = {
    "reader": ("scanner", "chip", "mrz", "pki", "trust"),
    "vision": ("face", "pad", "camera"),
    "registries": ("registries",),
    "panel": ("panel",),
}
"""What each role tells of, when it joins, for the records to name."""
LONGEST_LABEL = 480
"""Characters of what names a backend: a face pack's licence and the waiver it runs under stand there whole."""
LONGEST_WORD = 160
"""Characters of a code, a name or a result: the longest honest one is a parser's error, cut at 120."""


def bounded_words(text: str) -> str:
    """``text`` for people: what could turn letters round or move a cursor shows as ``?``."""
    return "".join(each if each.isprintable() else "?" for each in text[:LONGEST_WORD])


def bounded_facts(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    """The facts that exist, with words of bounded length and scores that are numbers."""
    return {name: _bounded(fact) for name, fact in facts.items() if name in VOCABULARY}


def _bounded(fact: Fact) -> Fact:
    return msgspec.structs.replace(
        fact,
        value=fact.value[:LONGEST_WORD],
        code=fact.code[:LONGEST_WORD],
        source=fact.source[:LONGEST_WORD],
        score=_finite(fact.score),
        threshold=_finite(fact.threshold),
    )


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def bounded_stages(stages: Iterable[StageTiming], room: int) -> tuple[StageTiming, ...]:
    """At most ``room`` of the stages, those with impossible times left out (JSON has no word for them)."""
    possible = (stage for stage in stages if math.isfinite(stage.start_ms) and math.isfinite(stage.duration_ms))
    return tuple(
        msgspec.structs.replace(
            stage, name=stage.name[:LONGEST_WORD], result=stage.result[:LONGEST_WORD], room=stage.room[:LONGEST_WORD]
        )
        for stage in islice(possible, max(0, room))
    )


def bounded_inspection(checks: Iterable[InspectionCheck]) -> tuple[InspectionCheck, ...]:
    """At most ``MOST_CHECKS``, with words of bounded length and numbers that number them."""
    return tuple(
        msgspec.structs.replace(
            check,
            name=check.name[:LONGEST_WORD],
            group=check.group[:LONGEST_WORD],
            code=check.code[:LONGEST_WORD],
            detail=check.detail[:LONGEST_WORD],
        )
        for check in islice((check for check in checks if 0 < check.step <= MOST_CHECKS), MOST_CHECKS)
    )


def bounded_trail(trail: SopTrail) -> SopTrail:
    """At most ``MOST_CHECKS`` stages and flags, with words of bounded length."""
    return msgspec.structs.replace(
        trail,
        sop_version=trail.sop_version[:LONGEST_WORD],
        issuing_office=trail.issuing_office[:LONGEST_WORD],
        capturing_office=trail.capturing_office[:LONGEST_WORD],
        stages=tuple(
            msgspec.structs.replace(stage, name=stage.name[:LONGEST_WORD], office=stage.office[:LONGEST_WORD])
            for stage in trail.stages[:MOST_CHECKS]
        ),
        flags=tuple(flag[:LONGEST_WORD] for flag in trail.flags[:MOST_CHECKS]),
    )


def bounded_backends(role: str, backends: Mapping[str, str]) -> dict[str, str]:
    """What a peer may say of itself: a page cannot hide that the recogniser is for demonstration."""
    return {name: what[:LONGEST_LABEL] for name, what in backends.items() if name in BACKENDS.get(role, ())}
