"""The traveller's listener: one page, its stream, its files. It knows a screen word, a fraction and what to do, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
from starlette.applications import Starlette

from gate.processes.messages import TravellerView
from gate.ui import web
from gate.ui.feed import Feed
from gate.ui.traveller.screens import GUIDANCE, SCREENS, STEPS

FOLDER = Path(__file__).parent


def encode(view: TravellerView | None) -> Mapping[str, bytes]:
    """The screen word, the progress in steps of 1 %, and what to do before the camera. Without a lane the gate is closed."""
    view = view or TravellerView(screen="closed")
    progress = round(min(max(view.progress, 0.0), 1.0), 2)
    return {"screen": msgspec.json.encode({"screen": view.screen, "progress": progress, "guidance": view.guidance})}


def create_app(feed: Feed[TravellerView]) -> Starlette:
    """Exactly the routes ``/``, ``/events`` and ``/static/*``."""
    return web.create_app(FOLDER, web.render_page(FOLDER, screens=SCREENS, guidance=GUIDANCE, steps=STEPS), feed, encode)
