"""A fleet's folder with people, an authority, keys of whoever a test wants, and a broker that knows them."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate.audit.note import FileSigner
from gate.fleet.engines import RunningNats, free_port
from gate.fleet.keys import enrolment
from gate.fleet.keys.authority import request_for, write_key
from gate.fleet.keys.directory import Entry, Revoked
from gate.fleet.keys.folder import FleetFolder
from gate.fleet.keys.names import inbox
from gate.fleet.keys.nats_config import Broker
from gate.fleet.keys.roots import new_root, sign

PEOPLE = {name: Ed25519PrivateKey.from_private_bytes(bytes([at]) * 32) for at, name in enumerate(("ani", "budi", "citra"), 101)}
ONLINE = Ed25519PrivateKey.from_private_bytes(b"\x77" * 32).public_key().public_bytes_raw().hex()


@dataclass(kw_only=True)
class Member:
    """Whoever is listed: a key for what it signs, one for TLS, and its certificate."""

    entry: Entry
    signer: FileSigner
    tls: ec.EllipticCurvePrivateKey
    folder: Path

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.folder / "authority.pem"))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self.folder / "tls.pem", self.folder / "tls.key")
        return context


@dataclass(kw_only=True)
class Fleet:
    """In ``folder``."""

    folder: FleetFolder
    members: dict[str, Member] = field(default_factory=dict)
    port: int = 0

    def request(self, name, purpose="gate"):
        """Who asks, unlisted yet, and its request."""
        signer, tls = FileSigner(name=name, key=Ed25519PrivateKey.generate()), ec.generate_private_key(ec.SECP256R1())
        made = enrolment.asked(signer, purpose, name, datetime.now(UTC), certificate=request_for(tls, name))
        return signer, tls, made

    def approved(self, made, *names):
        for name in names or ("ani", "budi"):
            made = enrolment.approve(made, made.request.fingerprint, PEOPLE[name], datetime.now(UTC))
        return made

    def admit(self, name, purpose="gate", *, as_="", life=None):
        """List a new key of ``name`` and issue its certificate."""
        signer, tls, made = self.request(name, purpose)
        entry = enrolment.approved(self.approved(made), self.folder.approvers())
        self.folder.put(enrolment.admitted(self.folder.directory().directory, entry, datetime.now(UTC)))
        home = self.folder.folder / f"home-{as_ or name}-{purpose}"
        home.mkdir()
        write_key(home / "tls.key", tls)
        authority = self.folder.authority()
        more = {"life": life} if life else {}
        (home / "tls.pem").write_bytes(authority.issue(made.request.certificate.encode(), entry, datetime.now(UTC), **more))
        (home / "authority.pem").write_bytes(authority.pem)
        self.members[as_ or name] = member = Member(entry=entry, signer=signer, tls=tls, folder=home)
        return member

    def revoke(self, *whom):
        why = Revoked(at=datetime.now(UTC), because="stolen", by="ani")
        return self.folder.put(enrolment.revoked(self.folder.directory().directory, list(whom), why))

    @asynccontextmanager
    async def connected(self, name, *, heard=None, **more):
        """A connection of a member, with what the broker complains about in ``heard``."""
        from nats.aio.client import Client

        member, client, complaints = self.members[name], Client(), [] if heard is None else heard

        async def complain(error):
            complaints.append(str(error))

        prefix = inbox(member.entry.purpose, member.entry.name)
        settings = {"tls": member.context(), "inbox_prefix": prefix, "error_cb": complain, "allow_reconnect": False} | more
        await client.connect(f"tls://127.0.0.1:{self.port}", connect_timeout=5, **settings)
        try:
            if not client.is_connected:
                raise ConnectionError("hung up")
            yield client
        finally:
            await client.close()


@pytest.fixture
def fleet(tmp_path):
    """A fleet with a signed root and nobody listed."""
    folder = FleetFolder(tmp_path / "fleet")
    people = {key.public_key().public_bytes_raw().hex(): name for name, key in PEOPLE.items()}
    now = datetime.now(UTC)
    folder.make("Test fleet", people, now)
    root = new_root(people, people, ONLINE, now)
    folder.root.write_bytes(sign(sign(root, PEOPLE["ani"]), PEOPLE["budi"]))
    return Fleet(folder=folder)


@pytest.fixture
def brokered(fleet, engines, tmp_path):
    """A fleet whose broker runs: two gates, and whoever else speaks there."""
    for name, purpose in (
        ("CGK.D07", "gate"),
        ("CGK.D08", "gate"),
        ("jakarta", "collector"),
        ("lead", "director"),
        ("office", "authority"),
        ("wall", "page"),
    ):
        fleet.admit(name, purpose)
    home, store = fleet.folder.folder, tmp_path / "nats"
    fleet.port = free_port()
    key = ec.generate_private_key(ec.SECP256R1())
    write_key(home / "broker.key", key)
    certificate = fleet.folder.authority().issue_server(request_for(key, "broker"), ["127.0.0.1", "localhost"], datetime.now(UTC))
    (home / "broker.pem").write_bytes(certificate)
    fleet.folder.set_broker(
        Broker(
            certificate=str(home / "broker.pem"),
            key=str(home / "broker.key"),
            authority=str(home / "authority.pem"),
            store=str(store / "jetstream"),
            pid_file=str(home / "broker.pid"),
            host="127.0.0.1",
            port=fleet.port,
            most_storage=128 << 30,
        )
    )
    # By its configuration alone, as in operation: one whose command line says more takes no new configuration.
    running = RunningNats(["nats-server", "-c", str(fleet.folder.configuration)], tmp_path / "nats.log", fleet.port)
    yield fleet
    running.stop()
