"""``ready_probe.py PORT PORT``: start a lane's processes; print the seconds until they were ready, as JSON.

Run by ``installation.py`` with the Python of a fresh installation. Ready: the lane is idle under supervision and every worker has
joined, its sessions warm (``LaneReady``). The clock starts before the first process does.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

from faceverify.packs import demo_pack
from gate.config import Config, load
from gate.demo.cast import Cast, load_cast
from gate.demo.stage import DemoStage
from gate.processes.channel import ChannelClosed, connect
from gate.processes.messages import LaneReady
from gate.runtime import Runtime
from gate.service import Service, commands

LIMIT_S = 60.0


async def until_ready(runtime: Runtime) -> None:
    """Return when the lane says that it is ready. Raises TimeoutError."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                channel = await connect(runtime.lane_socket, "director", runtime.secret_for("director"))
                while not isinstance(await channel.receive(), LaneReady):
                    pass
            except ChannelClosed:
                await asyncio.sleep(0.01)
            else:
                await channel.close()
                return


def start_once(stage: DemoStage, config: Config) -> float:
    """Seconds from the first process's start until ready."""
    begun = time.monotonic()
    service = Service(commands(stage.config_path, config, stage.runtime), stage.log)
    try:
        asyncio.run(until_ready(stage.runtime))
        return round(time.monotonic() - begun, 3)
    finally:
        service.stop()


def main() -> int:
    ports = tuple(int(argument) for argument in sys.argv[1:3])
    with tempfile.TemporaryDirectory(prefix="autogate-ready-") as name:
        state = Path(name)
        packs = state / "packs"
        demo_pack(packs)
        cast = load_cast()
        one = Cast(state=cast.state, traveller=cast.traveller[:1])
        with DemoStage(one, state, (ports[0], ports[1]), packs) as stage:
            config = load(stage.config_path)
            print(json.dumps([start_once(stage, config)]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
