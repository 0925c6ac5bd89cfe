"""The container, built of the packages on the same base, and its entry point run. buildah keeps everything in a folder of the test's own."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

from sandbox import Failed

FILE = Path(__file__).parent / "Containerfile"
BASE, IMAGE = "localhost/autogate-base", "localhost/autogate"


def _ports() -> list[str]:
    """Two that nobody listens on: a container in chroot isolation has this machine's network."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return ["--traveller-port", str(one.getsockname()[1]), "--officer-port", str(other.getsockname()[1])]


class Store:
    """buildah on ``folder``: no daemon, nothing of the machine's own store, nothing from a network."""

    def __init__(self, folder: Path) -> None:
        self._options = ["--root", str(folder / "images"), "--runroot", str(folder / "run"), "--storage-driver", "vfs"]

    def __call__(self, *words: str | Path, timeout: float = 300) -> str:
        """Raises Failed."""
        command = ["buildah", *self._options, *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise Failed(f"buildah {words[0]}: status {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout.strip()


def shown(work: Path, base: Path, packages: list[Path], cast: str) -> str:
    """Built, its entry point run as its own user: the doctor, and a demonstration with travellers. Raises Failed."""
    buildah = Store(work / "container")
    empty = buildah("from", "scratch")
    buildah("add", "--quiet", empty, base, "/")
    buildah("commit", "--quiet", empty, BASE)
    buildah("rm", empty)
    context = work / "context"
    context.mkdir()
    for package in packages:
        shutil.copy(package, context)
    buildah(
        "build", "--isolation", "chroot", "--pull-never", "--build-arg", f"BASE={BASE}", "--file", FILE, "--tag", IMAGE, context
    )
    settings: dict[str, Any] = json.loads(buildah("inspect", "--type", "image", IMAGE))["OCIv1"]["config"]
    entry, user = settings["Entrypoint"], settings["User"]
    gate = buildah("from", "--pull-never", IMAGE)
    (work / "cast.toml").write_text(cast, encoding="utf-8")
    buildah("copy", gate, work / "cast.toml", "/cast.toml")
    doctor = buildah("run", "--isolation", "chroot", "--user", user, gate, "--", *entry, *settings["Cmd"])
    demo = ["demo", "--headless", "--once", "--cast", "/cast.toml", "--state", "/var/tmp/demo", *_ports()]  # noqa: S108 - its own
    said = buildah("run", "--isolation", "chroot", "--user", user, gate, "--", *entry, *demo)
    if "FAIL" in doctor or not said:
        raise Failed(f"the container's doctor: {doctor}\nits demonstration: {said}")
    return f"built with buildah on that base; as {user}: {' '.join(entry)} doctor, and a demonstration with two travellers"
