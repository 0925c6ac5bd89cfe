"""``python -m benchmarks.fleet_power [--travellers 30] [--samples 1000] [--seed 7] [--out FILE]``: a gate's power fails at every moment.

A gate writes its log, sends from its outbox and takes receipts, once, under strace. From the recorded writes its files are made anew as a power
cut at every sync leaves them, without all that was not synced, and at random moments with any part of it (:mod:`benchmarks.fleet_disk`). On
each state the gate starts again and goes on: no record that was written down may be gone, none that was sent may have become another, the chain
verifies, the newest receipt or the one before it is there, and a centre that held what was sent before sees no gap and no fork. Exit status 1
on any finding.

What it does not show: a disk that says it synced and did not, or that loses what it had synced.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from benchmarks import fleet_disk, machine
from benchmarks.fleet_disk import Disk
from benchmarks.fleet_gates import REVIVED, Gate, collector_signer, write_keys
from gate.audit.log import FILE_NAME, AuditError, AuditLog, open_readonly
from gate.fleet import receipts
from gate.fleet.keys.file_keys import FileKeys
from gate.fleet.messages import Parcel, Receipt, Row, sealed
from gate.fleet.outbox import Outbox
from gate.fleet.receipts import FILE_NAME as CURSOR

GATE = Gate(REVIVED)
Defect = Literal["", "log", "cursor"]
"""Sown on purpose, for the judge to find: the log, or the newest receipt, is not synced."""
MEMORY = Path("/dev/shm")
LIFE_S = 120
AT_ONCE = 100
"""Records in a parcel."""


@dataclass(slots=True)
class Told:
    """What others saw of the gate. ``written``: hashes of the records that the lane relied on; ``sent``: of those that the broker had, by number."""

    written: list[bytes] = field(default_factory=list)
    sent: dict[int, bytes] = field(default_factory=dict)
    begun: int = 0
    """The newest receipt that was handed to the gate, and (``kept``) that it had taken."""
    kept: int = 0

    def hear(self, line: str) -> None:
        what, number, *hashed = line.split()
        match what:
            case "written":
                self.written.append(bytes.fromhex(hashed[0]))
            case "sent":
                self.sent[int(number)] = bytes.fromhex(hashed[0])
            case "receipt":
                self.begun = int(number)
            case "kept":
                self.kept = int(number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """``files``: as the power cut left them."""

    files: dict[str, bytes]
    told: Told


# --- the one life ------------------------------------------------------------------------------------------------------------


def live(folder: Path, keys: Path, travellers: int, seed: int, defect: Defect) -> None:
    """Runs in the process that is traced."""
    dice, log, outbox = random.Random(seed), *started(folder, keys, defect)
    for count in range(travellers):
        GATE.one_traveller(Telling(log), count)
        if dice.random() < 0.8:
            send(outbox, dice)
        if dice.random() < 0.7:
            acknowledge(outbox, log, dice)
        if dice.random() < 0.1:
            outbox.close()
            log.close()
            log, outbox = started(folder, keys, defect)


def started(folder: Path, keys: Path, defect: Defect) -> tuple[AuditLog, Outbox]:
    log = AuditLog(folder / FILE_NAME, GATE.secret)
    if defect == "log":
        log._connection.execute("PRAGMA synchronous = OFF")
    if defect == "cursor":
        receipts.write_file = lambda path, raw: path.write_bytes(raw)
    return log, Outbox(folder / FILE_NAME, folder / CURSOR, GATE.id, FileKeys(keys))


class Telling:
    """A log that says what it has written, once that is durable."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    def append(self, kind: str, transaction: str, body: bytes, at: datetime, boot: float) -> int:
        seq = self._log.append(kind, transaction, body, at, boot)
        say("written", seq, self._log.head().hash)
        return seq


def send(outbox: Outbox, dice: random.Random) -> None:
    """Everything, or a part."""
    for parcel in drained(outbox):
        for row in parcel.rows:
            say("sent", row.seq, row.hash)
        if dice.random() < 0.1:
            break


def drained(outbox: Outbox) -> Iterator[Parcel]:
    """What is to be sent, until all of it was."""
    while (crossings := outbox.crossings()) or (parcel := outbox.rest()):
        yield crossings or parcel
        outbox.went(crossings or parcel, crossings=crossings is not None)


def acknowledge(outbox: Outbox, log: AuditLog, dice: random.Random) -> None:
    """The centre's receipt, up to some record that it was sent."""
    if outbox._followed > outbox.through:
        through = dice.randint(outbox.through + 1, outbox._followed)
        row = log.row(through)
        assert row
        told = Receipt(gate=GATE.id, log=outbox.log_id, through=through, hash=row[7], at=datetime.now(UTC).isoformat())
        say("receipt", through)
        outbox.received(sealed(collector_signer(), told))
        say("kept", through)


def say(what: str, number: int, hashed: bytes = b"") -> None:
    os.write(1, f"{what} {number} {hashed.hex()}\n".encode())


# --- its ends ----------------------------------------------------------------------------------------------------------------


def record(folder: Path, travellers: int, seed: int, defect: Defect = "") -> Path:
    """The trace of one life in ``folder``. Raises CalledProcessError."""
    write_keys(folder / "keys.json", [GATE])
    state, trace = folder / "state", folder / "trace"
    state.mkdir()
    own = ["--live", str(state), "--keys", str(folder / "keys.json"), "--travellers", str(travellers), "--seed", str(seed)]
    own += ["--defect", defect]
    command = [*fleet_disk.prefix(trace), sys.executable, "-m", "benchmarks.fleet_power", *own]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=LIFE_S)
    return trace


def cuts(folder: Path, trace: Path, samples: int, seed: int) -> Iterator[Cut]:
    """One before every sync that makes something last and one at the end, without all that was not synced; and ``samples`` at random calls,
    with any part of it. ``told`` of a cut is the same object until the next one is asked for.
    """
    played = list(fleet_disk.calls(trace))
    dice = random.Random(seed)
    moments = {dice.randrange(len(played)) for _ in range(samples)}
    disk, told = Disk(folder / "state"), Told()
    for number, call in enumerate(played):
        if number in moments:
            yield Cut(files=disk.left(dice), told=told)
        if call.name in {"fsync", "fdatasync"}:
            before = disk.left()
            if disk.play(call):
                yield Cut(files=before, told=told)
            continue
        for line in call.said.decode().splitlines():
            told.hear(line)
        disk.play(call)
    yield Cut(files=disk.left(), told=told)


def frozen(cut: Cut) -> Cut:
    """To be kept while the life goes on."""
    told = cut.told
    return Cut(files=cut.files, told=Told(list(told.written), dict(told.sent), told.begun, told.kept))


def earlier(folder: Path, told: Told, gate: str) -> Iterator[Parcel]:
    """What had been sent, as another gate would have sent it: out of the log that was recorded in ``folder``, which lost nothing."""
    with open_readonly(folder / "state" / FILE_NAME) as log:
        rows = [Row(*row) for row in log.rows(0, len(told.written) + 1) if told.sent.get(row[0]) == row[7]]
        for first in range(0, len(rows), AT_ONCE):
            yield Parcel(gate=gate, log=log.log_id(), start=log.start().hash, rows=tuple(rows[first : first + AT_ONCE]))


def restored(cut: Cut, folder: Path) -> None:
    folder.mkdir()
    for name, content in cut.files.items():
        (folder / name).write_bytes(content)


def judged(cut: Cut, folder: Path, keys: Path) -> list[str]:
    """What is wrong with the gate once it starts again on what is left. ``folder``: a new one."""
    restored(cut, folder)
    try:
        log = AuditLog(folder / FILE_NAME, GATE.secret)
    except AuditError as error:
        return [f"the log cannot be opened: {error}"]
    try:
        findings = [f"the chain: {finding.what}" for finding in log.verify()]
        hashes = [record.hash for record in log.records()]
        if hashes[: len(cut.told.written)] != cut.told.written:
            findings.append(f"{len(cut.told.written)} records were written down, and {len(hashes)} are left, or others")
        outbox = Outbox(folder / FILE_NAME, folder / CURSOR, GATE.id, FileKeys(keys))
        try:
            findings += _receipt_is_wrong(cut.told, outbox)
            GATE.one_traveller(log, 1_000_000)
            findings += _centre_sees(cut.told, outbox, log)
        finally:
            outbox.close()
    except AuditError as error:
        return [f"the log cannot be read: {error}"]
    finally:
        log.close()
    return findings


def _receipt_is_wrong(told: Told, outbox: Outbox) -> list[str]:
    said = [what for what in (outbox.receipts.problem, outbox.receipts.fork) if what]
    if outbox.through not in {told.kept, told.begun}:
        said.append(f"receipt {outbox.through} is there, {told.kept} was kept, {told.begun} had come")
    return said


def _centre_sees(told: Told, outbox: Outbox, log: AuditLog) -> list[str]:
    """What a centre that held what was sent before finds in what comes now."""
    held, findings = dict(told.sent), list[str]()
    for parcel in drained(outbox):
        findings += [f"a fork at record {row.seq}" for row in parcel.rows if held.setdefault(row.seq, row.hash) != row.hash]
    gone = [seq for seq in range(1, log.head().seq + 1) if seq not in held]
    return findings + ([f"a gap: {gone[0]} and {len(gone) - 1} more never come"] if gone else [])


def run(travellers: int, samples: int, seed: int, defect: Defect = "") -> dict[str, object]:
    """All of it, in a folder in memory, for its syncs count for nothing here: the disk is played."""
    with tempfile.TemporaryDirectory(prefix="autogate-power-", dir=MEMORY) as name:
        folder, findings, states = Path(name), list[str](), 0
        for cut in cuts(folder, record(folder, travellers, seed, defect), samples, seed):
            states += 1
            where = folder / f"cut-{states}"
            found = judged(cut, where, folder / "keys.json")
            findings += [f"cut {states}: {what}" for what in found]
            for file in where.iterdir():
                file.unlink()
            told = cut.told
    counts = {"written": len(told.written), "sent": len(told.sent), "receipts_up_to": told.kept}
    return {"seed": seed, "states": states, "of_them_random": samples, **counts, "findings": findings}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet_power", description=__doc__)
    parser.add_argument("--travellers", type=int, default=30)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--live", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--keys", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--defect", choices=get_args(Defect), default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.live:
        live(options.live, options.keys, options.travellers, options.seed, options.defect)
        return 0
    told = run(options.travellers, options.samples, options.seed) | {"machine": machine.facts()}
    print(json.dumps(told, indent=1))
    if options.out:
        options.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return int(bool(told["findings"]))


if __name__ == "__main__":
    sys.exit(main())
