"""Mutual TLS to a real broker that knows what each gate may: the way is open to whom it should be, and whoever is not let in is told why."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from edge_gate import COLLECTOR, GATE, GATE_SIGNER, START

from gate.config_sections import Fleet
from gate.fleet import connection as module
from gate.fleet.connection import BrokerError, Connection, ends
from gate.fleet.engines import RunningNats, free_port
from gate.fleet.keys.authority import Authority, new_authority, request_for, write_key
from gate.fleet.keys.directory import Directory, Entry, KeyDirectory
from gate.fleet.keys.names import inbox
from gate.fleet.keys.nats_config import Broker, configuration
from gate.fleet.messages import receipt_subject, subject

nats = pytest.importorskip("nats")

NOW = datetime.now(UTC)


def entry(purpose: str, name: str, public: bytes) -> Entry:
    return Entry(
        purpose=purpose, name=name, public=public.hex(), since=NOW - timedelta(days=400), until=START + timedelta(days=900)
    )


ENTRIES = (entry("gate", GATE, GATE_SIGNER.public), entry("collector", "jakarta", COLLECTOR.public))


class Place:
    """An authority, a broker under it, and certificates for whoever asks."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.authority = new_authority("Test fleet", NOW - timedelta(days=300))
        (folder / "ca.pem").write_bytes(self.authority.pem)
        key = ec.generate_private_key(ec.SECP256R1())
        write_key(folder / "broker.key", key)
        server = self.authority.issue_server(request_for(key, "broker"), ["127.0.0.1"], NOW)
        (folder / "broker.pem").write_bytes(server)
        named = Broker(
            certificate=str(folder / "broker.pem"),
            key=str(folder / "broker.key"),
            authority=str(folder / "ca.pem"),
            store=str(folder / "jetstream"),
            pid_file=str(folder / "pid"),
            host="127.0.0.1",
            port=self.port,
        )
        directory = KeyDirectory(Directory(sequence=1, entries=ENTRIES))
        (folder / "nats.conf").write_text(configuration(named, directory))
        self.broker = RunningNats(["nats-server", "-c", str(folder / "nats.conf")], folder / "nats.log", self.port)

    def section(self, one: Entry, *, by: Authority | None = None, at: datetime = NOW, port: int = 0) -> Fleet:
        """What a gate is configured with, its certificate made at ``at``."""
        home = self.folder / f"home-{len(list(self.folder.iterdir()))}"
        home.mkdir()
        key = ec.generate_private_key(ec.SECP256R1())
        write_key(home / "tls.key", key)
        (home / "tls.pem").write_bytes((by or self.authority).issue(request_for(key, one.name), one, at))
        return Fleet(
            url=f"tls://127.0.0.1:{port or self.port}",
            ca=self.folder / "ca.pem",
            certificate=home / "tls.pem",
            key=home / "tls.key",
            signing_key=home / "x",
            keys=home / "x",
        )


@pytest.fixture(scope="module")
def place(engines, tmp_path_factory):
    place = Place(tmp_path_factory.mktemp("tls"))
    yield place
    place.broker.stop()


async def test_a_gate_sends_and_hears_its_own_over_mutual_tls(place):
    from gate.fleet.centre.broker import prepare

    heard = []

    async def take(raw: bytes) -> None:
        heard.append(raw)

    own = place.section(ENTRIES[1])
    context = ssl.create_default_context(cafile=str(own.ca))
    context.load_cert_chain(own.certificate, own.key)
    collector = await nats.connect(own.url, tls=context, inbox_prefix=inbox("collector", "jakarta"))
    await prepare(collector, most_bytes=32 << 20)
    await collector.jetstream().publish(receipt_subject(GATE), b"kept")
    gate = await Connection.open(place.section(ENTRIES[0]), GATE)
    await gate.hear(take)
    assert heard == [b"kept"]
    await gate.send(subject(GATE, "crossing"), b"parcel", "1")
    await gate.tell(subject(GATE, "status"), b"status")
    await collector.publish(receipt_subject(GATE), b"now")
    await collector.flush()
    await gate.newest_receipt()
    assert heard == [b"kept", b"now"]
    assert gate.complaint == ""
    with pytest.raises(BrokerError):
        await gate.send(subject("DPS.D01", "crossing"), b"as another", "2")
    assert "ermissions" in gate.complaint
    await gate.close()
    await collector.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(module, "ANSWER_S", 1.0)
    monkeypatch.setattr(module, "CLOSE_S", 0.1)


async def attempt(fleet: Fleet) -> None:
    connection = await Connection.open(fleet, GATE)
    await connection.newest_receipt()  # with TLS 1.3 a client learns late that its certificate was not taken
    await connection.send(subject(GATE, "record"), b"x", "1")


async def refused(fleet: Fleet) -> str:
    with pytest.raises(BrokerError) as caught:
        await attempt(fleet)
    return str(caught.value)


async def test_a_certificate_that_has_ended_opens_nothing_and_its_end_is_known(place):
    old = place.section(ENTRIES[0], at=NOW - timedelta(days=200))
    await refused(old)
    assert ends(old.certificate) < NOW


async def test_a_certificate_of_somebody_elses_authority_opens_nothing(place):
    await refused(place.section(ENTRIES[0], by=new_authority("Another", NOW)))


async def test_a_certificate_of_a_key_that_is_not_listed_opens_nothing(place):
    await refused(place.section(entry("gate", GATE, bytes(range(32)))))


async def test_a_broker_of_somebody_elses_authority_hears_nothing(place, tmp_path):
    fleet = place.section(ENTRIES[0])
    (tmp_path / "ca.pem").write_bytes(new_authority("Another", NOW).pem)
    other = Fleet(url=fleet.url, ca=tmp_path / "ca.pem", certificate=fleet.certificate, key=fleet.key, signing_key="x", keys="x")
    assert "certificate verify failed" in await refused(other)
    named = Fleet(
        **{name: getattr(fleet, name) for name in ("ca", "certificate", "key")},
        url=fleet.url.replace("127.0.0.1", "localhost"),
        signing_key="x",
        keys="x",
    )
    assert "mismatch" in await refused(named), "the right authority, and another host's certificate"


async def test_whoever_is_refused_again_and_again_uses_up_nothing(place, tmp_path):
    fleet = place.section(ENTRIES[0])
    (tmp_path / "ca.pem").write_bytes(new_authority("Another", NOW).pem)
    other = Fleet(url=fleet.url, ca=tmp_path / "ca.pem", certificate=fleet.certificate, key=fleet.key, signing_key="x", keys="x")
    await refused(other)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(4):
        await refused(other)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1
