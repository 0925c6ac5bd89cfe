"""The repository and the assignments at the broker: an object store and a key-value store of JetStream.

A gate reads both by direct requests and makes no consumers: it needs leave to publish to :func:`gate_may_ask` and nothing more, and what it
reads is bounded whoever sent it. The broker is believed nothing.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import nats.errors
import nats.js.errors
from msgspec import Meta
from nats.js import JetStreamContext
from nats.js.object_store import ObjectStore

from gate.fleet.messages import MOST_MESSAGE
from gate.fleet.updates.sources import GONE, check_name
from gate.fleet.updates.targets import MOST_TARGET

UPDATES, ASSIGNMENTS = "autogate-updates", "autogate-assignments"
"""Names of the two stores."""
OBJECTS, VALUES = f"OBJ_{UPDATES}", f"KV_{ASSIGNMENTS}"
"""Names of their streams."""
ANSWER_S = 10.0
"""The broker may take so long for one answer."""
LONGEST_S = 900.0
"""And so long for a whole file: one that drips is given up."""

T = TypeVar("T")


def gate_may_ask(gate: str) -> tuple[str, ...]:
    """Subjects that a gate publishes to for its updates: every file, and its own assignment."""
    api = "$JS.API.DIRECT.GET"
    return f"{api}.{OBJECTS}", f"{api}.{OBJECTS}.$O.{UPDATES}.M.*", f"{api}.{VALUES}.{_key(gate)}"


class _Link(msgspec.Struct, frozen=True):
    link: msgspec.Raw | None = None


class _Info(msgspec.Struct, frozen=True):
    """What an object store says of one: in which messages it lies."""

    nuid: Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{1,64}\Z")]
    size: Annotated[int, Meta(ge=0, le=MOST_TARGET)]
    chunks: Annotated[int, Meta(ge=0, le=1 << 16)] = 0
    deleted: bool = False
    options: _Link | None = None


class Broker:
    """:class:`gate.fleet.updates.sources.Source`, asked by another thread than that of the connection's loop."""

    def __init__(self, js: JetStreamContext, loop: asyncio.AbstractEventLoop) -> None:
        self._js, self._loop, self._closed = js, loop, threading.Event()

    def close(self) -> None:
        """From now on every question is an OSError: whoever waits in a thread comes to an end."""
        self._closed.set()

    def chunks(self, name: str) -> Iterator[bytes]:
        """:meth:`gate.fleet.updates.sources.Source.chunks`."""
        info, end = self._info(check_name(name)), time.monotonic() + LONGEST_S
        after, subject = 0, f"$O.{UPDATES}.C.{info.nuid}"
        for _ in range(info.chunks):
            if time.monotonic() > end:
                raise OSError(f"{name}: not here after {LONGEST_S:.0f} s")
            try:
                message = self._ask(self._js.get_msg(OBJECTS, seq=after + 1, subject=subject, direct=True, next=True))
            except FileNotFoundError:
                raise OSError(f"{name}: ends early, or was replaced meanwhile") from None
            after = max(after + 1, message.seq or 0)
            yield message.data or b""

    def assignment(self, gate: str) -> bytes | None:
        """The newest for ``gate`` as it travels, unverified. Raises OSError."""
        try:
            return self._ask(self._js.get_msg(VALUES, subject=_key(gate), direct=True)).data
        except FileNotFoundError:
            return None

    def _info(self, name: str) -> _Info:
        raw = self._ask(self._js.get_msg(OBJECTS, subject=_meta(name), direct=True)).data
        try:
            info = msgspec.json.decode(raw or b"", type=_Info)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise OSError(f"{name}: {error}") from None
        if info.deleted or (info.options and info.options.link):
            raise FileNotFoundError(name)
        return info

    def _ask(self, question: Coroutine[Any, Any, T]) -> T:
        if self._closed.is_set():
            question.close()
            raise OSError("the connection is being closed")
        try:
            return asyncio.run_coroutine_threadsafe(question, self._loop).result(ANSWER_S + 1)
        except nats.js.errors.NotFoundError:
            raise FileNotFoundError("the broker holds no such thing") from None
        except (nats.errors.Error, TimeoutError, asyncio.CancelledError, KeyError, TypeError, ValueError) as error:
            raise OSError(f"the broker does not answer as it should: {type(error).__name__} {error}") from error


# --- the centre's end ------------------------------------------------------------------------------------------------------------------


async def make_stores(js: JetStreamContext) -> bool:
    """Both, where they are not there yet. Returns whether one was made: then the broker is new, or lost its disk."""
    made = False
    for name in (OBJECTS, VALUES):
        try:
            await js.stream_info(name)
        except nats.js.errors.NotFoundError:
            made = True
            if name == OBJECTS:
                await js.create_object_store(UPDATES)
            else:
                await js.create_key_value(bucket=ASSIGNMENTS, history=1, direct=True, max_value_size=MOST_MESSAGE)
    return made


async def publish_repository(js: JetStreamContext, folder: Path) -> int:
    """Send what the store lacks of the repository in ``folder``, what makes it count last, and delete what is gone. Returns how many files were sent."""
    store = await js.object_store(UPDATES)
    targets = sorted(path for path in (folder / "targets").rglob("*") if path.is_file())
    metadata = sorted((folder / "metadata").glob("*.json"), key=lambda path: path.name == "timestamp.json")
    sent = 0
    for path in (*targets, *metadata):
        name = path.relative_to(folder).as_posix()
        if not await _holds(store, name, path):
            with path.open("rb") as file:
                await store.put(name, file)
            sent += 1
    for mark in sorted(path for path in (folder / GONE).rglob("*") if path.is_file()):
        with suppress(nats.js.errors.NotFoundError):
            await store.delete(mark.relative_to(folder / GONE).as_posix())
        mark.unlink()
    return sent


async def assign(js: JetStreamContext, gate: str, raw: bytes) -> None:
    """Lay the signed assignment out for ``gate``."""
    await js.publish(_key(gate), raw)


async def _holds(store: ObjectStore, name: str, path: Path) -> bool:
    """Whether it is there as it is here, by its SHA-256."""
    try:
        told = (await store.get_info(name)).digest or ""
    except nats.js.errors.NotFoundError:
        return False
    digest = await asyncio.to_thread(_digest, path)  # of gigabytes: the connection has to answer meanwhile
    return told == f"SHA-256={base64.urlsafe_b64encode(digest).decode()}"


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _meta(name: str) -> str:
    return f"$O.{UPDATES}.M.{base64.urlsafe_b64encode(name.encode()).decode()}"


def _key(gate: str) -> str:
    return f"$KV.{ASSIGNMENTS}.{gate}"
