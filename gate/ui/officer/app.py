"""The officers' listener. Read-only: an officer's act needs an identity and a reason, and the lane itself verifies both."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gate.processes.messages import OfficerView
from gate.ui import web
from gate.ui.feed import Feed
from gate.ui.officer.present import encode

FOLDER = Path(__file__).parent


def create_app(feed: Feed[OfficerView]) -> Starlette:
    """The routes ``/``, ``/events``, ``/static/*`` and ``/healthz`` (200 while the lane is reachable, else 503)."""

    async def health(_: Request) -> Response:
        reachable = feed.current is not None
        return JSONResponse({"lane": "reachable" if reachable else "unreachable"}, 200 if reachable else 503)

    return web.create_app(FOLDER, web.render_page(FOLDER), feed, encode, [Route("/healthz", health)])
