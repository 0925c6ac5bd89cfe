"""A hostile broker: whatever it holds under a file's name, a gate gets octets or an error, and never more than it asked for."""

from __future__ import annotations

import asyncio
import base64
import json

import nats as nats_client
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gate.fleet.updates.broker import OBJECTS, UPDATES, VALUES, Broker, assign, gate_may_ask, make_stores, publish_repository
from gate.fleet.updates.packing import pack_snapshot
from gate.fleet.updates.sources import Folder, check_name

NAME = "metadata/timestamp.json"
GOOD = {"name": NAME, "bucket": UPDATES, "nuid": "abc", "size": 3, "chunks": 1}


@pytest.fixture
async def client(own_nats):
    client = await nats_client.connect(own_nats.url)
    yield client
    await client.close()


async def read(client, name=NAME):
    broker = Broker(client.jetstream(timeout=1), asyncio.get_running_loop())
    return await asyncio.to_thread(lambda: b"".join(broker.chunks(name)))


async def say(client, info, chunks=(b"abc",)):
    subject = f"$O.{UPDATES}.M.{base64.urlsafe_b64encode(NAME.encode()).decode()}"
    for chunk in chunks:
        await client.jetstream().publish(f"$O.{UPDATES}.C.abc", chunk)
    await client.jetstream().publish(subject, info if isinstance(info, bytes) else json.dumps(info).encode())


async def test_a_repository_is_read_as_it_was_published(client, centre):
    await make_stores(client.jetstream())
    folder = centre.repository.folder
    big = folder / "targets" / "rules" / "big.tar"
    big.parent.mkdir(parents=True, exist_ok=True)
    big.write_bytes(bytes(range(256)) * 2048)
    assert await publish_repository(client.jetstream(), folder) > 4
    for path in (path for path in folder.rglob("*") if path.is_file() and "draft" not in path.parts):
        assert await read(client, path.relative_to(folder).as_posix()) == path.read_bytes()
    assert await publish_repository(client.jetstream(), folder) == 0, "what is there is not sent again"
    big.write_bytes(big.read_bytes()[::-1])
    assert await publish_repository(client.jetstream(), folder) == 1, "of the same length, and another"
    with pytest.raises(FileNotFoundError):
        await read(client, "metadata/9.root.json")


async def test_lists_and_metadata_of_the_past_are_deleted_here_and_at_the_broker(client, centre):
    public = X25519PrivateKey.generate().public_key().public_bytes_raw().hex()
    js, repository = client.jetstream(), centre.repository
    await make_stores(js)
    centre.allow(lists={"CGK": centre.lists.public_key()})
    for number in range(1, 13):
        path, raw = pack_snapshot("CGK.D07", "watchlist", number, b"list", public)
        repository.publish_lists("CGK", {path: raw}, centre.lists, centre.now)
        repository.publish(centre.online, centre.now)
        await publish_repository(js, repository.folder)
    assert len(list((repository.folder / "targets").rglob("*.sealed"))) == 1
    assert [path for path in repository.allowed() if "watchlist" in path] == [path]
    kept = {path.relative_to(repository.folder).as_posix() for path in repository.folder.rglob("*.json")}
    assert len([name for name in kept if "lists-CGK" in name]) == 9
    held = {info.name for info in await (await js.object_store(UPDATES)).list(ignore_deletes=True)}
    assert {name for name in held if name.startswith("metadata/")} == {name for name in kept if name.startswith("metadata/")}
    assert len([name for name in held if name.endswith(".sealed")]) == 1
    assert "metadata/1.root.json" in held
    with pytest.raises(FileNotFoundError):
        await read(client, "metadata/1.lists-CGK.json")


HOSTILE = [
    b"",
    b"{",
    b"[" * 3000,
    b"\xff",
    {},
    GOOD | {"nuid": ">"},
    GOOD | {"nuid": "abc.*"},
    GOOD | {"size": 1 << 40},
    GOOD | {"size": -1},
    GOOD | {"chunks": 1 << 20},
    GOOD | {"chunks": 3},
    GOOD | {"nuid": "xyz"},
    GOOD | {"deleted": True},
    GOOD | {"options": {"link": {"bucket": "other", "name": "x"}}},
]


async def test_what_is_no_file_is_an_error(client):
    await make_stores(client.jetstream())
    await say(client, GOOD)
    assert await read(client) == b"abc"
    for info in HOSTILE:
        await say(client, info, ())
        with pytest.raises(OSError):
            await read(client)


async def test_a_broker_without_stores_or_gone_is_an_error(client, own_nats):
    with pytest.raises(OSError):
        await read(client)
    await make_stores(client.jetstream())
    assert not await make_stores(client.jetstream())
    broker = Broker(client.jetstream(), asyncio.get_running_loop())
    assert await asyncio.to_thread(broker.assignment, "CGK.D07") is None
    await assign(client.jetstream(), "CGK.D07", b"told")
    assert await asyncio.to_thread(broker.assignment, "CGK.D07") == b"told"
    await client.close()
    with pytest.raises(OSError):
        await asyncio.to_thread(broker.assignment, "CGK.D07")


async def test_reading_takes_leave_to_ask_for_ones_own_and_makes_no_consumer(own_nats, engines, centre, tmp_path):
    """With exactly the permissions of a gate."""
    config = tmp_path / "nats.conf"
    may = ", ".join(f'"{subject}"' for subject in gate_may_ask("CGK.D07"))
    config.write_text(
        "max_payload: 1114112\nauthorization { users: ["
        "{user: centre, password: a},"
        f'{{user: gate, password: b, permissions: {{publish: {{allow: [{may}]}}, subscribe: {{allow: ["_INBOX.CGK.D07.>"]}}}}}}'
        "] }\n"
    )
    server = engines.nats(tmp_path / "guarded", config=config)
    try:
        above = await nats_client.connect(server.url, user="centre", password="a")
        below = await nats_client.connect(server.url, user="gate", password="b", inbox_prefix="_INBOX.CGK.D07")
        await make_stores(above.jetstream())
        await publish_repository(above.jetstream(), centre.repository.folder)
        for gate in ("CGK.D07", "CGK.D08"):
            await assign(above.jetstream(), gate, gate.encode())
        assert await read(below) == (centre.repository.folder / NAME).read_bytes()
        broker = Broker(below.jetstream(timeout=1), asyncio.get_running_loop())
        assert await asyncio.to_thread(broker.assignment, "CGK.D07") == b"CGK.D07"
        with pytest.raises(OSError):
            await asyncio.to_thread(broker.assignment, "CGK.D08")
        for stream in (OBJECTS, VALUES):
            assert (await above.jetstream().stream_info(stream)).state.consumer_count == 0
        await above.close()
        await below.close()
    finally:
        server.stop()


@pytest.mark.parametrize(
    "name", ["", "..", "metadata/../x", "/etc/passwd", "metadata//x", "metadata/.x", "targets/a/../../b", "metadata/x\n"]
)
def test_no_name_leads_out_of_a_repository(name, tmp_path):
    with pytest.raises(FileNotFoundError):
        check_name(name)
    with pytest.raises(FileNotFoundError):
        list(Folder(tmp_path).chunks(name))


async def test_the_directors_leave_is_enough_to_make_both_stores_and_to_lay_everything_out(engines, centre, tmp_path):
    """With exactly the permissions that the broker's configuration gives it, and those let it read and delete nothing else."""
    from gate.fleet.keys.directory import parse_directory
    from gate.fleet.keys.nats_config import permissions

    (entry,) = parse_directory(centre.directory(1)).entries
    may = permissions(entry)
    publish, subscribe = (json.dumps(list(subjects)) for subjects in (may.publish, may.subscribe))
    config = tmp_path / "nats.conf"
    config.write_text(
        "max_payload: 1114112\nauthorization { users: [{user: director, password: a, permissions:"
        f" {{publish: {{allow: {publish}}}, subscribe: {{allow: {subscribe}}}}}}}] }}\n"
    )
    server = engines.nats(tmp_path / "guarded", config=config)
    try:
        client = await nats_client.connect(server.url, user="director", password="a", inbox_prefix="_INBOX.director.director")
        stream = client.jetstream(timeout=1)
        assert await make_stores(stream)
        for _ in range(2):
            await publish_repository(stream, centre.repository.folder)
            centre.repository.publish(centre.online, centre.now)  # the timestamp is put in the place of the one before
        await assign(stream, "CGK.D07", b"told")
        with pytest.raises(nats_client.errors.Error):
            await stream.delete_stream(OBJECTS)
        await client.close()
    finally:
        server.stop()
