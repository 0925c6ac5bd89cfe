"""Which class a book belongs to. The table is data; what it does not list is ``other``."""

from __future__ import annotations

from gate.policy.schema import RuleSet


def document_class(issuing_state: str, document_code: str, rules: RuleSet) -> str:
    """The class for the State and the one or two letters of the document code, fillers allowed (``P<``); else ``other``."""
    return rules.document_classes.get((issuing_state.rstrip("<"), document_code.rstrip("<")), "other")
