"""The notice of a breach as a page, for the agency and for the data subjects, in Bahasa Indonesia and in English (``breach.html``)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from gate.privacy.breach import DEADLINE, Breach
from gate.report.disclosure import K

MOST_STEPS = 20
"""Closings that are told one by one."""
PICTURES = frozenset({"face", "picture", "case"})
"""Items of the inventory that hold a picture of a face."""


@cache
def _template() -> Template:
    here = Path(__file__).parent
    loader = FileSystemLoader([here, here.parent / "report"])  # the style is the reports'
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("breach.html")


def render(found: Breach) -> str:
    """One HTML page that fetches nothing and holds no personal data; what only people know is a ``mark`` in square brackets."""
    question, concerned = found.question, found.concerned
    return _template().render(
        question=question,
        concerned=concerned,
        steps=found.steps,
        most=MOST_STEPS,
        zone=concerned.zone,
        deadline=DEADLINE,
        elsewhere=[store for store in question.stores if store.subjects == "elsewhere"],
        few=0 < concerned.people < K,
        k=K,
        pictures=bool(PICTURES & {item.id for store in question.stores for item in store.item}),
    )
