"""How simulated devices in one process serve another: a handshake with the secret of the run, then bytes, never pickle.

A message is one JSON header (an object) and as many raw bodies as its ``bodies`` says, each one a frame of its own. Both sides prove
by HMAC that they know the secret before anything is read, so a demonstration takes no foreign device and serves no foreign host.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Mapping
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener, answer_challenge, deliver_challenge
from pathlib import Path
from typing import Any

from hardware.ports import DeviceError, DeviceLost

LONGEST_HEADER = 1 << 16
LONGEST_BODY = 32 << 20
"""Bytes: a page at 600 dpi in colour has 25 million, a 1280×720 BGR frame 2.8 million."""
MOST_BODIES = 32
ANSWER_S = 10.0
"""Longest wait for an answer beyond what the question itself allows: then the device is taken for hung."""

Header = dict[str, Any]
Message = tuple[Header, list[bytes]]
Handler = Callable[[Header, list[bytes]], Message]


class MessageError(Exception):
    """The other side sent something that is no message of ours."""


def send(line: Connection, header: Mapping[str, Any], bodies: list[bytes]) -> None:
    line.send_bytes(json.dumps({**header, "bodies": len(bodies)}).encode())
    for body in bodies:
        line.send_bytes(body)


def receive(line: Connection) -> Message:
    """The next message. Raises MessageError, EOFError, OSError."""
    try:
        header = json.loads(line.recv_bytes(LONGEST_HEADER))
        count = header.pop("bodies")
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise MessageError("the header is not a JSON object with the number of bodies") from error
    if type(count) is not int or not 0 <= count <= MOST_BODIES:
        raise MessageError(f"{count!r} is no number of bodies up to {MOST_BODIES}")
    return header, [line.recv_bytes(LONGEST_BODY) for _ in range(count)]


class DeviceServer:
    """Serves one device on its own unix socket; each connection has a thread. ``handler`` must be safe to call from several threads."""

    def __init__(self, path: Path, secret: str, handler: Handler) -> None:
        self._secret, self._handler = secret.encode(), handler
        self._path = path
        path.unlink(missing_ok=True)
        self._listener = Listener(str(path), "AF_UNIX")
        threading.Thread(target=self._accept, name=f"serve {path.name}", daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                line = self._listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._serve, args=(line,), name=f"line {self._path.name}", daemon=True).start()

    def _serve(self, line: Connection) -> None:
        hung_up = (EOFError, OSError, MessageError, AuthenticationError)
        with line, contextlib.suppress(*hung_up):
            deliver_challenge(line, self._secret)
            answer_challenge(line, self._secret)
            while True:
                send(line, *self._answer(*receive(line)))

    def _answer(self, header: Header, bodies: list[bytes]) -> Message:
        try:
            return self._handler(header, bodies)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            return {"error": f"{type(error).__name__}: {error}"}, []

    def close(self) -> None:
        self._listener.close()
        self._path.unlink(missing_ok=True)


class DeviceClient:
    """The other end: connects at the first question, and again after a loss. One question at a time, from any thread."""

    def __init__(self, path: Path, secret: str) -> None:
        self._path, self._secret = path, secret.encode()
        self._lock = threading.Lock()
        self._line: Connection | None = None

    def ask(self, header: Mapping[str, Any], bodies: list[bytes] | None = None, *, within: float = 0.0) -> Message:
        """One question, one answer; ``within`` seconds are the device's own time. Raises DeviceLost, or DeviceError if refused."""
        with self._lock:
            try:
                answer = self._exchange(header, bodies or [], within + ANSWER_S)
            except AuthenticationError as error:
                self._hang_up()
                raise DeviceError(str(self._path), "the device belongs to another run", "use a simulator of this run") from error
            except (OSError, EOFError, MessageError) as error:
                self._hang_up()
                raise DeviceLost(str(self._path), f"the simulated device is gone: {error}", "start hardware.sim.world") from error
        if "error" in answer[0]:
            raise DeviceError(str(self._path), answer[0]["error"])
        return answer

    def _exchange(self, header: Mapping[str, Any], bodies: list[bytes], limit: float) -> Message:
        if self._line is None:
            self._line = Client(str(self._path), "AF_UNIX", authkey=self._secret)
        send(self._line, header, bodies)
        if not self._line.poll(limit):
            raise OSError(f"no answer within {limit:.0f} s")
        return receive(self._line)

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def close(self) -> None:
        with self._lock:
            self._hang_up()
