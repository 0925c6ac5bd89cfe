"""A second opinion on a rule set: reads the files and judges a case by itself, slowly and without a line of ``gate.policy``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

GRAVEST_FIRST = ("HOLD", "SECONDARY", "COUNTER", "RETRY")

Case = Mapping[str, tuple[str, bool, datetime | None]]
"""Fact → its word, whether its check ended successfully, and of when the data behind it are. A fact that is not there was not performed."""
Place = tuple[str, str]
"""Direction, stage."""
AHEAD = timedelta(minutes=1)
"""How far ahead of now data may be of."""


class Oracle:
    """The rule files of one folder."""

    def __init__(self, folder: Path) -> None:
        grants = tomllib.loads((folder / "grants.toml").read_text(encoding="utf-8"))
        self._grants: list[dict[str, Any]] = grants["grant"]
        self._sets = {each["id"]: each for each in grants["requirement_set"]}
        self._tolerances = {each["id"]: each for each in grants.get("tolerance", [])}
        self._rules: list[dict[str, Any]] = tomllib.loads((folder / "rules.toml").read_text(encoding="utf-8"))["rule"]

    def outcome(self, case: Case, place: Place, now: datetime) -> str:
        """What the gate must do: a grant and no rule opens; else the gravest rule speaks; else COUNTER."""
        direction, stage = place
        seen = {fact: word for fact, (word, _, _) in case.items()} | {"direction": direction, "stage": stage}
        for unasked in ("guardian", "document_model"):
            seen.setdefault(unasked, "not_performed")
        fired = {
            rule["outcome"]
            for rule in self._rules
            if _in_force(rule, now) and all(seen.get(fact) in words for fact, words in rule["when"].items())
        }
        for outcome in GRAVEST_FIRST:
            if outcome in fired:
                return outcome
        granted = any(self._satisfied(grant, case, place, now) for grant in self._grants)
        return "OPEN" if granted else "COUNTER"

    def _satisfied(self, grant: dict[str, Any], case: Case, place: Place, now: datetime) -> bool:
        direction, stage = place
        if not _in_force(grant, now) or grant["direction"] != direction:
            return False
        needs = {"document_class": [grant["class"]], **grant.get("require", {})}
        for name in grant["require_sets"]:
            if self._sets[name].get("stage", stage) == stage:
                needs.update(self._sets[name]["require"])
        profile = case.get("profile", ("", False, None))[0]
        for fact, accepted in needs.items():
            word, proven, as_of = case.get(fact, ("not_performed", False, None))
            if word in accepted and proven:
                continue
            named = (self._tolerances[name] for name in grant.get("tolerances", []))
            if not any(
                (each["fact"], each["value"]) == (fact, word)
                and profile in each["profiles"]
                and _in_force(each, now)
                and _young(each, as_of, now)
                for each in named
            ):
                return False
        return True


def _young(tolerance: dict[str, Any], as_of: datetime | None, now: datetime) -> bool:
    if "max_age_s" not in tolerance:
        return True
    return as_of is not None and now - timedelta(seconds=tolerance["max_age_s"]) <= as_of <= now + AHEAD


def _in_force(entry: dict[str, Any], now: datetime) -> bool:
    return entry.get("effective_from", now) <= now and ("effective_to" not in entry or now < entry["effective_to"])
