"""Puts what was assigned and allowed where the gate looks for it, once it is proven as the gate itself proves it.

Rule sets, trust stores and rosters go into their folders by their own code, and lane, reader and verifier prove them again before they go by
them. So whoever has the director's and the repository's keys still needs two people's for each.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from gate.config import Config
from gate.console.roster import RosterVersions, open_roster
from gate.fleet.updates.configuration import digest_of, lay_next, next_path
from gate.fleet.updates.pack import MOST_PACK, unpacked, write_pack
from gate.fleet.updates.packing import VERSIONS, AnyVersions
from gate.fleet.updates.sealing import open_list
from gate.fleet.updates.standing import worked_under
from gate.fleet.updates.targets import MOST_TARGET, SIGNED, Signed, Target, UpdateError
from gate.policy.examiner import open_sets
from gate.policy.sets import RulesVersions
from gate.profiles import PROFILES
from gate.registries.contracts import CONTRACTS
from gate.registries.envelope import public_key
from gate.registries.snapshot import SnapshotRefused, signed_head
from gate.registries.snapshot_store import SnapshotStore
from gate.registries.sources import snapshot_store
from pki.durable import read_file
from pki.errors import PkiError, ReasonCode
from pki.signed_statement import parse_signers
from pki.signed_versions import Seen, check_forward
from pki.trust_file import MAX_TRUST_FILE
from pki.trust_versions import TrustVersions, open_active

_CODES = {ReasonCode.STORE_NOT_SIGNED: "not_signed", ReasonCode.STORE_OUTDATED: "rolled_back"}


class Shelves:
    """The folders of one gate. Every method raises UpdateError, the folder then being as it was."""

    def __init__(self, config: Config, config_path: Path, now: Callable[[], datetime]) -> None:
        self._config, self._config_path, self._now = config, config_path, now

    def has(self, target: Target) -> bool:
        """Whether it is there already."""
        if target.kind == "config":
            return target.digest in {_digest(self._config_path), _digest(next_path(self._config_path))}
        if target.registry:
            return self._has_snapshot(target)
        before = _in_force(self._versions(_signed(target)))
        return before is not None and (before.sequence, before.statement) == (target.number, target.digest)

    def put(self, target: Target, file: Path) -> None:
        """Lay down what is in ``file``."""
        try:
            if target.kind == "config":
                lay_next(self._config, self._config_path, read_file(file, MOST_PACK), target.digest)
            elif target.registry:
                self._take_snapshot(target, file)
            else:
                self._adopt(target, _signed(target), unpacked(read_file(file, MOST_PACK)))
        except PkiError as error:
            raise UpdateError(_CODES.get(error.code, "malformed"), f"{target.path}: {error.detail}") from None
        except OSError as error:
            raise UpdateError("disk", f"{target.path}: {error}") from error

    # --- folders of versions -----------------------------------------------------------------------------------------------------------

    def _adopt(self, target: Target, kind: Signed, files: Mapping[str, bytes]) -> None:
        """Prove in a folder beside, then take over."""
        here, seen = self._versions(kind), worked_under(kind, self._config.state_dir)
        with TemporaryDirectory(prefix="autogate-") as scratch:
            write_pack(files, Path(scratch))
            there = type(here)(Path(scratch))
            signed = there.in_force()
            if signed is None or (signed.statement.sequence, signed.statement.digest) != (target.number, target.digest):
                raise UpdateError("altered", f"{target.path}: its statement is another than its name says")
            if (before := _in_force(here)) is not None:
                check_forward(signed.statement, before)
            match here, there:
                case RulesVersions(), RulesVersions():
                    self._adopt_rules(here, there, seen)
                case TrustVersions(), TrustVersions():
                    self._adopt_trust(here, there, seen)
                case RosterVersions(), RosterVersions():
                    self._adopt_roster(here, there, seen)

    def _adopt_rules(self, here: RulesVersions, there: RulesVersions, seen: Seen | None) -> None:
        config = self._config
        signers = parse_signers(config.rules.signers)
        sets = open_sets(there, signers, at=self._now(), profile=config.profile, worked_under=seen)
        here.copy(there, [(one.signed, one.version) for one in sets])

    def _adopt_trust(self, here: TrustVersions, there: TrustVersions, seen: Seen | None) -> None:
        demo = PROFILES[self._config.profile].demonstration
        open_active(there.folder, parse_signers(self._config.trust.signers), demo=demo, seen=seen)
        signed = there.in_force()
        assert signed is not None  # as it was opened
        version = there.version(signed.statement.version, signed.statement.store)
        here.adopt(signed, version, read_file(version.path, MAX_TRUST_FILE))

    def _adopt_roster(self, here: RosterVersions, there: RosterVersions, seen: Seen | None) -> None:
        open_roster(there.folder, parse_signers(self._config.console.signers), seen)
        signed = there.in_force()
        assert signed is not None  # as it was opened
        version = there.version(signed.statement.version, signed.statement.store)
        here.adopt(signed, version, read_file(version.path, MOST_PACK))

    def _versions(self, kind: Signed) -> AnyVersions:
        config = self._config
        folders = {"rules": config.rules.store, "trust": config.trust.store, "roster": config.console.roster}
        folder = folders[kind]
        if folder is None or not (folder / "versions").is_dir():
            raise UpdateError("not_configured", f"{kind}: this gate has no folder of signed versions for it")
        return VERSIONS[kind](folder)

    # --- lists and configuration -------------------------------------------------------------------------------------------------------

    def _take_snapshot(self, target: Target, file: Path) -> None:
        store, key = self._snapshots(target.registry)
        contract, now = CONTRACTS[target.registry], self._now()
        section = self._config.registries.snapshots
        assert section is not None  # or there was no store
        try:
            signer = public_key(key)
            stream = BytesIO(open_list(read_file(file, MOST_TARGET), target.gate, section.key_file))
            head = signed_head(stream, signer, registry=contract.name, gate=store.gate, now=now)
            if head.version != target.number:
                raise UpdateError("altered", f"{target.path}: it calls itself version {head.version}")
            stream.seek(0)
            store.take(contract, stream, signer, now)
        except SnapshotRefused as refused:
            code = "rolled_back" if refused.why in {"rolled_back", "contradictory"} else "refused"
            raise UpdateError(code, f"{target.path}: {refused}") from None
        except (sqlite3.Error, ValueError) as error:
            raise UpdateError("disk", f"{target.path}: {error}") from error

    def _snapshots(self, registry: str = "") -> tuple[SnapshotStore, Path]:
        """Where they lie, and the key of ``registry``."""
        section = self._config.registries.named.get(registry)
        try:
            store = snapshot_store(self._config)
        except (OSError, ValueError) as error:
            raise UpdateError("disk", f"registries.snapshots: {error}") from error
        if store is None or (registry and section is None):
            raise UpdateError("not_configured", f"{registry or 'snapshots'}: this gate keeps none")
        return store, section.key if section else Path()

    def _has_snapshot(self, target: Target) -> bool:
        try:
            mark = self._snapshots(target.registry)[0].mark(target.registry)
        except SnapshotRefused as refused:
            raise UpdateError("disk", f"{target.path}: {refused}") from None
        return mark is not None and mark.version >= target.number


def _signed(target: Target) -> Signed:
    return next(kind for kind in SIGNED if kind == target.kind)


def _in_force(versions: AnyVersions) -> Seen | None:
    """What the folder says is in force; None where it says nothing that can be read: then there is nothing to lose."""
    try:
        signed = versions.in_force()
    except PkiError:
        return None
    return Seen.of(signed.statement) if signed else None


def _digest(path: Path) -> str:
    """Empty where there is none."""
    try:
        return digest_of(path)
    except PkiError:
        return ""
