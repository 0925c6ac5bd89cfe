"""NATS's client library as everybody in a fleet uses it: both ends prove themselves, nothing is said in the clear where TLS is wanted, and
no message silences it.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nats.aio.client import Client
from nats.errors import Error
from nats.errors import TimeoutError as NothingCame

CONNECT_S, WAIT_S, CLOSE_S = 10, 1, 0.5
PING_S = 10.0
"""A broker that leaves two in a row unanswered is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Files in PEM: whose certificates count, our own, and its key."""

    ca: Path
    certificate: Path
    key: Path

    @classmethod
    def given(cls, ca: Path | None, certificate: Path | None, key: Path | None) -> Tls | None:
        """Of a command's options; None where there is none of the three. Raises ValueError where there are some."""
        if ca and certificate and key:
            return cls(ca=ca, certificate=certificate, key=key)
        if ca or certificate or key:
            raise ValueError("TLS takes all three: --ca, --certificate, --certificate-key")
        return None

    def context(self) -> ssl.SSLContext:
        """Raises OSError, ValueError."""
        context = ssl.create_default_context(cafile=str(self.ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self.certificate, self.key)
        return context


class SturdyClient(Client):
    """Two of the library's habits undone."""

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        """The library speaks in the clear to a broker that says it wants no TLS, whatever it was given."""
        if initial_connection and self.options.get("tls") is not None and not info.get("tls_required"):
            raise Error("the broker wants to talk without TLS")
        await super()._process_info(info, initial_connection)

    async def _process_headers(self, headers: Any) -> dict[str, str] | None:
        """The broker hands on headers as whoever sent them wrote them, and the library stops reading, without a word, at some that are none."""
        try:
            return await super()._process_headers(headers)
        except Exception:  # noqa: BLE001 - whatever the library stumbles over there
            return None


async def connect(
    url: str,
    name: str,
    tls: ssl.SSLContext | None,
    *,
    inbox: str,
    attempts: int = -1,
    again: Callable[[Client], Awaitable[None]] | None = None,
) -> Client:
    """A connection that comes back by itself; ``attempts`` to come, and to come back, -1: for as long as it takes. Answers arrive below ``inbox``.

    ``again``: what is to be done when it came back, for it may be another broker. Raises OSError, ValueError, nats.errors.Error.
    """
    client = SturdyClient()

    async def came_back() -> None:
        if again is not None:
            await again(client)

    try:
        await client.connect(
            url,
            name=name,
            tls=tls,
            inbox_prefix=inbox.encode(),
            connect_timeout=CONNECT_S,
            ping_interval=PING_S,  # type: ignore[arg-type] # seconds, of any kind
            max_reconnect_attempts=attempts,
            reconnect_time_wait=WAIT_S,
            error_cb=_said,
            reconnected_cb=came_back,
        )
    except BaseException:
        with suppress(Exception):
            async with asyncio.timeout(CLOSE_S):  # where TLS failed, the library waits for ever
                await client.close()
        raise
    return client


async def _said(error: Exception) -> None:
    if not isinstance(error, NothingCame):
        print(f"broker: {type(error).__name__}: {error}"[:200], file=sys.stderr, flush=True)
