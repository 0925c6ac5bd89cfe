"""A second opinion on a rule set: reads the files and judges a case by itself, slowly and without a line of ``gate.policy``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

GRAVEST_FIRST = ("HOLD", "SECONDARY", "COUNTER", "RETRY")

Case = Mapping[str, tuple[str, bool]]
"""Fact → its word, and whether its check ended successfully. A fact that is not there was not performed."""
Place = tuple[str, str, str]
"""Direction, stage, checkpoint."""


class Oracle:
    """The rule files of one folder."""

    def __init__(self, folder: Path) -> None:
        grants = tomllib.loads((folder / "grants.toml").read_text(encoding="utf-8"))
        self._grants: list[dict[str, Any]] = grants["grant"]
        self._sets = {each["id"]: each["require"] for each in grants["requirement_set"]}
        self._tolerances = {each["id"]: each for each in grants.get("tolerance", [])}
        self._rules: list[dict[str, Any]] = tomllib.loads((folder / "rules.toml").read_text(encoding="utf-8"))["rule"]

    def outcome(self, case: Case, place: Place, now: datetime) -> str:
        """What the gate must do: a grant and no rule opens; else the gravest rule speaks; else COUNTER."""
        direction, stage, _ = place
        seen = {fact: word for fact, (word, _) in case.items()} | {"direction": direction, "stage": stage}
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
        direction, stage, checkpoint = place
        if not _in_force(grant, now) or (grant["direction"], grant["stage"]) != (direction, stage):
            return False
        if grant.get("checkpoints") and checkpoint not in grant["checkpoints"]:
            return False
        needs = {"document_class": [grant["class"]], **grant["require"]}
        for name in grant["require_sets"]:
            needs.update(self._sets[name])
        profile = case.get("profile", ("", False))[0]
        for fact, accepted in needs.items():
            word, proven = case.get(fact, ("not_performed", False))
            if word in accepted and proven:
                continue
            named = (self._tolerances[name] for name in grant.get("tolerances", []))
            if not any(
                (each["fact"], each["value"]) == (fact, word) and profile in each["profiles"] and _in_force(each, now)
                for each in named
            ):
                return False
        return True


def _in_force(entry: dict[str, Any], now: datetime) -> bool:
    return entry.get("effective_from", now) <= now and ("effective_to" not in entry or now < entry["effective_to"])
