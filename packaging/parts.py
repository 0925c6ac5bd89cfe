"""Which part of a release each file of the environment belongs to: the gate's package, the centre's, the demonstrations'.

The environment is filled in the order of :data:`PARTS`; what a step adds is that part's. Bytecode goes where its source goes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

PARTS: dict[str, tuple[str, ...]] = {
    "autogate": ("fleet.lock", "pkcs11.lock", "modbus.lock"),
    "autogate-centre": ("centre.lock",),
    "autogate-demo": ("faces.lock",),
}
"""Package → the locks that it adds, in order. What is built from source (``requirements/osdp.lock``, ``pcsc.lock``) is the gate's, too."""


def files(tree: Path) -> frozenset[str]:
    """Every file and link below ``tree``, by its path there."""
    return frozenset(str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_symlink() or not path.is_dir())


def source_of(name: str) -> str:
    """The source of a file of bytecode; of any other file, itself."""
    path = PurePosixPath(name)
    if path.parent.name != "__pycache__" or path.suffix != ".pyc":
        return name
    return str(path.parent.parent / f"{path.name.split('.')[0]}.py")


def split(after: Sequence[tuple[str, frozenset[str]]], now: frozenset[str]) -> Mapping[str, list[str]]:
    """``after``: each part, and all files that there were once it was in. Returns part → its files of those that are there ``now``, sorted.

    A file that nobody knows, and whose source nobody knows, is the first part's.
    """
    owner: dict[str, str] = {}
    for part, there in after:
        for name in there:
            owner.setdefault(name, part)
    found: dict[str, list[str]] = {part: [] for part, _ in after}
    for name in sorted(now):
        found[owner.get(name) or owner.get(source_of(name)) or after[0][0]].append(name)
    return found
