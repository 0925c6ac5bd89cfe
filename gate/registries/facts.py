"""From a registry's answer to a fact: what all adapters share."""

from __future__ import annotations

from typing import Any

from gate.evidence import CheckResult, Fact
from gate.registries.base import Found, NotListed, Unavailable, Why


def found(answer: Found[Any], word: str, result: CheckResult) -> Fact:
    return Fact(value=word, result=result, source=answer.source, as_of=answer.as_of)


def nothing_found(answer: NotListed | Unavailable, word: str, result: CheckResult) -> Fact:
    """``word`` where the registry knows nothing; ``unavailable`` where it did not say."""
    if isinstance(answer, NotListed):
        return Fact(value=word, result=result, source=answer.source, as_of=answer.as_of)
    return unavailable(answer.source, answer.why)


def unavailable(source: str, why: Why) -> Fact:
    """No usable answer: a check that did not end (TR-03135 §3.5)."""
    return Fact(value="unavailable", result=CheckResult.ABORTED, code=why, source=source)
