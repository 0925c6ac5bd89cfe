"""``python -m benchmarks.watchlist [--entries N] [--travellers N] [--seed 2] [--json FILE] [--calibrate]``: namesakes, misses, speed.

A list of people who do not exist (``population.py``), badly written as lists are, is built and searched like a gate's own. Travellers who
are on no list tell how often somebody is sent to an officer for nothing, by name class; those who are on it tell how often one is missed, by
name class and by what is wrong with the entry. Document numbers would only help, so there are none. Beside it stand two simpler ways:
equal name and date as written, and names alone, which is what people complained of in 2015. ``--calibrate`` prints both rates over the
threshold instead; that is done on seed 1, and reported on another. Intervals are 95 % (Clopper and Pearson).
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rapidfuzz import fuzz, process

from benchmarks import machine
from benchmarks.population import NOW, Listing, Person, listings, name_class, travellers
from gate.registries.agreement import Agreement, agreement
from gate.registries.blocking import traveller_blocks
from gate.registries.identity import Identity, listed, traveller
from gate.registries.matching import DATED, judged, threshold
from gate.registries.names import ListedPerson, tokens
from gate.registries.sealed import SnapshotKey
from gate.registries.watchlist_index import WatchlistIndex
from gate.report.intervals import clopper_pearson

LIST = "pencegahan"
SECRET = bytes(32)
ALIKE = 90
"""Per cent of ``token_sort_ratio`` from which on names alone are taken to be one."""
ALIKE_ENTRIES, ALIKE_TRAVELLERS = 100_000, 200
"""It compares everybody with everybody, so a part must do."""
URGENT_ASKED = 2_000
THRESHOLDS = [half / 2 for half in range(36, 61)]


@dataclass(slots=True)
class Rates:
    """How often it happened, by row of the table."""

    happened: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)

    def add(self, rows: Iterable[str], happened: bool) -> None:
        for row in rows:
            self.asked[row] += 1
            self.happened[row] += happened

    def told(self) -> dict[str, dict[str, float]]:
        return {row: rate(self.happened[row], asked) for row, asked in sorted(self.asked.items())}


def rate(happened: int, asked: int) -> dict[str, float]:
    low, high = clopper_pearson(happened, asked)
    return {"of": asked, "n": happened, "rate": happened / asked if asked else 0.0, "low": low, "high": high}


# --- building, in a process of its own -------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Floors:
    """What simpler ways would say: by hash, for a million entries are many."""

    exact: set[int] = field(default_factory=set)
    names: set[int] = field(default_factory=set)
    sample: list[str] = field(default_factory=list)

    def add(self, entry: ListedPerson) -> None:
        self.exact.add(hash((entry.primary_identifier, entry.birth, entry.sex)))
        self.names.add(hash(tuple(sorted(tokens(entry.primary_identifier)))))
        if len(self.sample) < ALIKE_ENTRIES:
            self.sample.append(entry.primary_identifier)


def build(path: Path, seed: int, entries: int, asked: int) -> dict[str, Any]:
    """The index, the listed people to ask about (and more of the urgent ones), and what the floors say of travellers on no list."""
    floors, chosen, urgent, step = Floors(), [], [], max(1, entries // asked)

    def persons() -> Iterator[ListedPerson]:
        for number, each in enumerate(listings(seed, entries)):
            if number % step == 0:
                chosen.append(each)
            elif each.entry.urgent and len(urgent) < URGENT_ASKED:
                urgent.append(each)
            floors.add(each.entry)
            yield each.entry

    begun = time.monotonic()
    WatchlistIndex.build(path, SnapshotKey.derive(SECRET), persons())
    return {
        "seconds": round(time.monotonic() - begun, 1),
        "rss_mb": rss_mb(),
        "file_mb": round(path.stat().st_size / 1e6, 1),
        "chosen": (chosen, urgent),
        "floors": floors_rates(floors, chosen, [*travellers(seed, asked)]),
    }


def floors_rates(floors: Floors, chosen: Sequence[Listing], others: Sequence[Person]) -> dict[str, Any]:
    exact, names, missed, alike = Rates(), Rates(), Rates(), Rates()
    for whom in others:
        exact.add(("all",), hash((" ".join(whom.words), f"{whom.born:%y%m%d}", whom.sex)) in floors.exact)
        names.add(("all", name_class(whom.words)), hash(tuple(sorted(tokens(" ".join(whom.words))))) in floors.names)
    for whom in others[:ALIKE_TRAVELLERS]:
        best = process.extractOne(" ".join(whom.words), floors.sample, scorer=fuzz.token_sort_ratio, score_cutoff=ALIKE)
        alike.add(("all",), best is not None)
    for each in chosen:
        equal = each.entry.primary_identifier == " ".join(each.person.words) and each.entry.birth == f"{each.person.born:%y%m%d}"
        missed.add(("all",), not equal)
    return {
        "exact name and date: referred for nothing": exact.told(),
        "exact name and date: missed": missed.told(),
        "equal names alone: referred for nothing": names.told(),
        f"names alike to {ALIKE} %, {len(floors.sample)} entries: referred for nothing": alike.told(),
    }


# --- asking, in a process of its own ---------------------------------------------------------------------------------------------


def ask(path: Path, seed: int, asked: int, chosen: tuple[Sequence[Listing], Sequence[Listing]]) -> dict[str, Any]:
    """The words for travellers who are not on the list, and for those who are; what a question took."""
    index = WatchlistIndex.open(path, SnapshotKey.derive(SECRET))
    possible, hit, crowded = Rates(), Rates(), Rates()
    wall, own = [], []
    for whom in travellers(seed, asked):
        query, begun, cpu = whom.query(), time.perf_counter(), time.thread_time()
        found = index.check(query, LIST, NOW)
        wall.append((time.perf_counter() - begun) * 1000)
        own.append((time.thread_time() - cpu) * 1000)
        rows = ("all", name_class(whom.words))
        possible.add(rows, found.word != "clear")
        hit.add(rows, found.word == "hit")
        crowded.add(("all",), found.code == "many_namesakes")
    missed, sure, unblocked = Rates(), Rates(), Rates()
    sample, urgent = chosen
    for each, rows in [*((each, listed_rows(each)) for each in sample), *((each, ("urgent",)) for each in urgent)]:
        found = index.check(each.person.query(), LIST, NOW)
        missed.add(rows, found.word == "clear")
        sure.add(rows, found.word == "hit")
        direct = judged(
            agreement(traveller(each.person.query()), listed(each.entry).identity, index._bits), threshold(index.entries)
        )
        unblocked.add(rows, found.word == "clear" and direct.word != "clear")
    return {
        "referred for nothing": possible.told(),
        "of them hits": hit.told(),
        "more namesakes than are looked at": crowded.told(),
        "missed": missed.told(),
        "hits": sure.told(),
        "missed for want of a common block": unblocked.told(),
        "ms": machine.spread(wall, 3),
        "processor_ms": machine.spread(own, 3),
        "rss_mb": rss_mb(),
    }


def listed_rows(each: Listing) -> tuple[str, ...]:
    urgent = ("urgent",) if each.entry.urgent else ()
    return ("all", name_class(each.person.words), f"name: {each.name_slip}", f"birth: {each.birth_slip}", *urgent)


def calibrate(path: Path, seed: int, asked: int, chosen: tuple[Sequence[Listing], Sequence[Listing]]) -> list[dict[str, float]]:
    """Both rates over the threshold."""
    index = WatchlistIndex.open(path, SnapshotKey.derive(SECRET))
    nobody = [best_bits(index, traveller(whom.query())) for whom in travellers(seed, asked)]
    same = [considered(agreement(traveller(each.person.query()), listed(each.entry).identity, index._bits)) for each in chosen[0]]
    return [
        {
            "threshold": threshold,
            "referred_for_nothing": sum(best >= threshold for best in nobody) / len(nobody),
            "missed": sum(bits < threshold for bits in same) / len(same),
        }
        for threshold in THRESHOLDS
    ]


def best_bits(index: WatchlistIndex, asked: Identity) -> float:
    numbers = index._numbers(LIST, traveller_blocks(asked))
    return max((considered(agreement(asked, entry.identity, index._bits)) for entry in index._persons(numbers)), default=0.0)


def considered(agreed: Agreement) -> float:
    """The bits that are held against the threshold; none where a name of one word is not alike enough."""
    return 0.0 if agreed.one_word and not (agreed.birth in DATED and agreed.name > 0) else agreed.bits


def rss_mb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


# --- telling ---------------------------------------------------------------------------------------------------------------------

CLASSES = ("all", "Muhammad, Ali", "one word", "two words", "three and more")


def table(report: dict[str, Any]) -> str:
    """As Markdown."""
    asked, floors = report["asked"], report["floors"]
    lines = [("name", "referred for nothing", "of them hits", "missed", "hits")]
    lines += [(row, *(shown(asked[what].get(row)) for what in lines[0][1:])) for row in CLASSES]
    others = sorted(row for row in asked["missed"] if row not in CLASSES)
    lines += [(row, "", "", shown(asked["missed"][row]), shown(asked["hits"][row])) for row in others]
    told = [markdown(lines)]
    rows = [("a simpler way", "all", "Muhammad, Ali")]
    rows += [(what, shown(found["all"]), shown(found.get("Muhammad, Ali"))) for what, found in floors.items()]
    told.append(markdown(rows))
    cost, own = asked["ms"], asked["processor_ms"]
    told.append(
        f"{report['entries']:,} entries, {report['travellers']:,} travellers, seed {report['seed']}, threshold {report['threshold_bits']:.1f} bits; "
        f"commit {report['machine']['commit'][:12]}, load {report['machine']['load'][0]}. A question took {cost['p50']} ms (p50), {cost['p99']} ms "
        f"(p99), of the processor's time {own['p50']} ms (p50), {own['p99']} ms (p99); {asked['rss_mb']} MB resident. Missed for want of a common block: {shown(asked['missed for want of a common block']['all'])}. More namesakes than are looked at: "
        f"{shown(asked['more namesakes than are looked at']['all'])}. The file has {report['built']['file_mb']} MB; building it took "
        f"{report['built']['seconds']} s and {report['built']['rss_mb']} MB."
    )
    return "\n\n".join(told)


def shown(of: dict[str, float] | None) -> str:
    return f"{100 * of['rate']:.2f} % ({100 * of['low']:.2f}–{100 * of['high']:.2f})" if of else ""


def markdown(lines: Sequence[Sequence[str]]) -> str:
    rows = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def alone(work: Callable[..., Any], *arguments: Any) -> Any:
    """In a fresh process, so that its memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watchlist", description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--travellers", type=int, default=20_000, help="of each sort: listed, and not")
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--calibrate", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "watchlist"
        built = alone(build, path, options.seed, options.entries, options.travellers)
        chosen = built.pop("chosen")
        if options.calibrate:
            for row in alone(calibrate, path, options.seed, options.travellers, chosen):
                print(*(f"{name} {figure:.5g}" for name, figure in row.items()))
            return 0
        report = {
            "entries": options.entries,
            "travellers": options.travellers,
            "seed": options.seed,
            "threshold_bits": threshold(options.entries),
            "rapidfuzz": version("rapidfuzz"),
            "machine": machine.facts(),
            "floors": built.pop("floors"),
            "built": built,
            "asked": alone(ask, path, options.seed, options.travellers, chosen),
        }
    if options.json:
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(table(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
