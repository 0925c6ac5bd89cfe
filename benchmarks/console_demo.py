"""``python -m benchmarks.console_demo [--only NAME …]``: the demonstration's travellers, and an officer who rules on whoever waits.

The demonstration runs as it ships, all its processes; the officer signs in at its console over HTTP, watches the lane there, and signs with a
software authenticator. Whoever is referred inside is resolved in each way that the console offers; whoever was referred before the entry never
came in, so that no order can be about them. In the end the table of README.md, the log and the registry of crossings are held against what was
ordered. Exit status 1 where they differ.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import machine
from benchmarks.authenticator import Authenticator
from benchmarks.soak_cases import Case
from gate.audit.log import FILE_NAME, KEY_FILE, decode, gate_key, open_readonly
from gate.console.acts import actions, challenge
from gate.console.assertion import Assertion, decoded, encoded, prove, public_key
from gate.demo.cast import DEFAULT_CAST, load_cast
from gate.records import OfficerActed

LANE, OFFICER = "demo-1", "Sari"
LIMIT_S, LOOK_S = 240.0, 0.1
WAYS: Mapping[str, tuple[str, ...]] = {
    "borrowed": ("pass",),
    "borrowed-counter": ("counter",),
    "borrowed-secondary": ("secondary",),
    "borrowed-eject": ("eject",),
    "borrowed-hold": ("hold", "pass"),
}
"""What the officer does with each holder of somebody else's passport, one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a run left behind. ``travellers``: by id, what the demonstration says of each; ``orders``: what the log holds of officers."""

    travellers: Mapping[str, Mapping[str, Any]]
    crossings: Sequence[str]
    orders: Sequence[OfficerActed]
    ruled: Mapping[str, Sequence[str]]
    """By transaction, the actions that its record tells."""
    chain: Sequence[str]


class Desk:
    """An officer's end of the console."""

    def __init__(self, port: int, key: Authenticator) -> None:
        self._port, self._key, self._origin, self._cookie = port, key, f"http://localhost:{port}", ""

    def _ask(self, method: str, path: str, told: Any = None) -> tuple[int, Any]:
        line = HTTPConnection("127.0.0.1", self._port, timeout=LIMIT_S)
        with contextlib.closing(line):
            headers = {"Host": f"localhost:{self._port}", "Origin": self._origin, "Content-Type": "application/json"}
            line.request(method, path, None if told is None else json.dumps(told), headers | {"Cookie": self._cookie})
            answer = line.getresponse()
            if cookie := answer.getheader("set-cookie"):
                self._cookie = cookie.partition(";")[0]
            return answer.status, json.loads(answer.read())

    def _signed(self, signed: str) -> dict[str, str]:
        parts = self._key.sign(decoded(signed), self._origin)
        return {name: encoded(part) for name, part in parts.items()} | {"credential": self._key.credential}

    def sign_in(self) -> None:
        """Until the lane has the officer on watch. Raises TimeoutError."""
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, HTTPException):
                _, begun = self._ask("POST", "/signin/begin", {})
                signed = {"challenge": begun["challenge"]} | self._signed(begun["challenge"])
                status, told = self._ask("POST", "/signin", signed)
                if status == 200 and any(not each["refused"] for each in told["watch"]):
                    return
            time.sleep(LOOK_S)
        raise TimeoutError("nobody came on watch")

    def rule(self, transaction: str, action: str) -> str:
        """Order ``action``; why it was refused, empty where it was not."""
        reason = actions()[action].reasons[0]
        told = {"lane": LANE, "action": action, "reason": reason, "transaction": transaction}
        status, prepared = self._ask("POST", "/prepare", told)
        if status != 200:
            return str(prepared["refused"])
        _, answered = self._ask("POST", "/act", told | {"nonce": prepared["nonce"]} | self._signed(prepared["challenge"]))
        return str(answered["refused"])

    def seen(self) -> Iterator[Mapping[str, Any]]:
        """The lane, each time that it changes; ends with the console."""
        line = HTTPConnection("127.0.0.1", self._port, timeout=LIMIT_S)
        with contextlib.closing(line), contextlib.suppress(OSError, HTTPException):
            line.request("GET", "/events", headers={"Host": f"localhost:{self._port}", "Cookie": self._cookie})
            event = b""
            for text in line.getresponse():
                name, _, value = text.rstrip(b"\n").partition(b": ")
                event = value if name == b"event" else event
                if name == b"data" and event == b"lane0":
                    yield json.loads(value)


def officer_at_work(desk: Desk, ways: Sequence[tuple[str, ...]], refused: list[str]) -> None:
    """Rule on whoever waits, in the given ways, one traveller after the other."""
    desk.sign_in()
    left, ruled = list(ways), set[str]()
    for lane in desk.seen():
        case = lane.get("case") or {}
        if lane.get("state") == "hold" and case.get("transaction") not in ruled and left:
            ruled.add(case["transaction"])
            told = ((action, desk.rule(case["transaction"], action)) for action in left.pop(0))
            refused += [f"{action}: {why}" for action, why in told if why]


def write_cast(path: Path, only: Sequence[str]) -> list[str]:
    """The demonstration's cast, with a holder of somebody else's passport for each way; the ids in it."""
    parts = re.split(r"(?=\[\[traveller\]\])", DEFAULT_CAST.read_text(encoding="utf-8"))
    borrowed = next(part for part in parts if 'id = "borrowed"' in part)
    for number, name in enumerate(WAYS):
        if name != "borrowed":
            parts.append(borrowed.replace('id = "borrowed"', f'id = "{name}"').replace("X1000006", f"X10001{number:02}"))
    chosen = [part for part in parts[1:] if not only or any(f'id = "{name}"\n' in part for name in only)]
    path.write_text(parts[0] + "".join(chosen), encoding="utf-8")
    return [traveller.id for traveller in load_cast(path).traveller]


def run(folder: Path, only: Sequence[str] = ()) -> list[str]:
    """The whole demonstration; what is not as it must be."""
    (folder / "state").mkdir()
    names = write_cast(folder / "cast.toml", only)
    key = Authenticator(OFFICER)
    (folder / "officers.json").write_bytes(msgspec.json.encode({"officers": [key.officer()]}))
    console, traveller, page = machine.free_ports(3)
    command = [sys.executable, "-m", "gate", "demo", "--headless", "--once", "--cast", str(folder / "cast.toml")]
    command += ["--state", str(folder / "state"), "--json", str(folder / "out.json"), "--console", str(console)]
    command += ["--officers", str(folder / "officers.json"), "--traveller-port", str(traveller), "--officer-port", str(page)]
    refused: list[str] = []
    ways = [WAYS[name] for name in names if name in WAYS]
    officer = threading.Thread(target=officer_at_work, args=(Desk(console, key), ways, refused), daemon=True)
    officer.start()
    with (folder / "output").open("wb") as output:
        ended = subprocess.run(command, stdout=output, stderr=output, env={**os.environ, "TMPDIR": str(folder)}, check=False)
    officer.join(LIMIT_S)
    if ended.returncode:
        return [f"the demonstration ended with {ended.returncode}: {(folder / 'output').read_text(errors='replace')[-2000:]}"]
    told = left_behind(folder)
    proofs = [
        f"order {each.action} proves nothing" for each in told.orders if not proves(each, key, f"http://localhost:{console}")
    ]
    return [*(f"refused: {each}" for each in refused), *proofs, *judged(told, expected())]


def left_behind(folder: Path) -> Told:
    out = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    state = folder / "state"
    with open_readonly(state / FILE_NAME, gate_key(state / KEY_FILE)) as log:
        chain = [f"record {found.seq}: {found.what}" for found in log.verify()]
        orders = [decode(record, OfficerActed) for record in log.records("officer")]
        ruled = {record.transaction: [each.action for each in record.ruled] for record in log.transactions()}
    travellers = {each["traveller"]: each for each in out["transactions"]}
    return Told(travellers=travellers, crossings=out["crossings"], orders=orders, ruled=ruled, chain=chain)


def proves(order: OfficerActed, key: Authenticator, origin: str) -> bool:
    """Whether what the log kept of an order holds against the officer's public key."""

    data, client, signature = (base64.b64decode(part) for part in order.proof)
    signed = challenge(
        action=order.action, transaction=order.transaction, lane=LANE, reason=order.reason, nonce=bytes.fromhex(order.nonce)
    )
    assertion = Assertion(authenticator_data=data, client_data=client, signature=signature)
    return prove(assertion, key=public_key(key.officer().key), challenge=signed, origin=origin).refused is None


def expected(readme: Path = machine.REPOSITORY / "README.md") -> dict[str, tuple[str, tuple[str, ...]]]:
    """Outcome and reasons by title, as the table of README.md has them."""
    table = readme.read_text(encoding="utf-8").partition("<!-- demo-table -->")[2].partition("<!-- /demo-table -->")[0]
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for line in table.splitlines():
        if row := re.fullmatch(r"(.+?) {2,}([A-Z]+) +(.+?) +[\d.]+", line):
            reasons = () if row[3].startswith("tolerated") else tuple(row[3].split(", "))
            found[row[1]] = (row[2], reasons)
    return found


def judged(told: Told, table: Mapping[str, tuple[str, tuple[str, ...]]]) -> Iterator[str]:
    """What of ``told`` is not as it must be."""
    yield from told.chain
    orders = Counter((each.transaction, each.action) for each in told.orders if not each.refused)
    for name, traveller in told.travellers.items():
        transaction, wanted = traveller["transaction"], WAYS.get(name, ())
        outcome, reasons = table[traveller["title"]]
        if (traveller["outcome"], tuple(traveller["reasons"])) != (outcome, reasons):
            yield f"{name}: {traveller['outcome']} {traveller['reasons']}, not {outcome} {reasons}"
        if told.ruled.get(transaction) != list(wanted):
            yield f"{name}: its record tells {told.ruled.get(transaction)}, not {list(wanted)}"
        found = [action for (about, action), times in orders.items() if about == transaction for _ in range(times)]
        if sorted(found) != sorted(wanted):
            yield f"{name}: the log holds {found}, not {list(wanted)}"
        crossed = transaction in told.crossings
        if crossed != (outcome == "OPEN" or "pass" in wanted):
            yield f"{name}: {'a crossing' if crossed else 'no crossing'} is known of them"
    if len(set(told.crossings)) < len(told.crossings):
        yield "a crossing was told twice"


@contextmanager
def demonstrations() -> Iterator[Case]:
    """For the soak: a case is the whole demonstration."""

    def case(_dice: object) -> str:
        with tempfile.TemporaryDirectory(prefix="cd-") as folder:
            found = run(Path(folder))
        assert found == [], found
        return "resolved"

    yield case


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.console_demo", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", default=(), help=f"travellers of the cast, or of {', '.join(WAYS)}")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cd-") as folder:
        found = run(Path(folder), options.only)
    print(*found or ["as it must be"], sep="\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
