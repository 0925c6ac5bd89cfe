"""The console's listener: lanes for whoever is signed in, and a way for what officers sign to the lanes, which alone believe it.

A page of another site gets nothing done: the cookie is ``SameSite=Strict``, every post must come from this origin as JSON, and an order
without a signature over the lane's own nonce is nothing. Who signed in with a password may look at lanes and do nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from gate.console import present
from gate.console.acts import RP_ID, Refused, actions, challenge, sees, watches
from gate.console.assertion import Assertion, decoded, encoded
from gate.console.guard import Answer, Guard, Text, body, refusal
from gate.console.lanes import Bank, LaneLine
from gate.console.sessions import IDLE_S, SESSION_S, Begun, Person, Sessions
from gate.processes.budget import Budget
from gate.processes.officer_messages import (
    OfficerAct,
    OfficerWatch,
)
from gate.ui import web

FOLDER = Path(__file__).parent / "page"
COOKIE = "autogate_console"
LOOK_EVERY_S = 5.0
"""How soon lanes hear that an officer's session is over."""
HASHES = 2
"""Passwords that are hashed at the same time: each takes 64 MiB."""
GUESSES, GUESS_EVERY_S = 10, 6.0
"""Passwords that may be tried at once, whoever's, and the time in which one more may."""
BEGINS, BEGIN_EVERY_S = 12, 1.0
"""The same for challenges to sign in: each takes a nonce of every lane, and may not use up those of officers who are just signing."""


class _Signed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    credential: Text
    authenticator_data: Text
    client_data: Text
    signature: Text


class _SignIn(_Signed, frozen=True, kw_only=True, forbid_unknown_fields=True):
    challenge: Text


class _Password(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Text
    password: Text


class _Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    lane: Text
    transaction: Text


class _Prepare(_Case, frozen=True, kw_only=True, forbid_unknown_fields=True):
    action: Text
    reason: Text


class _Order(_Prepare, frozen=True, kw_only=True, forbid_unknown_fields=True):
    nonce: Text
    credential: Text
    authenticator_data: Text
    client_data: Text
    signature: Text


Acting = Callable[[Request, Person], Awaitable[Response]]


class Console:
    """The routes, and what follows the lanes for them. ``origin`` is the one page that may post here."""

    def __init__(self, bank: Bank, sessions: Sessions, origin: str) -> None:
        self._bank, self._sessions, self._guard = bank, sessions, Guard(origin, bank.refused)
        self._hashing = asyncio.Semaphore(HASHES)
        self._guesses = Budget(GUESSES, GUESS_EVERY_S, time.monotonic)
        self._begins = Budget(BEGINS, BEGIN_EVERY_S, time.monotonic)
        self._encoders = {each: present.Encoder(case=each) for each in (True, False)}
        self._files = {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.suffix in web.MEDIA_TYPES}
        self._page = (FOLDER / "page.html").read_text(encoding="utf-8")

    def app(self) -> Starlette:
        posts: dict[str, Answer] = {
            "/signin/begin": self._begin,
            "/signin": self._sign_in,
            "/signin/password": self._look_in,
            "/signout": self._sign_out,
            "/here": self._here,
            "/watch": self._with_key(self._watch),
            "/case": self._with_key(self._case),
            "/prepare": self._with_key(self._prepare),
            "/act": self._with_key(self._act),
        }
        routes = [
            Route("/", self._index),
            Route("/static/{name}", self._static),
            Route("/me", self._me),
            Route("/events", self._events),
            *(Route(path, self._guard(answer), methods=["POST"]) for path, answer in posts.items()),
        ]
        return Starlette(routes=routes, middleware=[Middleware(web.Shield, images=web.PICTURES)])

    # --- what runs beside the answers -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Follow the lanes, and tell them of officers who went, until cancelled."""
        await asyncio.gather(self._bank.run(), self._heed_absence())

    def close(self) -> None:
        """End open pages."""
        self._bank.close()

    async def _heed_absence(self) -> None:
        before: frozenset[str] = frozenset()
        while True:
            now = self._sessions.present()
            for officer in before - now:
                self._bank.left(officer)
            before = now
            await asyncio.sleep(LOOK_EVERY_S)

    # --- who asks ---------------------------------------------------------------------------------------------------------------

    def _person(self, request: Request, *, touched: bool = False) -> Person | None:
        return self._sessions.find(request.cookies.get(COOKIE, ""), touched=touched)

    def _with_key(self, answer: Acting) -> Answer:
        """Only for who signed in with a key."""

        async def checked(request: Request) -> Response:
            person = self._person(request, touched=True)
            if person is None:
                return refusal(401, "not_signed_in")
            return await answer(request, person) if person.credential else refusal(403, Refused.VIEW_ONLY)

        return checked

    # --- what anybody gets ------------------------------------------------------------------------------------------------------

    async def _index(self, _: Request) -> Response:
        return Response(self._page, media_type="text/html")

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._files:
            return PlainTextResponse("Not Found", 404)
        return Response(self._files[name], media_type=web.MEDIA_TYPES[Path(name).suffix])

    async def _me(self, request: Request) -> Response:
        person = self._person(request)
        if person is None:
            return JSONResponse({"officer": None})
        told = {"officer": person.name, "role": person.role, "role_words": present.role(person.role), "idle_s": IDLE_S}
        may = {"acts": bool(person.credential), "watches": bool(person.credential) and watches(person.role)}
        return JSONResponse(told | may | {"opens": may["acts"] and sees(person.role, "mrz"), "actions": present.catalogue()})

    async def _begin(self, _: Request) -> Response:
        """A challenge that is good for signing in and for going on watch at every lane that can be reached now."""
        if not self._begins.spend():
            return refusal(429, "busy")
        signed = self._sessions.begin(await self._bank.nonces())
        return JSONResponse({"challenge": encoded(signed), "rp": RP_ID})

    async def _sign_in(self, request: Request) -> Response:
        told = await body(request, _SignIn)
        proven = self._sessions.prove(decoded(told.challenge), told.credential, _assertion(told))
        if isinstance(proven, Refused):
            return refusal(403, proven)
        begun, officer = proven
        token = self._sessions.open(officer)
        if isinstance(token, Refused):
            return refusal(403, token)
        watch = await self._on_watch(begun, told) if watches(officer.role) else []
        return _entered(token, {"signed_in": True, "watch": watch})

    async def _look_in(self, request: Request) -> Response:
        told = await body(request, _Password)
        if not self._sessions.may_try(told.name) or not self._guesses.spend():
            return refusal(429, "busy")
        async with self._hashing:
            looked = await asyncio.to_thread(self._sessions.look_in, told.name, told.password)
        token = self._sessions.open_viewer(looked)
        return refusal(403, token) if isinstance(token, Refused) else _entered(token, {"signed_in": True, "watch": []})

    # --- what those get who signed in -------------------------------------------------------------------------------------------

    async def _sign_out(self, request: Request) -> Response:
        person = self._sessions.end(request.cookies.get(COOKIE, ""))
        if person and person.credential and person.name not in self._sessions.present():
            self._bank.left(person.name)
        answer = JSONResponse({"signed_in": False})
        answer.delete_cookie(COOKIE, path="/")
        return answer

    async def _here(self, request: Request) -> Response:
        """Somebody moved at this screen."""
        return refusal(401, "not_signed_in") if self._person(request, touched=True) is None else JSONResponse({})

    async def _events(self, request: Request) -> Response:
        person = self._person(request)
        if person is None:
            return refusal(401, "not_signed_in")
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        encode = self._encoders[sees(person.role, "case")]

        async def lasting() -> Any:
            async for part in web.stream(self._bank, encode):
                if self._person(request) is None:
                    return
                yield part

        return StreamingResponse(lasting(), media_type="text/event-stream")

    async def _watch(self, request: Request, person: Person) -> Response:
        """The officer touched the key anew, and stays on watch."""
        told = await body(request, _SignIn)
        proven = self._sessions.prove(decoded(told.challenge), told.credential, _assertion(told))
        if isinstance(proven, Refused):
            return refusal(403, proven)
        begun, officer = proven
        if officer.name != person.name or not watches(officer.role):
            return refusal(403, Refused.ROLE_MAY_NOT)
        return JSONResponse({"watch": await self._on_watch(begun, told)})

    async def _on_watch(self, begun: Begun, told: _SignIn) -> list[dict[str, Any]]:
        """Tell every lane that the signature was for; what each says."""
        proof = _assertion(told)

        async def at(lane: LaneLine, nonce: bytes) -> dict[str, Any]:
            answered = await lane.watch(
                OfficerWatch(
                    nonce=nonce,
                    parts=begun.parts,
                    credential=told.credential,
                    authenticator_data=proof.authenticator_data,
                    client_data=proof.client_data,
                    signature=proof.signature,
                )
            )
            refused = answered.refused if answered else "lane_unreachable"
            words = present.refusal(refused) if refused else ("", "")
            return {"lane": lane.name, "refused": refused, "words": words, "seconds": answered.seconds if answered else 0.0}

        lanes = [(lane, begun.nonces[lane.name]) for lane in self._bank.lanes if lane.name in begun.nonces]
        return await asyncio.gather(*(at(lane, nonce) for lane, nonce in lanes))

    async def _case(self, request: Request, person: Person) -> Response:
        """Who waits there; the lane writes down first that this officer looks."""
        told = await body(request, _Case)
        if not sees(person.role, "mrz"):
            return refusal(403, Refused.ROLE_MAY_NOT)
        lane = self._bank.find(told.lane)
        if lane is None:
            return refusal(404, Refused.OTHER_LANE)
        shown = await lane.case(told.transaction, person.name)
        if shown is None:
            return refusal(503, "lane_unreachable")
        return refusal(409, shown.refused) if shown.refused else JSONResponse(present.case(shown))

    async def _prepare(self, request: Request, person: Person) -> Response:
        """What an officer's authenticator is to sign for an order: the lane's nonce, and the challenge that it makes."""
        told = await body(request, _Prepare)
        lane, rule = self._bank.find(told.lane), actions().get(told.action)
        if lane is None or rule is None:
            return refusal(404, Refused.UNKNOWN_ACTION)
        given = await lane.nonce()
        if given is None:
            return refusal(503, "lane_unreachable")
        transaction = given.transaction if rule.about == "traveller" else ""
        if rule.about == "traveller" and transaction != told.transaction:
            return refusal(
                409, Refused.TOO_LATE
            )  # whom the officer saw is not there any more: nothing is signed for the next one
        signed = challenge(action=told.action, transaction=transaction, lane=told.lane, reason=told.reason, nonce=given.nonce)
        answer = {"nonce": encoded(given.nonce), "transaction": transaction, "challenge": encoded(signed)}
        return JSONResponse(answer | {"credential": person.credential, "rp": RP_ID})

    async def _act(self, request: Request, _: Person) -> Response:
        told = await body(request, _Order)
        lane, proof = self._bank.find(told.lane), _assertion(told)
        if lane is None:
            return refusal(404, Refused.OTHER_LANE)
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
            return refusal(503, "lane_unreachable")
        told_back = {"refused": answered.refused, "detail": answered.detail, "awaits_second": answered.awaits_second}
        words = present.refusal(answered.refused) if answered.refused else ("", "")
        return JSONResponse(
            told_back | {"words": words, "officer": answered.officer, "before": answered.before, "after": answered.after}
        )


def _entered(token: str, told: dict[str, Any]) -> Response:
    answer = JSONResponse(told)
    answer.set_cookie(COOKIE, token, max_age=int(SESSION_S), httponly=True, samesite="strict", path="/")
    return answer


def _assertion(told: _Signed | _Order) -> Assertion:
    """Raises ValueError."""
    return Assertion(
        authenticator_data=decoded(told.authenticator_data),
        client_data=decoded(told.client_data),
        signature=decoded(told.signature),
    )
