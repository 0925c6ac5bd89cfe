"""``python -m benchmarks.occupancy [--trials 20000] [--seed 1]``: how often the simulated sensor that counts is wrong, and about whom.

Right, missed (fewer than there are), doubled (more) and uncertain, in per cent of travellers who come alone with what stands in the first
column. What is missed *and* comes to one is what the exit would open for: the table's last column. They are figures of the simulator's
own assumptions (``hardware/sim/occupancy.py``), not of any sensor; the table stands in ``docs/lane.md``.
"""

from __future__ import annotations

import argparse
from collections import Counter
from random import Random

from hardware.occupancy import SURE, agreed
from hardware.sim.occupancy import PERSONS, Company, seen

TRIALS, SEED = 20_000, 1
CASES: dict[Company, str] = {
    "": "nobody and nothing",
    "infant": "a carried infant",
    "child": "a child close behind",
    "wheelchair": "a wheelchair to sit in",
    "suitcase": "a suitcase",
}
HEAD = ("with", "really there", "right", "missed", "doubled", "uncertain", "opens for two")


def judged(company: Company, dice: Random, sure: float) -> str:
    """One traveller: what became of the count."""
    count, there = agreed((seen(company, dice),), sure), PERSONS[company]
    if count is None:
        return "uncertain"
    return "right" if count == there else "missed" if count < there else "doubled"


def row(company: Company, trials: int, seed: int, sure: float = SURE) -> tuple[str, ...]:
    """One line of the table."""
    dice = Random(f"{seed} {company}")
    found = Counter(judged(company, dice, sure) for _ in range(trials))
    shares = [f"{100 * found[each] / trials:.1f} %" for each in ("right", "missed", "doubled", "uncertain")]
    return CASES[company], str(PERSONS[company]), *shares, shares[1] if PERSONS[company] > 1 else "–"


def table(trials: int = TRIALS, seed: int = SEED, sure: float = SURE) -> str:
    """As Markdown."""
    lines = [HEAD, ("---",) * len(HEAD), *(row(company, trials, seed, sure) for company in CASES)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.occupancy", description=__doc__)
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--sure", type=float, default=SURE, help="what a sensor's confidence must be for its count to be one")
    options = parser.parse_args()
    print(table(options.trials, options.seed, options.sure))


if __name__ == "__main__":
    main()
