"""Whose keys the training lane knows: everybody of a class who ever made one, in one file of public keys."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec

from gate.console.roster import MAX_ROSTER, Officer, parse_officers
from gate.demo.console import DemoConsole
from pki.durable import read_file, write_file

FILE_NAME = "officers.json"
"""In the training folder."""
DAYS = 365
"""How long a key made for exercises is good."""
MARGIN = timedelta(days=1)
"""The checkpoint's date may be another than this machine's."""


class Trainees:
    """The file, and the roster of the running lane that follows it."""

    def __init__(self, state: Path, console: DemoConsole) -> None:
        """Raises PkiError where the file is no list of officers, OSError."""
        self._path, self._console = state / FILE_NAME, console
        if not self._path.exists():
            self._write(())
        self._officers = parse_officers(read_file(self._path, MAX_ROSTER))
        console.officers = self._path

    def find(self, name: str, today: date) -> Officer | None:
        """The officer of that name who may sign today."""
        return next((each for each in self._officers if each.name == name and each.since <= today <= each.until), None)

    def enrol(self, name: str, credential: str, key: str, today: date) -> Officer:
        """Take ``name``'s new key in place of an older one; it counts from the next order on. Raises PkiError, OSError."""
        line = {"name": name, "role": "officer", "credential": credential, "key": key}
        line |= {"since": f"{today - MARGIN}", "until": f"{today + timedelta(days=DAYS)}"}
        (officer,) = parse_officers(msgspec.json.encode({"officers": [line]}))
        others = tuple(each for each in self._officers if each.name != name)
        self._write((*others, officer))
        self._officers = parse_officers(read_file(self._path, MAX_ROSTER))
        self._console.sign()
        return officer

    def _write(self, officers: tuple[Officer, ...]) -> None:
        told: dict[str, Any] = {"officers": officers}
        raw = msgspec.json.format(msgspec.json.encode(told))
        parse_officers(raw)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_file(self._path, raw)
