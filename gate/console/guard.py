"""What every post to the console must be before anybody looks into it: from its own page, JSON, not too long, not too often."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gate.console import present
from gate.console.acts import Refused
from gate.processes.budget import Budget

MOST_BODY = 16_384
"""Octets of a request: an honest order has one thousand."""
REQUESTS, REQUEST_EVERY_S = 40, 0.2
"""Posts that may come at once from all pages, and the time in which one more may."""

OURS = frozenset({400, 401, 403, 415, 429})
"""What the console refuses by itself; what a lane refuses, the lane writes down."""

Text = Annotated[str, Meta(max_length=4096)]
Answer = Callable[[Request], Awaitable[Response]]
T = TypeVar("T", bound=msgspec.Struct)


class Guard:
    """``origin``: of the one page that may post here; ``tell`` is told of what was refused: path and why."""

    def __init__(self, origin: str, tell: Callable[[str, str], None]) -> None:
        self._origin, self._tell = origin, tell
        self._budget = Budget(REQUESTS, REQUEST_EVERY_S, time.monotonic)

    def __call__(self, answer: Answer) -> Answer:
        guarded = self._guarded(answer)

        async def told(request: Request) -> Response:
            answered = await guarded(request)
            if isinstance(answered, Refusal) and answered.status_code in OURS:
                self._tell(request.url.path, answered.why)
            return answered

        return told

    def _guarded(self, answer: Answer) -> Answer:
        async def guarded(request: Request) -> Response:
            if request.headers.get("origin") != self._origin:
                return refusal(403, "wrong_origin")
            if request.headers.get("content-type", "").partition(";")[0] != "application/json":
                return refusal(415, "malformed")
            if not self._budget.spend():
                return refusal(429, "busy")
            try:
                return await answer(request)
            except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
                return refusal(400, Refused.MALFORMED)

        return guarded


async def body(request: Request, shape: type[T]) -> T:
    """Raises ValueError, msgspec's errors."""
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > MOST_BODY:
            raise ValueError("too long")
    return msgspec.json.decode(raw, type=shape)


class Refusal(JSONResponse):
    """An answer that is none, and ``why``."""

    why: str


def refusal(status: int, why: str) -> Response:
    """``why``, also in words."""
    answer = Refusal({"refused": why, "words": present.refusal(why)}, status)
    answer.why = why
    return answer
