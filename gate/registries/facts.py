"""From a registry's answer to a fact: what all adapters share."""

from __future__ import annotations

from typing import Any

from gate.evidence import IN_SNAPSHOT, CheckResult, Fact
from gate.registries.answers import unanswered
from gate.registries.base import Found, NotListed, Unavailable, Why


def found(answer: Found[Any] | NotListed, word: str, *, good: bool) -> Fact:
    """``word`` as the registry gave it. Good news out of a snapshot says so; bad news is as bad from there."""
    told = word + IN_SNAPSHOT if good and answer.from_snapshot else word
    result = CheckResult.SUCCESSFUL if good else CheckResult.FAILED
    return Fact(value=told, result=result, source=answer.source, as_of=answer.as_of)


def nothing_found(answer: NotListed | Unavailable, word: str, *, good: bool = False) -> Fact:
    """``word`` where the registry knows nothing; ``unavailable`` where it did not say."""
    if isinstance(answer, NotListed):
        return found(answer, word, good=good)
    return unavailable(answer.source, answer.why)


def unavailable(source: str, why: Why) -> Fact:
    """No usable answer: a check that did not end (TR-03135 §3.5)."""
    return unanswered("", source, why)
