"""The world of :mod:`benchmarks.outage`: a centre that fails and comes back badly, and the travellers who come to one gate meanwhile.

All of it is synthetic. What each traveller may expect is said here, by hand, and not computed by anything of the gate.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from gate.registries.contracts import CONTRACTS
from gate.registries.reference.certificates import write_identities

GATE, CHECKPOINT = "cgk-t3-1", "CGK"
START_S, STOP_S = 20.0, 5.0
Bar = Callable[[datetime], bool]
"""Whether somebody may not pass by the machine at a moment, by what the registries knew before the network went."""


def _never(_: datetime) -> bool:
    return False


def _always(_: datetime) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """``kind``: the row of the table. ``books``: by registry, what it holds of their book. ``later``: barred by news that came too late for
    any snapshot."""

    kind: str
    direction: str
    number: str
    name: tuple[str, str]
    state: str = "IDN"
    code: str = "P"
    birth: str = "800101"
    sex: str = "F"
    books: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    barred: Bar = _never
    later: Bar = _never

    @property
    def clean(self) -> bool:
        """Nothing ever stands against them."""
        return self.barred is _never and self.later is _never


def cast(failed: datetime) -> list[Person]:
    """Everybody who comes: clean ones of each class both ways, and one for each thing that may stand against somebody."""
    days = [(failed + timedelta(days=day)).date().isoformat() for day in range(-1, 5)]
    return [
        *_clean("citizen, ordinary", "P", "X1", days),
        *_clean("citizen, service", "PO", "S1", days),
        *_clean("citizen, diplomatic", "PD", "D1", days),
        *_foreigners(days),
        *_barred(failed, days),
    ]


def _issued(document_class: str, **changed: Any) -> dict[str, Any]:
    return {"status": "active", "document_class": document_class, "chip": True} | changed


def _book(document_class: str, days: list[str], direction: str, **changed: Any) -> dict[str, list[dict[str, Any]]]:
    """What all registries hold of a book that may cross."""
    books: dict[str, list[dict[str, Any]]] = {"issuance": [_issued(document_class, **changed)]}
    if document_class != "ordinary":
        captured = {"status": "active", "document_class": document_class, "biometric_recorded": True}
        books["connected_one"] = [captured]
        if direction == "departure":
            books["exit_permit"] = [{"kind": "multiple", "document_class": document_class, "valid_to": days[-1]}]
    if direction == "arrival":
        books["arrival_declaration"] = [{"arrival": day} for day in days]
    return books


def _clean(kind: str, code: str, number: str, days: list[str]) -> list[Person]:
    document_class = kind.rpartition(" ")[2]
    return [
        Person(
            kind=kind,
            direction=direction,
            code=code,
            number=f"{number}{direction[0].upper()}0001",
            name=("WIBOWO", f"RATNA {document_class[:3].upper()}"),
            books=_book(document_class, days, direction),
        )
        for direction in ("departure", "arrival")
    ]


def _foreigners(days: list[str]) -> list[Person]:
    permit = {"kind": "e_voa", "valid_to": days[-1]}
    return [
        Person(
            kind="foreigner, e-VoA",
            direction=direction,
            state="AUS",
            number=f"N1{direction[0].upper()}0001",
            name=("FERNLEIGH", "MARGOT"),
            books={"stay_permit": [permit], "arrival_declaration": [{"arrival": day} for day in days]},
        )
        for direction in ("departure", "arrival")
    ]


def _barred(failed: datetime, days: list[str]) -> list[Person]:
    """Whoever has something against them. Those who stand on a list are found there by name, see :func:`listed`."""

    def citizen(kind: str, name: tuple[str, str], number: str, direction: str = "departure", **changed: Any) -> Person:
        books = changed.pop("books", _book("ordinary", days, direction))
        return Person(kind=kind, direction=direction, number=number, name=name, books=books, **{"barred": _always} | changed)

    def official(kind: str, number: str, **replaced: list[dict[str, Any]]) -> Person:
        books = _book("service", days, "departure") | replaced
        return citizen(kind, ("PRASOJO", "DEWANTI"), number, code="PO", books=books)

    overstayed = {"stay_permit": [{"kind": "e_voa", "valid_to": days[0]}]}
    hours = timedelta(hours=1)
    return [
        citizen("revoked", ("LAKSANA", "GIRI"), "B0000001", books=_book("ordinary", days, "departure", status="revoked")),
        citizen("reported lost", ("LAKSANA", "GIRI"), "B0000002", books=_book("ordinary", days, "departure", status="lost")),
        citizen("unknown to its issuer", ("LAKSANA", "GIRI"), "B0000003", books={}),
        citizen(
            "stolen (SLTD)",
            ("LAKSANA", "GIRI"),
            "B0000004",
            books=_book("ordinary", days, "departure") | {"lost_and_stolen": [{}]},
        ),
        citizen("pencegahan", ("HARUMIKA", "SENJA"), "B0000005"),
        citizen("pencegahan, urgent, ends", ("TUNGGAWIJAYA", "ELOK"), "B0000006", barred=lambda now: now < failed + 3 * hours),
        citizen("pencegahan, begins", ("KUSUMOPUTRO", "BANYU"), "B0000007", barred=lambda now: now >= failed + 2 * hours),
        citizen("wanted", ("ZULQARNAEN", "FITRAH"), "B0000008"),
        Person(
            kind="penangkalan, foreigner",
            direction="arrival",
            state="AUS",
            number="B0000009",
            name=("OSTERHOUDT", "BRAM"),
            books={
                "stay_permit": [{"kind": "e_voa", "valid_to": days[-1]}],
                "arrival_declaration": [{"arrival": day} for day in days],
            },
            barred=_always,
        ),
        Person(
            kind="overstay",
            direction="departure",
            state="AUS",
            number="B0000010",
            name=("FERNLEIGH", "MARGOT"),
            books=overstayed,
            barred=_always,
        ),
        official("no exit permit", "B0000011", exit_permit=[]),
        official("exit permit used", "B0000012", exit_permit=[{"document_class": "service", "valid_to": days[-1], "used": True}]),
        official("exit permit expired", "B0000013", exit_permit=[{"document_class": "service", "valid_to": days[0]}]),
        official(
            "no biometric record",
            "B0000014",
            connected_one=[{"status": "active", "document_class": "service", "biometric_recorded": False}],
        ),
        citizen("revoked too late", ("LAKSANA", "GIRI"), "B0000015", barred=_never, later=lambda now: now >= failed + hours),
    ]


def listed(failed: datetime) -> list[dict[str, Any]]:
    """The lists, as they stand before the network goes."""
    year, hour = timedelta(days=365), timedelta(hours=1)

    def entry(name: str, primary: str, secondary: str, begins: datetime, ends: datetime, **more: Any) -> dict[str, Any]:
        person = {"list": name, "primary_identifier": primary, "secondary_identifier": secondary, "birth": "800101", "sex": "F"}
        return person | {"valid_from": begins.isoformat(), "valid_to": ends.isoformat()} | more

    return [
        entry("pencegahan", "HARUMIKA", "SENJA", failed - year / 4, failed + year / 4),
        entry("pencegahan", "TUNGGAWIJAYA", "ELOK", failed + 3 * hour - timedelta(days=20), failed + year / 4, urgent=True),
        entry("pencegahan", "KUSUMOPUTRO", "BANYU", failed + 2 * hour, failed + year / 4),
        entry("wanted", "ZULQARNAEN", "FITRAH", failed - year, failed + year),
        entry("penangkalan", "OSTERHOUDT", "BRAM", failed - year, failed + 9 * year),
    ]


class Centre:
    """The reference server, as a process that comes and goes, always at the same port, with certificates and keys of this run."""

    def __init__(self, folder: Path, persons: list[Person], people: list[dict[str, Any]]) -> None:
        self.folder, self._persons, self._people = folder, persons, people
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        write_identities(folder, GATE)

    def tell(self, now: datetime, version: int, **behaviour: dict[str, Any]) -> None:
        """What it knows and how it behaves from now on; ``all_`` stands for every registry."""
        for_all = behaviour.pop("all_", {})
        books: dict[str, list[dict[str, Any]]] = {}
        for person in self._persons:
            for registry, records in person.books.items():
                if person.later(now) and registry == "issuance":
                    records = [record | {"status": "revoked"} for record in records]  # noqa: PLW2901 - the news of today
                book = {"issuing_state": person.state, "document_number": person.number, "records": records}
                books.setdefault(registry, []).append(book)
        data = {
            "now": now.isoformat(),
            "books": books,
            "watchlist": self._people,
            "snapshots": {"version": version},
            "behaviour": {name: for_all | behaviour.get(name, {}) for name in CONTRACTS},
        }
        part = self.folder / "data.part"
        part.write_text(json.dumps(data), encoding="utf-8")
        part.replace(self.folder / "data.json")

    def start(self) -> None:
        """Come up, over what was last told, with the crossings of before; nothing where it is up."""
        if self._process is not None:
            return
        ready = self.folder / "ready"
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "gate.registries.reference_server", "--port", str(self.port)]
        for option, name in (
            ("data", "data.json"),
            ("keys", "keys"),
            ("tls", "tls"),
            ("ready-file", "ready"),
            ("crossings", "crossings.jsonl"),
        ):
            command += [f"--{option}", str(self.folder / name)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log)
        give_up = time.monotonic() + START_S
        while not ready.exists():
            if self._process.poll() is not None or time.monotonic() > give_up:
                self.stop()
                raise RuntimeError("the reference server did not start")
            time.sleep(0.02)
        self.port = int(json.loads(ready.read_text(encoding="ascii"))["port"])

    def stop(self) -> None:
        """Be gone."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def crossings(self) -> list[tuple[str, str]]:
        """What was recorded: id and end, in the order of arrival."""
        path = self.folder / "crossings.jsonl"
        told = [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []
        return [(each["transaction"], each["ended"]) for each in told]
