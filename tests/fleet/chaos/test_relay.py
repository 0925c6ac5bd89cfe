"""The bad line loses, doubles and disorders whole frames of the kinds that carry something, and touches nothing else."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from benchmarks.fleet_relay import Faults, Relay, frame

NONE = Faults(lost=0, doubled=0, late=0)
PLAIN = (b"PING\r\n", b"SUB a.* 1\r\n", b"CONNECT {}\r\n", b"+OK\r\n")


def carrying(count: int) -> list[bytes]:
    """Payloads that look like control lines are none."""
    payloads = (f"{number} PING\r\nPUB x 3\r\n".encode() for number in range(count))
    return [b"PUB to.%d %d\r\n%s\r\n" % (number, len(payload), payload) for number, payload in enumerate(payloads)]


async def through(faults: Faults, sent: list[bytes], seed: int = 1) -> tuple[list[bytes], Relay]:
    """What arrives of ``sent`` at a server behind a relay."""
    came: list[bytes] = []
    quiet = asyncio.Event()

    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                came.append((await frame(reader))[1])
                if came[-1] == b"PONG\r\n":
                    quiet.set()
        except asyncio.IncompleteReadError:
            writer.close()

    behind = await asyncio.start_server(server, "127.0.0.1", 0)
    relay = Relay(behind.sockets[0].getsockname()[1], faults, seed)
    _reader, writer = await asyncio.open_connection("127.0.0.1", await relay.start())
    for each in sent:
        writer.write(each)
    await asyncio.sleep(2 * faults.latest_s)
    writer.write(b"PONG\r\n")
    await quiet.wait()
    await asyncio.sleep(2 * faults.latest_s)
    writer.close()
    await relay.close()
    behind.close()
    await behind.wait_closed()
    return [each for each in came if each != b"PONG\r\n"], relay


async def test_a_good_line_changes_nothing():
    sent = [*PLAIN, *carrying(50), *PLAIN]
    assert (await through(NONE, sent))[0] == sent


async def test_what_carries_nothing_is_never_lost_or_disordered():
    came, relay = await through(Faults(lost=1, doubled=0, late=0), [*PLAIN, *carrying(20), *PLAIN])
    assert came == [*PLAIN, *PLAIN]
    assert relay.counts["PUB lost"] == 20


async def test_frames_are_lost_doubled_and_late_but_never_cut():
    sent = carrying(2000)
    came, relay = await through(Faults(), sent)
    counts = Counter(came)
    assert set(came) <= set(sent)
    assert relay.counts["PUB lost"] == len(set(sent) - set(came)) > 0
    assert relay.counts["PUB doubled"] == sum(count == 2 for count in counts.values()) > 0
    assert came != sorted(came, key=sent.index)
    assert relay.counts["PUB late"] > 0


async def test_the_same_seed_loses_the_same():
    sent = carrying(300)
    first, second = [(await through(Faults(late=0), sent, seed=5))[0] for _ in range(2)]
    assert first == second


@pytest.mark.parametrize("nonsense", [b"PUB a -1\r\n", b"PUB a x\r\n", b"PUB a 99999999999\r\n"])
async def test_what_is_no_nats_ends_the_line(nonsense):
    behind = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    relay = Relay(behind.sockets[0].getsockname()[1], NONE, 1)
    reader, writer = await asyncio.open_connection("127.0.0.1", await relay.start())
    writer.write(nonsense)
    assert await reader.read() == b""
    writer.close()
    await relay.close()
    behind.close()
    await behind.wait_closed()
