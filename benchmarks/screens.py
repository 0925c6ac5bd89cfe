"""How soon people see what happens: first paint of the traveller's page, and from what the lane tells until it stands on the screen.

The page's real process, a real Chromium on the same machine, and a lane that tells one screen after another. A change counts as seen when
the frame after the one that drew it begins, so figures are a frame (17 ms) too high rather than too low.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, get_args

from playwright.async_api import Browser, async_playwright

from benchmarks import machine
from benchmarks.progress import bar
from gate.processes import channel
from gate.processes.messages import AnyMessage, Join, TravellerScreen, TravellerView

SECRET = "bench"
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"]
PANEL = {"width": 1080, "height": 1920}
LOADS, CHANGES = 20, 200
FIRST_PAINT_MS, TO_PIXELS_MS = 300, 100
START_S = 10.0
PAUSE_S = (0.05, 0.25)
"""Between two changes, at random, so that they fall anywhere between two frames."""

WATCH = """
window.pixels = [];
let waiting = () => {};
const seen = (word) => { pixels.push([word, performance.timeOrigin + performance.now()]); waiting(); };
const drawn = ([{ target }]) => { const word = target.dataset.screen; requestAnimationFrame(() => requestAnimationFrame(() => seen(word))); };
window.until = (count) => new Promise((done) => { waiting = () => pixels.length >= count && done(pixels[count - 1]); waiting(); });
addEventListener("DOMContentLoaded", () =>
  new MutationObserver(drawn).observe(document.querySelector("main"), { attributes: true, attributeFilter: ["data-screen"] }));
"""
FIRST_PAINT = """() => new Promise((done) => new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (entry.name === "first-contentful-paint") done(entry.startTime);
}).observe({ type: "paint", buffered: true }))"""


class ToldLane:
    """A lane's socket for one screen."""

    def __init__(self) -> None:
        self._peer: channel.Channel | None = None
        self.joined = asyncio.Event()

    async def on_peer(self, _: Join, peer: channel.Channel) -> None:
        self._peer = peer
        self.joined.set()
        while True:
            await peer.receive()

    def tell(self, message: AnyMessage) -> None:
        assert self._peer is not None
        self._peer.tell(message)


@asynccontextmanager
async def page_server() -> AsyncIterator[tuple[str, ToldLane]]:
    """The traveller's listener in a process of its own, and the lane that it follows."""
    lane = ToldLane()
    with tempfile.TemporaryDirectory(prefix="autogate-screens-") as name:
        folder = Path(name)
        (folder / "secret").write_text(channel.role_secret(SECRET, "traveller_screen"), encoding="ascii")
        server = await channel.serve(folder / "lane.sock", SECRET, lane.on_peer)
        command = [sys.executable, "-m", "gate.ui.serve", "traveller", "--lane", str(folder / "lane.sock"), "--port", "0"]
        options = ["--secret-file", str(folder / "secret"), "--ready-file", str(folder / "ready"), "--touch", "--more-time"]
        process = await asyncio.create_subprocess_exec(*command, *options, cwd=machine.REPOSITORY)
        try:
            async with asyncio.timeout(START_S):
                await lane.joined.wait()
            yield f"http://127.0.0.1:{json.loads((folder / 'ready').read_text())['port']}/", lane
        finally:
            process.terminate()
            await process.wait()
            server.close()


async def first_paints(browser: Browser, address: str, loads: int) -> list[float]:
    """Milliseconds from the navigation to the first picture, each time in a browser's profile of its own."""
    told = []
    for _ in bar(range(loads), "loads"):
        context = await browser.new_context(viewport=PANEL)
        page = await context.new_page()
        await page.goto(address)
        told.append(float(await page.evaluate(FIRST_PAINT)))
        await context.close()
    return told


async def to_pixels(browser: Browser, address: str, lane: ToldLane, changes: int) -> list[float]:
    """Milliseconds from what the lane tells until it stands on the screen."""
    page = await browser.new_page(viewport=PANEL)
    await page.add_init_script(WATCH)
    lane.tell(TravellerView(screen="closed"))
    await page.goto(address)
    words: list[TravellerScreen] = [word for word in get_args(TravellerScreen) if word != "closed"]
    told, seen = [], int(await page.evaluate("pixels.length"))
    for number in bar(range(changes), "changes"):
        await asyncio.sleep(random.uniform(*PAUSE_S))
        word = words[number % len(words)]
        began = time.time()
        lane.tell(TravellerView(screen=word))
        shown, at = await page.evaluate("(count) => until(count)", seen + number + 1)
        assert shown == word, f"{shown} was shown instead of {word}"
        told.append(at - began * 1000)
    await page.close()
    return told


async def traveller(loads: int = LOADS, changes: int = CHANGES) -> dict[str, Any]:
    """Both figures of the traveller's page."""
    async with page_server() as (address, lane), async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        paints, pixels = await first_paints(browser, address, loads), await to_pixels(browser, address, lane, changes)
        await browser.close()
    return {"first paint, ms": machine.spread(paints), "change to pixels, ms": machine.spread(pixels)}


def goals(told: dict[str, Any]) -> dict[str, bool]:
    """Which goal is met, by the 99th percentile."""
    return {
        f"first paint ≤ {FIRST_PAINT_MS} ms": told["first paint, ms"]["p99"] <= FIRST_PAINT_MS,
        f"change to pixels ≤ {TO_PIXELS_MS} ms": told["change to pixels, ms"]["p99"] <= TO_PIXELS_MS,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.screens", description=__doc__)
    parser.add_argument("--loads", type=int, default=LOADS)
    parser.add_argument("--changes", type=int, default=CHANGES)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with machine.Hiccups() as hiccups:
        told = asyncio.run(traveller(options.loads, options.changes))
    report = {"machine": machine.facts(), "traveller": told, "hiccups, ms": hiccups.spread(), "goals": goals(told)}
    print(json.dumps(report, indent=2, ensure_ascii=False))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if all(report["goals"].values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
