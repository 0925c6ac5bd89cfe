"""``python -m benchmarks.fleet_relay --to PORT [--port PORT] [--seed 7] [--lost 0.05 --doubled 0.05 --late 0.05]``: a bad line to a NATS server.

It knows as much of the protocol as it takes to tell frames from one another: control lines end with CR LF, and PUB, HPUB, MSG and HMSG carry as many
octets as their last number says. Of those four, both ways, some are lost, some come twice, some come after others that were sent later.
All else goes through as it is, in its order, and no frame is ever cut: these are the faults of a broker and of what lies between, not of TCP.
Plain TCP on loopback; TLS, where there is some, ends before it.

Prints its port as it begins, and at its end (SIGTERM) as JSON how many frames of each verb met with what.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.fleet_promises import Promises
from gate.fleet.messages import MOST_MESSAGE

CARRYING = frozenset({"PUB", "HPUB", "MSG", "HMSG"})
HOST = "127.0.0.1"
MOST_LINE = 1 << 16
MOST_FRAME = MOST_MESSAGE + MOST_LINE


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Shares of the frames, at most 1 in all. What is late comes up to ``latest_s`` late."""

    lost: float = 0.05
    doubled: float = 0.05
    late: float = 0.05
    latest_s: float = 0.05

    def draw(self, dice: random.Random) -> str:
        drawn = dice.random()
        for what in ("lost", "doubled", "late"):
            drawn -= getattr(self, what)
            if drawn < 0:
                return what
        return "whole"


async def frame(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    """The next frame and its verb. Raises IncompleteReadError at the end, LimitOverrunError or ValueError for what is no NATS."""
    line = await reader.readuntil(b"\r\n")
    verb = line[:4].split(None, 1)[0].decode("ascii", "replace").upper() if line.strip() else ""
    if verb not in CARRYING:
        return verb, line
    size = int(line.split()[-1])
    if not 0 <= size <= MOST_FRAME:
        raise ValueError(f"a frame of {size} octets")
    return verb, line + await reader.readexactly(size + 2)


class Relay:
    """From clients to one server. ``counts``: by verb and fate, e.g. ``PUB lost``."""

    def __init__(self, to: int, faults: Faults, seed: int, saw: Callable[[str, bytes], None] | None = None) -> None:
        """``saw`` is shown each frame that carries something before it goes on."""
        self._to, self._faults, self._dice, self._saw = to, faults, random.Random(seed), saw
        self.counts: Counter[str] = Counter()
        self._clients: set[asyncio.Task[None]] = set()

    async def start(self, port: int = 0) -> int:
        """Returns the port that it listens on."""
        self._server = await asyncio.start_server(self._client, HOST, port, limit=MOST_FRAME)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        self._server.close()
        for task in tuple(self._clients):
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        await self._server.wait_closed()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._clients.add(task)
        writers = [writer]
        try:
            reader_to, writer_to = await asyncio.open_connection(HOST, self._to, limit=MOST_FRAME)
            writers.append(writer_to)
            pumps = [asyncio.ensure_future(self._pump(reader, writer_to)), asyncio.ensure_future(self._pump(reader_to, writer))]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            self.counts["connections refused or cut"] += 1
        finally:
            self._clients.discard(task)
            for each in writers:
                each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until one side ends. A line that is no NATS ends it, too."""
        with contextlib.suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, OSError):
            while True:
                verb, whole = await frame(reader)
                if verb in CARRYING:
                    self._carry(verb, whole, writer)
                else:
                    writer.write(whole)
                await writer.drain()

    def _carry(self, verb: str, whole: bytes, writer: asyncio.StreamWriter) -> None:
        if self._saw:
            self._saw(verb, whole)
        fate = self._faults.draw(self._dice)
        self.counts[f"{verb} {fate}"] += 1
        match fate:
            case "lost":
                pass
            case "doubled":
                writer.write(whole + whole)
            case "late":
                asyncio.get_running_loop().call_later(self._dice.uniform(0, self._faults.latest_s), _write, writer, whole)
            case _:
                writer.write(whole)


def _write(writer: asyncio.StreamWriter, whole: bytes) -> None:
    if not writer.transport.is_closing():
        writer.write(whole)


async def serve(options: argparse.Namespace) -> dict[str, Any]:
    faults = Faults(lost=options.lost, doubled=options.doubled, late=options.late, latest_s=options.latest)
    promises = Promises(options.dsn) if options.dsn else None
    relay, ended = Relay(options.to, faults, options.seed, promises.saw if promises else None), asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, ended.set)
    print(await relay.start(options.port), flush=True)
    await ended.wait()
    await relay.close()
    if promises:
        promises.close()
    kept = {"promises": promises.looked, "broken": promises.broken} if promises else {}
    return {"frames": dict(sorted(relay.counts.items())), **kept}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet_relay", description=__doc__)
    parser.add_argument("--to", type=int, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--lost", type=float, default=Faults().lost)
    parser.add_argument("--doubled", type=float, default=Faults().doubled)
    parser.add_argument("--late", type=float, default=Faults().late)
    parser.add_argument("--latest", type=float, default=Faults().latest_s, metavar="SECONDS")
    parser.add_argument("--dsn", help="for the line of collectors: whether what they promise is kept in this database")
    print(json.dumps(asyncio.run(serve(parser.parse_args()))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
