"""A broker that lies, floods, hangs or falls silent: it ends a connection, and nothing else comes of it."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from edge_gate import GATE
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.config_sections import Fleet
from gate.fleet import connection as module
from gate.fleet.connection import BrokerError, Connection
from gate.fleet.messages import receipt_subject, subject

pytest.importorskip("nats")

INFO = b'INFO {"server_id":"x","version":"2.9.10","max_payload":1114112,"headers":true}\r\n'
WELCOME = [INFO, b"PONG\r\n"]


class Broker:
    """Says what it is told to, line by line as the gate speaks, then what ``answer`` makes of it."""

    def __init__(self, said, answer=None, *, then_hang_up=False) -> None:
        self.said, self.answer, self.then_hang_up = list(said), answer, then_hang_up
        self.heard, self.writers, self.serving = b"", [], []

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self.server.sockets[0].getsockname()[1]
        return Fleet(url=f"nats://127.0.0.1:{port}", signing_key="x", keys="x")

    async def __aexit__(self, *_):
        self.server.close()
        for writer in self.writers:
            writer.close()
        await asyncio.sleep(0)
        await asyncio.gather(*self.serving, return_exceptions=True)

    async def _serve(self, reader, writer):
        self.writers.append(writer)
        self.serving.append(asyncio.current_task())
        with contextlib.suppress(OSError):
            for piece in self.said:
                writer.write(piece)
                await writer.drain()
                if piece is not self.said[-1]:
                    await asyncio.sleep(0)
            if self.then_hang_up:
                writer.close()
                return
            while raw := await reader.read(65536):
                self.heard += raw
                if b"PING" in raw:
                    writer.write(b"PONG\r\n")
                if self.answer and (reply := self.answer(raw)):
                    writer.write(reply)
                await writer.drain()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(module, "OPEN_S", 2.0)
    monkeypatch.setattr(module, "ANSWER_S", 0.1)


async def refusal(said, **how) -> str:
    async with Broker(said, **how) as fleet:
        with pytest.raises(BrokerError) as caught:
            await Connection.open(fleet, GATE)
    return str(caught.value)


async def test_where_nobody_listens_there_is_no_connection():
    async with Broker([]) as fleet:
        pass
    with pytest.raises(BrokerError, match="Connect call failed"):
        await Connection.open(fleet, GATE)


async def test_a_broker_that_hangs_up_or_says_nothing_is_none(monkeypatch):
    await refusal([b""], then_hang_up=True)
    await refusal([INFO], then_hang_up=True)
    monkeypatch.setattr(module, "OPEN_S", 0.05)
    await refusal([b""])


async def test_a_gate_that_wants_tls_says_nothing_in_the_clear(monkeypatch):
    """A broker in the middle could say that it wants no TLS."""
    monkeypatch.setattr(module, "tls_context", lambda _: __import__("ssl").create_default_context())
    broker = Broker([INFO])
    async with broker as fleet:
        wants_tls = Fleet(url=fleet.url.replace("nats:", "tls:"), signing_key="x", keys="x")
        with pytest.raises(BrokerError, match="without TLS"):
            await Connection.open(wants_tls, GATE)
    assert b"PUB" not in broker.heard
    assert b"SUB" not in broker.heard


@given(
    st.lists(
        st.one_of(
            st.sampled_from([INFO, b"PONG\r\n", b"-ERR 'x'\r\n", b"MSG a 1 99999999\r\n", b"INFO {\r\n"]), st.binary(max_size=40)
        )
    )
)
@settings(max_examples=25)
def test_whatever_a_broker_says_there_is_a_connection_or_there_is_none(said):
    async def attempt():
        async with Broker(said, then_hang_up=True) as fleet:
            with contextlib.suppress(BrokerError):
                connection = await Connection.open(fleet, GATE)
                with contextlib.suppress(BrokerError):
                    await connection.send(subject(GATE, "record"), b"x", "1")
                await connection.close()

    asyncio.run(attempt())


def acknowledging(said: bytes):
    """Answers every published message with ``said``."""

    def answer(raw: bytes) -> bytes:
        if b"HPUB" not in raw:
            return b""
        inbox = raw.split(b"HPUB ", 1)[1].split(b" ")[1]
        return b"MSG %s 1 %d\r\n%s\r\n" % (inbox, len(said), said)

    return answer


@pytest.mark.parametrize(
    ("said", "what"),
    [
        (b'{"stream":"EVENTS","seq":1}', None),
        (b'{"stream":"OTHER","seq":1}', "none"),
        (b'{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"}}', "maximum bytes exceeded"),
        (b'{"error":{}}', "takes no more"),
        (b'{"error":7}', "none"),
        (b"[" * 5000, "none"),
        (b"", "none"),
        (b"\xff", "none"),
    ],
)
async def test_only_the_brokers_word_that_the_stream_has_it_counts(said, what):
    async with Broker([INFO], acknowledging(said)) as fleet:
        connection = await Connection.open(fleet, GATE)
        if what is None:
            await connection.send(subject(GATE, "record"), b"x", "1")
        else:
            with pytest.raises(BrokerError, match=what):
                await connection.send(subject(GATE, "record"), b"x", "1")
        await connection.close()


async def test_a_broker_that_never_acknowledges_is_silent():
    async with Broker([INFO]) as fleet:
        connection = await Connection.open(fleet, GATE)
        with pytest.raises(BrokerError) as caught:
            await connection.send(subject(GATE, "record"), b"x", "1")
        assert caught.value.silent
        await connection.close()


async def test_a_flood_of_receipts_is_looked_at_one_by_one_and_the_rest_falls_away():
    flood = b"".join(b"MSG %s 1 4\r\nlies\r\n" % receipt_subject(GATE).encode() for _ in range(5000))
    flooded = []

    def once(raw: bytes) -> bytes:
        if b"SUB autogate-receipt" in raw and not flooded:
            flooded.append(True)
            return flood
        return b""

    out, taken = 0, []

    async def take(raw: bytes) -> None:
        nonlocal out
        out += 1
        assert out == 1
        await asyncio.sleep(0)
        taken.append(raw)
        out -= 1

    async with Broker([INFO], once) as fleet:
        connection = await Connection.open(fleet, GATE)
        await connection.hear(take)
        async with asyncio.timeout(10):
            while not taken:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        await connection.close()
    assert 0 < len(taken) < 1000
    assert set(taken) == {b"lies"}


async def test_when_the_broker_goes_the_connection_says_so():
    async with Broker([INFO]) as fleet:
        connection = await Connection.open(fleet, GATE)
        connection._client._transport._io_writer.transport.abort()
        async with asyncio.timeout(10):
            await connection.ended()


async def test_certificates_that_cannot_be_read_are_no_connection(tmp_path):
    fleet = Fleet(
        url="tls://127.0.0.1:4222", ca=tmp_path / "ca", certificate=tmp_path / "c", key=tmp_path / "k", signing_key="x", keys="x"
    )
    with pytest.raises(BrokerError, match=r"fleet\.ca"):
        await Connection.open(fleet, GATE)


def test_what_a_broker_says_is_short_and_printable():
    shown = str(BrokerError("\x1b[31m" + "x" * 5000))
    assert len(shown) <= 120
    assert shown.isprintable()
