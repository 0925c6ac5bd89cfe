"""The trust store that a gate works with: the version in force, proven, and never one from before what this gate has worked with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from gate import seen
from gate.config import Config
from gate.profiles import PROFILES
from pki.deviations import read_deviation_lists
from pki.errors import PkiError, ReasonCode
from pki.known_defects import DeviationList
from pki.trust import TrustStore, load_trust_store
from pki.trust_statement import parse_signers
from pki.trust_versions import Seen, open_active

SEEN_FILE = "trust-seen.json"
"""In the state folder: the newest statement that this gate has worked under."""
DIGITS = 32
"""Of the store's digest, in every record."""
LIST = "autogate trust list"
"""Tells what is in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedStore:
    """``label`` tells people and records what it is; ``seen`` is None for a bare folder; ``deviations``: what its States say of their documents."""

    store: TrustStore
    label: str
    seen: Seen | None
    deviations: tuple[DeviationList, ...] = field(default=(), repr=False)

    def as_json(self) -> dict[str, object]:
        """For reports: ``version`` is the digest of the content."""
        store = self.store
        states = len({anchor.country for anchor in store.anchors})
        counted = {"certificates": len(store.anchors), "states": states, "crls": len(store.crls)}
        return {"label": self.label, "version": store.version, "demonstration": store.demo, **counted}


def open_configured(config: Config) -> OpenedStore:
    """Open what ``[trust]`` names; changes nothing. Raises PkiError with the reason and what to do.

    Demonstrations also take a bare folder of certificates with their mark, as nobody signs for those.
    """
    demo = PROFILES[config.profile].demonstration
    if demo and not (config.trust.store / "versions").exists():
        return _bare(config.trust.store)
    before = None if demo else seen.last_seen(config.state_dir / SEEN_FILE, LIST)
    opened = open_active(config.trust.store, parse_signers(config.trust.signers), demo=demo, seen=before)
    people = f"signed by {' and '.join(opened.people)}" if opened.people else "unsigned"
    label = f"version {opened.statement.version} {opened.statement.store[:DIGITS]}, {people}, {counts(opened.store)}"
    return OpenedStore(store=opened.store, label=label, seen=None if demo else opened.seen)


def _bare(folder: Path) -> OpenedStore:
    store = load_trust_store(folder)
    if not store.demo:
        raise PkiError(ReasonCode.MALFORMED, f"{folder}: holds real States, which a demonstration refuses")
    return OpenedStore(store=store, label=f"unsigned folder, {counts(store)}", seen=None)


def counts(store: TrustStore) -> str:
    """``637 certificates of 141 States, 2 CRLs``."""
    states = len({anchor.country for anchor in store.anchors})
    return f"{len(store.anchors)} certificates of {states} States, {len(store.crls)} CRLs"


def remember(opened: OpenedStore, state_dir: Path) -> None:
    """Never work under anything older than ``opened`` again. Raises OSError, PkiError."""
    if opened.seen is not None:
        seen.remember(opened.seen, state_dir / SEEN_FILE, LIST)


def read_deviations(config: Config, trust: TrustStore, now: datetime) -> tuple[DeviationList, ...]:
    """What States of ``trust`` say of faults in their documents, each list proven. Raises PkiError."""
    return () if config.trust.deviations is None else read_deviation_lists(config.trust.deviations, trust, now)
