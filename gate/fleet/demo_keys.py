"""The keys of ``autogate fleet demo``: made, asked for, approved by two people who exist only here, and admitted, as in operation.

Everybody then speaks mutual TLS to a broker that lets each say and hear what is its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gate.audit.keys import make_key, open_signer
from gate.audit.notary import gate_name
from gate.audit.note import FileSigner, VerifierKey
from gate.config_sections import Fleet
from gate.console.passwords import hashed
from gate.console.roster import RosterVersions, Viewer
from gate.fleet.keys.authority import request_for, write_key
from gate.fleet.keys.command import CERTIFICATE, EVENT_KEY, TLS_KEY
from gate.fleet.keys.directory import Purpose
from gate.fleet.keys.enrolment import Enrolment, admitted, approve, approved, asked
from gate.fleet.keys.folder import FleetFolder
from gate.fleet.keys.nats_config import Broker
from gate.fleet.keys.roots import new_root, sign
from gate.signer_key import private_key, public_hex
from pki.durable import write_file
from pki.signed_statement import parse_signers

PEOPLE = ("pretend-1", "pretend-2", "pretend-3")
APPROVE = 2
HOST = "127.0.0.1"
MOST_STORAGE = 16 << 30
"""Bytes that the broker may take, of which it takes none that are not there to be sent."""
AUDIT_KEY = "audit.key"
VIEWER = "director"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """Whose keys lie in ``folder``."""

    purpose: Purpose
    name: str
    folder: Path

    @property
    def audit_key(self) -> Path:
        return self.folder / AUDIT_KEY


@dataclass(slots=True)
class DemoKeys:
    """A fleet's authority in ``folder``, and its people."""

    folder: Path
    people: dict[str, Ed25519PrivateKey] = field(
        default_factory=lambda: {name: Ed25519PrivateKey.generate() for name in PEOPLE}, repr=False
    )

    @property
    def signers(self) -> tuple[str, ...]:
        """As options and configurations name them."""
        return tuple(f"{name}:{public_hex(key)}" for name, key in self.people.items())

    def make(self, port: int) -> None:
        """The authority, its root, and the broker's certificate and configuration."""
        fleet, now = FleetFolder(self.folder), datetime.now(UTC)
        known = parse_signers(self.signers)
        fleet.make("Demonstration of a fleet", known, now)
        online = Ed25519PrivateKey.generate()
        _write(self.folder / "online.key", online)
        root = new_root(known, known, public_hex(online), now)
        for key in self.two:
            root = sign(root, key)
        write_file(fleet.root, root)
        self._make_broker(fleet, port)

    def _make_broker(self, fleet: FleetFolder, port: int) -> None:
        broker, private = self.folder / "broker.pem", ec.generate_private_key(ec.SECP256R1())
        write_key(self.folder / "broker.key", private)
        write_file(broker, fleet.authority().issue_server(request_for(private, HOST), [HOST], datetime.now(UTC)))
        fleet.set_broker(
            Broker(
                certificate=str(broker.resolve()),
                key=str((self.folder / "broker.key").resolve()),
                authority=str((self.folder / "authority.pem").resolve()),
                store=str((self.folder / "jetstream").resolve()),
                pid_file=str((self.folder / "broker.pid").resolve()),
                host=HOST,
                port=port,
                most_storage=MOST_STORAGE,
            )
        )

    def enrol(self, wanted: Iterable[Enrolled]) -> None:
        """Make each one's keys in its folder, and have them admitted, all in one new directory."""
        fleet, now = FleetFolder(self.folder), datetime.now(UTC)
        directory, issuer = fleet.directory().directory, fleet.authority()
        for one in wanted:
            entry = approved(self._approved(_asked(one, now), now), fleet.approvers())
            directory = admitted(directory, entry, now)
            request = (one.folder / "request.pem").read_bytes()
            write_file(one.folder / CERTIFICATE, issuer.issue(request, entry, now))
            write_file(one.folder / "authority.pem", issuer.pem)
        fleet.put(directory)

    def _approved(self, enrolment: Enrolment, now: datetime) -> Enrolment:
        for key in self.two:
            enrolment = approve(enrolment, enrolment.request.fingerprint, key, now)
        return enrolment

    @property
    def two(self) -> list[Ed25519PrivateKey]:
        """Who sign: for keys, for what gates may be given, and for rules."""
        return list(self.people.values())[:APPROVE]

    @property
    def strangers(self) -> list[Ed25519PrivateKey]:
        """Two people of the fleet, of whom one may not sign for rules: no gate names that one."""
        return list(self.people.values())[APPROVE - 1 : APPROVE + 1]

    def section(self, one: Enrolled, url: str) -> Fleet:
        """The gate's ``[fleet]``."""
        return Fleet(
            url=url,
            ca=one.folder / "authority.pem",
            certificate=one.folder / CERTIFICATE,
            key=one.folder / TLS_KEY,
            signing_key=one.folder / EVENT_KEY,
            keys=self.folder / "keys.json",
            signers=self.signers,
        )

    def roster(self, folder: Path, password: str) -> None:
        """Who may look at the page, put into force by two people."""
        versions, now = RosterVersions(folder), datetime.now(UTC)
        viewer = Viewer(name=VIEWER, role="auditor", password=hashed(password), since=date(2000, 1, 1), until=date(9999, 1, 1))
        version = versions.add((), (viewer,))
        for key in self.two:
            versions.sign(version, key, now=now)
        versions.activate(version, "activate", parse_signers(self.signers))


def _asked(one: Enrolled, now: datetime) -> Enrolment:
    one.folder.mkdir(parents=True, exist_ok=True)
    make_key(one.folder / EVENT_KEY)
    tls, audit = ec.generate_private_key(ec.SECP256R1()), ""
    write_key(one.folder / TLS_KEY, tls)
    write_file(one.folder / "request.pem", request := request_for(tls, one.name))
    if one.purpose == "gate":
        make_key(one.audit_key)
        audit = str(VerifierKey.of(audit_signer(one.audit_key, one.name)))
    return asked(open_signer(one.folder / EVENT_KEY, one.name), one.purpose, one.name, now, certificate=request, audit=audit)


def audit_signer(key: Path, gate: str) -> FileSigner:
    """Signs checkpoints of that gate's log."""
    return FileSigner(name=gate_name(gate.partition(".")[2]), key=private_key(key, None))


def _write(path: Path, key: Ed25519PrivateKey) -> None:
    raw = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(raw)
