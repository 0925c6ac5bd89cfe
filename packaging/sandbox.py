"""A Debian of its own in a folder: what is tried there changes nothing of this machine. Wants root.

Commands run in namespaces of their own (mounts, processes, network): /proc is theirs, the network is a loopback and nothing else.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

INCLUDED = (
    "python3",
    "python3-cryptography",
    "python3-cffi-backend",
    "libpcsclite1",
    "libstdc++6",
    "systemd",
    "systemd-sysv",
    "dbus",
    "procps",
)
"""What a machine has before the first package comes: the installer wants python3-cryptography, whose other need debootstrap does not find."""
TOOLS = ("debootstrap", "unshare", "chroot", "setpriv", "ip", "tar", "dpkg-deb")
_INSIDE = """
mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && mount -t tmpfs tmpfs "$0/dev/shm" && ip link set lo up || exit 97
exec chroot "$0" "$@"
"""
_MDWE, _REFUSE_EXEC_GAIN = 65, 1
"""prctl(2): PR_SET_MDWE, what newer versions of systemd use for MemoryDenyWriteExecute=."""
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


class Root:
    """The folder ``path``. Raises subprocess.CalledProcessError where a command fails that must not."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(
        self,
        *command: str | Path,
        user: str = "",
        env: Mapping[str, str] | None = None,
        check: bool = True,
        timeout: float = 300,
        strict: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Until it ends; standard output and error together. ``strict``: no memory is ever both writable and executable."""
        done = subprocess.run(
            self.entered(list(map(str, command)), user),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
            env=self.environment(env),
            timeout=timeout,
            preexec_fn=_refuse_writable_code if strict else None,
        )
        if check and done.returncode:
            raise Failed(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout[-4000:]}")
        return done

    def start(self, command: Sequence[str], *, user: str, env: Mapping[str, str], strict: bool = False) -> subprocess.Popen[str]:
        """In the background, with the number of the process that is started: signals go to it alone."""
        words = [*self._namespaces(), *self._as(user), *command]
        return subprocess.Popen(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            env=self.environment(env),
            preexec_fn=_refuse_writable_code if strict else None,  # noqa: PLW1509 - no threads here
        )

    def entered(self, command: Sequence[str], user: str = "") -> list[str]:
        """The command line that runs ``command`` in here, with processes of its own: they end with it."""
        return [*self._namespaces("--pid", "--fork", "--kill-child"), *self._as(user), *command]

    @staticmethod
    def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
        """What a command in here finds, and nothing of this machine's."""
        return {"PATH": PATH, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", **(more or {})}

    def _namespaces(self, *more: str) -> list[str]:
        return ["unshare", "--mount", "--net", *more, "sh", "-c", _INSIDE, str(self.path)]

    def _as(self, user: str) -> list[str]:
        """As a unit runs it: no way to more rights."""
        return (
            ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--no-new-privs", "--bounding-set=-all"]
            if user
            else []
        )


class Failed(Exception):
    """A command did not do what it must."""


def unpack(archive: Path, folder: Path) -> Root:
    """A fresh root out of ``archive``."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    subprocess.run(["tar", "-x", "--numeric-owner", "-C", folder, "-f", archive], check=True)
    # It is thrown away anyhow.
    (folder / "etc/dpkg/dpkg.cfg.d").mkdir(parents=True, exist_ok=True)
    (folder / "etc/dpkg/dpkg.cfg.d/fast").write_text("force-unsafe-io\n", encoding="ascii")
    return Root(folder)


def base(out: Path, scratch: Path, mirror: str = "") -> Path:
    """A smallest Debian of this machine's release with :data:`INCLUDED`, made once in ``out``, from where this machine takes its own packages."""
    archive = out / f"base-{codename()}-{hashlib.sha256(' '.join(INCLUDED).encode()).hexdigest()[:8]}.tar"
    if archive.exists():
        return archive
    out.mkdir(parents=True, exist_ok=True)
    folder = scratch / "bootstrap"
    asked = ["debootstrap", "--variant=minbase", f"--include={','.join(INCLUDED)}", codename(), folder, mirror or own_mirror()]
    subprocess.run(["unshare", "--mount", *map(str, asked)], check=True, stdout=subprocess.DEVNULL)
    for cache in folder.glob("var/cache/apt/archives/*.deb"):
        cache.unlink()
    unfinished = archive.with_suffix(".new")
    subprocess.run(["tar", "-c", "--numeric-owner", "--one-file-system", "-C", folder, "-f", unfinished, "."], check=True)
    unfinished.replace(archive)
    shutil.rmtree(folder)
    return archive


def codename() -> str:
    """Of this machine's release."""
    lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    return next(line.partition("=")[2].strip('"') for line in lines if line.startswith("VERSION_CODENAME="))


def own_mirror() -> str:
    """Where apt gets this release from. Raises Failed."""
    asked = ["apt-get", "indextargets", "--format", "$(CODENAME) $(SITE)", "Created-By: Packages"]
    told = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.splitlines()
    sites = [line.partition(" ")[2] for line in told if line.startswith(f"{codename()} ")]
    if not sites:
        raise Failed("apt names no mirror of this release: name one with --mirror")
    return sites[0]


def _refuse_writable_code() -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(_MDWE, _REFUSE_EXEC_GAIN, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_MDWE")
    os.umask(0o077)
