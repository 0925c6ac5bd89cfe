"""Which class a book belongs to. The table is data; what it does not list is ``other``."""

from __future__ import annotations

from collections.abc import Mapping


def document_class(issuing_state: str, document_code: str, table: Mapping[tuple[str, str], str]) -> str:
    """The class for the State and the one or two letters of the document code, fillers allowed (``P<``); else ``other``.

    ``table`` is :attr:`gate.policy.schema.RuleSet.document_classes`.
    """
    return table.get((issuing_state.rstrip("<"), document_code.rstrip("<")), "other")
