"""A repository of updates, the people who sign for it, the director, and a gate with its folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate.config import Camera, Config, Controller, Face, Fleet, Lane, Rules, Scanner, Trust
from gate.evidence import Direction
from gate.fleet.keys.directory import Directory, Entry, encoded
from gate.fleet.keys.roots import new_root, sign
from gate.fleet.messages import Assignment, sealed
from gate.fleet.updates.packing import pack_folder
from gate.fleet.updates.repository import Repository
from gate.fleet.updates.sources import Folder
from gate.fleet.updates.targets import KEYS
from gate.fleet.updates.updater import Updater
from gate.policy import sets
from gate.policy.examiner import examine
from gate.policy.schedule import Question
from gate.policy.schema import FILES, PACKAGED, RuleSet, load_rules
from gate.policy.sets import RulesVersions
from gate.signer_key import public_hex

NOW = datetime.now(UTC).replace(microsecond=0)
GATE = "CGK.D07"
NAMES = ("siti", "budi", "dewi")
PEOPLE = {name: Ed25519PrivateKey.generate() for name in NAMES}
SIGNERS = tuple(f"{name}:{public_hex(PEOPLE[name])}" for name in NAMES)
BY_KEY = {public_hex(PEOPLE[name]): name for name in NAMES}
ONLINE, LISTS, DIRECTOR, STRANGER = (Ed25519PrivateKey.generate() for _ in range(4))
_PARSED: dict[tuple[bytes, ...], RuleSet] = {}


def parsed(folder: Path) -> RuleSet:
    key = tuple(path.read_bytes() for path in sorted(folder.glob("*.toml")))
    if key not in _PARSED:
        _PARSED[key] = load_rules(folder)
    return _PARSED[key]


class Key:
    """:class:`gate.fleet.messages.Signs`."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key, self.public = key, key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


@cache
def rule_files(name: str) -> Mapping[str, bytes]:
    """The packaged rules under another name."""
    files = {file: (PACKAGED / file).read_bytes() for file in FILES}
    told = load_rules().version.partition("@")[0]
    return files | {"rule_set.toml": files["rule_set.toml"].replace(f'"{told}"'.encode(), f'"{name}"'.encode())}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule sets are parsed once for each content, and no disk is waited for: how either is done other tests say."""

    monkeypatch.setattr(sets, "load_rules", parsed)
    monkeypatch.setattr(os, "fsync", lambda _: None)


class Centre:
    """People, repository and director. ``now`` is everybody's clock."""

    people, signers, online, lists, director, stranger = PEOPLE, SIGNERS, ONLINE, LISTS, DIRECTOR, STRANGER
    signs = Key(DIRECTOR)

    def __init__(self, folder: Path) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.folder, self.rules = folder, RulesVersions(folder / "rules")
        self.repository = Repository(folder / "repository")
        self.root = self.signed_root()
        self.repository.add_root(self.root)
        self.number = 0
        self.allow({KEYS: self.directory(1)})

    @staticmethod
    def signed_root(by: tuple[str, ...] = ("siti", "budi"), **more: Any) -> bytes:
        hexes = [public_hex(PEOPLE[name]) for name in NAMES]
        raw = new_root(hexes, hexes, public_hex(ONLINE), NOW, **more)
        for name in by:
            raw = sign(raw, PEOPLE[name])
        return raw

    def directory(self, sequence: int, **changes: Any) -> bytes:
        entry = {
            "purpose": "director",
            "name": "director",
            "public": public_hex(DIRECTOR),
            "since": NOW - timedelta(days=1),
            "until": NOW + timedelta(days=365),
        }
        return encoded(Directory(sequence=sequence, entries=(Entry(**(entry | changes)),)))

    def allow(self, add: Mapping[str, bytes] | None = None, *, by: tuple[str, ...] = ("siti", "budi"), **more: Any) -> None:
        """Draft, sign, publish."""
        self.repository.draft(self.now, add=add, **more)
        for name in by:
            self.repository.sign(PEOPLE[name])
        self.repository.publish(ONLINE, self.now)

    def bring_rules(
        self, name: str, *, at: datetime | None = None, version: int | None = None, because: str = ""
    ) -> tuple[str, bytes]:
        """Into force in the people's folder, signed by two; as it may be allowed."""
        files = rule_files(name)
        folder = self.folder / f"new-{name}"
        folder.mkdir(exist_ok=True)
        for file, content in files.items():
            (folder / file).write_bytes(content)
        made = self.rules.find(str(version)) if version else self.rules.add(files, parsed(folder).version)
        for person in ("siti", "budi"):
            signed = self.rules.sign(made, PEOPLE[person], now=at or self.now, because=because)
        self.rules.activate(made, signed.statement.action, BY_KEY)
        return pack_folder("rules", self.rules.folder)

    def assignment(self, targets: Mapping[str, str], *, key: Ed25519PrivateKey = DIRECTOR, **changes: Any) -> bytes:
        """The next one."""
        self.number += 1
        told = {
            "gate": GATE,
            "number": self.number,
            "at": self.now.isoformat(),
            "until": (self.now + timedelta(days=7)).isoformat(),
            "targets": dict(targets),
        }
        return sealed(Key(key), Assignment(**(told | changes)))


class Gate:
    """One that was set up with statement 1 of the rules."""

    def __init__(self, folder: Path, centre: Centre, lane: str = "D07") -> None:
        self.folder, self.centre, self.name = folder, centre, f"CGK.{lane}"
        folder.mkdir()
        (folder / "state").mkdir()
        self.updates, self.keys, self.file = folder / "updates", folder / "keys.json", folder / "gate.toml"
        self.updates.mkdir()
        (self.updates / "root.json").write_bytes(centre.root)
        self.keys.write_bytes(centre.directory(1))
        self.file.write_text("# a gate\n")
        self.rules = RulesVersions(folder / "rules")
        signed = centre.rules.in_force()
        if signed is not None:
            self.rules.copy(centre.rules, [(signed, centre.rules.version(signed.statement.version, signed.statement.store))])
        self.config = Config(
            profile="trial",
            state_dir=folder / "state",
            lane=Lane(id=lane, checkpoint="CGK", direction=Direction.DEPARTURE),
            scanner=Scanner(kind="simulator", address="x"),
            camera=Camera(kind="simulator", address="x"),
            controller=Controller(device="x"),
            face=Face(pack="x", packs_dir=folder),
            trust=Trust(store=folder / "trust", signers=SIGNERS),
            rules=Rules(store=folder / "rules", signers=SIGNERS),
            fleet=Fleet(url="tls://broker:4222", signing_key=folder / "key", keys=self.keys, updates=self.updates),
        )
        self.updater = self.restarted()

    def restarted(self, **changes: Any) -> Updater:
        self.updater = Updater(
            self.config, changes.pop("js", None), config_path=self.file, now=lambda: self.centre.now, **changes
        )
        return self.updater

    def look(self, assigned: bytes | None = None, source: Any = None) -> str:
        """One look at the centre's repository. Returns what troubled it."""
        self.updater.look(source or Folder(self.centre.repository.folder), lambda _: assigned)
        return self.updater.trouble

    def work(self) -> str:
        """What the lane's examiner makes of it: the name of the set that judges. It is remembered, as in operation."""
        at = self.centre.now + timedelta(minutes=1)
        asked = Question(
            store=str(self.rules.folder), signers=SIGNERS, state_dir=str(self.config.state_dir), profile="trial", at=at
        )
        answer = examine(asked, keep=True)
        assert answer.problem == ""
        return next(one for one in answer.sets if one.begins <= at).rules.partition("@")[0]


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    centre = Centre(tmp_path / "centre")
    centre.bring_rules("one")
    return centre


@pytest.fixture
def gate(tmp_path: Path, centre: Centre) -> Gate:
    return Gate(tmp_path / "gate", centre)


@pytest.fixture
def new_gate(tmp_path: Path, centre: Centre) -> Callable[..., Gate]:
    return lambda name, **more: Gate(tmp_path / name, centre, **more)
