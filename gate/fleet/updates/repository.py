"""The repository (TUF): what is allowed at all, in a folder that people carry to their keys, and that a gate could be fed from by hand.

::

    metadata/2.root.json 7.targets.json 31.snapshot.json timestamp.json         and 12.lists-CGK.json: roles that targets delegate to
    targets/rules/<SHA-256>.000007-….tar                                        what targets name, each under its digest
    draft/targets.json                                                          the next targets, being signed
    gone/…                                                                      names of what was deleted, until the broker's store has deleted it, too

``root`` says whose keys count and is made elsewhere (``autogate fleet keys``). ``targets`` is signed by as many people as root says, offline.
``snapshot`` and ``timestamp`` are signed by a key that is online: it can hold back what is new for a day, and allow nothing. Registries'
lists change daily and bear their registry's signature: for those ``targets`` delegates to a role a checkpoint, whose key is online, too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization import DeserializationError

from gate.fleet.updates.client import MOST_METADATA
from gate.fleet.updates.sources import GONE
from gate.fleet.updates.targets import KEYS, Target, UpdateError
from pki.durable import read_file, write_file
from pki.errors import PkiError

LASTS: Final = {
    "targets": timedelta(days=180),
    "lists": timedelta(days=7),
    "snapshot": timedelta(days=14),
    "timestamp": timedelta(days=2),
}
"""How long each counts. A gate that hears of no newer timestamp for that long says so, and goes on with what it has."""
KEPT = 8
"""Versions of a role's metadata that stay, for whoever is in the middle of a look."""
_VERSIONED = re.compile(r"(\d{1,9})\.([A-Za-z0-9-]{1,40})\.json")
_LISTS = "lists-"
_DRAFT = Path("draft", "targets.json")
_Any = TypeVar("_Any", Root, Targets, Snapshot, Timestamp)


class Repository:
    """In ``folder``. Methods raise UpdateError where something may not be, OSError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._metadata = folder / "metadata"

    def add_root(self, raw: bytes) -> int:
        """Take the first root, or the one that follows the newest; signed as both say. Returns its version."""
        fresh = _parsed(raw, Root)
        newest = self._newest("root")
        try:
            fresh.signed.verify_delegate("root", fresh.signed_bytes, fresh.signatures)
            if newest:
                self.root().verify_delegate("root", fresh.signed_bytes, fresh.signatures)
        except (RepositoryError, ValueError) as error:
            raise UpdateError("not_signed", f"root: {error}") from None
        if newest and fresh.signed.version != newest + 1:
            raise UpdateError("rolled_back", f"root {fresh.signed.version}: {newest + 1} comes next")
        self._write(f"{fresh.signed.version}.root.json", raw)
        return fresh.signed.version

    def root(self) -> Root:
        return self._read("root", Root).signed

    def allowed(self) -> Mapping[str, TargetFile]:
        """What the newest targets name, and the roles that they delegate to."""
        roles = sorted(role for role in self._roles() if role == "targets" or role.startswith(_LISTS))
        return {path: info for role in roles for path, info in self._read(role, Targets).signed.targets.items()}

    # --- people: what is allowed ------------------------------------------------------------------------------------------------------------

    def draft(
        self,
        now: datetime,
        *,
        add: Mapping[str, bytes] | None = None,
        remove: Iterable[str] = (),
        lists: Mapping[str, Ed25519PublicKey] | None = None,
    ) -> Metadata[Targets]:
        """The next targets, unsigned: those in force and those already drafted, with and without these. ``lists``: checkpoint → by whose key its lists are allowed."""
        drafted = self._drafted()
        targets = drafted.signed if drafted else self._read("targets", Targets).signed if self._newest("targets") else Targets()
        targets.version, targets.expires = self._newest("targets") + 1, _until(now, "targets")
        for path, content in (add or {}).items():
            if path != KEYS:
                Target.parse(path)
            targets.targets[path] = TargetFile.from_data(path, content)
            self._lay(targets.targets[path], content)
        for path in remove:
            if targets.targets.pop(path, None) is None:
                raise UpdateError("not_allowed", f"{path}: is not among the targets")
        for checkpoint, key in (lists or {}).items():
            _delegate(targets, checkpoint, key)
        fresh = Metadata(targets)
        self._write_draft(fresh)
        return fresh

    def sign(self, key: Ed25519PrivateKey) -> tuple[int, int]:
        """Put a person's signature under the draft. Returns how many there are that count, and how many there must be."""
        fresh = self._drafted()
        if fresh is None:
            raise UpdateError("malformed", f"{self.folder}: nothing is drafted")
        signer = CryptoSigner(key)
        if signer.public_key.keyid not in self.root().get_delegated_role("targets").keyids:
            raise UpdateError("not_signed", "this is no key of those who sign targets")
        fresh.sign(signer, append=True)
        self._write_draft(fresh)
        result = self.root().get_verification_result("targets", fresh.signed_bytes, fresh.signatures)
        return len(result.signed), result.threshold

    # --- online: that this is the newest ----------------------------------------------------------------------------------------------------

    def publish(self, online: Ed25519PrivateKey, now: datetime) -> None:
        """Bring a draft that enough people signed into force, and say anew that this is the newest."""
        fresh = self._drafted()
        if fresh is None:
            self._read("targets", Targets)  # or there is nothing to say it of
        else:
            self._check_signed(fresh)
            self._write(f"{fresh.signed.version}.targets.json", fresh.to_bytes())
        self._tell_newest(online, now)
        (self.folder / _DRAFT).unlink(missing_ok=True)

    def refresh(self, online: Ed25519PrivateKey, now: datetime) -> None:
        """Say anew that what is in force is the newest; a draft stays one, however many signed it."""
        self._read("targets", Targets)  # or there is nothing to say it of
        self._tell_newest(online, now)

    def until(self) -> dict[str, datetime]:
        """Role → when the metadata in force of it ends: people sign root and targets anew before."""
        found = {"root": self.root().expires, "targets": self._read("targets", Targets).signed.expires}
        return found | {"timestamp": _parsed(_content(self._metadata / "timestamp.json"), Timestamp).signed.expires}

    def publish_lists(self, checkpoint: str, add: Mapping[str, bytes], key: Ed25519PrivateKey, now: datetime) -> None:
        """Allow snapshots for gates of a checkpoint, each in the place of the one before; :meth:`publish` says that these are the newest."""
        role = _lists_role(checkpoint)
        targets = self._read(role, Targets).signed if self._newest(role) else Targets()
        targets.version, targets.expires = self._newest(role) + 1, _until(now, "lists")
        placed, gone = {each.rpartition("/")[0]: each for each in targets.targets}, []
        for path, content in add.items():
            if Target.parse(path).gate.partition(".")[0] != checkpoint or not Target.parse(path).registry:
                raise UpdateError("other_gate", f"{path}: no list for a gate at {checkpoint}")
            if (old := placed.get(path.rpartition("/")[0])) is not None:
                gone.append(targets.targets.pop(old))
            targets.targets[path] = TargetFile.from_data(path, content)
            self._lay(targets.targets[path], content)
        fresh = Metadata(targets)
        fresh.sign(CryptoSigner(key))
        self._write(f"{targets.version}.{role}.json", fresh.to_bytes())
        kept = {name for info in targets.targets.values() for name in info.get_prefixed_paths()}
        self._forget(f"targets/{name}" for info in gone for name in info.get_prefixed_paths() if name not in kept)

    def _tell_newest(self, online: Ed25519PrivateKey, now: datetime) -> None:
        """A snapshot of every role's newest version, and the timestamp that names it, which makes it count."""
        signer = CryptoSigner(online)
        roles = ["targets", *(role for role in self._roles() if role.startswith(_LISTS))]
        snapshot = Snapshot(meta={f"{role}.json": MetaFile(self._newest(role)) for role in roles})
        snapshot.version, snapshot.expires = self._newest("snapshot") + 1, _until(now, "snapshot")
        stamp = Timestamp(snapshot_meta=MetaFile(snapshot.version))
        stamp.version, stamp.expires = self._stamped() + 1, _until(now, "timestamp")
        for name, signed in ((f"{snapshot.version}.snapshot.json", Metadata(snapshot)), ("timestamp.json", Metadata(stamp))):
            signed.sign(signer)
            self._write(name, signed.to_bytes())
        self._forget(
            f"metadata/{number}.{role}.json"
            for role in self._roles() - {"root"}
            for number in range(max(1, self._newest(role) - 2 * KEPT), self._newest(role) - KEPT)
        )

    def _check_signed(self, fresh: Metadata[Targets]) -> None:
        try:
            self.root().verify_delegate("targets", fresh.signed_bytes, fresh.signatures)
        except RepositoryError as error:
            raise UpdateError("not_signed", str(error)) from None

    # --- files ----------------------------------------------------------------------------------------------------------------------------------

    def _roles(self) -> set[str]:
        return {match[2] for path in self._metadata.glob("*.json") if (match := _VERSIONED.fullmatch(path.name))}

    def _newest(self, role: str) -> int:
        """0 where there is none."""
        found = (_VERSIONED.fullmatch(path.name) for path in self._metadata.glob(f"*.{role}.json"))
        return max((int(match[1]) for match in found if match and match[2] == role), default=0)

    def _stamped(self) -> int:
        path = self._metadata / "timestamp.json"
        return _parsed(_content(path), Timestamp).signed.version if path.exists() else 0

    def _read(self, role: str, kind: type[_Any]) -> Metadata[_Any]:
        if not (newest := self._newest(role)):
            raise UpdateError("malformed", f"{self.folder}: no repository, or one without {role}")
        return _parsed(_content(self._metadata / f"{newest}.{role}.json"), kind)

    def _drafted(self) -> Metadata[Targets] | None:
        path = self.folder / _DRAFT
        return _parsed(_content(path), Targets) if path.exists() else None

    def _write_draft(self, fresh: Metadata[Targets]) -> None:
        (self.folder / _DRAFT).parent.mkdir(parents=True, exist_ok=True)
        write_file(self.folder / _DRAFT, fresh.to_bytes())

    def _write(self, name: str, content: bytes) -> None:
        self._metadata.mkdir(parents=True, exist_ok=True)
        write_file(self._metadata / name, content)

    def _forget(self, names: Iterable[str]) -> None:
        """Delete what nobody needs any more, and leave word of it for the store at the broker (``gone``)."""
        for name in names:
            if (self.folder / name).exists():
                mark = self.folder / GONE / name
                mark.parent.mkdir(parents=True, exist_ok=True)
                mark.touch()
                (self.folder / name).unlink()

    def _lay(self, info: TargetFile, content: bytes) -> None:
        (name,) = info.get_prefixed_paths()
        path = self.folder / "targets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != info.hashes["sha256"]:
            write_file(path, content)


def _delegate(targets: Targets, checkpoint: str, key: Ed25519PublicKey) -> None:
    """Let ``key`` allow lists for gates of that checkpoint, in the place of any other."""
    name, public = _lists_role(checkpoint), SSlibKey.from_crypto(key)
    kept = targets.delegations or Delegations(keys={}, roles={})
    roles = {role: each for role, each in (kept.roles or {}).items() if role != name}
    roles[name] = DelegatedRole(name, [public.keyid], 1, terminating=True, paths=[f"snapshots/{checkpoint}.*/*/*"])
    used = {keyid for role in roles.values() for keyid in role.keyids}
    keys = {keyid: each for keyid, each in (kept.keys | {public.keyid: public}).items() if keyid in used}
    targets.delegations = Delegations(keys=keys, roles=roles)


def _lists_role(checkpoint: str) -> str:
    return f"{_LISTS}{checkpoint}"


def _until(now: datetime, role: str) -> datetime:
    return (now + LASTS[role]).replace(microsecond=0)


def _content(path: Path) -> bytes:
    try:
        return read_file(path, MOST_METADATA)
    except PkiError as error:
        raise UpdateError("malformed", error.detail) from None


def _parsed(raw: bytes, kind: type[_Any]) -> Metadata[_Any]:
    try:
        found = Metadata[_Any].from_bytes(raw)
    except (DeserializationError, RepositoryError) as error:
        raise UpdateError("malformed", f"no metadata: {error}") from None
    if not isinstance(found.signed, kind):
        raise UpdateError("malformed", f"metadata of another role than {kind.__name__}")
    return found
