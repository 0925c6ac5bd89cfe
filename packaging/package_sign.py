"""Two people who sign releases, for the length of a test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

NAMES = ("ana", "budi")


class Signers:
    """Their keys lie in ``folder``; ``public`` is what a machine is told of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.public = ""
        for name in NAMES:
            said = self._autogate("trust", "keygen", "--name", name, "--key", str(folder / name))
            self.public += said.split('"')[1] + "\n"

    def sign(self, package: Path, who: int, after: Path | None = None, minimum: str = "") -> None:
        """The statement beside ``package``, with one more signature."""
        following = ["--after", str(after.with_name(after.name + ".release"))] if after else []
        oldest = ["--minimum", minimum] if minimum else []
        self._autogate("release", "sign", str(package), "--key", str(self._folder / NAMES[who]), *following, *oldest)

    @staticmethod
    def _autogate(*words: str) -> str:
        command = [sys.executable, "-m", "gate", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
