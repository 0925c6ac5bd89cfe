"""The real nats-server under the configuration made here: each hears and says its own, and whoever is revoked is cut off."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import nats.errors
import pytest
from nats.js.errors import Error as StreamError

from gate.fleet.centre.broker import EVENTS, RECEIPTS, STATUS, prepare
from gate.fleet.keys.file_keys import FileKeys
from gate.fleet.keys.names import inbox, renewal_subject
from gate.fleet.messages import (
    MOST_MESSAGE,
    EnvelopeError,
    Status,
    believed,
    gate_may_hear,
    last_receipt,
    receipt_subject,
    sealed,
    subject,
)
from gate.fleet.messages import (
    inbox as gate_inbox,
)
from gate.fleet.updates.broker import Broker, assign, make_stores, publish_repository

A, B = "CGK.D07", "CGK.D08"


async def streams(collector):
    """As the centre makes them."""
    await prepare(collector, most_bytes=32 << 20)
    return collector.jetstream()


async def refused(client, heard, action):
    """Whether the broker says that ``action`` is a violation."""
    heard.clear()
    with suppress(nats.errors.Error, StreamError, TimeoutError):
        await action
    for _ in range(50):
        if any("ermissions violation" in each for each in heard):
            return True
        with suppress(nats.errors.Error, TimeoutError):
            await client.flush(timeout=1)
        await asyncio.sleep(0.02)
    return False


async def test_a_gate_says_its_own_and_reads_its_own_receipt(brokered):
    async with brokered.connected("jakarta") as collector, brokered.connected(A) as gate:
        js = await streams(collector)
        ack = await gate.jetstream().publish(subject(A, "crossing"), b"parcel")
        assert ack.stream == EVENTS
        consumer = await js.pull_subscribe_bind("crossing", EVENTS)
        (message,) = await consumer.fetch(1, timeout=5)
        assert message.data == b"parcel"
        await message.ack_sync()
        await js.publish(receipt_subject(A), b"receipt")
        answer = await gate.request(last_receipt(A), b"", timeout=5)
        assert answer.data == b"receipt"


async def test_no_gate_speaks_as_another_or_hears_what_is_not_its_own(brokered):
    heard = []
    async with brokered.connected("jakarta") as collector, brokered.connected(A, heard=heard) as gate:
        await streams(collector)
        for kind in ("crossing", "record", "checkpoint", "status"):
            assert await refused(gate, heard, gate.publish(subject(B, kind), b"as another"))
        for hostile in (receipt_subject(A), f"autogate.{A}.other", f"autogate.{A}", "autogate.>", renewal_subject("gate", B)):
            assert await refused(gate, heard, gate.publish(hostile, b"x")), hostile
        for ear in (
            receipt_subject(B),
            "autogate-receipt.>",
            "autogate.>",
            f"autogate.{B}.>",
            f"{gate_inbox(B)}.>",
            "_INBOX.>",
            ">",
            "$SYS.>",
        ):
            assert await refused(gate, heard, gate.subscribe(ear)), ear


async def test_no_gate_reads_or_changes_the_streams(brokered):
    heard = []
    async with (
        brokered.connected("jakarta") as collector,
        brokered.connected(A, heard=heard) as gate,
        brokered.connected("lead") as lead,
    ):
        js = await streams(collector)
        await make_stores(lead.jetstream())
        await js.publish(receipt_subject(B), b"of B")
        for question in (
            f"$JS.API.STREAM.DELETE.{EVENTS}",
            f"$JS.API.STREAM.PURGE.{EVENTS}",
            f"$JS.API.STREAM.UPDATE.{EVENTS}",
            f"$JS.API.STREAM.MSG.GET.{EVENTS}",
            f"$JS.API.STREAM.MSG.DELETE.{EVENTS}",
            f"$JS.API.CONSUMER.CREATE.{EVENTS}",
            f"$JS.API.CONSUMER.DURABLE.CREATE.{EVENTS}.thief",
            f"$JS.API.CONSUMER.MSG.NEXT.{EVENTS}.crossing",
            f"$JS.API.DIRECT.GET.{RECEIPTS}",
            last_receipt(B),
            "$JS.API.STREAM.CREATE.MINE",
            "$JS.API.STREAM.NAMES",
            "$KV.autogate-assignments." + A,
            "$JS.API.DIRECT.GET.KV_autogate-assignments.$KV.autogate-assignments." + B,
            "$O.autogate-updates.M.x",
        ):
            assert await refused(gate, heard, gate.publish(question, b"{}", reply=f"{gate_inbox(A)}.x")), question
        assert (await js.stream_info(EVENTS)).config.name == EVENTS


async def test_the_director_lays_out_and_a_gate_reads_all_of_it_and_its_own_assignment(brokered, tmp_path):
    (tmp_path / "metadata").mkdir()
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "a.tar").write_bytes(b"x" * 300_000)
    async with brokered.connected("lead") as lead, brokered.connected(A) as gate:
        js = lead.jetstream()
        await make_stores(js)
        for stamp in (b"first", b"second"):  # one put in the place of another clears what that one held
            (tmp_path / "metadata" / "timestamp.json").write_bytes(stamp)
            await publish_repository(js, tmp_path)
        for name in (A, B):
            await assign(js, name, name.encode())
        source = Broker(gate.jetstream(), asyncio.get_running_loop())
        try:
            read = await asyncio.to_thread(
                lambda: [b"".join(source.chunks(each)) for each in ("metadata/timestamp.json", "targets/a.tar")]
            )
            assert read == [b"second", b"x" * 300_000]
            assert await asyncio.to_thread(source.assignment, A) == A.encode()
        finally:
            source.close()


async def test_collectors_delete_nothing_and_directors_read_no_records(brokered):
    heard, told = [], []
    async with brokered.connected("jakarta", heard=heard) as collector, brokered.connected("lead", heard=told) as lead:
        await streams(collector)
        for name in (EVENTS, STATUS, RECEIPTS):
            assert await refused(collector, heard, collector.publish(f"$JS.API.STREAM.DELETE.{name}", b""))
        assert await refused(collector, heard, collector.publish(subject(A, "record"), b"as a gate"))
        assert await refused(lead, told, lead.subscribe("autogate.>"))
        assert await refused(lead, told, lead.publish(receipt_subject(A), b"a receipt"))
        assert await refused(lead, told, lead.publish(f"$JS.API.CONSUMER.CREATE.{EVENTS}", b"{}"))


async def test_a_page_looks_and_says_nothing(brokered):
    heard = []
    async with brokered.connected("wall", heard=heard) as page, brokered.connected(A) as gate:
        status = await page.subscribe("autogate.*.*.status")
        await page.flush()
        await gate.publish(subject(A, "status"), b"well")
        assert (await status.next_msg(timeout=5)).data == b"well"
        assert await refused(page, heard, page.publish(subject(A, "status"), b"ill"))
        assert await refused(page, heard, page.subscribe("autogate.*.*.crossing"))


async def test_an_oversized_message_does_not_pass(brokered):
    async with brokered.connected(A) as gate:
        with pytest.raises(nats.errors.MaxPayloadError):
            await gate.publish(subject(A, "record"), bytes(MOST_MESSAGE + 1))


async def hung_up(brokered, name, **more):
    """Whether the broker ends the attempt to connect."""
    try:
        async with asyncio.timeout(5), brokered.connected(name, max_reconnect_attempts=1, **more) as client:
            await client.flush(timeout=2)
    except (nats.errors.Error, OSError, EOFError, TimeoutError):
        return True
    return False


async def test_a_certificate_that_has_ended_or_is_anothers_opens_nothing(brokered):
    brokered.admit("CGK.D09", as_="ended", life=timedelta(seconds=-1))
    brokered.admit("CGK.D10", as_="foreign")
    foreign, alone = brokered.members["foreign"], brokered.members[A]
    from gate.fleet.keys.authority import new_authority, request_for

    pem = new_authority("Test fleet", datetime.now(UTC)).issue(request_for(foreign.tls, "x"), foreign.entry, datetime.now(UTC))
    (foreign.folder / "tls.pem").write_bytes(pem)
    assert await hung_up(brokered, "ended")
    assert await hung_up(brokered, "foreign")
    context = alone.context()
    context.load_cert_chain(brokered.folder.folder / "broker.pem", brokered.folder.folder / "broker.key")
    assert await hung_up(brokered, A, tls=context)
    assert not await hung_up(brokered, A)


async def cut(client):
    for _ in range(200):
        if client.is_closed or not client.is_connected:
            return True
        await asyncio.sleep(0.05)
    return False


def told_by(member, state):
    status = Status(
        gate=member.entry.name, at=datetime.now(UTC).isoformat(), boot=1.0, log="0" * 16, head=1, receipted=0, state=state
    )
    return sealed(member.signer, status)


async def test_a_stolen_gate_is_cut_off_and_its_successor_is_let_in(brokered):
    """The drill: broker and readers of the directory refuse within seconds, nobody else notices, a new key takes over the name."""
    keys = FileKeys(brokered.folder.keys, people=brokered.folder.people)
    stolen = brokered.members[A]
    assert believed(told_by(stolen, "idle"), Status, keys, "gate").state == "idle"
    async with brokered.connected(A) as thief, brokered.connected(B) as other, brokered.connected("jakarta") as collector:
        statuses = await collector.subscribe("autogate.*.*.status")
        await collector.flush()
        await other.flush()
        assert brokered.revoke(A)  # the broker was told
        assert await cut(thief)
        assert await hung_up(brokered, A)
        await asyncio.to_thread(wait_until, lambda: refusal(keys, told_by(stolen, "mine")) == "revoked")

        successor = brokered.admit(A, as_="successor")
        await asyncio.to_thread(wait_until, lambda: refusal(keys, told_by(successor, "idle")) == "")
        assert refusal(keys, told_by(stolen, "mine")) == "revoked"
        assert await hung_up(brokered, A)
        async with eventually(brokered, "successor") as gate:
            await gate.publish(subject(A, "status"), told_by(successor, "idle"))
            await other.publish(subject(B, "status"), told_by(brokered.members[B], "idle"))
            await other.flush()
            raw = [(await statuses.next_msg(timeout=5)).data for _ in range(2)]
            assert {believed(each, Status, keys, "gate").gate for each in raw} == {A, B}
        assert other.is_connected
        assert collector.is_connected


def refusal(keys, raw):
    try:
        believed(raw, Status, keys, "gate")
    except EnvelopeError as error:
        return error.code
    return ""


def wait_until(holds):
    import time

    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def eventually(brokered, name):
    """Connect once the server, told by a signal, knows the new user."""
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def connected():
        for _ in range(20):
            if not await hung_up(brokered, name):
                break
        async with brokered.connected(name) as client:
            yield client

    return connected()


def test_what_a_gate_hears_is_below_no_others_inbox():
    assert inbox("gate", A) == gate_inbox(A)
    assert all(not gate_inbox(B).startswith(each.removesuffix(">")) for each in gate_may_hear(A))
    assert inbox("collector", "jakarta") != gate_inbox("jakarta")
