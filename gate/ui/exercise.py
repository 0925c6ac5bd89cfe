"""A band over every page of an exercise, in both languages, so that nobody takes it for a border. The page below stays as it is."""

from __future__ import annotations

import re
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gate.ui.words import Words

PROFILE = "training"
"""The profile whose pages carry the band."""
EXERCISE: Words = ("LATIHAN: bukan perlintasan", "EXERCISE: nobody crosses a border")
STYLE = Path(__file__).with_name("exercise.css")
_HEAD = '<link rel="stylesheet" href="/static/exercise.css">\n</head>'
_BAND = (
    f'<aside id="exercise" aria-label="{EXERCISE[0]} / {EXERCISE[1]}">'
    f'<strong lang="id">{EXERCISE[0]}</strong> <strong lang="en">{EXERCISE[1]}</strong></aside>'
)


def banded(page: str) -> str:
    """``page`` under the band. Raises ValueError where it has no head or body to put it into."""
    with_style, heads = re.subn(r"</head>", _HEAD, page, count=1)
    with_band, bodies = re.subn(r"(<body[^>]*>)", rf"\1\n{_BAND}", with_style, count=1)
    if (heads, bodies) != (1, 1):
        raise ValueError("a page without head or body cannot say that it is an exercise")
    return with_band


def as_exercise(app: Starlette) -> Starlette:
    """``app``, whose page at ``/`` carries the band from now on."""
    index = next(route for route in app.router.routes if isinstance(route, Route) and route.path == "/")
    style = STYLE.read_bytes()

    async def page(request: Request) -> Response:
        answer = await index.endpoint(request)
        return Response(banded(bytes(answer.body).decode()), answer.status_code, media_type="text/html")

    async def css(_: Request) -> Response:
        return Response(style, media_type="text/css")

    app.router.routes[:0] = [Route("/", page), Route("/static/exercise.css", css)]
    return app
