"""The page's parts as markup. Each is sent when it differs from what a reader has; whatever a gate says stays text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gate.fleet.page.board import board, civil
from gate.fleet.page.chart import throughput
from gate.fleet.page.figures import Fleet
from gate.fleet.page.shown import Board


class Encoder:
    """Fleet in, parts out: ``reach`` (of when it is, 0 where the database does not answer), ``layout``, and each part's markup in JSON.

    What several readers look at is made once.
    """

    def __init__(self) -> None:
        self._known: tuple[Fleet | None, dict[str, bytes]] | None = None

    def __call__(self, fleet: Fleet | None) -> Mapping[str, bytes]:
        if self._known is None or self._known[0] is not fleet:
            self._known = (fleet, _encoded(fleet))
        return self._known[1]


def _encoded(fleet: Fleet | None) -> dict[str, bytes]:
    if fleet is None:
        return {"reach": b"0"}
    shown = board(fleet)
    encoded = {name: json.dumps(text).encode() for name, text in markup(shown).items()}
    return {"reach": str(int(fleet.at.timestamp())).encode(), "layout": layout(shown).encode(), **encoded}


def layout(shown: Board) -> str:
    """Airports, each followed by its banks: a page that was made with others is made anew."""
    return json.dumps([[airport.name, *(bank.name for bank in airport.banks)] for airport in shown.airports])


def markup(shown: Board) -> dict[str, str]:
    """Each part by its name, which the page's elements carry as ``data-part``."""
    made = {"cards": _made("cards", shown), "books": _made("books", shown), "alerts": _made("alerts", shown)}
    made |= {"lists": _made("lists", shown), "versions": _made("versions", shown.versions)}
    for place, airport in enumerate(shown.airports):
        chart = throughput(airport.slots, shown.at, airport.name)
        made[f"airport{place}"] = _made("airport", airport, chart, f"{civil(shown.at, airport.name):%Z}")
        made |= {f"bank{place}-{number}": _made("bank", bank) for number, bank in enumerate(airport.banks)}
    return made


def page(viewer: str, fleet: Fleet | None) -> str:
    """The whole page for ``viewer``; empty: for somebody who is not signed in."""
    shown = board(fleet) if viewer and fleet else None
    told = markup(shown) if shown else {}
    return (
        _environment()
        .get_template("page.html")
        .render(viewer=viewer, board=shown, parts=told, layout=layout(shown) if shown else "")
    )


def _made(macro: str, *values: object) -> str:
    made: str = getattr(_environment().get_template("parts.html").module, macro)(*values)
    return made.strip()


@cache
def _environment() -> Environment:
    loader = FileSystemLoader(Path(__file__).parent)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
