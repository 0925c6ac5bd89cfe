"""The audit's process: signs checkpoints of the log and has them witnessed; seals personal fields, destroys their keys in time, counts for the fleet.

A process of its own, because the lane loads no cryptography. It reads the log and writes beside it; the lane hears how it stands. Where a witness or a
sealing key is configured the lane begins with nobody without this process, and where the log turns out to have been changed it takes nobody any more.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from gate.audit.keys import open_signer, tell_verifier
from gate.audit.ledger import Ledger, Witness
from gate.audit.log import FILE_NAME, AuditError
from gate.audit.notary import Notary, Standing, gate_name
from gate.audit.note import Signer, VerifierKey
from gate.audit.retention import RetentionError, load_retention
from gate.audit.sealer import Retainer, Sealer
from gate.audit.tallier import Tallier
from gate.audit.witness import HttpWitness
from gate.clock import WALL_FLOOR_FILE, SystemClock, WallFloor
from gate.config import Config
from gate.processes.messages import AuditReport
from gate.processes.worker import Misconfigured, Worker, worker_main
from gate.profiles import PROFILES
from gate.runtime import Runtime

EVERY_S = 5.0
"""Between two looks at the log: what is cut off within that time, with every key of the gate, nobody finds."""
LONGEST_S = 60.0
"""Between two looks while the witness is away; its absence is told."""
NICE = -10
SWITCH_INTERVAL_S = 0.0005
"""A traveller waits for what is sealed here while the other thread examines the log."""


def witness_of(config: Config, signer: Signer) -> tuple[Witness | None, VerifierKey | None]:
    """Who remembers checkpoints, and the key by which they countersign. Raises Misconfigured."""
    audit = config.audit
    if audit.witness is None:
        return None, None
    try:
        if audit.remote:
            return HttpWitness(audit.witness, audit.witness_ca), VerifierKey.parse(audit.witness_key or "")
        ledger = config.audit.witness_file
        if not PROFILES[config.profile].demonstration and ledger.parent.stat().st_dev == config.state_dir.stat().st_dev:
            raise Misconfigured(
                f"audit.witness: {ledger} lies on the disk of the log itself (name one on another mount, or a URL)"
            )
    except (AuditError, OSError) as error:
        raise Misconfigured(f"audit.witness: {error}") from error
    return Ledger(ledger, [VerifierKey.of(signer)]), None


def notary_of(config: Config) -> Notary:
    """Raises Misconfigured."""
    assert config.audit.key is not None
    try:
        signer = open_signer(config.audit.key, gate_name(config.lane.id))
        tell_verifier(config.state_dir, VerifierKey.of(signer))
        clock = SystemClock(WallFloor(config.state_dir / WALL_FLOOR_FILE))

        def wall() -> datetime:
            return clock.wall()

        return Notary(config.state_dir / FILE_NAME, signer, *witness_of(config, signer), wall)
    except (AuditError, OSError) as error:
        raise Misconfigured(str(error)) from error


async def serve(config: Config, runtime: Runtime) -> None:
    """Serve until the lane hangs up, and sign once more then. Raises Misconfigured."""
    worker, ended = Worker("audit", runtime, {}), threading.Event()
    clock = SystemClock(WallFloor(config.state_dir / WALL_FLOOR_FILE))
    sealer = _sealer(config, worker, clock)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    usual = _first_in_line()

    def work() -> None:
        os.setpriority(os.PRIO_PROCESS, 0, usual)  # of this thread: nobody waits for signatures
        notary, told, pause = notary_of(config), Standing(), 0.0
        retainer = Retainer(config, worker.post, clock) if sealer else None
        tallier = Tallier(config, worker.post, clock) if sealer and config.fleet else None  # nobody else asks
        try:
            while not ended.wait(pause):
                found = notary.look()
                pause = EVERY_S if not found.problem else min(LONGEST_S, max(EVERY_S, 2 * pause))
                if untold := _looked(tallier):
                    found = replace(found, problem=found.problem or untold)
                if (found.problem, found.bent) != (told.problem, told.bent):
                    worker.post(AuditReport(problem=found.problem, bent=found.bent))
                told = found
                _retain(retainer)
            notary.look()  # the lane has closed its log: now it is whole
        finally:
            notary.close()
            if retainer:
                retainer.close()
            if tallier:
                tallier.close()

    try:
        await worker.run(work, ended.set, sealer.on_message if sealer else lambda _: None)
    finally:
        if sealer:
            sealer.close()


def _first_in_line() -> int:
    """Of this thread and those that it starts: a door waits for what is sealed. The lane asks for the same. Returns what it was."""
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    return usual


def _sealer(config: Config, worker: Worker, clock: SystemClock) -> Sealer | None:
    """Who answers the lane, where personal fields are sealed. Raises Misconfigured."""
    if config.audit.sealing_key is None:
        return None
    try:
        load_retention(config.audit.retention)
        return Sealer(config, worker.post, clock)
    except (AuditError, RetentionError) as error:
        raise Misconfigured(str(error)) from error


def _retain(retainer: Retainer | None) -> None:
    try:
        if retainer:
            retainer.look()
    except AuditError as error:
        print(f"audit: {error}", file=sys.stderr, flush=True)


def _looked(tallier: Tallier | None) -> str:
    """Why the tally of a day that is over cannot be told; empty where it can. Nobody waits for it."""
    try:
        if tallier:
            tallier.look()
    except AuditError as error:
        return f"the tally: {error}"
    return ""


if __name__ == "__main__":
    raise SystemExit(worker_main("audit", serve))
