"""``autogate lane reset | eject``: an officer's order to a lane that stands still, given on the gate's own machine.

Whoever can read the secret of the run, which is readable by the gate's user alone, may give it; no page can. The log says that it was
given, not by whom: that takes a signature of the officer's own, and so does everything that opens an exit.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from gate.processes.channel import ChannelClosed, connect
from gate.processes.messages import OfficerOrder, Order, OrderTaken
from gate.runtime import RUNTIME_FILE, Runtime

ANSWER_S = 5.0


def lane_command(state_dir: Path, order: Order) -> int:
    """Give ``order`` to the lane whose state folder it is. Returns 0; 1 where the lane has no use for it; 2 where no lane answers."""
    try:
        runtime = Runtime(Path((state_dir / RUNTIME_FILE).read_text(encoding="utf-8")))
        taken = asyncio.run(_given(runtime, order))
    except (OSError, ChannelClosed, TimeoutError) as error:
        print(f"autogate lane: no lane serves {state_dir}: {error}", file=sys.stderr)
        return 2
    print(f"{taken.before} → {taken.after}")
    return int(taken.before == taken.after)


async def _given(runtime: Runtime, order: Order) -> OrderTaken:
    async with asyncio.timeout(ANSWER_S):
        channel = await connect(runtime.lane_socket, "console", runtime.secret_for("console"))
        try:
            await channel.send(OfficerOrder(order=order))
            answer = await channel.receive()
        finally:
            await channel.close()
    if not isinstance(answer, OrderTaken):
        raise ChannelClosed(f"the lane answered {type(answer).__name__}")
    return answer
