"""``python -m benchmarks.mrz_fetch CLONES DIR``: the specimen images out of clones of public repositories.

``CLONES`` holds git clones, bare or not, as ``owner/name``, ``owner+name`` or ``name`` (with or without ``.git`` or ``/repo`` behind).
Each image of ``mrz_specimens.toml`` is taken from its commit, checked by its sha256 and written to ``DIR`` under its name. Nothing is
downloaded. Exit status 1 where an image is missing or differs.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SPECIMENS = Path(__file__).with_name("mrz_specimens.toml")


def listed(path: Path = SPECIMENS) -> list[dict[str, Any]]:
    """The images of a truth file, in its order."""
    return list(tomllib.loads(path.read_text(encoding="utf-8"))["image"])


def repositories(clones: Path, repository: str) -> Iterator[Path]:
    """Git directories under ``clones`` that may be ``repository`` (owner/name)."""
    for name in (repository, repository.replace("/", "+"), repository.partition("/")[2]):
        for tail in ("", ".git", "/.git", "/repo", "/repo/.git"):
            if (found := Path(f"{clones / name}{tail}")).joinpath("objects").is_dir():
                yield found


def content(clones: Path, image: dict[str, Any]) -> bytes | None:
    """The image's bytes as they were in its commit; None where no clone has them."""
    for folder in repositories(clones, image["repository"]):
        command = ["git", f"--git-dir={folder}", "show", f"{image['commit']}:{image['path']}"]
        shown = subprocess.run(command, capture_output=True, check=False)
        if shown.returncode == 0:
            return shown.stdout
    return None


def fetch(clones: Path, target: Path, images: list[dict[str, Any]]) -> list[str]:
    """Write the images to ``target``; what went wrong, a line each."""
    target.mkdir(parents=True, exist_ok=True)
    wrong = []
    for image in images:
        found = content(clones, image)
        if found is None:
            wrong.append(f"{image['name']}: no clone of {image['repository']} at {image['commit']} has it")
        elif hashlib.sha256(found).hexdigest() != image["sha256"]:
            wrong.append(f"{image['name']}: other bytes than listed")
        else:
            (target / image["name"]).write_bytes(found)
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mrz_fetch", description=__doc__)
    parser.add_argument("clones", type=Path)
    parser.add_argument("target", type=Path)
    options = parser.parse_args()
    images = listed()
    wrong = fetch(options.clones, options.target, images)
    print(*wrong, f"{len(images) - len(wrong)} of {len(images)} images in {options.target}", sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
