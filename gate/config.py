"""The configuration of one gate: a TOML file in, a frozen :class:`Config` out, or every error of the file at once with its line.

The schema is ``gate.config_sections``. Relative paths count from the folder of the file. Findings name keys and what they may hold, never what they held: a value may be a secret.
"""

from __future__ import annotations

import difflib
import importlib
import os
import re
import sys
import tomllib
import types
from collections.abc import Iterator
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from gate.clock import CHECKPOINT_ZONES
from gate.config_sections import (
    Audit,
    Camera,
    Chip,
    Config,
    Console,
    Controller,
    Face,
    Fleet,
    Health,
    Lane,
    LinkWaiver,
    Panel,
    Registries,
    Registry,
    RegistryTls,
    Rules,
    Scanner,
    Screens,
    Section,
    Snapshots,
    Timeouts,
    Trust,
    Waiver,
    Words,
)
from gate.profiles import NOT_TWO_PEOPLE, PROFILES, REFUSALS, REGISTRIES, TOKEN_KEY, are_not_two_people, is_real_device
from hardware.controller.modbus_line import LEAST_BAUD
from hardware.osdp_key import read_key
from hardware.ports import DeviceError

__all__ = [
    "EXIT_BROKEN",
    "EXIT_OK",
    "MAX_BYTES",
    "Audit",
    "Camera",
    "Chip",
    "Config",
    "ConfigError",
    "ConfigFinding",
    "Console",
    "Controller",
    "Face",
    "Fleet",
    "Health",
    "Lane",
    "LinkWaiver",
    "Panel",
    "Registries",
    "Registry",
    "RegistryTls",
    "Rules",
    "Scanner",
    "Screens",
    "Section",
    "Snapshots",
    "Timeouts",
    "Trust",
    "Waiver",
    "Words",
    "check_command",
    "load",
    "load_console",
    "load_fleet",
    "load_lane",
    "load_rules_section",
    "load_trust",
]

MAX_BYTES = 65_536
"""A gate's file has some fifty lines; a thousand times less than what would hurt to parse."""
EXIT_OK, EXIT_BROKEN = 0, 2

_Section = TypeVar("_Section", bound=Section)


class ConfigFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One error. ``line`` counts from 1 (0: the file as a whole), ``key`` is dotted."""

    line: int
    key: str
    what: str
    remedy: str


class ConfigError(Exception):
    """The file cannot be used; ``findings`` holds every error, by line."""

    def __init__(self, path: Path, findings: tuple[ConfigFinding, ...]) -> None:
        super().__init__("\n".join(f"{path}:{each.line}: {each.key}: {each.what} ({each.remedy})" for each in findings))
        self.path, self.findings = path, findings


def load(path: Path) -> Config:
    """Read and check the file. Raises :class:`ConfigError` with all errors at once, those of its profile included."""
    text, data = _parse(path)
    reader = _Reader(_key_lines(text), path.resolve().parent)
    values = reader.read(Config, data)
    reader.check_whole()
    if reader.findings:
        raise ConfigError(path, tuple(sorted(reader.findings, key=lambda finding: finding.line)))
    return Config(**values)


def load_trust(path: Path) -> Trust:
    """The section ``[trust]`` alone, for people who keep the store on a machine that is no gate. Raises :class:`ConfigError`."""
    return _load_section(path, "trust", Trust)


def load_rules_section(path: Path) -> Rules:
    """The section ``[rules]`` alone, for people who keep the rules on a machine that is no gate. Raises :class:`ConfigError`."""
    return _load_section(path, "rules", Rules)


def load_console(path: Path) -> Console:
    """The section ``[console]`` alone, for people who keep the roster on a machine that is no gate. Raises :class:`ConfigError`."""
    return _load_section(path, "console", Console)


def load_fleet(path: Path) -> Fleet:
    """The section ``[fleet]`` alone, for a demonstration that takes it into its own file. Raises :class:`ConfigError`."""
    return _load_section(path, "fleet", Fleet)


def load_lane(path: Path) -> Lane:
    """The section ``[lane]`` alone, of a file that is not complete yet. Raises :class:`ConfigError`."""
    return _load_section(path, "lane", Lane)


def _load_section(path: Path, name: str, section: type[_Section]) -> _Section:
    text, data = _parse(path)
    reader = _Reader(_key_lines(text), path.resolve().parent)
    values = reader.read(section, data.get(name, {}), f"{name}.")
    if reader.findings:
        raise ConfigError(path, tuple(reader.findings))
    return section(**values)


def check_command(path: Path) -> int:
    """``autogate config check FILE``: every error on a line of its own. Returns the exit status."""
    try:
        config = load(path)
        # By name, because the lane starts with this module too and loads no cryptography.
        if config.controller.waiver and (wrong := importlib.import_module("gate.link_waiver").problem(config, datetime.now(UTC))):
            raise _whole(path, 0, f"controller.waiver: {wrong}", "autogate lane waive")
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EXIT_BROKEN
    print(f"{path}: good for profile {config.profile}, lane {config.lane.id} at {config.lane.checkpoint}")
    return EXIT_OK


# --- text --------------------------------------------------------------------------------------------------------------


def _parse(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _whole(path, 0, f"cannot be read: {error.strerror}", "name a file that this user may read") from error
    if len(raw) > MAX_BYTES:
        raise _whole(path, 0, f"longer than {MAX_BYTES} bytes", "this is no configuration of a gate")
    try:
        text = raw.decode("utf-8")
        return text, tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise _whole(path, raw.count(b"\n", 0, error.start) + 1, "not UTF-8", "save the file as UTF-8") from error
    except (ValueError, RecursionError) as error:  # the reader's own error, and what it lets through: huge numbers, deep nesting
        place = re.search(r" \(at line (\d+), column \d+\)", str(error))
        what, line = (str(error)[: place.start()], int(place[1])) if place else (str(error), text.count("\n") + 1)
        raise _whole(path, line, f"not TOML: {what}", "mend the syntax; the other errors show once it is TOML") from error


def _whole(path: Path, line: int, what: str, remedy: str) -> ConfigError:
    return ConfigError(path, (ConfigFinding(line=line, key="file", what=what, remedy=remedy),))


_BARE_OR_QUOTED = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_KEY = rf"{_BARE_OR_QUOTED}(?:\s*\.\s*{_BARE_OR_QUOTED})*"
_HEADER_LINE = re.compile(rf"\s*\[\[?\s*({_KEY})\s*\]")
_ASSIGNMENT = re.compile(rf"\s*({_KEY})\s*=")


def _key_lines(text: str) -> dict[str, int]:
    """Dotted key → line where it stands first. tomllib does not say; lines within multi-line strings are left out."""
    lines: dict[str, int] = {}
    section, closing = "", ""
    for number, line in enumerate(text.split("\n"), 1):
        if closing:
            closing = "" if closing in line else closing
            continue
        if header := _HEADER_LINE.match(line):
            section = _dotted(header[1]) + "."
            lines.setdefault(section[:-1], number)
        elif key := _ASSIGNMENT.match(line):
            lines.setdefault(section + _dotted(key[1]), number)
            closing = next((quotes for quotes in ('"""', "'''") if line.count(quotes) == 1), "")
    return lines


def _dotted(key: str) -> str:
    return re.sub(r"\s*\.\s*", ".", key.replace('"', "").replace("'", ""))


# --- meaning -----------------------------------------------------------------------------------------------------------


class _Wrong(Exception):
    """A key has no usable value."""


class _Reader:
    """Walks the schema and the file side by side; keeps every finding, and every value that is right by its dotted key."""

    def __init__(self, lines: dict[str, int], folder: Path) -> None:
        self._lines, self._folder = lines, folder
        self._right: dict[str, Any] = {}
        self.findings: list[ConfigFinding] = []

    def read(self, section: type[Section], table: object, prefix: str = "") -> dict[str, Any]:
        """The section's values as far as they are right."""
        if not isinstance(table, dict):
            self._find(prefix[:-1], "not a section", f"write [{prefix[:-1]}] on a line of its own")
            return {}
        fields = {field.name: field for field in msgspec.structs.fields(section)}
        for name in sorted(table.keys() - fields.keys()):
            near = difflib.get_close_matches(name, fields, 1)
            remedy = f"did you mean {near[0]}?" if near else f"known here: {', '.join(fields)}"
            self._find(f"{prefix}{name}", "unknown key", remedy)
        values = {}
        for field in fields.values():
            try:
                values[field.name] = self._value(field, table, prefix + field.name)
            except _Wrong:
                continue
        return values

    def _value(self, field: msgspec.structs.FieldInfo, table: dict[str, Any], key: str) -> Any:
        """The value of one key. A finding and _Wrong where it is missing or wrong."""
        inner = _section_of(field.type)
        if field.name not in table and field.default is not msgspec.NODEFAULT and (inner is None or field.default is None):
            self._right[key] = field.default
            return field.default
        if inner is not None:
            before = len(self.findings)
            values = self.read(inner, table.get(field.name, {}), f"{key}.")
            if len(self.findings) > before:
                raise _Wrong
            return inner(**values)
        if field.name not in table:
            self._find(key, "missing", f"add {field.name} = {_expectation(field.type)}")
            raise _Wrong
        try:
            self._right[key] = msgspec.convert(table[field.name], field.type, dec_hook=self._path)
        except msgspec.ValidationError:
            expected = _expectation(field.type)
            self._find(key, f"not {expected}", f"write {expected}")
            raise _Wrong from None
        return self._right[key]

    def _path(self, kind: type, value: object) -> Path:
        if kind is not Path or not isinstance(value, str) or not value or "\0" in value:
            raise ValueError("not a path")
        return Path(value) if value.startswith(TOKEN_KEY) else self._folder / value

    def check_whole(self) -> None:
        """What no single type can say: the rules of the profile, and keys that must fit together."""
        for refusal in REFUSALS.get(str(self._right.get("profile")), ()):
            if refusal.key in self._right and refusal.refuses(self._right[refusal.key]):
                self._find(refusal.key, f"profile {self._right['profile']} refuses it: {refusal.what}", refusal.remedy)
        if self._right.get("lane.checkpoint", next(iter(CHECKPOINT_ZONES))) not in CHECKPOINT_ZONES:
            self._find("lane.checkpoint", "no time zone is known for it", f"one of {', '.join(CHECKPOINT_ZONES)}")
        self._check_scanner()
        self._check_link()
        self._check_camera()
        self._check_panel()
        self._check_registries()
        self._check_rules()
        self._check_console()
        self._check_audit()
        self._check_fleet()
        if self._right.get("chip.link") == "pcsc" and self._right.get("chip.reader", "") is None:
            self._find("chip.reader", "missing", 'name the PC/SC reader; "autogate chip readers" lists them')
        if self._right.get("chip.link") == "scanner" and self._right.get("chip.reader") is not None:
            self._find("chip.reader", "not used: the scanner reads the chip", 'leave it out, or write link = "pcsc"')
        if self._right.get("screens.officer_port", 0) == self._right.get("screens.traveller_port"):
            self._find("screens.officer_port", "the travellers' port", "give the officer page a port of its own")
        if self._right.get("health.port") in {
            self._right.get("screens.traveller_port", 0),
            self._right.get("screens.officer_port", 0),
        }:
            self._find("health.port", "the port of a screen", "give health a port of its own")

    def _check_camera(self) -> None:
        """Demonstrations look at recordings, other gates at cameras."""
        if (
            self._right.get("camera.kind") == "opencv"
            and "camera.address" in self._right
            and self._right.get("profile") in PROFILES
        ):
            demonstration = PROFILES[self._right["profile"]].demonstration
            if demonstration is is_real_device(self._right["camera.address"]):
                what = "a real device" if demonstration else "not a camera but a recording"
                remedy = "name a recording" if demonstration else "name it below /dev/v4l/by-id"
                self._find("camera.address", f"profile {self._right['profile']} refuses it: {what}", remedy)

    def _check_link(self) -> None:
        waived = self._right.get("controller.waiver", "") is not None
        if self._right.get("controller.link") == "gate-link" and "controller.waiver.granted_by" in self._right:
            self._find("controller.waiver", "not used: the gate-link proves both ends", "leave it out")
        if self._right.get("controller.link") != "modbus":
            return
        if self._right.get("controller.baud", LEAST_BAUD) < LEAST_BAUD:
            self._find("controller.baud", "too slow for twenty exchanges a second", f"set both ends to {LEAST_BAUD} or more")
        profile = PROFILES.get(self._right.get("profile", ""))
        if profile and not profile.allows_unsafe and not waived:
            what = f"profile {profile.name} refuses it: an unauthenticated link"
            self._find("controller.link", what, 'write "gate-link", or have it waived: autogate lane waive')

    def _check_registries(self) -> None:
        urls = {name: str(self._right.get(f"registries.{name}.url", "")) for name in REGISTRIES}
        if self._right.get("registries.tls", "") is None:
            for name in (name for name, url in urls.items() if url.startswith("https:")):
                self._find(
                    f"registries.{name}.url", "https without certificates", "add [registries.tls] with ca, certificate and key"
                )
        if urls["crossing"] and self._right.get("registries.snapshots", "") is None:
            self._find(
                "registries.crossing", "nothing to seal its outbox with", "add [registries.snapshots] with folder and key_file"
            )

    def _check_rules(self) -> None:
        if self._right.get("rules.store") is None:
            return
        if self._right.get("rules.folder") is not None:
            self._find("rules.folder", "not used: the rules are taken from the store", "leave it out")
        if "rules.signers" in self._right and are_not_two_people(self._right["rules.signers"]):
            self._find("rules.signers", NOT_TWO_PEOPLE, "name those who sign for the rules")

    def _check_console(self) -> None:
        port, origin = self._right.get("console.port"), self._right.get("console.origin")
        if self._right.get("console.roster") is None:
            for key in (each for each in ("port", "origin", "supervision") if self._right.get(f"console.{each}") is not None):
                self._find(f"console.{key}", "no officer is known", "name the roster, and those who sign for it")
            return
        if "console.signers" in self._right and are_not_two_people(self._right["console.signers"]):
            self._find("console.signers", NOT_TWO_PEOPLE, "name those who sign for the roster of officers")
        if port is None and origin is None:
            self._find("console.origin", "missing", "name the page that officers sign on, or a port to serve it on")
        others = (f"{section}_port" for section in ("screens.traveller", "screens.officer"))
        if port is not None and port in {self._right.get("health.port"), *map(self._right.get, others)}:
            self._find("console.port", "the port of another page", "give the console a port of its own")

    def _check_audit(self) -> None:
        for key in ("sealing_key", "retention"):
            if self._right.get(f"audit.{key}") and self._right.get("audit.key", "") is None:
                self._find(f"audit.{key}", "no process seals", "name the gate's signing key as audit.key, too")
        if self._right.get("audit.retention") and self._right.get("audit.sealing_key", "") is None:
            self._find("audit.retention", "nothing is sealed", "name the key that seals as audit.sealing_key")
        witness = self._right.get("audit.witness")
        if witness is None:
            return
        if self._right.get("audit.key", "") is None:
            self._find("audit.witness", "nothing to witness", "name the gate's signing key as audit.key")
        if not witness.startswith(("https://", "http://", "/")):
            self._find("audit.witness", "neither an address nor a whole path", "begin it with https:// or with /")
        if not witness.startswith("/") and self._right.get("audit.witness_key", "") is None:
            self._find(
                "audit.witness_key", "missing: whose word counts", "write the key that autogate audit keygen printed there"
            )

    def _check_fleet(self) -> None:
        url = self._right.get("fleet.url", "")
        if not url:
            return
        proofs = [key for key in ("ca", "certificate", "key") if self._right.get(f"fleet.{key}") is not None]
        if url.startswith("tls:") and len(proofs) < 3:
            self._find("fleet.url", "tls without certificates", "name ca, certificate and key")
        if url.startswith("nats:") and proofs:
            self._find("fleet.url", "certificates that nothing uses", "begin it with tls://")
        if "." in self._right.get("lane.id", ""):
            self._find("lane.id", "a dot in the name of a gate of a fleet", "letters, digits, hyphens and underscores alone")

    def _check_panel(self) -> None:
        kind, key_file = self._right.get("panel.kind", "none"), self._right.get("panel.key_file", "")
        if kind != "none" and self._right.get("panel.port", "") is None:
            self._find("panel.port", "missing", "name the panel's serial device, below /dev/serial/by-id")
        if kind == "osdp" and key_file is None:
            self._find("panel.key_file", "missing", "name the file with the panel's own key, 32 hexadecimal digits")
        elif kind == "osdp" and key_file and os.path.exists(key_file):  # noqa: PTH110 - this may not be the gate, and Path.exists raises
            try:
                read_key(key_file)
            except DeviceError as error:
                self._find("panel.key_file", error.what, error.remedy)

    def _check_scanner(self) -> None:
        if self._right.get("scanner.kind") != "serial":
            if self._right.get("scanner.profile") is not None:
                self._find(
                    "scanner.profile", "not used: the scanner is no serial reader", 'leave it out, or write kind = "serial"'
                )
            return
        if self._right.get("scanner.profile", "") is None:
            self._find("scanner.profile", "missing", 'say how the reader speaks, as profile = "rte"')
        if self._right.get("scanner.mrz") == "images":
            self._find("scanner.mrz", "a serial reader hands over no pictures", 'write mrz = "device"')
        if self._right.get("chip.link") == "scanner":
            self._find("chip.link", "a serial reader reads no chips", 'write link = "pcsc" and name the reader')
        if self._right.get("profile") in PROFILES:
            demonstration = PROFILES[self._right["profile"]].demonstration
            if "scanner.address" in self._right and demonstration is is_real_device(self._right["scanner.address"]):
                what = "a real device" if demonstration else "not a serial device that is plugged in"
                remedy = "name the simulator's pseudo-terminal" if demonstration else "name it below /dev/serial/by-id"
                self._find("scanner.address", f"profile {self._right['profile']} refuses it: {what}", remedy)

    def _find(self, key: str, what: str, remedy: str) -> None:
        shown = key if key.isprintable() else ascii(key)
        self.findings.append(ConfigFinding(line=self._line(key), key=shown, what=what, remedy=remedy))

    def _line(self, key: str) -> int:
        """Where the key stands, or else the nearest section around it; line 1 where there is none."""
        while key and key not in self._lines:
            key = key.rpartition(".")[0]
        return self._lines.get(key, 1)


def _section_of(kind: Any) -> type[Section] | None:
    """The section that a field holds, None for a plain value."""
    return next((each for each in _alternatives(kind) if isinstance(each, type) and issubclass(each, Section)), None)


def _alternatives(kind: Any) -> tuple[Any, ...]:
    """The types of ``A | None`` without None."""
    if get_origin(kind) in (Union, types.UnionType):
        return tuple(each for each in get_args(kind) if each is not type(None))
    return (kind,)


def _expectation(kind: Any) -> str:
    """What a value of this type looks like, in words."""
    (kind,) = _alternatives(kind)
    if get_origin(kind) is tuple:
        return f"a list of {_expectation(get_args(kind)[0])}"
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(_quoted(get_args(kind)))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "one of " + ", ".join(_quoted(each.value for each in kind))
    if get_origin(kind) is Annotated:
        base, meta = get_args(kind)
        return meta.description or f"a{' whole' if base is int else ''} number from {meta.ge} to {meta.le}"
    return "a date, as 2026-12-31" if kind is date else "a path"


def _quoted(values: Any) -> Iterator[str]:
    return (f'"{value}"' if isinstance(value, str) else str(value) for value in values)
