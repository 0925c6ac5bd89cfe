"""The console's listener: lanes for whoever is signed in, and a way for what officers sign to the lanes, which alone believe it.

A page of another site gets nothing done: the cookie is ``SameSite=Strict``, every order must come from this origin as JSON, and an order
without a signature over the lane's own nonce is nothing.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from gate.console import present
from gate.console.acts import RP_ID, Refused, actions, challenge
from gate.console.assertion import Assertion, decoded, encoded
from gate.console.lanes import Bank
from gate.console.roster import Officer
from gate.console.sessions import SESSION_S, Sessions
from gate.processes.messages import OfficerAct
from gate.ui import web

FOLDER = Path(__file__).parent / "page"
COOKIE = "autogate_console"
MOST_BODY = 16_384
"""Octets of a request: an honest order has one thousand."""
REQUESTS, REQUEST_EVERY_S = 40, 0.2
"""Posts that may come at once from all pages, and the time in which one more may."""

Text = Annotated[str, Meta(max_length=4096)]


class _SignIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    challenge: Text
    credential: Text
    authenticator_data: Text
    client_data: Text
    signature: Text


class _Prepare(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    lane: Text
    action: Text
    reason: Text
    transaction: Text


class _Order(_Prepare, frozen=True, kw_only=True, forbid_unknown_fields=True):
    nonce: Text
    credential: Text
    authenticator_data: Text
    client_data: Text
    signature: Text


T = TypeVar("T", bound=msgspec.Struct)


class Console:
    """The routes. ``origin`` is the one page that may post here."""

    def __init__(self, bank: Bank, sessions: Sessions, origin: str) -> None:
        self._bank, self._sessions, self._origin = bank, sessions, origin
        self._left, self._since = float(REQUESTS), time.monotonic()
        self._files = {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.suffix in web.MEDIA_TYPES}
        self._page = (FOLDER / "page.html").read_text(encoding="utf-8")

    def app(self) -> Starlette:
        posts: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/signin/begin": self._begin,
            "/signin": self._sign_in,
            "/signout": self._sign_out,
            "/prepare": self._prepare,
            "/act": self._act,
        }
        routes = [
            Route("/", self._index),
            Route("/static/{name}", self._static),
            Route("/me", self._me),
            Route("/events", self._events),
            *(Route(path, self._guarded(answer), methods=["POST"]) for path, answer in posts.items()),
        ]
        return Starlette(routes=routes, middleware=[Middleware(web.Shield)])

    def _guarded(self, answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """Only from this origin, only JSON, not too often, not too much."""

        async def guarded(request: Request) -> Response:
            if request.headers.get("origin") != self._origin:
                return _error(403, "wrong_origin")
            if request.headers.get("content-type", "").partition(";")[0] != "application/json":
                return _error(415, "malformed")
            if not self._spend():
                return _error(429, "busy")
            try:
                return await answer(request)
            except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
                return _error(400, Refused.MALFORMED)

        return guarded

    def _spend(self) -> bool:
        now = time.monotonic()
        self._left = min(REQUESTS, self._left + (now - self._since) / REQUEST_EVERY_S)
        self._since = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    async def _body(self, request: Request, shape: type[T]) -> T:
        """Raises ValueError, msgspec's errors."""
        raw = b""
        async for part in request.stream():
            raw += part
            if len(raw) > MOST_BODY:
                raise ValueError("too long")
        return msgspec.json.decode(raw, type=shape)

    def _officer(self, request: Request, *, touched: bool = False) -> Officer | None:
        return self._sessions.find(request.cookies.get(COOKIE, ""), touched=touched)

    # --- what anybody gets ------------------------------------------------------------------------------------------------------

    async def _index(self, _: Request) -> Response:
        return Response(self._page, media_type="text/html")

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._files:
            return PlainTextResponse("Not Found", 404)
        return Response(self._files[name], media_type=web.MEDIA_TYPES[Path(name).suffix])

    async def _me(self, request: Request) -> Response:
        officer = self._officer(request)
        if officer is None:
            return JSONResponse({"officer": None})
        return JSONResponse({"officer": officer.name, "role": officer.role, "actions": present.catalogue()})

    async def _begin(self, _: Request) -> Response:
        return JSONResponse({"challenge": encoded(self._sessions.begin()), "rp": RP_ID})

    async def _sign_in(self, request: Request) -> Response:
        told = await self._body(request, _SignIn)
        entered = self._sessions.finish(decoded(told.challenge), told.credential, _assertion(told))
        if isinstance(entered, Refused):
            return _error(403, entered)
        answer = JSONResponse({"signed_in": True})
        answer.set_cookie(COOKIE, entered, max_age=int(SESSION_S), httponly=True, samesite="strict", path="/")
        return answer

    # --- what officers get --------------------------------------------------------------------------------------------------------

    async def _sign_out(self, request: Request) -> Response:
        self._sessions.end(request.cookies.get(COOKIE, ""))
        answer = JSONResponse({"signed_in": False})
        answer.delete_cookie(COOKIE, path="/")
        return answer

    async def _events(self, request: Request) -> Response:
        if self._officer(request) is None:
            return _error(401, "not_signed_in")
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")

        async def lasting() -> Any:
            async for part in web.stream(self._bank, present.encode):
                if self._officer(request) is None:
                    return
                yield part

        return StreamingResponse(lasting(), media_type="text/event-stream")

    async def _prepare(self, request: Request) -> Response:
        """What an officer's authenticator is to sign for an order: the lane's nonce, and the challenge that it makes."""
        officer = self._officer(request, touched=True)
        if officer is None:
            return _error(401, "not_signed_in")
        told = await self._body(request, _Prepare)
        lane, rule = self._bank.find(told.lane), actions().get(told.action)
        if lane is None or rule is None:
            return _error(404, Refused.UNKNOWN_ACTION)
        given = await lane.nonce()
        if given is None:
            return _error(503, "lane_unreachable")
        transaction = given.transaction if rule.about == "traveller" else ""
        if rule.about == "traveller" and transaction != told.transaction:
            return _error(409, Refused.TOO_LATE)  # whom the officer saw is not there any more: nothing is signed for the next one
        signed = challenge(action=told.action, transaction=transaction, lane=told.lane, reason=told.reason, nonce=given.nonce)
        answer = {"nonce": encoded(given.nonce), "transaction": transaction, "challenge": encoded(signed)}
        return JSONResponse(answer | {"credential": officer.credential, "rp": RP_ID})

    async def _act(self, request: Request) -> Response:
        if self._officer(request, touched=True) is None:
            return _error(401, "not_signed_in")
        told = await self._body(request, _Order)
        lane, proof = self._bank.find(told.lane), _assertion(told)
        if lane is None:
            return _error(404, Refused.OTHER_LANE)
        answered = await lane.act(
            OfficerAct(
                action=told.action,
                transaction=told.transaction,
                lane=told.lane,
                reason=told.reason,
                nonce=decoded(told.nonce),
                credential=told.credential,
                authenticator_data=proof.authenticator_data,
                client_data=proof.client_data,
                signature=proof.signature,
            )
        )
        if answered is None:
            return _error(503, "lane_unreachable")
        told_back = {"refused": answered.refused, "detail": answered.detail, "awaits_second": answered.awaits_second}
        words = present.refusal(answered.refused) if answered.refused else ("", "")
        return JSONResponse(
            told_back | {"words": words, "officer": answered.officer, "before": answered.before, "after": answered.after}
        )


def _assertion(told: _SignIn | _Order) -> Assertion:
    """Raises ValueError."""
    return Assertion(
        authenticator_data=decoded(told.authenticator_data),
        client_data=decoded(told.client_data),
        signature=decoded(told.signature),
    )


def _error(status: int, why: str) -> Response:
    return JSONResponse({"refused": why, "words": present.refusal(why)}, status)
