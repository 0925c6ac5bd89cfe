"""The channel between the processes: what does not decode, or does not know the secret, is hung up on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.evidence import Fact
from gate.processes.channel import MESSAGE_LIMIT, Channel, ChannelClosed, connect, role_secret, serve
from gate.processes.messages import FaceChecked, Forget, Join, PrepareReference, ReaderProgress


@pytest.fixture
def socket_path():
    with tempfile.TemporaryDirectory(prefix="ag-") as folder:  # pytest's own path is too long for a Unix socket
        yield Path(folder) / "lane.sock"


async def listening(path: Path):
    """A server that collects what it is told; returns it and the lists."""
    joined: list[Join] = []
    told: list[object] = []

    async def on_peer(join: Join, channel: Channel) -> None:
        joined.append(join)
        while True:
            told.append(await channel.receive())

    return await serve(path, "the secret", on_peer), joined, told


async def eventually(condition) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_what_is_sent_arrives(socket_path: Path):
    server, joined, told = await listening(socket_path)
    channel = await connect(socket_path, "vision", role_secret("the secret", "vision"), {"face": "pack"})
    message = FaceChecked(transaction="t", facts={"face": Fact(value="match")}, stages=(), chosen_frame_boot=1.5)
    await channel.send(message)
    await eventually(lambda: told)
    assert told == [message]
    assert (joined[0].role, joined[0].backends) == ("vision", {"face": "pack"})
    await channel.close()
    server.close()


async def test_a_peer_without_the_secret_is_nobody(socket_path: Path):
    server, joined, told = await listening(socket_path)
    channel = await connect(socket_path, "reader", "a guess")
    with pytest.raises(ChannelClosed):
        await channel.receive()
    await channel.close()
    assert (joined, told) == ([], [])
    server.close()


@pytest.mark.parametrize("shown", ["traveller_screen", "registries"])
async def test_the_secret_of_one_role_admits_to_no_other(socket_path: Path, shown: str):
    server, joined, _ = await listening(socket_path)
    channel = await connect(socket_path, "vision", role_secret("the secret", shown))
    with pytest.raises(ChannelClosed):
        await channel.receive()
    await channel.close()
    assert joined == []
    server.close()


def test_no_message_shows_what_it_carries():
    portrait = PrepareReference(transaction="t", portrait=b"a face", zero=0.0)
    join = Join(role="reader", secret="hidden")
    assert (repr(portrait), repr(join)) == ("<PrepareReference t>", "<Join >")


async def test_a_peer_that_does_not_join_first_is_nobody(socket_path: Path):
    server, joined, _ = await listening(socket_path)
    reader, writer = await asyncio.open_unix_connection(socket_path)
    channel = Channel(reader, writer)
    await channel.send(Forget(transaction="t"))
    with pytest.raises(ChannelClosed):
        await channel.receive()
    await channel.close()
    assert joined == []
    server.close()


async def test_only_the_gates_user_may_open_the_socket(socket_path: Path):
    server, _, _ = await listening(socket_path)
    assert socket_path.stat().st_mode & 0o077 == 0
    server.close()


async def test_nobody_there_is_said_in_one_line(socket_path: Path):
    with pytest.raises(ChannelClosed, match=r"no lane at .*lane\.sock"):
        await connect(socket_path, "reader", "x")


@given(noise=st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_a_message_or_the_end_of_the_line(noise: bytes):
    async def feed() -> None:
        reader = asyncio.StreamReader(limit=MESSAGE_LIMIT)
        reader.feed_data(len(noise).to_bytes(4, "big") + noise)
        reader.feed_eof()
        channel = Channel(reader, None)  # type: ignore[arg-type] # nothing is written
        with contextlib.suppress(ChannelClosed):
            await channel.receive()

    asyncio.run(feed())


async def test_an_announced_flood_is_refused_before_it_is_read():
    reader = asyncio.StreamReader()
    reader.feed_data((MESSAGE_LIMIT + 1).to_bytes(4, "big"))
    with pytest.raises(ChannelClosed, match="announced"):
        await Channel(reader, None).receive()  # type: ignore[arg-type] # nothing is written


async def test_a_peer_that_does_not_read_is_hung_up_on_and_nobody_waits(socket_path: Path):
    peers: list[Channel] = []

    async def on_peer(_: Join, channel: Channel) -> None:
        peers.append(channel)
        await asyncio.sleep(30)

    server = await serve(socket_path, "s", on_peer)
    channel = await connect(socket_path, "officer_screen", role_secret("s", "officer_screen"))
    await eventually(lambda: peers)
    flood = ReaderProgress(transaction="x" * 500_000, fraction=0.5)
    for _ in range(60):
        peers[0].tell(flood)
    assert peers[0]._writer.transport.is_closing()
    await channel.close()
    server.close()


async def test_sockets_are_their_users_alone_and_the_umask_survives_two_that_open_at_once(socket_path):
    async def hang_up(_join, _channel):
        pass

    paths, before = [socket_path, socket_path.with_name("other")], os.umask(0o022)
    try:
        servers = await asyncio.gather(*(serve(path, "secret", hang_up) for path in paths))
        assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o600, 0o600]
        assert os.umask(0o022) == 0o022
        for server in servers:
            server.close()
    finally:
        os.umask(before)
