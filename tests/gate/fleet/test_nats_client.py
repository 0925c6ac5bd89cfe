"""What the fleet's programs say to a broker, and what of it can silence them."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

pytest.importorskip("nats")

from gate.fleet import nats_client
from gate.fleet.nats_client import SturdyClient, Tls, connect


@pytest.mark.parametrize("info", ['{"server_id":"x","headers":true}', '{"tls_required":false}'])
async def test_to_a_broker_that_wants_no_tls_nothing_is_said(monkeypatch, info):
    """Whoever sits between could have it so. A broker in earnest may come back, so it is asked again."""
    monkeypatch.setattr(nats_client, "WAIT_S", 0.01)
    heard, again = [], asyncio.Event()

    async def between(reader, writer):
        writer.write(f"INFO {info}\r\n".encode())
        heard.append(await reader.read(65_536))
        writer.close()
        if len(heard) > 1:
            again.set()

    async with await asyncio.start_server(between, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        connecting = asyncio.create_task(
            connect(f"tls://127.0.0.1:{port}", "one", ssl.create_default_context(), inbox="_INBOX.one")
        )
        async with asyncio.timeout(20):
            await again.wait()
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)
    assert set(heard) == {b""}


@pytest.mark.parametrize(
    "headers", [b"NATS/1.0", b"NATS/1.0 \xff\xff\xff\r\n\r\n", b"\xff" * 40, b"x", b"NATS/1.0\r\nno header\r\n\r\n"]
)
async def test_headers_that_are_none_are_none(headers):
    """The library would stop reading, and say nothing."""
    assert not await SturdyClient()._process_headers(headers)


def test_a_file_that_was_forgotten_does_not_mean_in_the_clear(tmp_path: Path):
    assert Tls.given(None, None, None) is None
    assert Tls.given(tmp_path, tmp_path, tmp_path) == Tls(ca=tmp_path, certificate=tmp_path, key=tmp_path)
    for given in ((tmp_path, None, None), (tmp_path, tmp_path, None), (None, None, tmp_path)):
        with pytest.raises(ValueError, match="all three"):
            Tls.given(*given)
