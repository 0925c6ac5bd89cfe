"""The health process: ``/healthz``, ``/readyz`` and ``/metrics`` on loopback. The lane answers nobody; it tells this process once a second.

A process of its own, without any of the gate's keys: whatever speaks HTTP may be broken without a door noticing. The answers hold numbers
and words of the gate's own, never anything of a traveller. ``python -m gate.processes.health --lane SOCKET --secret-file F --port P``
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from gate.doctor import LOOPBACK, refuse_foreign_names
from gate.processes.channel import ChannelClosed, connect
from gate.processes.hardening import harden
from gate.processes.messages import LaneHealth
from gate.processes.metrics import exposition

STALE_S = 5.0
"""A lane that told nothing for this long is not healthy: it tells once a second."""
RETRY_S = 0.5
QUESTION_S = 5.0
"""Longest a client may take for its question."""
LONGEST_QUESTION = 8192
CONNECTIONS = 16
"""At once: a scraper and a few curious."""
Answer = tuple[int, str, str]
REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    421: "Misdirected Request",
    503: "Service Unavailable",
}
TEXT, METRICS = "text/plain; charset=utf-8", "text/plain; version=0.0.4; charset=utf-8"


class Board:
    """The newest that the lane told, and when."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now, self._told = now, 0.0
        self._health: LaneHealth | None = None

    def told(self, health: LaneHealth | None) -> None:
        self._health, self._told = health, self._now()

    @property
    def fresh(self) -> LaneHealth | None:
        """None where the lane is gone, or hangs."""
        return self._health if self._now() - self._told <= STALE_S else None

    def answer(self, path: str) -> Answer:
        """Status, media type and body of the answer to GET ``path``."""
        health = self.fresh
        match path:
            case "/healthz":
                what = "the lane does not answer" if health is None else f"{health.stuck} hangs" if health.stuck else ""
                return (503, TEXT, what + "\n") if what else (200, TEXT, "ok\n")
            case "/readyz":
                if health is None:
                    return 503, TEXT, "the lane does not answer\n"
                notices = {
                    "rules": health.rules_problem,
                    "trust": health.trust_problem,
                    "audit": health.audit_problem,
                    "fleet": health.fleet_problem,
                }
                told = [f"{what}: {problem}" for what, problem in notices.items() if problem]
                return (200 if health.in_service else 503), TEXT, "\n".join((health.state, *health.causes, *told)) + "\n"
            case "/metrics":
                return 200, METRICS, exposition(health)
            case _:
                return 404, TEXT, "/healthz, /readyz or /metrics\n"


class Server:
    """As much HTTP as three questions need: one a connection, GET and HEAD, nothing read but the first lines."""

    def __init__(self, board: Board, port: int) -> None:
        self._board, self._port, self._open = board, port, 0

    async def listen(self) -> asyncio.Server:
        """Raises OSError where the port is taken."""
        return await asyncio.start_server(self._serve, LOOPBACK, self._port, limit=LONGEST_QUESTION)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= CONNECTIONS:
                async with asyncio.timeout(QUESTION_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(self._reply(head.decode("latin-1").split("\r\n"), writer.get_extra_info("sockname")[1]))
                    await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked does not want to know any more
        finally:
            self._open -= 1
            writer.close()

    def _reply(self, head: list[str], port: int) -> bytes:
        status, kind, body = self._judge(head, port)
        raw = b"" if head[0].startswith("HEAD ") else body.encode()
        lines = (
            f"HTTP/1.1 {status} {REASONS[status]}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body.encode())}",
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
            "Connection: close",
            "\r\n",
        )
        return "\r\n".join(lines).encode() + raw

    def _judge(self, head: list[str], port: int) -> Answer:
        words = head[0].split(" ")
        hosts = [line[5:].strip() for line in head[1:] if line.lower().startswith("host:")]
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            return 400, TEXT, "not HTTP/1\n"
        if hosts not in ([f"{LOOPBACK}:{port}"], [f"localhost:{port}"]):
            return 421, TEXT, "not a name of this listener\n"  # a page of another site that a browser here happens to show
        if words[0] not in {"GET", "HEAD"}:
            return 405, TEXT, "GET alone\n"
        return self._board.answer(words[1].partition("?")[0])


async def follow(board: Board, lane: Path, secret: str) -> None:
    """Hear what the lane tells, and come back to it after it was away. Until cancelled."""
    while True:
        try:
            channel = await connect(lane, "health", secret)
            try:
                while True:
                    message = await channel.receive()
                    if isinstance(message, LaneHealth):
                        board.told(message)
            finally:
                await channel.close()
        except ChannelClosed:
            board.told(None)
        await asyncio.sleep(RETRY_S)


async def serve(lane: Path, secret: str, port: int) -> None:
    """Until SIGTERM or SIGINT. Raises OSError where the port is taken."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    board = Board(loop.time)
    async with await Server(board, port).listen():
        following = asyncio.create_task(follow(board, lane, secret))
        await ended.wait()
        following.cancel()


def main(arguments: list[str] | None = None) -> int:
    """Entry point. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m gate.processes.health")
    parser.add_argument("--lane", type=Path, required=True, help="the lane's local socket")
    parser.add_argument("--secret-file", type=Path, required=True, help="file with the secret of this role and run")
    parser.add_argument("--port", type=int, required=True, help="on 127.0.0.1")
    options = parser.parse_args(arguments)
    harden()
    refuse_foreign_names()
    try:
        asyncio.run(serve(options.lane, options.secret_file.read_text(encoding="ascii").strip(), options.port))
    except OSError as error:
        print(f"health: port {options.port}: {error.strerror} (free it, or change health.port)", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
