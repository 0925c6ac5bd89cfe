"""Fills an environment from the hash-pinned locks, so that the same sources give the same octets, wherever it is built."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from parts import PARTS, files

HOME = "usr/lib/autogate"
"""Where the environment lies on a gate."""
PYTHON = Path("/usr/bin/python3")
"""The system's, whose packages a gate depends on; ``--python`` names another."""
OSDP_FLAGS = "-DOSDP_ONLINE_RETRY_WAIT_MAX_MS=200u -DOSDP_CMD_RETRY_WAIT_MS=50 -DOSDP_CMD_MAX_RETRIES=3"
"""As ``make setup-osdp``."""
BUILDING = {"CFLAGS": "-g0 -O2", "LDFLAGS": "-Wl,--build-id=none -Wl,-s"}
"""Nothing of the folder that something was compiled in stays in it."""
LEFT_OUT = ("direct_url.json", "uv_cache.json", "REQUESTED")
"""What an installer notes about this machine."""


class Builder:
    """An environment below ``root``, for the interpreter ``python``. Raises subprocess.CalledProcessError, OSError."""

    def __init__(self, source: Path, root: Path, scratch: Path, epoch: int, python: Path = PYTHON) -> None:
        """``source``: the files of this release; ``epoch``: its moment, in seconds."""
        self._source, self._scratch, self._epoch = source, scratch, epoch
        self.python = Path(os.path.realpath(python))
        self.tree = root / HOME
        self.version = subprocess.run(
            [self.python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True, check=True
        ).stdout.strip()

    def fill(self) -> list[tuple[str, frozenset[str]]]:
        """All parts, one after the other. Returns each with the files that there were after it, for :func:`parts.split`."""
        wheel = self._wheel()
        self._uv("venv", "--quiet", "--no-project", "--python", self.python, self.tree)
        after = []
        for part, locks in PARTS.items():
            for lock in locks:
                self._install("-r", self._lock(lock))
            if part == "autogate":
                self._build("osdp.lock", "libosdp", OSDP_FLAGS)
                self._build("pcsc.lock", "pyscard")
                self._install(wheel, hashes=False)
            after.append((part, files(self.tree)))
        for record in self.tree.rglob("*.dist-info/RECORD"):
            _forget(record)
        return after

    def finish(self) -> None:
        """Leave nothing of this machine in it, and compile it as for the place where it will lie."""
        binaries = self.tree / "bin"
        shutil.rmtree(binaries)
        binaries.mkdir()
        (binaries / "python").symlink_to(f"/usr/bin/python{self.version}")
        settings = f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {self.version}\n"
        (self.tree / "pyvenv.cfg").write_text(settings, encoding="ascii")
        for path in (".lock", ".gitignore", "CACHEDIR.TAG"):
            (self.tree / path).unlink(missing_ok=True)
        # Templates and tests of others that are no Python stay uncompiled.
        compiled_as_there = ["--invalidation-mode", "unchecked-hash", "-s", self.tree.parents[2], "-p", "/"]
        self._run(
            [self.python, "-s", "-P", "-m", "compileall", "-qq", *compiled_as_there, self.tree],
            {"PYTHONHASHSEED": "0"},
            check=False,
        )

    def _wheel(self) -> Path:
        out, source = self._scratch / "wheel", self._scratch / "wheel-source"
        shutil.copytree(self._source, source)  # setuptools leaves its workings beside what it builds
        self._uv("build", "--wheel", "--quiet", "--python", self.python, "--out-dir", out, *self._constraints(), source)
        (wheel,) = out.glob("*.whl")
        return wheel

    def _install(self, *what: object, hashes: bool = True) -> None:
        pinned = ["--require-hashes", *self._constraints()] if hashes else []
        self._uv("pip", "install", "--quiet", "--link-mode", "copy", "--python", self.tree, "--no-deps", *pinned, *what)

    def _build(self, lock: str, name: str, flags: str = "") -> None:
        """Compile ``name`` here, anew. Its own source says how, and the lock which."""
        self._run([self.python, self._source / "requirements/missing.py", name], {})
        added = {**BUILDING, "CFLAGS": f"{BUILDING['CFLAGS']} {flags}"}
        what = ["--no-cache", "--no-binary", name, "-r", self._lock(lock)]
        self._run([*self._installing(), "--require-hashes", *self._constraints(), *what], added)

    def _installing(self) -> list[object]:
        return [uv(), "pip", "install", "--quiet", "--link-mode", "copy", "--python", self.tree, "--no-deps"]

    def _constraints(self) -> list[object]:
        return ["--build-constraints", self._lock("pcsc-build.lock")]

    def _lock(self, name: str) -> Path:
        return self._source / "requirements" / name

    def _uv(self, *arguments: object) -> None:
        self._run([uv(), *arguments], {})

    def _run(self, command: Iterable[object], added: Mapping[str, str], *, check: bool = True) -> None:
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(self._epoch), **added}
        subprocess.run([str(each) for each in command], env=environment, check=check, stdin=subprocess.DEVNULL)


def _forget(record: Path) -> None:
    """Take away what the installer noted about this machine, and from the list of files that and the scripts, which named this folder."""
    for name in LEFT_OUT:
        record.with_name(name).unlink(missing_ok=True)
    lines = record.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = (line for line in lines if not line.startswith("../") and line.partition(",")[0].rpartition("/")[2] not in LEFT_OUT)
    record.write_text("".join(kept), encoding="utf-8")


def uv() -> Path:
    """The one that ``make setup`` installed."""
    return Path(sys.executable).with_name("uv")
