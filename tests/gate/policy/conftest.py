"""People who sign rule sets, and their folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import gate.policy.sets
from gate.policy.examiner import examine
from gate.policy.schedule import Answer, Question
from gate.policy.schema import FILES, PACKAGED, RuleSet, load_rules
from gate.policy.sets import RulesVersions
from pki.signed_statement import Action, SignedStatement
from pki.signed_versions import Version

SIGNED_AT = datetime(2026, 1, 20, 3, 0, tzinfo=UTC)
NAMES = ("siti", "budi", "dewi")
KEYS = {name: Ed25519PrivateKey.generate() for name in (*NAMES, "stranger")}
SIGNERS = tuple(f"{name}:{KEYS[name].public_key().public_bytes_raw().hex()}" for name in NAMES)
BY_KEY = {line.partition(":")[2]: line.partition(":")[0] for line in SIGNERS}
Files = Mapping[str, bytes]


@cache
def rule_files(name: str) -> Files:
    """The packaged rules under another name."""
    files = {file: (PACKAGED / file).read_bytes() for file in FILES}
    told = load_rules().version.partition("@")[0]
    return files | {"rule_set.toml": files["rule_set.toml"].replace(f'"{told}"'.encode(), f'"{name}"'.encode())}


@cache
def _version(name: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        for file, content in rule_files(name).items():
            (Path(folder) / file).write_bytes(content)
        return load_rules(Path(folder)).version


class House:
    """The people, their folder of rule sets, and a gate's state folder."""

    keys, signers, at = KEYS, SIGNERS, SIGNED_AT

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder / "rules", folder / "state"
        self.state.mkdir()
        self.versions = RulesVersions(self.folder)

    def add(self, name: str) -> Version:
        return self.versions.add(rule_files(name), _version(name))

    def sign(self, version: Version, *names: str, at: datetime = SIGNED_AT, **more: Any) -> SignedStatement[Any]:
        for name in names:
            signed = self.versions.sign(version, KEYS[name], now=at, **more)
        return signed

    def activate(self, version: Version, action: Action = "activate") -> SignedStatement[Any]:
        return self.versions.activate(version, action, BY_KEY)

    def bring(self, name: str, **more: Any) -> Version:
        """Into force, by two people."""
        version = self.add(name)
        signed = self.sign(version, "siti", "budi", **more)
        self.activate(version, signed.statement.action)
        return version

    def question(self, at: datetime = SIGNED_AT + timedelta(hours=1), **changes: Any) -> Question:
        told: dict[str, Any] = {"store": str(self.folder), "signers": SIGNERS, "state_dir": str(self.state), "profile": "trial"}
        return Question(**(told | {"at": at} | changes))

    def examine(self, at: datetime = SIGNED_AT + timedelta(hours=1), **changes: Any) -> Answer:
        """What a gate that starts makes of it."""
        return examine(self.question(at, **changes), keep=True)

    def judging(self, at: datetime = SIGNED_AT + timedelta(hours=1)) -> str:
        """The name of the set that judges at ``at``."""
        answer = self.examine(at)
        assert answer.problem == ""
        return next(one for one in answer.sets if one.begins <= at).rules.partition("@")[0]

    @property
    def active(self) -> Path:
        return self.folder / "active"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule sets are parsed once for each content, and no disk is waited for: how either is done other tests say."""
    known: dict[tuple[bytes, ...], RuleSet] = {}

    def load(folder: Path) -> RuleSet:
        key = tuple(path.read_bytes() for path in sorted(folder.glob("*.toml")))
        if key not in known:
            known[key] = load_rules(folder)
        return known[key]

    monkeypatch.setattr(gate.policy.sets, "load_rules", load)
    monkeypatch.setattr(os, "fsync", lambda _: None)
