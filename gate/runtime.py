"""The folder of one run: sockets, the secret that the processes of the run share, and the files by which they say "ready".

It lies in the system's temporary folder under a short name (a Unix socket path holds 107 bytes), is readable by the gate's user
alone, and goes when the run ends. Nothing of a traveller is ever written there.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from gate.processes.channel import role_secret

RUNTIME_FILE = "runtime"
"""Name of a file in the state folder that says where the folder of the present run is."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """Paths within the folder of a run."""

    folder: Path

    @classmethod
    def create(cls) -> Runtime:
        """A new folder (mode 0700) with a fresh secret (mode 0600)."""
        runtime = cls(Path(tempfile.mkdtemp(prefix="autogate-")))
        runtime.secret_file.touch(mode=0o600)
        runtime.secret_file.write_text(secrets.token_hex(32), encoding="ascii")
        return runtime

    @property
    def lane_socket(self) -> Path:
        return self.folder / "lane.sock"

    @property
    def pictures_socket(self) -> Path:
        """Where vision sends what officers may look at (``gate.processes.pictures``)."""
        return self.folder / "pictures.sock"

    @property
    def notify_socket(self) -> Path:
        """Where the lane tells the service that it is ready and works (``gate.notify``)."""
        return self.folder / "notify.sock"

    @property
    def secret_file(self) -> Path:
        return self.folder / "secret"

    @property
    def secret(self) -> str:
        return self.secret_file.read_text(encoding="ascii")

    def secret_for(self, role: str) -> str:
        """The secret by which ``role`` proves itself to the lane (or a registry, by its name, to the gate's run)."""
        return role_secret(self.secret, role)

    def secret_file_for(self, role: str) -> Path:
        """A file (mode 0600) with that secret, for a process that shall know no other."""
        path = self.folder / f"{role}.secret"
        path.touch(mode=0o600)
        path.write_text(self.secret_for(role), encoding="ascii")
        return path

    def given_secret(self, role: str) -> str:
        """What :meth:`secret_file_for` wrote, for a process that comes by itself and knows no other. Raises OSError."""
        return (self.folder / f"{role}.secret").read_text(encoding="ascii")

    def ready_file(self, process: str) -> Path:
        """Where ``process`` says that it is ready."""
        return self.folder / f"{process}.ready"

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
