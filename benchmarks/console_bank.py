"""``python -m benchmarks.console_bank``: one officer before a bank of lanes at full traffic: what a lane tells until it stands on the screen, and
what the console's process costs.

The console's real process and a real Chromium on this machine, and lanes that tell what lanes tell: the way of a traveller every fifteen
seconds each, one in ten referred. A change counts as seen when the frame after the one that drew it begins.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import msgspec
from playwright.async_api import Page, async_playwright

from benchmarks import machine
from benchmarks.authenticator import Authenticator, put_in_force
from benchmarks.screens import CHROMIUM, FLAGS
from gate.console.acts import offered
from gate.console.app import COOKIE
from gate.console.assertion import decoded, encoded
from gate.outcome import Outcome
from gate.processes import channel
from gate.processes.messages import Join
from gate.processes.officer_messages import AskNonce, ConsoleView, NonceGiven, OfficerWatch, WatchAnswered
from gate.runtime import RUNTIME_FILE, Runtime
from gate.ui.serve import listen

LANES, SECONDS = 10, 30.0
TO_PIXELS_MS, OF_A_CORE = 200.0, 0.15
EACH_S, REFERRED = 15.0, 0.1
"""A traveller at a lane, and how many of them wait for an officer."""
WAY = ("document", "entry_open", "entry_close", "capture", "decide", "exit_open", "exit_close", "idle")
VIEWS_EACH = 2
"""What changes beside a state and is told, too: somebody steps in or out."""
START_S = 20.0
CONFIG = """\
profile = "demo"
state_dir = "{folder}/0"
[lane]
id = "bench-0"
checkpoint = "CGK"
direction = "departure"
[scanner]
kind = "simulator"
address = "world"
[camera]
kind = "simulator"
address = "world"
[controller]
device = "controller.tty"
[face]
pack = "demo"
packs_dir = "packs"
[trust]
store = "{folder}/trust"
[console]
port = {port}
roster = "{folder}/roster"
signers = {signers}
lanes = {lanes}
"""
WATCH = """
window.seen = [];
addEventListener("DOMContentLoaded", () => new MutationObserver((changes) => {
  for (const { target } of changes) if (target.id === "tiles") for (const tile of target.children) {
    const at = `${tile.dataset.lane} ${tile.dataset.state}`;
    if (tile.dataset.state && seen.last?.[tile.dataset.lane] !== at) {
      (seen.last ??= {})[tile.dataset.lane] = at;
      requestAnimationFrame(() => requestAnimationFrame(() => seen.push([at, performance.timeOrigin + performance.now()])));
    }
  }
}).observe(document.documentElement, { childList: true, subtree: true }));
"""


class ToldLane:
    """A lane's socket for a console."""

    def __init__(self, number: int, folder: Path) -> None:
        self.name, self.state, self._runtime = f"bench-{number}", folder / str(number), Runtime.create()
        self.state.mkdir()
        self._runtime.secret_file_for("console")
        (self.state / RUNTIME_FILE).write_text(str(self._runtime.folder), encoding="utf-8")
        self._peers: set[channel.Channel] = set()
        self._view = ConsoleView(
            lane=self.name, checkpoint="CGK", direction="departure", profile="demo", state="idle", since=0.0, supervised=True
        )
        self.told: list[tuple[str, float]] = []

    async def start(self) -> None:
        self._server = await channel.serve(self._runtime.lane_socket, self._runtime.secret, self._on_peer)

    def stop(self) -> None:
        self._server.close()
        self._runtime.remove()

    async def _on_peer(self, _: Join, peer: channel.Channel) -> None:
        self._peers.add(peer)
        peer.tell(self._view)
        while True:
            match await peer.receive():
                case AskNonce(request=request):
                    peer.tell(NonceGiven(request=request, nonce=os.urandom(32), transaction=""))
                case OfficerWatch(nonce=nonce):
                    peer.tell(WatchAnswered(nonce=nonce, officer="Sari", seconds=1800.0))

    def tell(self, state: str, **changes: Any) -> None:
        boot = time.clock_gettime(time.CLOCK_BOOTTIME)
        came = {"state": state, "since": boot, "offers": offered(state), "watching": {"Sari": boot + 1800}}
        if state != self._view.state:
            self.told.append((f"{self.name} {state}", time.time() * 1000))
        self._view = msgspec.structs.replace(self._view, **(came | changes))
        for peer in self._peers:
            peer.tell(self._view)

    async def work(self, dice: random.Random) -> None:
        """Traveller after traveller, until cancelled."""
        number = 0
        await asyncio.sleep(dice.uniform(0, EACH_S))
        while True:
            number += 1
            waits = dice.random() < REFERRED
            way = [*WAY[:4], "hold", "eject", "eject_close", "idle"] if waits else WAY
            for state in way:
                transaction = "" if state == "idle" else f"{self.name}-{number}"
                outcome = Outcome.SECONDARY if state == "hold" else None
                self.tell(state, transaction=transaction, outcome=outcome, reasons=("FACE_NO_MATCH",) if outcome else ())
                for inside in ("0", "1")[:VIEWS_EACH]:
                    await asyncio.sleep(EACH_S / len(way) / VIEWS_EACH * dice.uniform(0.5, 1.5))
                    self.tell(state, occupancy=inside)


@asynccontextmanager
async def console(folder: Path, lanes: list[ToldLane]) -> AsyncIterator[tuple[int, str, str]]:
    """The console's process: its id, its address, and the cookie of an officer who signed in."""
    key = Authenticator("Sari")
    signers = put_in_force(folder / "roster", [key])
    (folder / "trust").mkdir()
    (folder / "trust" / "DEMO").touch()
    listener = listen(0)
    port = listener.getsockname()[1]
    listener.close()
    others = json.dumps([str(lane.state) for lane in lanes[1:]])
    config = folder / "gate.toml"
    config.write_text(CONFIG.format(folder=folder, port=port, signers=json.dumps(signers), lanes=others), encoding="utf-8")
    command = [sys.executable, "-m", "gate.console.serve", "--config", str(config), "--ready-file", str(folder / "ready")]
    process = await asyncio.create_subprocess_exec(*command, cwd=machine.REPOSITORY)
    try:
        async with asyncio.timeout(START_S):
            while not (folder / "ready").exists() or not all(lane._peers for lane in lanes):  # noqa: ASYNC110 - a file says that it is ready
                await asyncio.sleep(0.05)
        address = f"http://localhost:{port}"
        yield process.pid, address, await asyncio.to_thread(signed_in, key, port, address)
    finally:
        process.terminate()
        await process.wait()


def signed_in(key: Authenticator, port: int, origin: str) -> str:
    """The token of a session."""

    def post(path: str, told: dict[str, str]) -> tuple[dict[str, str], dict[str, Any]]:
        line = HTTPConnection("127.0.0.1", port, timeout=START_S)
        headers = {"Host": f"localhost:{port}", "Origin": origin, "Content-Type": "application/json"}
        line.request("POST", path, json.dumps(told), headers)
        answer = line.getresponse()
        heard = dict(answer.getheaders()), json.loads(answer.read())
        line.close()
        return heard

    challenge = post("/signin/begin", {})[1]["challenge"]
    proof = {name: encoded(part) for name, part in key.sign(decoded(challenge), origin).items()}
    headers, _ = post("/signin", {"challenge": challenge, "credential": key.credential} | proof)
    return headers["set-cookie"].partition(";")[0].partition("=")[2]


async def opened(page: Page, address: str, token: str, lanes: int) -> None:
    await page.add_init_script(WATCH)
    await page.context.add_cookies([{"name": COOKIE, "value": token, "url": address}])
    await page.goto(address)
    await page.locator(".tile").nth(lanes - 1).wait_for()


def cpu_s(pid: int) -> float:
    """Seconds of the processor that the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(count: int, seconds: float) -> dict[str, Any]:
    """Delays and cost at ``count`` lanes, with a page that is looked at."""
    with tempfile.TemporaryDirectory(prefix="autogate-bank-") as name:
        lanes = [ToldLane(number, Path(name)) for number in range(count)]
        for lane in lanes:
            await lane.start()
        async with console(Path(name), lanes) as (pid, address, token), async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = await browser.new_page(viewport={"width": 1280, "height": 800})
            await opened(page, address, token, count)
            working = [asyncio.create_task(lane.work(random.Random(number))) for number, lane in enumerate(lanes)]
            before, began = cpu_s(pid), time.monotonic()
            await asyncio.sleep(seconds)
            used = (cpu_s(pid) - before) / (time.monotonic() - began)
            for task in working:
                task.cancel()
            await asyncio.sleep(1)
            seen = await page.evaluate("seen.map((each) => each)")
            await browser.close()
        for lane in lanes:
            lane.stop()
    return told_of(lanes, seen) | {"console, of a core": round(used, 4)}


def told_of(lanes: list[ToldLane], seen: list[tuple[str, float]]) -> dict[str, Any]:
    """How long each change took; one that was over before a frame could show it is counted apart."""
    delays, missed = [], 0
    for lane in lanes:
        shown = [(word, at) for word, at in seen if word.startswith(f"{lane.name} ")]
        for number, (word, at) in enumerate(lane.told):
            following = lane.told[number + 1][1] if number + 1 < len(lane.told) else float("inf")
            found = next((then for name, then in shown if name == word and then >= at), None)
            if found is None or (found > following + TO_PIXELS_MS * 5):
                missed += 1
            else:
                delays.append(found - at)
    return {"changes": len(delays), "not seen": missed, "change to pixels, ms": machine.spread(delays)}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.console_bank", description=__doc__)
    parser.add_argument("--lanes", type=int, default=LANES)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with machine.Hiccups() as hiccups:
        told = asyncio.run(measure(options.lanes, options.seconds))
    goals = {
        f"change to pixels ≤ {TO_PIXELS_MS:.0f} ms, 99th percentile": told["change to pixels, ms"]["p99"] <= TO_PIXELS_MS,
        f"console ≤ {OF_A_CORE:.0%} of a core": told["console, of a core"] <= OF_A_CORE,
        "every change was seen": told["not seen"] == 0,
    }
    report = {"machine": machine.facts(), "lanes": options.lanes, "bank": told, "hiccups, ms": hiccups.spread(), "goals": goals}
    print(json.dumps(report, indent=2, ensure_ascii=False))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if all(goals.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
