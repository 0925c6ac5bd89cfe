"""``autogate models install``: put the weights of the ``open`` pack in place. They are published by others and never part of us."""

from __future__ import annotations

import sys
import tempfile
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

from faceverify.packs import Pack, PackError, install_open_pack, shipped_description

FILE_LIMIT = 64 << 20
"""Bytes of one weight file; the largest of the pack has 4.5 MB."""
TIMEOUT_S = 60.0


def install_command(source: str, packs: Path) -> int:
    """Install the open pack from a folder, or from the address of one, below ``packs``. Returns 0, or 2 with one line."""
    try:
        pack = _install(source, packs / "open")
    except (PackError, OSError) as error:
        print(f"autogate models install: {error}", file=sys.stderr)
        return 2
    print(f"{packs / 'open'}: {pack.title}; licence {pack.licence}; permitted use: {pack.permitted_use}")
    return 0


def _install(source: str, target: Path) -> Pack:
    if not source.startswith(("http://", "https://")):
        return install_open_pack(Path(source), target)
    with tempfile.TemporaryDirectory(prefix="autogate-models-") as scratch:
        for name in _file_names():
            (Path(scratch) / name).write_bytes(_fetch(f"{source.rstrip('/')}/{name}"))
        return install_open_pack(Path(scratch), target)


def _file_names() -> list[str]:
    """The files that the pack's description names; each is pinned there by its sha256."""
    description = tomllib.loads(shipped_description("open").decode())
    return [description["detector"]["file"], description["recogniser"]["file"], *(net["file"] for net in description["pad"])]


def _fetch(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:  # noqa: S310 - only http and https get here
            data: bytes = response.read(FILE_LIMIT + 1)
    except (urllib.error.URLError, ValueError) as error:
        raise OSError(f"{url}: {error}; check the address, or give a folder") from error
    if len(data) > FILE_LIMIT:
        raise OSError(f"{url}: more than {FILE_LIMIT} bytes; that is no weight file of this pack")
    return data
