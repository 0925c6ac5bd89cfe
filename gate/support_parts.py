"""The parts of a support bundle. Each is made of what is named here, from closed vocabularies and numbers: nothing is copied and then cleaned.

Of the configuration: numbers, switches and words of a closed choice; of every other value only whether it is set. Of the log: heads,
checkpoints and counts. Of devices: their kinds by number. Of texts: :mod:`gate.support_words`. Nothing is read through a link.
"""

from __future__ import annotations

import http.client
import os
import platform
import re
import sqlite3
import stat
import sys
from collections import Counter
from collections.abc import Iterator
from enum import Enum
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from gate.audit.chain import AuditError, AuditReader, decode
from gate.audit.log import FILE_NAME, open_readonly
from gate.audit.store import TreeStore, tree_path
from gate.clock import CHECKPOINT_ZONES
from gate.config import Config, Section
from gate.devices import CAMERAS, SERIAL, stable_names
from gate.devices import CHECKS as DEVICE_CHECKS
from gate.doctor import LOOPBACK, examine
from gate.records import TransactionRecord
from gate.support_words import our_line, our_words, ours

Part = dict[str, Any]
DISTRIBUTIONS = (
    "autogate", "cryptography", "msgspec", "numpy", "onnxruntime", "opencv-python-headless", "pyserial", "starlette", "uvicorn", "jinja2",
    "joserfc", "rapidfuzz", "pyscard", "pymodbus", "libosdp",
)  # fmt: skip
VERSION = re.compile(r"\d{1,4}(\.\d{1,6}){0,4}([ab]|rc|\.post|\.dev)?\d{0,6}")
LOG_FILE = "processes.log"
TAIL_BYTES, TAIL_LINES = 65_536, 300
USB = Path("/sys/bus/usb/devices")
MOST_DEVICES = 64
METRIC = re.compile(r"(autogate_[a-z_]+)(?:\{([a-z]+)=\"([\w.]+)\"\})? (-?[0-9.e+-]{1,24})")
MOST_METRICS = 1000
ANSWER_BYTES, ANSWER_S = 262_144, 2.0


# --- versions ----------------------------------------------------------------------------------------------------------


def versions() -> Part:
    """Of this program, what it stands on, and the machine's kind."""
    return {
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "kernel": ".".join(re.findall(r"\d+", platform.release())[:3]),
        "machine": platform.machine() if platform.machine() in {"x86_64", "aarch64"} else "other",
        "processors": os.cpu_count(),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "optimised": sys.flags.optimize,
        "distributions": {name: version for name in DISTRIBUTIONS if (version := _version(name))},
    }


def _version(name: str) -> str:
    try:
        found = VERSION.fullmatch(metadata.version(name))
    except metadata.PackageNotFoundError:
        return ""
    return found[0] if found else "odd"


# --- configuration -----------------------------------------------------------------------------------------------------


def configuration(config: Config | None) -> Part:
    """Every key. A value is told where its type leaves a choice among words of ours, or is a number or a switch; else ``set`` or None."""
    return {} if config is None else _section(config)


def _section(section: Section) -> Part:
    hints = get_type_hints(type(section))  # without the bounds
    return {field.name: _told(hints[field.name], getattr(section, field.name)) for field in msgspec.structs.fields(section)}


def _told(kind: object, value: object) -> object:
    if isinstance(value, Section):
        return _section(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, tuple):
        return [_told(next(iter(get_args(kind)), None), each) for each in value]
    return value if isinstance(value, str) and value in (*_choices(kind), *CHECKPOINT_ZONES) else "set"


def _choices(kind: object) -> Iterator[object]:
    """The words of a Literal, also of one within a union."""
    if get_origin(kind) is Literal:
        yield from get_args(kind)
    else:
        for inner in get_args(kind):
            yield from _choices(inner)


# --- health ------------------------------------------------------------------------------------------------------------


def doctor(config: Config | None) -> Part:
    """Which checks hold, and what the others say in our words."""
    return {each.check: "ok" if each.ok else ours(f"{each.what} ({each.remedy})") for each in examine(config, DEVICE_CHECKS)}


def health(config: Config | None) -> Part:
    """What the health process answers, where there is one: causes in our words, metrics by their names."""
    if config is None or config.health.port is None:
        return {"asked": False}
    status, causes = _asked(config.health.port, "readyz")
    metrics = (METRIC.fullmatch(line) for line in _asked(config.health.port, "metrics")[1].splitlines()[:MOST_METRICS])
    known = (each for each in metrics if each and each[1] in _metric_names() and ours(each[3] or "") == (each[3] or ""))
    return {
        "asked": True,
        "readyz": status,
        "causes": [our_line(line) for line in causes.splitlines()[:TAIL_LINES]],
        "metrics": [each[0] for each in known],
    }


def _metric_names() -> frozenset[str]:
    """Those of :mod:`gate.processes.metrics`; without the histograms' buckets, of which there are many."""
    own = {f"autogate_{word}" for word in our_words() if re.fullmatch("[a-z_]+", word)}
    return frozenset(own | {f"{name}{suffix}" for name in own for suffix in ("_sum", "_count")})


def _asked(port: int, path: str) -> tuple[int, str]:
    """Status and body; 0 where nobody answers. Nothing leads elsewhere: no proxy, no redirection."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=ANSWER_S)
    try:
        connection.request("GET", f"/{path}")
        answer = connection.getresponse()
        return answer.status, answer.read(ANSWER_BYTES).decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()


# --- log -----------------------------------------------------------------------------------------------------------------


def audit(state: Path) -> Part:
    """Head, checkpoints and counts of the log in a state folder. Reasons are counted where they are words of ours."""
    path = state / FILE_NAME
    if not _is_plain(path):
        return {"there": False}
    try:
        with open_readonly(path) as log:
            return _audit(path, log)
    except AuditError as error:
        return {"there": True, "error": ours(str(error))}


def _audit(path: Path, log: AuditReader) -> Part:
    kinds, outcomes, reasons = Counter[str](), Counter[str](), Counter[str]()
    unread = 0
    for record in log.records():
        kinds[ours(record.kind)] += 1
        if record.kind != "transaction":
            continue
        try:
            ended = decode(record, TransactionRecord)
        except AuditError:
            unread += 1
            continue
        outcomes[ended.outcome.name] += 1
        reasons.update(ours(reason) for reason in ended.reasons)
    head = log.head()
    tree = tree_path(path, log.log_id())
    told = {"there": True, "log": log.log_id(), "head": {"records": head.seq, "hash": head.hash.hex()}, "unread": unread}
    counts = {"kinds": dict(kinds), "outcomes": dict(outcomes), "reasons": dict(reasons)}
    return {**told, **counts, "checkpoints": _checkpoints(tree) if _is_plain(tree) else None}


def _checkpoints(path: Path) -> Part:
    with TreeStore(path) as tree:
        newest, witnessed = tree.newest(), tree.witnessed()
        return {"records": tree.size, "signed": newest.size if newest else 0, "witnessed": witnessed.size if witnessed else 0}


def log_tail(state: Path) -> str:
    """The end of what the processes said, in our words. Empty where there is none."""
    raw = _tail(state / LOG_FILE)
    return "".join(f"{our_line(line)}\n" for line in raw.decode(errors="replace").splitlines()[-TAIL_LINES:])


def _is_plain(path: Path) -> bool:
    """A file, and no link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _tail(path: Path) -> bytes:
    """The end of a file that is no link, pipe or device; the first line, which may be cut, left out."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            return b""
        file.seek(max(0, about.st_size - TAIL_BYTES))
        return file.read(TAIL_BYTES).partition(b"\n")[2] if about.st_size > TAIL_BYTES else file.read(TAIL_BYTES)


# --- devices -------------------------------------------------------------------------------------------------------------


def devices(config: Config | None) -> Part:
    """USB devices by maker's and product's number, how many serial devices and cameras have stable names, what is configured and there."""
    there = {"serial": len(stable_names(SERIAL)), "cameras": len(stable_names(CAMERAS))}
    wanted = (
        {}
        if config is None
        else {"controller": config.controller.device, "panel": config.panel.port, "camera": config.camera.address}
    )
    present = {name: Path(path).exists() for name, path in wanted.items() if path and path.startswith("/")}
    return {"usb": sorted(_usb())[:MOST_DEVICES], "stable_names": there, "configured": present}


def _usb() -> Iterator[str]:
    for device in USB.iterdir() if USB.is_dir() else ():
        ids = [_tail(device / name).decode(errors="replace").strip() for name in ("idVendor", "idProduct")]
        if all(re.fullmatch("[0-9a-f]{4}", each) for each in ids):
            yield ":".join(ids)
