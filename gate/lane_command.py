"""``autogate lane reset | eject``: an order to a lane that stands still, given on the gate's own machine, in demonstrations alone.

Whoever can read the secret of the run, which is readable by the gate's user alone, may give it; no page can. The log says that it was
given, and by whom according to himself. A gate in operation takes orders from officers only, whose authenticators sign them (``gate.console``).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from gate.link_waiver import add_arguments as add_waiver_arguments
from gate.processes.channel import ChannelClosed, connect
from gate.processes.messages import OfficerOrder, Order, OrderTaken
from gate.runtime import RUNTIME_FILE, Runtime

ANSWER_S = 5.0


def add_arguments(parser: argparse.ArgumentParser, state: Path) -> None:
    """The options of ``autogate lane``."""
    commands = parser.add_subparsers(dest="lane", required=True)
    for order, what in (("reset", "leave a fault or the end of an emergency"), ("eject", "open the entry of a lane that waits")):
        given = commands.add_parser(order, help=f"{what} (in demonstrations)")
        given.add_argument("--state", type=Path, default=state)
        given.add_argument("--name", default=os.environ.get("USER", ""), help="who you are, for the log")
    add_waiver_arguments(commands.add_parser("waive", help="sign that a lane may use a link that proves nothing"))


def lane_command(state_dir: Path, order: Order, name: str = "") -> int:
    """Give ``order`` as ``name`` to the lane whose state folder it is. Returns 0; 1 where the lane has no use for it; 2 where no lane answers."""
    try:
        runtime = Runtime(Path((state_dir / RUNTIME_FILE).read_text(encoding="utf-8")))
        taken = asyncio.run(_given(runtime, order, name))
    except (OSError, ChannelClosed, TimeoutError) as error:
        print(f"autogate lane: no lane serves {state_dir}: {error}", file=sys.stderr)
        return 2
    print(f"{taken.before} → {taken.after}{f' ({taken.refused})' if taken.refused else ''}")
    return int(bool(taken.refused))


async def _given(runtime: Runtime, order: Order, name: str) -> OrderTaken:
    async with asyncio.timeout(ANSWER_S):
        channel = await connect(runtime.lane_socket, "command", runtime.secret_for("command"))
        try:
            await channel.send(OfficerOrder(order=order, name=name))
            answer = await channel.receive()
        finally:
            await channel.close()
    if not isinstance(answer, OrderTaken):
        raise ChannelClosed(f"the lane answered {type(answer).__name__}")
    return answer
