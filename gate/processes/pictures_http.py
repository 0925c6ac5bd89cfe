"""What the pictures process holds of the case on offer, and as much HTTP as two pictures need: one question a connection, GET alone.

Only the console's page gets an answer with a picture: its browser names its origin for an ``<img crossorigin="anonymous">``, hands the
answer to no other page, and no page of another site can make it name this one. A process of this machine can say what it likes; it does not know
the token, which the lane makes for each case.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable

from gate.doctor import LOOPBACK
from gate.processes.messages import OfferPictures, Picture

PATIENCE_S = 3.0
"""What the first who asks waits for: the log, the decoder, the camera."""
QUESTION_S, LONGEST_QUESTION = 5.0, 8192
STALLED_S = 5.0
"""Who takes nothing for this long is hung up on."""
CONNECTIONS = 16
"""At once: two pictures on a few officers' pages."""
BOUNDARY = "next-picture"
JPEG, MOVING = "image/jpeg", f"multipart/x-mixed-replace; boundary={BOUNDARY}"
NEXT = f"\r\n--{BOUNDARY}\r\nContent-Type: {JPEG}\r\n\r\n".encode()
"""Goes before a picture. It is sent as soon as the last one is out, because browsers draw no picture before they know that another one begins."""
FROZEN_S = 2.0
"""A live picture that does not move for this long is taken away: nobody must rule on who stood there a while ago."""
_ONE_CODE = "01" + "00" * 16
NO_PICTURE = bytes.fromhex(
    f"ffd8ffdb004300{'ff' * 64}ffc0000b080008000801011100ffc4001400{_ONE_CODE}ffc4001410{_ONE_CODE}ffda0008010100003f003fffd9"
)
"""Eight by eight points of grey, as JPEG: within one moving picture browsers draw no other kind."""
REASONS = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    421: "Misdirected Request",
    503: "Service Unavailable",
}


class Case:
    """The case on offer, and the newest of each of its pictures."""

    def __init__(self, ask: Callable[[str], None]) -> None:
        """``ask`` tells the lane that somebody wants to see the pictures of this transaction."""
        self.offer, self.over = OfferPictures(), False
        self._ask, self._asked = ask, False
        self._pictures: dict[str, bytes] = {}
        self._changed = asyncio.Event()

    def offered(self, offer: OfferPictures) -> None:
        """What the lane offers from now on. ``over``: another case than the one that was looked at, for which this process is not the one."""
        if offer != self.offer:
            self.over, self.offer = self._asked, OfferPictures() if self._asked else offer

    def take(self, picture: Picture) -> None:
        """A picture that vision sends; one that nobody asked for is not kept."""
        if self._asked and picture.transaction == self.offer.transaction:
            self._pictures[picture.which] = picture.jpeg
            self._changed.set()
            self._changed = asyncio.Event()

    def opens(self, token: str) -> bool:
        """Whether ``token`` is the one on offer."""
        return bool(self.offer.token) and hmac.compare_digest(token.encode(), self.offer.token.encode())

    def ask(self) -> None:
        """Have the pictures sent, once."""
        if not self._asked:
            self._asked = True
            self._ask(self.offer.transaction)

    async def newer(self, which: str, than: bytes | None = None) -> bytes:
        """The picture, as soon as it is there and another one; empty where vision has none."""
        while (picture := self._pictures.get(which)) is None or picture is than:
            await self._changed.wait()
        return picture


class Server:
    """``/TOKEN/chip`` and ``/TOKEN/live``, for the page at ``origin``."""

    def __init__(self, case: Case, origin: str) -> None:
        self._case, self._origin, self._open = case, origin, 0

    async def listen(self) -> asyncio.Server:
        """On loopback, at a port of the system's choice. Raises OSError."""
        return await asyncio.start_server(self._serve, LOOPBACK, 0, limit=LONGEST_QUESTION)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= CONNECTIONS:
                async with asyncio.timeout(QUESTION_S):
                    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                await self._answer(head, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked does not want to know any more
        finally:
            self._open -= 1
            writer.close()

    async def _answer(self, head: list[str], writer: asyncio.StreamWriter) -> None:
        status, which = self._judge(head, writer.get_extra_info("sockname")[1])
        picture = b""
        if status == 200:
            self._case.ask()
            try:
                async with asyncio.timeout(PATIENCE_S):
                    picture = await self._case.newer(which)
            except TimeoutError:
                status = 503
            else:
                status = 200 if picture else 404
        if status == 200 and which == "live":
            await self._move(picture, writer)
            return
        writer.write(self._head(status, JPEG if picture else "text/plain", f"Content-Length: {len(picture)}") + picture)
        await _taken(writer)

    def _judge(self, head: list[str], port: int) -> tuple[int, str]:
        """The status, and which picture is asked for."""
        words = head[0].split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            return 400, ""
        if _values(head, "host") not in ([f"localhost:{port}"], [f"{LOOPBACK}:{port}"]):
            return 421, ""
        if words[0] != "GET":
            return 405, ""
        if _values(head, "origin") != [self._origin]:
            return 403, ""
        _, token, which = ["", "", *words[1].split("/")][-3:]
        known = words[1] == f"/{token}/{which}" and which in {"chip", "live"} and self._case.opens(token)
        return (200, which) if known else (404, "")

    def _head(self, status: int, kind: str, *more: str) -> bytes:
        lines = (
            f"HTTP/1.1 {status} {REASONS[status]}",
            f"Content-Type: {kind}",
            *more,
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
            "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'; sandbox",
            "Cross-Origin-Resource-Policy: same-origin",
            f"Access-Control-Allow-Origin: {self._origin}",
            "Vary: Origin",
            "Referrer-Policy: no-referrer",
            "Connection: close",
            "\r\n",
        )
        return "\r\n".join(lines).encode()

    async def _move(self, picture: bytes, writer: asyncio.StreamWriter) -> None:
        """One picture after the other, each in the place of the last."""
        writer.write(self._head(200, MOVING) + NEXT)
        while True:
            await _next(writer, picture)
            try:
                async with asyncio.timeout(FROZEN_S):
                    picture = await self._case.newer("live", picture)
            except TimeoutError:
                await _next(writer, NO_PICTURE)
                picture = await self._case.newer("live", picture)


async def _next(writer: asyncio.StreamWriter, picture: bytes) -> None:
    writer.write(picture + NEXT)
    await _taken(writer)


async def _taken(writer: asyncio.StreamWriter) -> None:
    async with asyncio.timeout(STALLED_S):
        await writer.drain()


def _values(head: list[str], name: str) -> list[str]:
    """What the header fields called ``name`` say."""
    fields = (line.partition(":") for line in head[1:])
    return [value.strip() for field, _, value in fields if field.lower() == name]
