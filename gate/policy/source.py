"""Reading the rule files: every table becomes a struct or a list of faults, each with file and line. Nothing stops at the first fault."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

MAX_BYTES = 1 << 20
"""No rule file of a gate is larger; one that is was put there by mistake or malice."""

S = TypeVar("S", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong. ``line`` 0 = the file as a whole; ``entry`` is its id, or its place in the file."""

    file: str
    line: int
    entry: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.entry}: {self.what}"


class RulesError(Exception):
    """The rule set cannot be used. ``faults`` holds everything that is wrong with it, not just the first."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Located(Generic[S]):
    """An entry of the right shape, and where it stands."""

    file: str
    line: int
    label: str
    entry: S

    def fault(self, what: str) -> Fault:
        return Fault(file=self.file, line=self.line, entry=self.label, what=what)


@dataclass(frozen=True, slots=True)
class RuleFiles:
    """The parsed files of one folder. Faults of reading and shape gather in ``faults``."""

    content: dict[str, dict[str, Any]] = field(default_factory=dict)
    text: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path, names: tuple[str, ...]) -> RuleFiles:
        """Parse the files ``names`` in ``folder``; each must be there, and no other ``.toml`` may be."""
        files = cls()
        present = {path.name for path in folder.glob("*.toml")} if folder.is_dir() else set()
        for name in sorted(present - set(names)):
            files.faults.append(Fault(file=name, line=0, entry="file", what="is not a rule file of this release"))
        for name in names:
            files._read_one(folder / name)
        return files

    def _read_one(self, path: Path) -> None:
        try:
            text = _bounded(path).decode("utf-8")
            self.content[path.name] = tomllib.loads(text)
            self.text[path.name] = text
        except (OSError, ValueError, RecursionError) as error:  # TOML and UTF-8 errors are ValueErrors
            what = error.strerror or "cannot be read" if isinstance(error, OSError) else str(error)
            line = re.search(r"at line (\d+)", what)
            self.faults.append(Fault(file=path.name, line=int(line[1]) if line else 0, entry="file", what=what))

    def tables(self, file: str, kind: str, shape: type[S]) -> tuple[Located[S], ...]:
        """All ``[[kind]]`` of ``file`` that have the shape; the others become faults."""
        entries = self.content.get(file, {}).get(kind, [])
        if not isinstance(entries, list):
            self.faults.append(Fault(file=file, line=0, entry=kind, what=f"must be written as [[{kind}]]"))
            return ()
        lines = [n for n, line in enumerate(self.text.get(file, "").splitlines(), 1) if line.strip() == f"[[{kind}]]"]
        lines += [0] * (len(entries) - len(lines))
        return tuple(self._shaped(file, kind, shape, entries, lines))

    def _shaped(self, file: str, kind: str, shape: type[S], entries: list[Any], lines: list[int]) -> Iterator[Located[S]]:
        for number, (entry, line) in enumerate(zip(entries, lines, strict=False), 1):
            label = f"{kind} {entry['id']}" if isinstance(entry, dict) and "id" in entry else f"{kind} no. {number}"
            if (made := self.shape(file, line, label, shape, entry)) is not None:
                yield Located(file=file, line=line, label=label, entry=made)

    def shape(self, file: str, line: int, label: str, shape: type[S], entry: object) -> S | None:
        """``entry`` as a ``shape``; None, and a fault for each key that is unknown, missing or wrong, where it is not one."""
        faults = [f"unknown table {entry!r}"] if not isinstance(entry, dict) else []
        fields = {known.encode_name: known for known in msgspec.structs.fields(shape)}
        table: dict[str, Any] = entry if isinstance(entry, dict) else {}
        faults += [f"unknown key {key!r}" for key in table if key not in fields]
        for key, known in fields.items():
            if key not in table:
                faults += [f"{key} is missing"] * known.required
                continue
            try:
                msgspec.convert(table[key], known.type)
            except msgspec.ValidationError as error:
                faults.append(f"{key}: {error}")
        self.faults.extend(Fault(file=file, line=line, entry=label, what=what) for what in faults)
        return None if faults else msgspec.convert(table, shape)

    def unknown_tables(self, file: str, kinds: set[str]) -> None:
        """A fault for each top-level key of ``file`` that is not in ``kinds``: a misspelt [[grnat]] must not vanish."""
        for key in self.content.get(file, {}).keys() - kinds:
            self.faults.append(Fault(file=file, line=0, entry=key, what="unknown table or key"))

    def digest(self) -> str:
        """SHA-256 over the parsed content of all files, in canonical form: a comment or a blank line does not change it."""
        return hashlib.sha256(msgspec.json.encode(self.content, order="deterministic")).hexdigest()


def _bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise ValueError(f"is larger than {MAX_BYTES} bytes")
    return raw
