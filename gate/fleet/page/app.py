"""The fleet page's listener: for who signed in with a password, and there is nothing on it that does anything.

Passwords stand on a roster that two people signed, as those of the officers' console do. A page of another site gets nothing done: the
cookie is ``SameSite=Strict``, every post must come from this origin as JSON.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from gate.console.acts import Refused
from gate.console.guard import Answer, Guard, body, refusal
from gate.console.sessions import SESSION_S, Person, Sessions
from gate.fleet.page.figures import Fleet
from gate.fleet.page.parts import Encoder, page
from gate.processes.budget import Budget
from gate.ui import web
from gate.ui.feed import NewestView

FOLDER = Path(__file__).parent
COOKIE = "autogate_fleet"
HASHES = 2
"""Passwords that are hashed at the same time: each takes 64 MiB."""
GUESSES, GUESS_EVERY_S = 10, 6.0
"""Passwords that may be tried at once, whoever's, and the time in which one more may."""


class _Password(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(max_length=128)]
    password: Annotated[str, Meta(max_length=1024)]


class FleetPage:
    """The routes. ``origin`` is the one page that may post here; what is refused is told in the log."""

    def __init__(self, feed: NewestView[Fleet], sessions: Sessions, origin: str) -> None:
        self._feed, self._sessions = feed, sessions
        self._guard = Guard(origin, _told)
        self._hashing, self._encode = asyncio.Semaphore(HASHES), Encoder()
        self._guesses = Budget(GUESSES, GUESS_EVERY_S, time.monotonic)
        self._files = {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.suffix in web.MEDIA_TYPES}

    def app(self) -> Starlette:
        posts: dict[str, Answer] = {"/signin": self._sign_in, "/signout": self._sign_out, "/here": self._here}
        routes = [
            Route("/", self._index),
            Route("/static/{name}", self._static),
            Route("/events", self._events),
            *(Route(path, self._guard(answer), methods=["POST"]) for path, answer in posts.items()),
        ]
        return Starlette(routes=routes, middleware=[Middleware(web.Shield)])

    def _person(self, request: Request, *, touched: bool = False) -> Person | None:
        return self._sessions.find(request.cookies.get(COOKIE, ""), touched=touched)

    async def _index(self, request: Request) -> Response:
        """The whole page as it stands now, readable without its script; to who is not signed in, the way in."""
        person = self._person(request)
        return Response(page(person.name if person else "", self._feed.current), media_type="text/html")

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._files:
            return PlainTextResponse("Not Found", 404)
        return Response(self._files[name], media_type=web.MEDIA_TYPES[Path(name).suffix])

    async def _events(self, request: Request) -> Response:
        if self._person(request) is None:
            return refusal(401, "not_signed_in")
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")

        async def lasting() -> AsyncIterator[bytes]:
            async for part in web.stream(self._feed, self._encode):
                if self._person(request) is None:
                    return
                yield part

        return StreamingResponse(lasting(), media_type="text/event-stream")

    async def _sign_in(self, request: Request) -> Response:
        told = await body(request, _Password)
        if not self._sessions.may_try(told.name) or not self._guesses.spend():
            return refusal(429, "busy")
        async with self._hashing:
            looked = await asyncio.to_thread(self._sessions.look_in, told.name, told.password)
        token = self._sessions.open_viewer(looked)
        if isinstance(token, Refused):
            return refusal(403, token)
        answer = JSONResponse({"signed_in": True})
        answer.set_cookie(COOKIE, token, max_age=int(SESSION_S), httponly=True, samesite="strict", path="/")
        return answer

    async def _sign_out(self, request: Request) -> Response:
        self._sessions.end(request.cookies.get(COOKIE, ""))
        answer = JSONResponse({"signed_in": False})
        answer.delete_cookie(COOKIE, path="/")
        return answer

    async def _here(self, request: Request) -> Response:
        """Somebody moved at this screen."""
        return refusal(401, "not_signed_in") if self._person(request, touched=True) is None else JSONResponse({})


def _told(path: str, why: str) -> None:
    print(f"fleet page: refused {path}: {why}", file=sys.stderr, flush=True)
