"""Asking a registry: one connection, one thread, one deadline. Whatever is not a clean, signed answer to this very question is ``Unavailable``.

The thread does all that blocks or computes: the connection, TLS, the signature. The loop keeps the deadline, and wakes the thread out
of a read that would outlast it.
"""

from __future__ import annotations

import asyncio
import http.client
import secrets
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic

import msgspec

from gate.registries import transport
from gate.registries.base import DEADLINE_S, MAX_ANSWER, Contract, Found, NotListed, Question, R, RegistryAnswer, Unavailable, Why
from gate.registries.breaker import CircuitBreaker
from gate.registries.envelope import AnswerReader, Asked, EnvelopeError

AWAY: frozenset[Why] = frozenset({"timeout", "unreachable", "error"})
"""What the circuit breaker counts as a failure: the registry was not there. One that lies is there."""
UNKNOWN_TO_IT = frozenset({401, 403})
NEVER_TAKEN = frozenset({400, 409, 413, 422})
"""Statuses by which a registry says that this question will not do, however often it is asked. (A 404 is a proxy that is being mended.)"""


class _NoAnswer(Exception):
    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


class RegistryClient(Generic[R]):
    """Asks one registry at ``url``, as the gate ``gate``. ``reader`` knows the registry's key; ``tls`` is None on loopback alone.

    One question at a time; a second one waits within its own deadline. ``clock``: seconds that never go back.
    """

    def __init__(
        self,
        contract: Contract[R],
        url: str,
        reader: AnswerReader[R],
        *,
        gate: str,
        tls: ssl.SSLContext | None,
        deadline_s: float = DEADLINE_S,
        breaker: CircuitBreaker | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._contract, self._gate, self._reader = contract, gate, reader
        self._deadline_s, self._clock = deadline_s, clock
        self._breaker = breaker or CircuitBreaker()
        self._exchange = _Exchange(url, transport.path(url, contract.path), tls)
        self._thread = ThreadPoolExecutor(1, f"registry-{contract.name}")
        self._turn = asyncio.Lock()

    async def ask(self, question: Question) -> RegistryAnswer[R]:
        """The answer to ``question``, by the deadline. Never raises for what a registry does or fails to do."""
        begun = self._clock()
        why: Why
        try:
            answer = await self._asked(question, begun)
        except _NoAnswer as error:
            why = error.why
        except EnvelopeError as error:
            why = error.why
        else:
            self._breaker.ended(well=True)
            return answer
        if why != "circuit_open":
            self._breaker.ended(well=why not in AWAY)
        return Unavailable(source=self._contract.name, why=why, latency_ms=self._since(begun))

    async def close(self) -> None:
        """Hang up and end the thread."""
        self._exchange.hang_up()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._exchange.close)
        self._thread.shutdown()

    async def _asked(self, question: Question, begun: float) -> Found[R] | NotListed:
        give_up = time.monotonic() + self._deadline_s
        try:
            async with asyncio.timeout(self._deadline_s), self._turn:
                if not self._breaker.admits():
                    raise _NoAnswer("circuit_open")
                try:
                    return await asyncio.get_running_loop().run_in_executor(
                        self._thread, self._ask_once, question, begun, give_up
                    )
                except asyncio.CancelledError:  # the deadline, or the caller: free the thread at once
                    self._exchange.hang_up()
                    raise
        except TimeoutError:
            raise _NoAnswer("timeout") from None

    def _ask_once(self, question: Question, begun: float, give_up: float) -> Found[R] | NotListed:
        """In the client's thread. ``give_up``: by the machine's monotonic clock; after it nobody waits, and the next one needs the thread."""
        nonce = secrets.token_hex(16)
        body = msgspec.json.encode(Asked(gate=self._gate, nonce=nonce, question=question))
        token = self._exchange.post(body, give_up)
        return self._reader.read(token, body, nonce, self._since(begun))

    def _since(self, begun: float) -> float:
        return round((self._clock() - begun) * 1000, 3)


@dataclass(slots=True)
class _Exchange:
    """The connection, kept alive between questions. Lives in the client's thread; only ``hang_up`` is called from outside."""

    url: str
    path: str
    tls: ssl.SSLContext | None = field(repr=False)
    _connection: http.client.HTTPConnection | None = None
    _sock: socket.socket | None = None
    """Of the connection, which forgets it where the other end says that it will close, and reads on."""

    def post(self, body: bytes, give_up: float) -> bytes:
        """One question; asked once more where the kept connection turns out to be closed. Raises _NoAnswer."""
        for kept in (self._connection is not None, False):
            try:
                return self._once(body, give_up)
            except TimeoutError:
                self.close()
                raise _NoAnswer("timeout") from None
            except OSError:  # RemoteDisconnected and ssl.SSLError too: gone away, a stranger's certificate, or no TLS at all
                self.close()
                if not kept:
                    break
            except (http.client.HTTPException, ValueError):
                self.close()
                raise _NoAnswer("malformed") from None
        raise _NoAnswer("unreachable")

    def _once(self, body: bytes, give_up: float) -> bytes:
        connection = self._connected(give_up)
        connection.request("POST", self.path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        raw = response.read(MAX_ANSWER + 1)
        if len(raw) <= MAX_ANSWER and response.length:
            raise http.client.IncompleteRead(raw, response.length)
        if len(raw) > MAX_ANSWER or response.will_close:
            self.close()
        return _accepted(response.status, raw)

    def _connected(self, give_up: float) -> http.client.HTTPConnection:
        if self._connection is None:
            self._connection = transport.connection(self.url, self.tls, _left(give_up))
            self._connection.connect()
            self._sock = self._connection.sock
        if self._sock is not None:
            self._sock.settimeout(_left(give_up))
        return self._connection

    def close(self) -> None:
        connection, self._connection, self._sock = self._connection, None, None
        if connection is not None:
            connection.close()

    def hang_up(self) -> None:
        """Wake the thread out of a read that would outlast the deadline. A TLS handshake keeps a deadline of its own."""
        sock = self._sock
        if sock is not None:
            with suppress(OSError):  # already gone
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not SSLSocket's: it would take TLS off under the thread's feet


def _left(give_up: float) -> float:
    left = give_up - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _accepted(status: int, raw: bytes) -> bytes:
    if status in UNKNOWN_TO_IT:
        raise _NoAnswer("refused")
    if status in NEVER_TAKEN:
        raise _NoAnswer("rejected")
    if status != 200:
        raise _NoAnswer("error")
    if len(raw) > MAX_ANSWER:
        raise _NoAnswer("malformed")
    return raw
