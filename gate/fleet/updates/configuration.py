"""A gate's configuration from afar: checked as its own, laid beside it, in force at the next start of the service, and taken back where that fails.

::

    gate.toml           what the service starts with
    gate.toml.next      what it starts with the next time
    gate.toml.before    what it started with before, until the present one has run for a while

Nothing from afar changes who this gate is, or whose signatures count for it: for that somebody comes to the gate.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from gate.config import MAX_BYTES, Config, ConfigError, load
from gate.fleet.updates.targets import UpdateError
from pki.durable import read_file, sync_folder, write_file

PROBATION_S = 120.0
"""What started with a new configuration and went on for so long is good."""


def next_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.next")


def before_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.before")


def digest_of(path: Path) -> str:
    """SHA-256 of a configuration. Raises PkiError."""
    return hashlib.sha256(read_file(path, MAX_BYTES)).hexdigest()


def lay_next(config: Config, path: Path, raw: bytes, digest: str) -> None:
    """Let the gate that runs with ``config`` out of ``path`` start with ``raw`` the next time. Raises UpdateError, OSError."""
    if hashlib.sha256(raw).hexdigest() != digest:
        raise UpdateError("altered", "a configuration that is another than its name says")
    checked = path.with_name(f".{path.name}.checked")
    write_file(checked, raw)  # beside the one in force: relative paths count from there
    try:
        told = load(checked)
    except ConfigError as error:
        raise UpdateError("refused", f"configuration: {error.findings[0].key}: {error.findings[0].what}") from None
    finally:
        checked.unlink()
    now, then = _bound(config), _bound(told)
    for key in (key for key in now if now[key] != then[key]):
        raise UpdateError("refused", f"configuration: {key} is not changed from afar")
    write_file(next_path(path), raw)


def take_next(path: Path) -> str:
    """At the start of the service: begin with what was laid beside. Returns what to tell; empty where there is nothing new. Raises OSError."""
    fresh = next_path(path)
    if not fresh.exists():
        return ""
    try:
        load(fresh)
    except ConfigError as error:  # what it names is gone meanwhile, or the software another
        fresh.unlink()
        return f"{fresh}: not taken: {error.findings[0].key}: {error.findings[0].what}"
    write_file(before_path(path), path.read_bytes())
    fresh.replace(path)
    sync_folder(path.parent)
    return f"{path}: a new configuration, on trial for {PROBATION_S:.0f} s"


def confirm(path: Path) -> None:
    """The service has run with it for :data:`PROBATION_S`."""
    with suppress(OSError):
        before_path(path).unlink(missing_ok=True)


def take_back(path: Path) -> bool:
    """The service could not go on: the next start has the configuration of before, where there is one. Returns whether. Raises OSError."""
    if not before_path(path).exists():
        return False
    before_path(path).replace(path)
    sync_folder(path.parent)
    return True


def _bound(config: Config) -> dict[str, object]:
    """What somebody must come to the gate for."""
    return {
        "profile": config.profile,
        "state_dir": config.state_dir,
        "lane": (config.lane.id, config.lane.checkpoint, config.lane.kind),
        "rules.signers": config.rules.signers,
        "trust.signers": config.trust.signers,
        "console.signers": config.console.signers,
        "console.supervision": config.console.supervision,
        "controller": (config.controller.link, config.controller.key_file, config.controller.waiver),
        "face.waiver": config.face.waiver,
        "audit": config.audit,
        "registries": tuple((name, section.key) for name, section in config.registries.named.items()),
        "fleet": config.fleet,
    }
