"""One package out of the files that belong to it. dpkg-deb clamps times to SOURCE_DATE_EPOCH and sorts; modes are set here; root owns all."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

TEMPLATES = Path(__file__).parent / "debian"
SCRIPTS = ("preinst", "postinst", "prerm", "postrm")
COMPRESSION = ("-Zzstd", "-z9", "--threads-max=2")


def put(source: Path, root: Path, where: str, *, mode: int = 0o644) -> None:
    """A copy of ``source`` at ``where`` below ``root``; a ``where`` that ends with ``/`` is a folder."""
    target = root / (where + source.name if where.endswith("/") else where)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def control_files(root: Path, name: str, words: Mapping[str, str]) -> None:
    """``DEBIAN/`` of package ``name``; ``words`` stand for ``@WORD@`` in its templates."""
    folder = root / "DEBIAN"
    folder.mkdir(parents=True)
    words = {**words, "SIZE": str(sum(path.lstat().st_size for path in _files(root)) // 1024)}
    for template in sorted((TEMPLATES / name).iterdir()):
        if template.name in {"control", "conffiles", *SCRIPTS}:
            target = folder / template.name
            target.write_text(filled(template.read_text(encoding="utf-8"), words), encoding="utf-8")
            target.chmod(0o755 if template.name in SCRIPTS else 0o644)
    sums = "".join(
        f"{_md5(path)}  {path.relative_to(root)}\n"
        for path in _files(root)
        if not path.is_symlink() and path.relative_to(root).parts[0] != "etc"
    )
    (folder / "md5sums").write_text(sums, encoding="utf-8")


def filled(template: str, words: Mapping[str, str]) -> str:
    """Raises ValueError where a word is left."""
    for word, value in words.items():
        template = template.replace(f"@{word}@", value)
    if "@" in (left := template.replace("autogate@localhost", "").replace('"$@"', "")):
        raise ValueError(f"no word for {left[left.index('@') :][:20]!r}")
    return template


def build(root: Path, out: Path, name: str, words: Mapping[str, str], epoch: int) -> Path:
    """The package ``NAME_VERSION_ARCHITECTURE.deb`` in ``out``. Raises OSError, subprocess.CalledProcessError."""
    control_files(root, name, words)
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
    package = out / f"{name}_{words['VERSION']}_{words['ARCHITECTURE']}.deb"
    package.with_name(package.name + ".release").unlink(missing_ok=True)  # who signed for others' octets did not sign for these
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", *COMPRESSION, "--build", root, package],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)},
    )
    return package


def _files(root: Path) -> list[Path]:
    """What is installed, sorted."""
    found = (path for path in root.rglob("*") if path.is_symlink() or path.is_file())
    return sorted(path for path in found if path.relative_to(root).parts[0] != "DEBIAN")


def _md5(path: Path) -> str:
    """What `dpkg --verify` compares: against accidents, not against people."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
