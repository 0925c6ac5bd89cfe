"""Two people who keep a trust store for a gate, and the pretend State whose books it reads."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate.config import Camera, Config, Controller, Face, Lane, Scanner, Trust
from gate.demo.cast import Cast, load_cast
from gate.demo.issue import Passport, create_states, issue_passports
from gate.evidence import Direction
from pki.durable import write_file
from pki.signed_statement import SignedStatement
from pki.sim import DocumentSigner, PretendState
from pki.trust import Csca, TrustStore
from pki.trust_statement import Statement
from pki.trust_versions import TrustVersions, Version

KEYS = {name: Ed25519PrivateKey.generate() for name in ("siti", "budi")}
SIGNERS = tuple(f"{name}:{key.public_key().public_bytes_raw().hex()}" for name, key in KEYS.items())
BY_KEY = {line.partition(":")[2]: line.partition(":")[0] for line in SIGNERS}


class Keepers:
    """Their folder of trust stores, and a gate's state folder beside it. ``state``: of which they keep certificate and revocation list."""

    signers = SIGNERS

    def __init__(self, folder: Path, state: PretendState) -> None:
        self.folder, self.state_dir, self.state = folder / "trust", folder / "state", state
        self.state_dir.mkdir(exist_ok=True)
        self.versions = TrustVersions(self.folder)

    @property
    def active(self) -> Path:
        return self.folder / "active"

    def lay(self, active: bytes) -> None:
        """Say that something else is in force."""
        write_file(self.active, active)

    def store(self, *revoked: DocumentSigner, also: Sequence[bytes] = (), demo: bool = False) -> TrustStore:
        """``also``: certificates of further States."""
        anchors = tuple(Csca.of(each, "a list") for each in (self.state.csca, *also))
        return TrustStore(anchors=anchors, crls=(self.state.crl(revoked),), demo=demo)

    def sign(self, version: Version, *names: str, because: str = "") -> SignedStatement[Statement]:
        for name in names:
            signed = self.versions.sign(version, KEYS[name], now=self.state.now, because=because)
        return signed

    def bring(self, store: TrustStore | Version, because: str = "") -> Version:
        """Into force, by two people."""
        version = self.versions.add(store) if isinstance(store, TrustStore) else store
        signed = self.sign(version, "siti", "budi", because=because)
        self.versions.activate(version, signed.statement.action, BY_KEY, now=self.state.now)
        return version

    def elsewhere(self, folder: Path) -> Keepers:
        """The same people before a copy of their folder."""
        shutil.copytree(self.folder, folder / "trust")
        return Keepers(folder, self.state)

    def config(self, **changes: Any) -> Config:
        """Of a gate for which these people sign."""
        config = Config(
            profile="trial",
            state_dir=self.state_dir,
            lane=Lane(id="1", checkpoint="CGK", direction=Direction.DEPARTURE),
            scanner=Scanner(kind="simulator", address="world", mrz="device"),
            camera=Camera(kind="simulator", address="world"),
            controller=Controller(device="/dev/null"),
            face=Face(pack="demo", packs_dir=self.folder),
            trust=Trust(store=self.folder, signers=SIGNERS),
        )
        return msgspec.structs.replace(config, **changes)


@pytest.fixture(scope="session")
def home() -> PretendState:
    return create_states(load_cast(), datetime.now(UTC))["home"]


@pytest.fixture(scope="session")
def book(home: PretendState) -> Passport:
    """An ordinary traveller's, signed by ``home.signer``."""
    cast = load_cast()
    cast = Cast(state=cast.state, traveller=cast.traveller[:1])
    return issue_passports(cast, {"home": home}, lambda _: b"\xff\xd8\xff" + bytes(900))[cast.traveller[0].id]


@pytest.fixture
def keepers(tmp_path: Path, home: PretendState) -> Keepers:
    """Version 1 is in force."""
    keepers = Keepers(tmp_path, home)
    keepers.bring(keepers.store())
    return keepers


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No disk is waited for: how a power cut leaves files other tests say."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
