"""The registries of a demonstration: the reference server in a process of its own, behind certificates and keys of this run."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gate.registries.contracts import CONTRACTS, CROSSING
from gate.registries.reference.certificates import write_identities

START_TIMEOUT_S, STOP_TIMEOUT_S = 15.0, 5.0
ASKED = tuple(name for name in CONTRACTS if name != CROSSING)
"""Registries that a gate asks."""


class DemoRegistries:
    """Files in ``folder``; what the server says on standard error goes to ``log``. ``gate``: the name in the gate's certificate.

    ``tls``: False where something asks that knows no certificates; a gate always does.
    """

    def __init__(self, folder: Path, log: Path, gate: str, *, tls: bool = True) -> None:
        self.folder, self._log, self._gate, self._tls = folder, log, gate, tls
        self._ready = folder / "ready"
        self._process: subprocess.Popen[bytes] | None = None
        self._told: dict[str, Any] = {}

    def start(self, data: dict[str, Any]) -> None:
        """Begin to start the server over ``data``; :attr:`port` waits until it listens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_identities(self.folder, self._gate)
        self.tell(data)
        command = [sys.executable, "-m", "gate.registries.reference_server", "--data", str(self._data)]
        for name in ("keys", "tls") if self._tls else ("keys",):
            command += [f"--{name}", str(self.folder / name)]
        command += ["--ready-file", str(self._ready), "--crossings", str(self.folder / "crossings.jsonl")]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    @property
    def _data(self) -> Path:
        return self.folder / "data.json"

    def silence(self, names: Iterable[str]) -> None:
        """Have these registries say from now on that they cannot answer, and all others answer."""
        self.tell(self._told | {"behaviour": {name: {"status": 503} for name in names}})

    def tell(self, data: dict[str, Any]) -> None:
        """Let the registries know this, and nothing else, from now on."""
        self._told = data
        part = self._data.with_suffix(".part")
        part.write_text(json.dumps(data), encoding="utf-8")
        part.replace(self._data)

    @property
    def port(self) -> int:
        """Where the server listens. Raises RuntimeError where it does not come up."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._ready.exists():
                return int(json.loads(self._ready.read_text(encoding="ascii"))["port"])
            time.sleep(0.02)
        raise RuntimeError(f"the registries' reference server did not start: see {self._log}")

    def config(self, names: Iterable[str] = ASKED, snapshots: tuple[Path, Path] | None = None) -> str:
        """The section [registries] of a gate's configuration. ``snapshots``: their folder and the file with their key, for a gate that keeps any."""
        tls, port = self.folder / "tls", self.port
        text = f'[registries.tls]\nca = "{tls}/ca.pem"\ncertificate = "{tls}/gate.pem"\nkey = "{tls}/gate.key"\n'
        for name in names:
            text += f'\n[registries.{name}]\nurl = "https://127.0.0.1:{port}"\nkey = "{self.folder}/public/{name}.pem"\n'
        if snapshots is not None:
            text += f'\n[registries.snapshots]\nfolder = "{snapshots[0]}"\nkey_file = "{snapshots[1]}"\n'
        return text

    def crossings(self) -> list[str]:
        """The transactions that the registry of crossings was told of, in order."""
        path = self.folder / "crossings.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [str(json.loads(line)["transaction"]) for line in lines]

    def stop(self) -> None:
        """End the server, by its id."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
