"""Asking a registry: one HTTP/1.1 connection, one thread, one deadline. Whatever is not a clean answer in time is ``Unavailable``.

A registry is asked by ``POST`` with a JSON object and answers with one. Every answer echoes the registry's name and the id of the
request: an answer from the wrong service, or to an earlier question, is malformed, never "nothing known".
"""

from __future__ import annotations

import asyncio
import encodings.idna  # noqa: F401 - the first connection would load it, in the lane, beside an open door
import http.client
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Generic, Literal, TypeVar

import msgspec

DEADLINE_S = 2.0
"""Seconds for one question; the chip takes longer, so a registry that keeps it costs the traveller nothing."""
MAX_ANSWER = 16_384
"""Bytes: answers are words and dates, not records."""
MAX_AGE_S = 86_400.0
"""Oldest state of a registry's data that may still speak for a traveller (design assumption: one day)."""
MAX_SKEW_S = 60.0
"""How far ahead of ours a registry's clock may be."""

Why = Literal["timeout", "unreachable", "refused", "error", "malformed", "stale"]


class Reply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every answer holds. ``as_of``: the state of the registry's data that was asked."""

    registry: str
    request: str
    as_of: Annotated[datetime, msgspec.Meta(tz=True)]
    answer: str


R = TypeVar("R", bound=Reply)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Generic[R]):
    """The registry knows something. ``freshness_s``: age of its data when the answer came."""

    source: str
    as_of: datetime
    latency_ms: float
    freshness_s: float
    reply: R


@dataclass(frozen=True, slots=True, kw_only=True)
class NotListed:
    """The registry answered that it knows nothing. Not the same as silence."""

    source: str
    as_of: datetime
    latency_ms: float
    freshness_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """There is no answer that could be used, and why."""

    source: str
    why: Why
    latency_ms: float


RegistryAnswer = Found[R] | NotListed | Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract(Generic[R]):
    """A registry's interface: its name, path, the shape of its replies, and the ``answer`` that means *nothing known*."""

    name: str
    path: str
    reply: type[R]
    nothing: str


class _NoAnswer(Exception):
    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


class RegistryClient(Generic[R]):
    """Asks one registry on ``host:port``. ``secret`` is the bearer token of this gate (in a demo: of this run).

    One question at a time; a second one waits within its own deadline. ``wall`` gives aware UTC time, for freshness.
    """

    def __init__(
        self,
        contract: Contract[R],
        host: str,
        port: int,
        *,
        secret: str,
        deadline_s: float = DEADLINE_S,
        max_age_s: float = MAX_AGE_S,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._contract, self._wall = contract, wall
        self._deadline_s, self._max_age_s = deadline_s, max_age_s
        self._exchange = _Exchange(host, port, contract.path, secret, deadline_s)
        self._decoder = msgspec.json.Decoder(contract.reply)
        self._thread = ThreadPoolExecutor(1, f"registry-{contract.name}")
        self._turn = asyncio.Lock()

    async def ask(self, query: Mapping[str, object]) -> RegistryAnswer[R]:
        """The answer to ``query``, by the deadline. Never raises for what a registry does or fails to do."""
        started = time.monotonic()
        request = secrets.token_hex(8)
        body = msgspec.json.encode({**query, "request": request})
        try:
            raw = await self._send(body, started + self._deadline_s)
            return self._read(raw, request, _since(started))
        except _NoAnswer as error:
            return Unavailable(source=self._contract.name, why=error.why, latency_ms=_since(started))

    async def close(self) -> None:
        """Hang up and end the thread."""
        self._exchange.hang_up()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._exchange.close)
        self._thread.shutdown()

    async def _send(self, body: bytes, give_up: float) -> bytes:
        try:
            async with asyncio.timeout(give_up - time.monotonic()), self._turn:
                try:
                    return await asyncio.get_running_loop().run_in_executor(self._thread, self._exchange.post, body, give_up)
                except asyncio.CancelledError:  # the deadline, or the caller: free the thread at once
                    self._exchange.hang_up()
                    raise
        except TimeoutError:
            raise _NoAnswer("timeout") from None

    def _read(self, raw: bytes, request: str, latency_ms: float) -> Found[R] | NotListed:
        try:
            reply = self._decoder.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise _NoAnswer("malformed") from None
        if (reply.registry, reply.request) != (self._contract.name, request):
            raise _NoAnswer("malformed")
        age = (self._wall() - reply.as_of).total_seconds()
        if not -MAX_SKEW_S <= age <= self._max_age_s:
            raise _NoAnswer("stale")
        if reply.answer == self._contract.nothing:
            return NotListed(source=reply.registry, as_of=reply.as_of, latency_ms=latency_ms, freshness_s=age)
        return Found(source=reply.registry, as_of=reply.as_of, latency_ms=latency_ms, freshness_s=age, reply=reply)


@dataclass(slots=True)
class _Exchange:
    """The connection, kept alive between questions. Lives in the client's thread; only ``hang_up`` is called from outside."""

    host: str
    port: int
    path: str
    secret: str = field(repr=False)
    connect_s: float
    _connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes, give_up: float) -> bytes:
        """One question; asked once more where the kept connection turns out to be closed. Raises _NoAnswer."""
        for kept in (self._connection is not None, False):
            try:
                return self._once(body, give_up)
            except ConnectionError:  # before OSError, its base; RemoteDisconnected is one
                self.close()
                if not kept:
                    break
            except TimeoutError:
                self.close()
                raise _NoAnswer("timeout") from None
            except OSError:
                self.close()
                break
            except (http.client.HTTPException, ValueError):
                self.close()
                raise _NoAnswer("malformed") from None
        raise _NoAnswer("unreachable")

    def _once(self, body: bytes, give_up: float) -> bytes:
        connection = self._connected(give_up)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.secret}"}
        connection.request("POST", self.path, body, headers)
        response = connection.getresponse()
        raw = response.read(MAX_ANSWER + 1)
        if len(raw) > MAX_ANSWER or response.will_close:
            self.close()
        return self._accepted(response.status, raw)

    @staticmethod
    def _accepted(status: int, raw: bytes) -> bytes:
        if status in {401, 403}:
            raise _NoAnswer("refused")
        if status != 200:
            raise _NoAnswer("error")
        if len(raw) > MAX_ANSWER:
            raise _NoAnswer("malformed")
        return raw

    def _connected(self, give_up: float) -> http.client.HTTPConnection:
        left = give_up - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self.host, self.port, timeout=left)
            self._connection.connect()
        elif self._connection.sock is not None:
            self._connection.sock.settimeout(left)
        return self._connection

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def hang_up(self) -> None:
        """Wake the thread out of a read that would outlast the deadline."""
        connection = self._connection
        sock: socket.socket | None = connection.sock if connection else None
        if sock is not None:
            with suppress(OSError):  # already gone
                sock.shutdown(socket.SHUT_RDWR)


def _since(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 3)
