"""One target, for a while: ``python tests/fuzz/target.py NAME --seconds 10``; or one input again: ``… NAME --input 7F61820000``.

With atheris, changes are steered by the branches that they reach in ``hardware.emrtd``; without it they are blind. Ends with status 1 at
the first input that raises what it may not or works too long; input and traceback are on standard output. Figures are on standard error, in
the words of libFuzzer, whichever engine ran.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import runpy
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a script: benchmarks is no installed package

if TYPE_CHECKING:
    from benchmarks.soak_targets import Target

STARTED = time.monotonic()
HANG_S = 10
"""Seconds after which an input counts as one that never ends."""
MEMORY_MIB = 1024
"""Resident memory that no input may need; the interpreter and its libraries take 100."""
SLOW_MS = 250.0
"""CPU time of one answer. The bound is 50 ms (``make soak`` holds it); instrumented code is several times slower."""
LONGEST = 8192
"""Octets of an input: more is slow, and what very long ones do is tried in ``make soak``."""


def check(target: Target, data: bytes) -> None:
    """Judge ``data``; report what is wrong and end the process."""
    from benchmarks.soak_cases import METER

    try:
        target.judge(data)
        assert METER.worst_ms <= SLOW_MS, f"{METER.worst_ms:.0f} ms of work on one answer"
    except Exception:  # noqa: BLE001 - whatever it may be
        print(f"input: {data.hex()}\n{traceback.format_exc()}", flush=True)
        os._exit(1)  # atheris would go on to print a report of its own


def _prepare(name: str, *, instrumented: bool) -> Target:
    if instrumented:
        import atheris

        imports = atheris.instrument_imports(include=["hardware.emrtd"])
    else:
        imports = nullcontext()
    with imports:
        from benchmarks.soak_cases import METER
        from benchmarks.soak_chip import TARGETS

        target = TARGETS[name]()
    for seed in target.seeds:
        target.judge(seed)
    METER.reset()  # what is done once, at first use, is not an input's fault
    return target


def _steered(target: Target, seconds: int, seed: int) -> None:
    """Until libFuzzer ends the process. Half of its changes are the target's own, which know data objects."""
    import atheris

    def change(data: bytes, longest: int, number: int) -> bytes:
        dice = random.Random(number)
        return target.change(data, dice)[:longest] if dice.random() < 0.5 else atheris.Mutate(data, longest)

    corpus = Path(tempfile.mkdtemp(prefix="corpus-"))  # whoever started us takes the temporary folder away
    for number, data in enumerate(target.seeds):
        (corpus / f"{number:03}").write_bytes(data[:LONGEST])
    limits = [f"-max_total_time={seconds}", f"-timeout={HANG_S}", f"-rss_limit_mb={MEMORY_MIB}", f"-max_len={LONGEST}"]
    habits = [f"-seed={seed}", f"-artifact_prefix={corpus}/found-", "-print_final_stats=1", "-len_control=0"]
    atheris.Setup([sys.argv[0], *limits, *habits, str(corpus)], lambda data: check(target, data), custom_mutator=change)
    atheris.Fuzz()


def _blind(target: Target, seconds: int, seed: int) -> None:
    resource.setrlimit(
        resource.RLIMIT_AS, (MEMORY_MIB << 21, resource.RLIM_INFINITY)
    )  # address space, of which half is never touched
    signal.signal(signal.SIGALRM, _hang)
    dice, end, executed = random.Random(seed), time.monotonic() + seconds, 0
    while time.monotonic() < end:
        signal.alarm(HANG_S)
        check(target, target.change(dice.choice(target.seeds), dice))
        executed += 1
    signal.alarm(0)
    print(f"stat::number_of_executed_units: {executed}", file=sys.stderr)


def _hang(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"no end after {HANG_S} s")


ENGINES: dict[str, Callable[[Target, int, int], None]] = {"atheris": _steered, "blind": _blind}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--seconds", type=int, default=10, help="in all, from the start of the process")
    parser.add_argument("--engine", choices=sorted(ENGINES), default="blind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--input", type=bytes.fromhex, help="this input alone, as hex")
    parser.add_argument("--with", dest="first", help="a file that is run before: it may seed a defect")
    options = parser.parse_args()
    target = _prepare(options.name, instrumented=options.engine == "atheris")
    if options.first:
        runpy.run_path(options.first)
    if options.input is not None:
        check(target, options.input)
        return
    left = max(1, round(options.seconds - (time.monotonic() - STARTED)))
    ENGINES[options.engine](target, left, options.seed)


if __name__ == "__main__":
    main()
