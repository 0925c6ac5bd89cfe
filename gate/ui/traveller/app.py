"""The traveller's listener: one page, its stream, its files, and where it may be touched one request. It knows a screen word, a
fraction and what to do, nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gate.processes.budget import Budget
from gate.processes.messages import MoreTime, TravellerView
from gate.ui import web
from gate.ui.feed import Feed
from gate.ui.traveller.screens import BUTTONS, ENTER, ENTER_STEP, GUIDANCE, HOW_TO, SCREENS, STEPS

FOLDER = Path(__file__).parent
REQUESTS, REQUEST_EVERY_S = 3, 2.0
"""Requests for more time that may come at once, and the time in which one more may: the lane grants one a traveller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """What the page offers. ``touch``: buttons; ``more_time``: one of them asks the lane to wait longer; ``prompts``: what is heard."""

    touch: bool = False
    more_time: bool = False
    prompts: Literal["off", "tones", "spoken"] = "off"


def encode(view: TravellerView | None) -> Mapping[str, bytes]:
    """The screen word, the progress in steps of 1 %, what to do before the camera, and whether the lane waits longer. Without a lane
    the gate is closed.
    """
    view = view or TravellerView(screen="closed")
    progress = round(min(max(view.progress, 0.0), 1.0), 2)
    told = {"screen": view.screen, "progress": progress, "guidance": view.guidance, "more_time": view.more_time}
    return {"screen": msgspec.json.encode(told)}


def create_app(
    feed: Feed[TravellerView],
    offers: Offers | None = None,
    tell: Callable[[MoreTime], bool] = lambda _: False,
    *,
    single_door: bool = False,
) -> Starlette:
    """The routes ``/``, ``/events`` and ``/static/*``, and ``POST /more-time`` where that is offered. ``tell`` says it to the lane;
    ``single_door``: this is a gate that nobody enters.
    """
    offers = offers or Offers()
    steps = [(number, words) for number, words in enumerate(STEPS, 1) if not (single_door and number == ENTER_STEP)]
    how_to = [(picture, words) for picture, words in HOW_TO if not (single_door and picture == ENTER)]
    values = {"screens": SCREENS, "guidance": GUIDANCE, "steps": steps, "how_to": how_to, "buttons": BUTTONS, "offers": offers}
    further = [Route("/more-time", _more_time(tell), methods=["POST"])] if offers.more_time else []
    return web.create_app(FOLDER, web.render_page(FOLDER, **values), feed, encode, further)


def _more_time(tell: Callable[[MoreTime], bool]) -> Callable[[Request], Awaitable[Response]]:
    """Pass a traveller's request on: from this page alone, and not too often."""
    budget = Budget(REQUESTS, REQUEST_EVERY_S, time.monotonic)

    async def more_time(request: Request) -> Response:
        if request.headers.get("origin") != f"http://{request.headers.get('host')}":  # the host is this listener: web.Shield
            return Response(status_code=403)
        if not budget.spend():
            return Response(status_code=429)
        return Response(status_code=202 if tell(MoreTime()) else 503)

    return more_time
