"""One connection to the fleet's broker, from its opening to its end: mutual TLS, answers awaited, nothing believed and nothing kept for later.

Whoever wants another one opens it (:mod:`gate.processes.fleet`): so certificates that were replaced are read again, and a broker that speaks nonsense
ends a connection and nothing else.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from nats.errors import Error, MaxPayloadError, NoRespondersError, SlowConsumerError
from nats.js import JetStreamContext

from gate.config_sections import Fleet
from gate.fleet.messages import MOST_MESSAGE, inbox, last_receipt, printable, receipt_subject
from gate.fleet.nats_client import PING_S, SturdyClient, Tls

STREAM = "EVENTS"
OPEN_S, ANSWER_S, CLOSE_S = 15.0, 5.0, 0.5
"""Longest that opening takes, that an answer is awaited, and that what is over takes to end."""
WAITING = 8
"""Receipts that wait to be looked at; of more only the newest would count, and the next ones say the same."""
MOST_WORDS = 120
"""Characters of what a broker says that are shown to people."""


class BrokerError(Exception):
    """It did not go. ``silent``: there was no answer, so perhaps it did."""

    def __init__(self, what: str, *, silent: bool = False) -> None:
        self.silent = silent
        super().__init__(printable(what, MOST_WORDS))


class _Problem(msgspec.Struct, frozen=True):
    description: str = ""


class _Ack(msgspec.Struct, frozen=True):
    """What JetStream answers to a message."""

    stream: str = ""
    error: _Problem | None = None


_acks = msgspec.json.Decoder(_Ack)


class Connection:
    """Open one by :meth:`open`. All on one loop."""

    def __init__(self, client: SturdyClient, gate: str) -> None:
        self._client, self._gate = client, gate
        self._ended = asyncio.Event()
        self.complaint = ""
        """What the broker said last that nobody had asked for, as that this gate may not hear something; empty for nothing."""

    @classmethod
    async def open(cls, fleet: Fleet, gate: str) -> Connection:
        """Connect, and be sure to whom. Raises BrokerError."""
        client, heard = SturdyClient(), list[Exception]()
        connection = cls(client, gate)

        async def on_error(error: Exception) -> None:
            heard[:] = [error]
            if not isinstance(error, SlowConsumerError):
                connection.complaint = printable(str(error) or type(error).__name__, MOST_WORDS)

        async def on_closed() -> None:
            connection._ended.set()

        try:
            async with asyncio.timeout(OPEN_S):
                await client.connect(
                    fleet.url,
                    name=gate,
                    tls=tls_context(fleet),
                    inbox_prefix=inbox(gate),
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    ping_interval=PING_S,  # type: ignore[arg-type] # seconds, of any kind
                    error_cb=on_error,
                    closed_cb=on_closed,
                )
            connection._examine()
        except Exception as error:  # whatever a hostile or a broken broker makes the library raise: there is no connection
            await connection.close()
            if isinstance(error, BrokerError):
                raise
            why = heard[-1] if heard else error
            raise BrokerError(f"{str(why) or type(why).__name__}", silent=True) from error
        return connection

    def _examine(self) -> None:
        """The library takes a hang-up for a welcome."""
        if not self._client.is_connected:
            raise BrokerError("the broker hung up: it does not take this gate's certificate, or no more connections")

    @property
    def stream(self) -> JetStreamContext:
        """For who reads streams by it."""
        return self._client.jetstream(timeout=ANSWER_S)

    async def close(self) -> None:
        """Never raises."""
        with suppress(Exception):  # it is over in either case
            async with asyncio.timeout(CLOSE_S):  # where TLS failed, its library waits for ever
                await self._client.close()

    async def ended(self) -> None:
        """Returns when the broker is gone."""
        await self._ended.wait()

    async def send(self, subject: str, raw: bytes, message_id: str) -> None:
        """Have ``raw`` put into the stream; returns when the broker says that it is there. Raises BrokerError.

        ``message_id``: one that the broker had within its last minutes is not put there twice.
        """
        headers = {"Nats-Expected-Stream": STREAM} | ({"Nats-Msg-Id": message_id} if message_id else {})
        answer = await self._asked(subject, raw, headers)
        try:
            ack = _acks.decode(answer.data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise BrokerError("the broker's answer is none") from None
        if ack.error is not None:
            raise BrokerError(f"the broker takes no more: {ack.error.description}")
        if ack.stream != STREAM:
            raise BrokerError("the broker's answer is none")

    async def tell(self, subject: str, raw: bytes) -> None:
        """Say ``raw``, and wait for nothing. Raises BrokerError."""
        try:
            await self._client.publish(subject, raw)
        except (Error, OSError) as error:
            raise BrokerError(str(error) or type(error).__name__) from error

    async def ask(self, subject: str, raw: bytes) -> bytes:
        """What is answered to ``raw``. Raises BrokerError."""
        return bytes((await self._asked(subject, raw, None)).data)

    async def hear(self, take: Callable[[bytes], Awaitable[None]]) -> None:
        """Hand every receipt that comes to ``take``, one at a time, and the newest that there is now. Raises BrokerError."""

        async def on_message(message: Any) -> None:
            await take(bytes(message.data))

        try:
            await self._client.subscribe(
                receipt_subject(self._gate), cb=on_message, pending_msgs_limit=WAITING, pending_bytes_limit=WAITING * MOST_MESSAGE
            )
        except (Error, OSError) as error:
            raise BrokerError(str(error) or type(error).__name__) from error
        if raw := await self.newest_receipt():
            await take(raw)

    async def newest_receipt(self) -> bytes:
        """What the broker keeps for this gate; empty for nothing. It may be that nobody made its stream yet."""
        with suppress(BrokerError):
            answer = await self._asked(last_receipt(self._gate), b"", None)
            if not (answer.headers or {}).get("Status"):
                return bytes(answer.data)
        return b""

    async def _asked(self, subject: str, raw: bytes, headers: dict[str, str] | None) -> Any:
        try:
            return await self._client.request(subject, raw, timeout=ANSWER_S, headers=headers)
        except NoRespondersError:
            raise BrokerError("nobody made the streams of the fleet at this broker") from None
        except MaxPayloadError:
            raise BrokerError(f"the broker takes no message of {len(raw)} bytes: its max_payload is too small") from None
        except TimeoutError:
            raise BrokerError(f"no answer within {ANSWER_S:.0f} s", silent=True) from None
        except (Error, OSError) as error:
            raise BrokerError(str(error) or type(error).__name__, silent=True) from error


def tls_context(fleet: Fleet) -> ssl.SSLContext | None:
    """Both ends prove themselves; None where the broker is spoken to in the clear, as in demonstrations. Raises BrokerError."""
    if fleet.ca is None or fleet.certificate is None or fleet.key is None:
        return None
    try:
        return Tls(ca=fleet.ca, certificate=fleet.certificate, key=fleet.key).context()
    except (OSError, ValueError) as error:
        raise BrokerError(f"fleet.ca, certificate or key: {error}") from error


def ends(certificate: Path) -> datetime | None:
    """The instant from which the gate's certificate counts no more; None where it cannot be read."""
    try:
        return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return None
