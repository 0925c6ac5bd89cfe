"""``autogate support-bundle OUT.zip``: what somebody needs who helps from afar, and nothing about a traveller, no key and no picture.

Nothing of the gate's files is copied: see :mod:`gate.support_parts`. The bundle is small, is written where nothing was before, and is
for people to look at before they hand it over.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from gate.config import Config, ConfigError, load
from gate.support_parts import audit, configuration, devices, doctor, health, log_tail, versions

EXIT_OK, EXIT_USAGE = 0, 2
PART_BYTES = 262_144
"""A part that were longer is left out, and said to be."""
FORMAT = 1


def add_arguments(parser: argparse.ArgumentParser, state: Path) -> None:
    """The options of ``autogate support-bundle``; ``state``: the folder that is looked into where no configuration names one."""
    parser.add_argument("out", type=Path, metavar="OUT.zip", help="a file that is not there yet")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the gate's configuration")
    parser.add_argument("--state", type=Path, default=state, metavar="DIR", help="the state folder, without --config")


def support_command(options: argparse.Namespace) -> int:
    """Returns the exit status: 2 where the configuration or the place for the bundle cannot be used."""
    try:
        config = load(options.config) if options.config else None
        parts = gathered(config, config.state_dir if config else options.state)
        write(parts, options.out)
    except (ConfigError, OSError) as error:
        print(f"autogate support-bundle: {error}", file=sys.stderr)
        return EXIT_USAGE
    print(f"{options.out}: {', '.join(parts)}; look at them before you hand them over")
    return EXIT_OK


def gathered(config: Config | None, state: Path) -> dict[str, bytes]:
    """The files of the bundle by name, each at most :data:`PART_BYTES` long."""
    parts = {
        "about.json": {"format": FORMAT, "made": datetime.now(UTC).isoformat(timespec="seconds"), "config": config is not None},
        "versions.json": versions(),
        "configuration.json": configuration(config),
        "doctor.json": doctor(config),
        "health.json": health(config),
        "devices.json": devices(config),
        "audit.json": audit(state),
    }
    files = {name: msgspec.json.format(msgspec.json.encode(part), indent=1) + b"\n" for name, part in parts.items()}
    files["processes.log"] = log_tail(state).encode()
    return {name: raw if len(raw) <= PART_BYTES else b"too long, left out\n" for name, raw in files.items()}


def write(parts: dict[str, bytes], out: Path) -> None:
    """For its user alone. Raises OSError, also where ``out`` is there already, be it as a link."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, raw in parts.items():
            bundle.writestr(name, raw)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(out, flags, 0o600), "wb") as file:
        file.write(packed.getvalue())
