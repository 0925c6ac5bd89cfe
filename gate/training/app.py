"""The exercise desk's listener, on loopback: its page, and what its officer does. It reaches no gate but the simulated one beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gate.console.acts import RP_ID
from gate.console.assertion import Assertion, decoded, encoded
from gate.training import review
from gate.training.case import Case, counter
from gate.training.desk import Desk, DeskView, Refused
from gate.training.session import Shown
from gate.ui import web, words
from gate.ui.exercise import as_exercise
from gate.ui.reasons import reason
from pki.errors import PkiError

FOLDER = Path(__file__).parent / "page"
MOST_BODY = 16_384
"""Octets of a request; an honest one has one thousand."""

Text = Annotated[str, Meta(max_length=4096)]
Json = dict[str, Any]
S = TypeVar("S", bound=msgspec.Struct)


class _Enrol(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    credential: Text
    key: Text


class _Begin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class _Look(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    look: Text


class _Prepare(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    action: Text
    reason: Text


class _Decide(_Prepare, frozen=True, kw_only=True, forbid_unknown_fields=True):
    authenticator_data: Text
    client_data: Text
    signature: Text


class DeskApp:
    """The routes. ``enrol`` takes a new key of the officer's (raises PkiError, OSError); ``console``: where the officers' console is."""

    def __init__(self, desk: Desk, enrol: Callable[[str, str], None], origin: str, console: str) -> None:
        self._desk, self._enrol, self._origin, self._console = desk, enrol, origin, console

    def app(self) -> Starlette:
        posts: dict[str, Callable[[Request], Awaitable[Json]]] = {
            "/enrol": self._take_key,
            "/begin": self._begin,
            "/look": self._look,
            "/prepare": self._prepare,
            "/decide": self._decide,
        }
        further = [Route("/review", self._review)]
        further += [Route(path, self._guarded(answer), methods=["POST"]) for path, answer in posts.items()]
        page = web.render_page(FOLDER, console=self._console, rp=RP_ID)
        return as_exercise(web.create_app(FOLDER, page, self._desk, _encode, further))

    def _guarded(self, answer: Callable[[Request], Awaitable[Json]]) -> Callable[[Request], Awaitable[Response]]:
        """Only from this page, only JSON, not too much."""

        async def guarded(request: Request) -> Response:
            json = request.headers.get("content-type", "").partition(";")[0] == "application/json"
            if request.headers.get("origin") != self._origin or not json:
                return JSONResponse({"refused": "wrong_origin"}, 403)
            try:
                return JSONResponse(await answer(request))
            except Refused as refused:
                return JSONResponse({"refused": str(refused)}, 409)
            except (msgspec.MsgspecError, ValueError, PkiError, OSError):
                return JSONResponse({"refused": "malformed"}, 400)

        return guarded

    async def _body(self, request: Request, shape: type[S]) -> S:
        """Raises ValueError, msgspec's errors."""
        raw = b""
        async for part in request.stream():
            raw += part
            if len(raw) > MOST_BODY:
                raise ValueError("too long")
        return msgspec.json.decode(raw, type=shape)

    async def _take_key(self, request: Request) -> Json:
        told = await self._body(request, _Enrol)
        if self._desk.view.phase != "key":
            raise Refused("not_now")
        self._enrol(told.credential, told.key)
        return {}

    async def _begin(self, request: Request) -> Json:
        await self._body(request, _Begin)
        self._desk.begin()
        return {}

    async def _look(self, request: Request) -> Json:
        look = self._desk.look((await self._body(request, _Look)).look)
        return {"finding": look.finding}

    async def _prepare(self, request: Request) -> Json:
        told = await self._body(request, _Prepare)
        signed, credential = self._desk.prepare(told.action, told.reason)
        return {"challenge": encoded(signed), "credential": credential}

    async def _decide(self, request: Request) -> Json:
        told = await self._body(request, _Decide)
        assertion = Assertion(
            authenticator_data=decoded(told.authenticator_data),
            client_data=decoded(told.client_data),
            signature=decoded(told.signature),
        )
        self._desk.decide(told.action, told.reason, assertion)
        return {}

    async def _review(self, _: Request) -> Response:
        session, case = self._desk.view.session, self._desk.view.case
        if session is None or case is None:
            return PlainTextResponse("Not Found", 404)
        return Response(review.page(session, case, whole=False), media_type="text/html")


def _encode(view: DeskView | None) -> Mapping[str, bytes]:
    """One part, ``desk``: what the page places, all words chosen here."""
    return {"desk": msgspec.json.encode(_told(view) if view else {"phase": "wait"})}


def _told(view: DeskView) -> Json:
    told: Json = {"phase": view.phase, "officer": view.officer, "number": view.number, "count": view.count}
    if view.case is None:
        return told
    told |= {"title": view.case.title, "briefing": view.case.briefing, "place": view.case.place, "time_s": view.case.time_s}
    if view.since is not None:
        waited = (datetime.now(UTC) - view.since).total_seconds()
        told |= {"waited": max(0.0, round(waited, 1)), "looks": _looks(view, view.case)}
    if view.phase == "counter":
        told |= {"evidence": [_evidence(each) for each in view.shown], "acts": _acts()}
    if view.phase == "review" and view.session is not None:
        told |= {"points": view.session.score.points, "passed": view.session.score.passed, "void": view.session.score.void}
        told |= {"lines": review.lines(view.session, view.case)}
    return told


def _looks(view: DeskView, case: Case) -> list[Json]:
    return [
        {"id": look.id, "words": look.words, "finding": look.finding if look.id in view.looked else None} for look in case.look
    ]


def _evidence(shown: Shown) -> Json:
    labels = {name: label for _, group in words.CHECK_TREE for name, label in group}
    return {
        "outcome": {"code": shown.outcome, "words": words.OUTCOMES[shown.outcome]},
        "reasons": [{"code": code, "words": reason(code).words, "checks": reason(code).checks} for code in shown.reasons],
        "facts": [
            {"label": label, "value": fact.value, "result": fact.result, "words": words.RESULTS[fact.result]}
            for name, label in labels.items()
            if (fact := shown.facts.get(name)) is not None
        ],
    }


def _acts() -> list[Json]:
    said = counter().reasons
    return [
        {"id": act.id, "words": act.words, "reasons": [{"code": code, "words": said[code]} for code in act.reasons]}
        for act in counter().act
    ]
