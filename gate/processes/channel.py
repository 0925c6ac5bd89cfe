"""Messages over a local socket: a 4-byte big-endian length, then one msgpack message of :mod:`gate.processes.messages`.

The lane listens, everybody else connects and says who it is. The first message proves that the peer knows the secret of its role;
the socket itself is readable by the gate's user alone. Whatever does not decode ends the connection, nothing else.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec

from gate.processes.messages import AnyMessage, Join, Role

MESSAGE_LIMIT = 1 << 20
"""Bytes. The largest honest message is an officer's view with its last transactions (≈ 200 kB); a portrait is below 64 KiB."""
BACKLOG_LIMIT = 16 * MESSAGE_LIMIT
"""Bytes that may wait for a slow peer: the doors do not wait for a screen."""
SAY_TIMEOUT_S = 0.5
JOIN_TIMEOUT_S = 2.0
"""A peer that has not said who it is by then is nobody."""

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[AnyMessage] = msgspec.msgpack.Decoder(AnyMessage)


class ChannelClosed(Exception):
    """The peer is gone, or spoke nonsense (the text says which)."""


class Channel:
    """One connection. ``send`` and ``receive`` may run in different tasks, each in one at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, message: AnyMessage) -> None:
        """Hand one message to the socket. Raises ChannelClosed."""
        body = _encoder.encode(message)
        if len(body) > MESSAGE_LIMIT:
            raise ValueError(f"{type(message).__name__} of {len(body)} bytes is over the limit of {MESSAGE_LIMIT}")
        try:
            self._writer.write(len(body).to_bytes(4, "big") + body)
            await self._writer.drain()
        except OSError as error:
            raise ChannelClosed(str(error)) from error

    def tell(self, message: AnyMessage) -> None:
        """Send without waiting. A peer that does not read falls behind up to :data:`BACKLOG_LIMIT` and is then hung up on."""
        if self._writer.is_closing():
            return
        if self._writer.transport.get_write_buffer_size() > BACKLOG_LIMIT:
            self._writer.transport.abort()
            return
        body = _encoder.encode(message)
        if len(body) > MESSAGE_LIMIT:
            raise ValueError(f"{type(message).__name__} of {len(body)} bytes is over the limit of {MESSAGE_LIMIT}")
        self._writer.write(len(body).to_bytes(4, "big") + body)

    async def receive(self) -> AnyMessage:
        """Wait for the next message. Raises ChannelClosed on the end of the line and on anything malformed."""
        try:
            length = int.from_bytes(await self._reader.readexactly(4), "big")
            if length > MESSAGE_LIMIT:
                raise ChannelClosed(f"the peer announced {length} bytes, the limit is {MESSAGE_LIMIT}")
            return _decoder.decode(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, OSError) as error:
            raise ChannelClosed("the peer hung up") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ChannelClosed(f"malformed message: {error}") from error

    def abort(self) -> None:
        """Hang up at once, whatever the peer has not read yet."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """Hang up. Never raises."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            return


def role_secret(secret: str, role: str) -> str:
    """What ``role`` shows to be let in, derived from the secret of the run: who knows one role's cannot pose as another."""
    return hmac.digest(secret.encode(), b"autogate role " + role.encode(), "sha256").hex()


async def connect(path: Path, role: Role, secret: str, backends: Mapping[str, str] | None = None) -> Channel:
    """Connect to the lane at ``path`` as ``role``, with that role's own secret. Raises ChannelClosed where nobody listens."""
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=MESSAGE_LIMIT)
    except OSError as error:
        raise ChannelClosed(f"no lane at {path}: {error.strerror or error}") from error
    channel = Channel(reader, writer)
    await channel.send(Join(role=role, secret=secret, backends=dict(backends or {})))
    return channel


class Line:
    """A connection for who has no loop: it speaks, and hears nothing. A peer that does not read for :data:`SAY_TIMEOUT_S` is given up."""

    def __init__(self, path: Path, role: Role, secret: str) -> None:
        """Connect and say who we are. Raises ChannelClosed."""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(SAY_TIMEOUT_S)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self.close()
            raise ChannelClosed(f"nobody listens at {path}: {error.strerror or error}") from error
        self.tell(Join(role=role, secret=secret))

    def tell(self, message: AnyMessage) -> None:
        """Raises ChannelClosed; the connection is then closed."""
        body = _encoder.encode(message)
        try:
            self._socket.sendall(len(body).to_bytes(4, "big") + body)
        except OSError as error:
            self.close()
            raise ChannelClosed(str(error)) from error

    def close(self) -> None:
        self._socket.close()


def say(path: Path, role: Role, secret: str, message: AnyMessage) -> None:
    """Connect, say one thing, hang up; for who has no loop. Raises ChannelClosed."""
    line = Line(path, role, secret)
    line.tell(message)
    line.close()


async def serve(path: Path, secret: str, on_peer: Callable[[Join, Channel], Awaitable[None]]) -> asyncio.Server:
    """Listen at ``path``; call ``on_peer`` for each peer that knows its role's secret, and hang up when it returns."""

    async def admit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        channel = Channel(reader, writer)
        try:
            join = await asyncio.wait_for(channel.receive(), JOIN_TIMEOUT_S)
            if isinstance(join, Join) and hmac.compare_digest(join.secret.encode(), role_secret(secret, join.role).encode()):
                await on_peer(join, channel)
        except (ChannelClosed, TimeoutError):
            pass
        finally:
            await channel.close()

    return await asyncio.start_unix_server(admit, sock=_own_socket(path), limit=MESSAGE_LIMIT)


def _own_socket(path: Path) -> socket.socket:
    """A socket at ``path`` that is its user's alone from the beginning. The umask is the process's: nothing else may run while it is changed."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(mask)
    return listener
