"""The pictures process: the chip's portrait and the live picture of a traveller who waits for an officer, for the console's page.

It ends with the case that it showed, so that what it held of a face is gone with its memory; the service starts the next one. It knows
no secret but its own role's, and is sent nothing before the lane has written down that somebody looks. ``python -m gate.processes.pictures
--lane SOCKET --socket SOCKET --secret-file F --origin http://localhost:PORT``: hears the lane and vision, answers that page alone.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from functools import partial
from pathlib import Path

from gate.doctor import refuse_foreign_names
from gate.processes import channel
from gate.processes.channel import Channel, ChannelClosed, connect
from gate.processes.hardening import harden
from gate.processes.messages import Join, OfferPictures, Picture, PicturesAsked, PicturesListen
from gate.processes.pictures_http import Case, Server

LAPSE_S = 60.0
"""An offer that the lane did not say again for this long is over: a lane that hangs shows nobody."""
LANE_START_S, JOIN_EVERY_S = 10.0, 0.05


async def serve(lane: Path, socket: Path, secret: str, origin: str) -> None:
    """Until a case that was looked at is over, its offer lapsed, or the lane is gone. Raises ChannelClosed where there never was one."""
    line = await _join(lane, secret)
    case = Case(lambda transaction: line.tell(PicturesAsked(transaction=transaction)))
    listener = await Server(case, origin).listen()
    heard = await channel.serve(socket, secret, partial(_hear_vision, case))
    try:
        await line.send(PicturesListen(port=listener.sockets[0].getsockname()[1]))
        while not case.over:
            async with asyncio.timeout(LAPSE_S if case.offer.token else None):
                told = await line.receive()
            if isinstance(told, OfferPictures):
                case.offered(told)
    except (ChannelClosed, TimeoutError):
        return
    finally:
        listener.close()
        heard.close()
        line.abort()


async def _serve_and_end(lane: Path, socket: Path, secret: str, origin: str) -> None:
    await serve(lane, socket, secret, origin)
    os._exit(0)  # at once: no picture on its way to a page is unwound, sent or complained about


async def _hear_vision(case: Case, join: Join, peer: Channel) -> None:
    while join.role == "vision":
        told = await peer.receive()
        if isinstance(told, Picture):
            case.take(told)


async def _join(lane: Path, secret: str) -> Channel:
    """Connect, waiting a while for a lane that is only just starting. Raises ChannelClosed."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + LANE_START_S
    while True:
        try:
            return await connect(lane, "pictures", secret)
        except ChannelClosed:
            if loop.time() > give_up:
                raise
            await asyncio.sleep(JOIN_EVERY_S)


def main(arguments: list[str] | None = None) -> int:
    """Entry point. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m gate.processes.pictures")
    parser.add_argument("--lane", type=Path, required=True, help="the lane's local socket")
    parser.add_argument("--socket", type=Path, required=True, help="where vision sends pictures")
    parser.add_argument("--secret-file", type=Path, required=True, help="file with the secret of this role and run")
    parser.add_argument("--origin", required=True, help="of the console's page, which alone may show them")
    options = parser.parse_args(arguments)
    harden()
    refuse_foreign_names()
    try:
        secret = options.secret_file.read_text(encoding="ascii").strip()
        asyncio.run(_serve_and_end(options.lane, options.socket, secret, options.origin))
    except (OSError, ChannelClosed) as error:
        print(f"pictures: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
