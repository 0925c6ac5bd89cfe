"""The traveller's listener: one page, its stream, its files. It knows a screen word and a fraction, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
from starlette.applications import Starlette

from gate.processes.messages import TravellerView
from gate.ui import web
from gate.ui.feed import Feed
from gate.ui.traveller.screens import SCREENS, STEPS

FOLDER = Path(__file__).parent


def encode(view: TravellerView | None) -> Mapping[str, bytes]:
    """The screen word and the progress in steps of 1 %. Without a lane the gate is closed."""
    screen, progress = ("closed", 0.0) if view is None else (view.screen, view.progress)
    return {"screen": msgspec.json.encode({"screen": screen, "progress": round(min(max(progress, 0.0), 1.0), 2)})}


def create_app(feed: Feed[TravellerView]) -> Starlette:
    """Exactly the routes ``/``, ``/events`` and ``/static/*``."""
    return web.create_app(FOLDER, web.render_page(FOLDER, screens=SCREENS, steps=STEPS), feed, encode)
