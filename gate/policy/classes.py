"""Which class a book belongs to, and whether a gate serves it. Both tables are data; what they do not list is ``other``, and not served."""

from __future__ import annotations

import re
from datetime import datetime

from gate.evidence import Direction
from gate.policy.schema import RuleSet

ANY_STATE = "*"
LONGEST_NUMBER = 9
"""Characters of a number on a passport (Doc 9303-4 §4.2.2); an expression may take for ever over a longer one."""


def document_class(issuing_state: str, document_code: str, document_number: str, rules: RuleSet) -> str:
    """The class for the State, the one or two letters of the document code (fillers allowed, ``P<``) and the series that the number is of.

    ``other`` where no row says: a State that has rows of its own is not looked up among all the others.
    """
    state, code, number = (field.rstrip("<") for field in (issuing_state, document_code, document_number))
    own = any(listed == state for listed, _ in rules.document_classes)
    for row in rules.document_classes.get((state if own else ANY_STATE, code), ()):
        if not row.number_series or (len(number) <= LONGEST_NUMBER and re.fullmatch(row.number_series, number)):
            return row.document_class
    return "other"


def enabled(
    rules: RuleSet, *, checkpoint: str, lane: str, document_class: str, nationality: str, direction: Direction, now: datetime
) -> bool:
    """Whether the gate ``lane`` at ``checkpoint`` serves such a book at ``now`` (aware)."""
    return any(
        (row.checkpoint, row.document_class, row.nationality) == (checkpoint, document_class, nationality)
        and direction in row.direction
        and (not row.lanes or lane in row.lanes)
        and row.in_force(now)
        for row in rules.enablement
    )
