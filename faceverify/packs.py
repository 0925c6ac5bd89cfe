"""Packs: a folder with ``pack.toml`` and the weight files it names, each pinned by sha256.

A pack declares everything that changes a number (files, sizes, colour order, normalisation, template, threshold with its
provenance) and what it may be used for. Whatever is missing, unknown or different is refused; nothing has a default.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from faceverify.description import DESCRIPTION, Pack, PackError, read_description, read_file, read_pinned
from faceverify.description_reader import parse_pack

__all__ = ["Pack", "PackError", "demo_pack", "install_open_pack", "installed_pack", "load_pack"]

RECEIPT = "receipt.json"
"""Written by whoever examined the pack (:mod:`faceverify.check`)."""
_RECEIPT_LIMIT = 1 << 16

_SHIPPED = Path(__file__).parent / "pack_data"


def load_pack(folder: Path) -> Pack:
    """Read and check a pack: its description, the sha256 of each file, and that nothing else lies there. Raises PackError."""
    text = read_description(folder)
    pack = parse_pack(text, folder)
    for name, sha256 in pack.files.items():
        read_pinned(folder / name, sha256)
    undeclared = {path.name for path in folder.iterdir()} - pack.files.keys() - {DESCRIPTION, RECEIPT}
    if undeclared:
        raise PackError(str(folder), f"undeclared files {sorted(undeclared)}", "remove them or declare them in pack.toml")
    return pack


def demo_pack(cache: Path) -> Pack:
    """The embedded default pack, built below ``cache`` where it is not there yet. Raises PackError.

    Its weights come out of two installed packages; their files and what is built from them are pinned by sha256.
    """
    text = shipped_description("demo")
    folder = cache / f"demo-{hashlib.sha256(text).hexdigest()[:16]}"
    if not folder.is_dir():
        from faceverify.demo_pack import build

        place(folder, {DESCRIPTION: text, **build()})
    return _as_shipped(folder, text)


def installed_pack(folder: Path) -> Pack:
    """A pack that was examined when it was installed here. Raises PackError, also where that did not happen."""
    pack = load_pack(folder)
    try:
        receipt = json.loads(read_file(folder / RECEIPT, _RECEIPT_LIMIT))
        examined = receipt["pack_sha256"] == pack.sha256
    except (PackError, ValueError, KeyError, TypeError, RecursionError):
        examined = False
    if not examined:
        raise PackError(str(folder), "was not examined as it lies there", "install it with `autogate models install`")
    return pack


def install_open_pack(source: Path, target: Path) -> Pack:
    """Put the ``open`` pack in place, examined, from the folder with its weight files. Raises PackError."""
    from faceverify.install import install_pack

    pack = install_pack(source, target, name="open").pack
    return _as_shipped(pack.folder, shipped_description("open"))


def _as_shipped(folder: Path, text: bytes) -> Pack:
    pack = load_pack(folder)
    if pack.sha256 != hashlib.sha256(text).hexdigest():
        raise PackError(str(folder), "pack.toml is not the one this version ships", "delete the folder; it is made again")
    return pack


def shipped_description(name: str) -> bytes:
    """The ``pack.toml`` of a pack whose weights come from elsewhere."""
    return (_SHIPPED / name / DESCRIPTION).read_bytes()


def place(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make ``folder`` with ``files`` appear at once: another process sees all of it or nothing. Raises PackError."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".building-", dir=folder.parent) as scratch:
            built = Path(scratch) / folder.name
            built.mkdir()
            for name, data in files.items():
                (built / name).write_bytes(data)
            move_into_place(built, folder)
    except OSError as error:
        raise PackError(str(folder), f"cannot write: {error.strerror}", "choose a writable folder") from None


def move_into_place(built: Path, folder: Path) -> None:
    """Rename; where another process was first, its folder stays. Raises OSError."""
    try:
        os.rename(built, folder)  # noqa: PTH104 - pathlib's rename would hide that this one is atomic
    except OSError:
        if not folder.is_dir():
            raise
        shutil.rmtree(built)  # another process was first; its folder is checked like any other
