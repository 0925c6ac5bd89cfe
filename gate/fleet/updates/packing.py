"""From the folders that people sign in to what may be allowed: one statement in force, with all that a gate needs to prove it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gate.console.roster import RosterVersions
from gate.fleet.updates.configuration import digest_of
from gate.fleet.updates.pack import MOST_PACK, packed
from gate.fleet.updates.sealing import seal_list
from gate.fleet.updates.targets import Signed, UpdateError, config_path, signed_path, snapshot_path
from gate.policy.sets import RulesVersions
from pki.durable import read_file
from pki.errors import PkiError
from pki.signed_statement import SignedStatement
from pki.signed_versions import Version
from pki.trust_versions import TrustVersions

AnyVersions = RulesVersions | TrustVersions | RosterVersions
VERSIONS: dict[Signed, Callable[[Path], AnyVersions]] = {"rules": RulesVersions, "trust": TrustVersions, "roster": RosterVersions}
MOST_CHAIN = 3
"""Statements of rule sets in one pack: more that have not begun are seldom; packs stay small."""


def pack_folder(kind: Signed, folder: Path) -> tuple[str, bytes]:
    """Path and octets of what is in force in ``folder``. Whether people signed it the gates prove. Raises UpdateError."""
    try:
        return _packed(kind, folder)
    except PkiError as error:
        raise UpdateError("malformed", error.detail) from None


def pack_config(gate: str, number: int, file: Path) -> tuple[str, bytes]:
    """Raises PkiError."""
    return config_path(gate, number, digest_of(file)), read_file(file, MOST_PACK)


def pack_snapshot(gate: str, registry: str, number: int, content: bytes, public: str) -> tuple[str, bytes]:
    """Sealed to the gate whose status tells ``public``. Raises ValueError."""
    sealed = seal_list(content, gate, public)
    return snapshot_path(gate, registry, number, hashlib.sha256(sealed).hexdigest()), sealed


def _packed(kind: Signed, folder: Path) -> tuple[str, bytes]:
    versions = VERSIONS[kind](folder)
    signed = versions.in_force()
    if signed is None:
        raise UpdateError("malformed", f"{folder}: nothing is in force")
    files = {"active": signed.encoded}
    if (folder / "DEMO").exists():
        files["DEMO"] = b"For demonstration only.\n"
    for each in _chain(versions, signed):
        one = each.statement
        files[f"statements/{one.sequence:06}-{one.version:06}.json"] = each.encoded
        files |= _files(versions, versions.version(one.version, one.store))
    return signed_path(kind, signed.statement.sequence, signed.statement.digest), packed(files)


def _chain(versions: AnyVersions, newest: SignedStatement[Any]) -> Iterator[SignedStatement[Any]]:
    """The statement in force, and of rule sets those before it: what is still to begin leaves the judging to the one that has begun."""
    found: SignedStatement[Any] | None = newest
    for _ in range(MOST_CHAIN if isinstance(versions, RulesVersions) else 1):
        if found is None:
            return
        yield found
        found = versions.before(found.statement)


def _files(versions: AnyVersions, version: Version) -> dict[str, bytes]:
    """What a version consists of, by name below ``versions``."""
    if isinstance(versions, RulesVersions):
        _, files = versions.read(version)
        return {f"versions/{version.path.name}/{name}": content for name, content in files.items()}
    versions.read(version)  # compares its octets with its digest
    return {f"versions/{version.path.name}": read_file(version.path, MOST_PACK)}
