"""What ``autogate doctor`` says of devices: which ones are plugged in, by the names that stay with them, and which one is missing.

A name like ``/dev/ttyUSB0`` belongs to whatever was plugged in first; udev keeps a second one that belongs to the device
(``/dev/serial/by-id``, ``/dev/v4l/by-id``). Nothing is opened here: a device that serves a lane is not disturbed.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path

from gate.config import Config
from gate.doctor import Check, Finding

SERIAL, CAMERAS = Path("/dev/serial/by-id"), Path("/dev/v4l/by-id")


def stable_names(folder: Path) -> tuple[str, ...]:
    """The names in a folder of links that udev keeps; none where it keeps no such folder."""
    return tuple(sorted(str(link) for link in folder.iterdir())) if folder.is_dir() else ()


def pcsc_readers() -> tuple[str, ...]:
    """The readers of the PC/SC service. Raises DeviceError where there is no service, or no pyscard."""
    readers: tuple[str, ...] = importlib.import_module("hardware.emrtd.pcsc").list_readers()
    return readers


def _check_serial_devices(_: Config | None) -> Finding:
    names = stable_names(SERIAL)
    return Finding(check="serial", ok=True, what=", ".join(names) or "no serial device is plugged in")


def _check_cameras(config: Config | None) -> Finding:
    """The configured camera is there and may be read; without a configuration, which ones there are."""
    there = ", ".join(stable_names(CAMERAS)) or "no camera is plugged in"
    if config is None or config.camera.kind == "simulator":
        return Finding(check="camera", ok=True, what=there if config is None else f"simulator; {there}")
    return _node("camera", config.camera.address, f"plug it in, or correct camera.address; there: {there}", "video")


def _check_scanner(config: Config | None) -> Finding | None:
    if config is None or config.scanner.kind != "serial":
        return None
    there = ", ".join(stable_names(SERIAL)) or "none"
    return _node("scanner", config.scanner.address, f"plug it in, or correct scanner.address; there: {there}", "dialout")


def _check_chip_readers(config: Config | None) -> Finding:
    """The configured PC/SC reader is there. That there is no PC/SC service matters only where one is configured."""
    wanted = config.chip.reader if config is not None and config.chip.link == "pcsc" else None
    device_error = importlib.import_module("hardware.ports").DeviceError
    try:
        readers = pcsc_readers()
    except device_error as error:
        return Finding(
            check="pcsc", ok=wanted is None, what=f"{error.device}: {error.what}", remedy=error.remedy if wanted else ""
        )
    there = ", ".join(readers) or "no PC/SC reader is plugged in"
    if wanted is None or wanted in readers:
        return Finding(check="pcsc", ok=True, what=there)
    return Finding(
        check="pcsc", ok=False, what=f"{wanted} is absent", remedy=f"plug it in, or correct chip.reader; there: {there}"
    )


def _node(check: str, path: str, absent: str, group: str) -> Finding:
    """Whether ``path`` is there and may be read by this user."""
    if "%" not in path and not Path(path).exists():
        return Finding(check=check, ok=False, what=f"{path} is absent", remedy=absent)
    if Path(path).exists() and not os.access(path, os.R_OK):
        return Finding(
            check=check, ok=False, what=f"{path} may not be read by this user", remedy=f"add the user to the group {group}"
        )
    passing = path.startswith("/dev/") and "/by-" not in path and not path.startswith("/dev/pts/")
    return Finding(
        check=check, ok=True, what=path + (", a name that another device may get: use the one below by-id" if passing else "")
    )


CHECKS: tuple[Check, ...] = (_check_serial_devices, _check_cameras, _check_scanner, _check_chip_readers)
