"""What the reader and the vision process have in common: one device thread, one loop, one channel to the lane."""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from gate.config import Config, ConfigError, load
from gate.doctor import refuse_foreign_names
from gate.processes.channel import Channel, ChannelClosed, connect
from gate.processes.hardening import harden, overwrite_what_is_freed
from gate.processes.messages import AnyMessage, Role
from gate.runtime import Runtime
from hardware.ports import DeviceError

EXIT_CONFIG = 2
EXIT_DEVICE = 3
LANE_START_S, JOIN_EVERY_S = 10.0, 0.02


class Misconfigured(Exception):
    """Something that the configuration names cannot be used: a face pack, a trust store. Restarting would not mend it."""


class Worker:
    """Carries messages between a blocking thread and the lane. Create it on the loop it shall run on."""

    def __init__(self, role: Role, runtime: Runtime, backends: Mapping[str, str]) -> None:
        self._role, self._runtime, self._backends = role, runtime, backends
        self._loop = asyncio.get_running_loop()
        self._outbox: asyncio.Queue[AnyMessage | None] = asyncio.Queue()

    def post(self, message: AnyMessage) -> None:
        """Send ``message`` to the lane; for any thread."""
        self._loop.call_soon_threadsafe(self._outbox.put_nowait, message)

    async def run(self, work: Callable[[], None], stop: Callable[[], None], on_message: Callable[[AnyMessage], None]) -> None:
        """Join the lane, run ``work`` in its thread, hand ``on_message`` what the lane says; return when the lane hangs up."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._outbox.put_nowait, None)
        gc.collect()
        gc.freeze()  # all that is loaded by now stays: no collection needs to walk it again
        channel = await self._join()
        failures: list[BaseException] = []
        thread = threading.Thread(target=self._guard, args=(work, failures), name=self._role, daemon=True)
        listener = asyncio.create_task(self._listen(channel, on_message))
        thread.start()
        try:
            while (message := await self._outbox.get()) is not None:
                await channel.send(message)
                del message  # it may carry a portrait, and the next one may be long in coming
        except ChannelClosed:
            pass
        finally:
            stop()
            listener.cancel()
            await asyncio.to_thread(thread.join)
            await channel.close()
        if failures:
            raise failures[0]

    async def _join(self) -> Channel:
        """Connect, waiting a while for a lane that is only just starting. Raises ChannelClosed."""
        give_up = self._loop.time() + LANE_START_S
        while True:
            try:
                return await connect(self._runtime.lane_socket, self._role, self._runtime.secret_for(self._role), self._backends)
            except ChannelClosed:
                if self._loop.time() > give_up or not self._outbox.empty():  # told to end meanwhile
                    raise
                await asyncio.sleep(JOIN_EVERY_S)

    def _guard(self, work: Callable[[], None], failures: list[BaseException]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - carried to the loop, which raises it
            failures.append(error)
        self._loop.call_soon_threadsafe(self._outbox.put_nowait, None)

    async def _listen(self, channel: Channel, on_message: Callable[[AnyMessage], None]) -> None:
        try:
            while True:
                on_message(await channel.receive())
        except ChannelClosed:
            self._outbox.put_nowait(None)


async def first_of(*works: Coroutine[Any, Any, None]) -> None:
    """Do all until one ends; then end the others. Raises what that one raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def arguments(role: str) -> tuple[Config, Runtime]:
    """``--config FILE --runtime DIR`` of a process of the gate. Ends the process (exit 2) on a broken configuration."""
    parser = argparse.ArgumentParser(prog=f"python -m gate.processes.{role}")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--runtime", type=Path, required=True)
    options = parser.parse_args()
    try:
        return load(options.config), Runtime(options.runtime)
    except ConfigError as error:
        print(error, file=sys.stderr)
        raise SystemExit(EXIT_CONFIG) from error


def worker_main(role: str, serve: Callable[[Config, Runtime], Awaitable[None]]) -> int:
    """Entry point of a worker process: harden, overwrite what is freed, load the configuration, serve. Returns the exit status."""
    harden()
    overwrite_what_is_freed()
    refuse_foreign_names()
    config, runtime = arguments(role)

    async def run() -> None:
        await serve(config, runtime)

    try:
        asyncio.run(run())
    except Misconfigured as error:
        print(f"{role}: {error}", file=sys.stderr)
        return EXIT_CONFIG
    except (DeviceError, ChannelClosed) as error:
        print(f"{role}: {error}", file=sys.stderr)
        return EXIT_DEVICE
    except Exception:  # noqa: BLE001 - a bug ends the process with its trace; the lane refers meanwhile
        traceback.print_exc()
        return 1
    return 0
