"""Opens what the configuration names: for each registry its client, and behind it the snapshot where the gate keeps any."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from cryptography.x509 import load_pem_x509_certificate
from cryptography.x509.oid import NameOID

from gate.clock import WallFloor
from gate.config import Config, Registry
from gate.registries.base import MAX_SKEW_S, Source
from gate.registries.client import RegistryClient
from gate.registries.contracts import CONTRACTS, CROSSING
from gate.registries.envelope import AnswerReader, public_key
from gate.registries.offline import with_snapshot
from gate.registries.sealed import SnapshotKey
from gate.registries.snapshot_store import SnapshotStore
from gate.registries.transport import tls_context


class Wall(Protocol):
    """Aware wall time that never goes back (:class:`gate.clock.SystemClock`)."""

    def wall(self) -> datetime: ...


def opened(config: Config, clock: Wall) -> dict[str, Source[Any]]:
    """What answers for each configured registry but that of crossings. Close each of them.

    Raises OSError or ValueError where a key or a certificate cannot be used.
    """
    store = snapshot_store(config)
    sources: dict[str, Source[Any]] = {}
    for name, section in config.registries.named.items():
        if name != CROSSING:
            sources[name] = client_for(name, section, config, clock)
            if store is not None:
                deadline_s = _deadline_s(section, config)
                sources[name] = with_snapshot(sources[name], CONTRACTS[name], store, wall=clock.wall, deadline_s=deadline_s)
    return sources


def snapshot_store(config: Config) -> SnapshotStore | None:
    """Where the gate keeps snapshots, if it does. Raises OSError or ValueError where their key cannot be read."""
    section = config.registries.snapshots
    if section is None:
        return None
    return SnapshotStore(folder=section.folder, key=SnapshotKey.read(section.key_file), gate=config.lane.id)


def client_for(name: str, section: Registry, config: Config, clock: Wall) -> RegistryClient[Any]:
    """The client of the registry ``name``. Raises OSError or ValueError where a key or a certificate cannot be used."""
    tls = config.registries.tls
    reader = AnswerReader(
        CONTRACTS[name],
        config.lane.id,
        public_key(section.key),
        wall=clock.wall,
        floor=WallFloor(config.state_dir / f"{name}.newest"),
        saw=_compared(name, clock.wall),
    )
    return RegistryClient(
        CONTRACTS[name],
        section.url,
        reader,
        gate=config.lane.id,
        tls=tls_context(tls) if tls and section.url.startswith("https:") else None,
        deadline_s=_deadline_s(section, config),
    )


def problem(config: Config, now: datetime) -> str:
    """Why the registries that ``config`` names could not be asked at the aware moment ``now``; empty where keys and certificates are in order."""
    try:
        for section in config.registries.named.values():
            public_key(section.key)
        snapshot_store(config)
        tls = config.registries.tls
        if tls is None:
            return ""
        tls_context(tls)
        return _certificate_problem(tls.certificate, config.lane.id, now)
    except (OSError, ValueError) as error:
        return str(error)


def _certificate_problem(path: Path, gate: str, now: datetime) -> str:
    certificate = load_pem_x509_certificate(path.read_bytes())
    names = [str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [gate]:
        return f"{path} is for {', '.join(names) or 'nobody'}, and lane.id is {gate}"
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        return f"{path} holds from {certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"
    return ""


def label(config: Config) -> str:
    """Which registries serve and how, for the records."""
    places: dict[str, list[str]] = {}
    for name, section in config.registries.named.items():
        address = urlsplit(section.url)
        places.setdefault(f"{address.netloc} ({'mTLS, JWS' if address.scheme == 'https' else 'JWS'})", []).append(name)
    return "; ".join(f"{', '.join(names)} at {place}" for place, names in places.items())


def _deadline_s(section: Registry, config: Config) -> float:
    """A decision waits for ``timeouts.registry_ms``, whatever the registry's own deadline is."""
    return min(section.deadline_ms, config.timeouts.registry_ms) / 1000


def _compared(name: str, wall: Callable[[], datetime]) -> Callable[[datetime], None]:
    """Says on standard error, once, that a registry's clock and ours differ: one of the two is wrong, and people have to look."""
    said = False

    def saw(signed_at: datetime) -> None:
        nonlocal said
        apart = (signed_at - wall()).total_seconds()
        if abs(apart) > MAX_SKEW_S and not said:
            said = True
            print(
                f"registries: the clock of {name} is {apart:+.0f} s from ours; its answers do not count",
                file=sys.stderr,
                flush=True,
            )

    return saw
