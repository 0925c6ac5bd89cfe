"""What a unit says: enough of systemd.syntax(7) to start by hand what systemd would start."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

FOLDER = Path(__file__).parent / "systemd"


def settings(unit: Path) -> Iterator[tuple[str, str, str]]:
    """(section, name, value) of each line that sets something, in order."""
    section = ""
    for line in unit.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and line[0] not in "#;":
            name, _, value = line.partition("=")
            yield section, name, value


def values(unit: Path, wanted: str) -> list[str]:
    """Every value of the setting ``wanted``, in order."""
    return [value for _, name, value in settings(unit) if name == wanted]


def started(unit: Path, instance: str = "") -> tuple[list[str], dict[str, str]]:
    """The command line of ``unit`` and the environment that it sets, for ``instance``."""
    (command,) = values(unit, "ExecStart")
    words = shlex.split(_resolved(command, instance))
    environment = (
        pair.partition("=") for value in values(unit, "Environment") for pair in shlex.split(_resolved(value, instance))
    )
    return words, {name: value for name, _, value in environment}


def _resolved(text: str, instance: str) -> str:
    return text.replace("%i", instance).replace("%t", "/run")


def allowed_calls(unit: Path, groups: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """What ``SystemCallFilter=`` leaves; ``groups``: as ``systemd-analyze syscall-filter`` lists them."""
    allowed: set[str] = set()
    for value in values(unit, "SystemCallFilter"):
        named = {call for word in value.removeprefix("~").split() for call in _members(word, groups)}
        allowed = allowed - named if value.startswith("~") else allowed | named
    return frozenset(allowed)


def _members(word: str, groups: Mapping[str, Sequence[str]]) -> Iterator[str]:
    if word not in groups:
        yield word
    for member in groups.get(word, ()):
        yield from _members(member, groups)
