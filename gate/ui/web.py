"""What the two listeners share: who may ask, what every answer carries, fixed files, and the stream of views.

The listeners are on loopback and read-only. A page of another site that a browser on this machine happens to show must still not
read them: the Host header has to name loopback (DNS rebinding), no cross-origin header is ever sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gate.ui.feed import Feed

BEAT_S = 2.0
"""A stream that has nothing new says so this often; the pages call the lane unreachable after three missed beats (page.js)."""

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
PICTURES = "http://127.0.0.1:*"
"""Where officers' pictures come from: a process of its own for each lane, at a port of its own (``gate.processes.pictures``)."""
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
"""The only files that are ever served."""

View = TypeVar("View")


class Shield:
    """Refuses a Host header that does not name this listener (421), and adds the security headers to every answer.

    ``images``: where its pages may take pictures from, beside this listener.
    """

    def __init__(self, app: ASGIApp, images: str = "") -> None:
        self._app, self._headers = app, dict(SECURITY_HEADERS)
        if images:
            self._headers["Content-Security-Policy"] += f"; img-src 'self' {images}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_shielded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        port = (scope.get("server") or ("", None))[1]
        host = Headers(scope=scope).get("host", "")
        app = self._app if host in {f"127.0.0.1:{port}", f"localhost:{port}"} else PlainTextResponse("Misdirected request", 421)
        await app(scope, receive, send_shielded)


def render_page(folder: Path, **values: object) -> str:
    """Fill in ``folder/page.html``; everything is escaped."""
    environment = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template("page.html").render(**values)


async def stream(feed: Feed[View], encode: Callable[[View | None], Mapping[str, bytes]]) -> AsyncIterator[bytes]:
    """Server-sent events: each named part of the view when it differs from what this reader got last, else a beat."""
    sent: dict[str, bytes] = {}
    changes = feed.changes()
    waiting = asyncio.ensure_future(anext(changes, Ellipsis))
    try:
        while True:
            done, _ = await asyncio.wait({waiting}, timeout=BEAT_S)
            if not done:
                yield b"event: beat\ndata:\n\n"
                continue
            view = waiting.result()
            if view is Ellipsis:
                return
            for name, data in encode(view).items():
                if sent.get(name) != data:
                    sent[name] = data
                    yield b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
            waiting = asyncio.ensure_future(anext(changes, Ellipsis))
    finally:
        waiting.cancel()


def create_app(
    folder: Path,
    page: str,
    feed: Feed[View],
    encode: Callable[[View | None], Mapping[str, bytes]],
    further: list[Route] | None = None,
) -> Starlette:
    """An application with the routes ``/``, ``/events``, ``/static/*`` (files of ``folder``, read now) and ``further``.

    ``encode`` turns a view (None: lane unreachable) into named parts, each one line of JSON.
    """
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in MEDIA_TYPES}

    async def index(_: Request) -> Response:
        return Response(page, media_type="text/html")

    async def events(request: Request) -> Response:
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        return StreamingResponse(stream(feed, encode), media_type="text/event-stream")

    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in files:
            return PlainTextResponse("Not Found", 404)
        return Response(files[name], media_type=MEDIA_TYPES[Path(name).suffix])

    routes = [Route("/", index), Route("/events", events), Route("/static/{name}", static), *(further or [])]
    return Starlette(routes=routes, middleware=[Middleware(Shield)])
