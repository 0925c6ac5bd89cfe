"""A stand-in for the lane on its real socket, the real page servers in processes of their own, and a real Chromium."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path

import msgspec
import pytest

from gate.decision import Outcome, PolicyDecision
from gate.evidence import CheckResult, Direction, Evidence, Fact, Stage
from gate.processes import channel
from gate.processes.messages import EndedTransaction, OfficerView, TravellerView
from gate.records import DecisionRecord, StageTiming, TransactionRecord

SECRET = "stand-in"
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",  # as a kiosk is started
]


class StandInLane:
    """Sends each screen the view it was told last, like the lane does. Runs in a thread with a loop of its own."""

    def __init__(self, path: Path) -> None:
        self.path, self.peers, self.views, self.heard = path, [], {}, []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._server = None
        self.start()

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(5)

    async def _peer(self, join, peer) -> None:
        self.peers.append((join.role, peer))
        if join.role in self.views:
            await self._tell(peer, self.views[join.role])
        try:
            while True:
                self.heard.append((join.role, await peer.receive()))
        finally:
            self.peers.remove((join.role, peer))

    async def _tell(self, peer, message) -> None:
        """As the lane does: who ended in a message of its own, before the view."""
        if isinstance(message, OfficerView):
            for record in reversed(message.ended):
                await peer.send(EndedTransaction(record=record))
            message = msgspec.structs.replace(message, ended=())
        await peer.send(message)

    def start(self) -> None:
        self._server = self._run(channel.serve(self.path, SECRET, self._peer))

    def show(self, view) -> None:
        role = "traveller_screen" if isinstance(view, TravellerView) else "officer_screen"
        self.send(role, view)

    def send(self, role, message) -> None:
        self.views[role] = message

        async def everyone():
            for joined, peer in list(self.peers):
                if joined == role:
                    await self._tell(peer, message)

        self._run(everyone())

    def stop(self) -> None:
        """Die as a process does: nobody listens, every connection is gone."""

        async def hang_up():
            self._server.close()
            for _, peer in list(self.peers):
                await peer.close()

        self._run(hang_up())
        self.path.unlink(missing_ok=True)

    def end(self) -> None:
        self.stop()

        async def settle():
            rest = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.wait(rest, timeout=3) if rest else None

        self._run(settle())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


@pytest.fixture(scope="session")
def lane(tmp_path_factory):
    lane = StandInLane(tmp_path_factory.mktemp("lane") / "lane.sock")
    yield lane
    lane.end()


@pytest.fixture(scope="session")
def start_page(lane, tmp_path_factory):
    """``start_page("traveller", *options)`` → (address, process) of the real listener."""
    folder = tmp_path_factory.mktemp("pages")
    for kind in ("traveller", "officer"):
        (folder / kind).write_text(channel.role_secret(SECRET, f"{kind}_screen") + "\n")
    processes = []

    def start(kind: str, *options: str):
        ready = folder / f"{kind}-{len(processes)}"
        command = [sys.executable, "-m", "gate.ui.serve", kind, "--lane", str(lane.path), "--port", "0"]
        process = subprocess.Popen([*command, "--secret-file", str(folder / kind), "--ready-file", str(ready), *options])
        processes.append(process)
        until = time.monotonic() + 10
        while not ready.exists():
            assert process.poll() is None, "the page server ended"
            assert time.monotonic() < until, "the page server did not come up"
            time.sleep(0.02)
        return f"http://127.0.0.1:{json.loads(ready.read_text())['port']}", process

    yield start
    for process in processes:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="session")
def traveller_address(start_page):
    return start_page("traveller", "--touch", "--more-time")[0]


@pytest.fixture(scope="session")
def officer_address(start_page):
    return start_page("officer")[0]


@pytest.fixture(scope="module")
def browser(request):
    """A context of Chromium. Per module: as long as it lives, its event loop occupies this thread and no asynchronous test can run."""
    absent = request.config.pluginmanager.get_plugin(str(Path(__file__).parents[1] / "conftest.py")).absent
    if not CHROMIUM.exists():
        absent("there is no /usr/bin/chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        absent("playwright is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser.new_context()
        browser.close()


@pytest.fixture
def open_page(browser):
    """``open_page(address, width, height, script)`` → a page, before which ``script`` runs, whose console errors, foreign requests and cookies fail the test."""
    complaints = []

    def open_(address: str, width: int = 1280, height: int = 800, script: str = "", **media):
        page = browser.new_page()
        if script:
            page.add_init_script(script)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(**media)
        page.on("console", lambda message: complaints.append(message.text) if message.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith(address) else complaints.append(request.url))
        page.goto(address)
        return page

    open_.complaints = complaints
    yield open_
    for page in browser.pages:
        page.close()
    assert complaints == []
    assert browser.cookies() == []


@pytest.fixture
def shoot():
    """``shoot(page, name)`` keeps a picture for people to look at, where AUTOGATE_SHOTS names a folder."""

    def shoot_(page, name: str) -> None:
        if folder := os.environ.get("AUTOGATE_SHOTS"):
            page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    return shoot_


@pytest.fixture(scope="session")
def axe(request):
    """The source of axe-core."""
    try:
        return (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
    except ModuleNotFoundError:
        request.config.pluginmanager.get_plugin(str(Path(__file__).parents[1] / "conftest.py")).absent(
            "axe-core is not installed"
        )


RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
"""What axe-core looks for: WCAG 2.2 up to AA. The rule on the size of what is touched it would leave out by itself."""


@pytest.fixture
def violations(axe):
    """``violations(page)`` → each place of the page, as it is now, that axe-core finds against WCAG 2.2 AA, with why.

    It looks from a world of its own beside the page's scripts, so that the page keeps the Content-Security-Policy it ships with.
    """
    options = json.dumps(RULES | {"rules": {"target-size": {"enabled": True}}})

    def violations_(page) -> list[str]:
        cdp = page.context.new_cdp_session(page)
        frame = cdp.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
        world = cdp.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": "axe"})["executionContextId"]

        def run(expression: str):
            how = {"contextId": world, "awaitPromise": True, "returnByValue": True}
            answer = cdp.send("Runtime.evaluate", {"expression": expression, **how})
            assert "exceptionDetails" not in answer, answer["exceptionDetails"]
            return answer["result"].get("value")

        run(f"{axe}; null")
        found = json.loads(run(f"axe.run(document, {options}).then((found) => JSON.stringify(found))"))
        cdp.detach()
        assert found["passes"], "axe-core looked at nothing"
        return [
            f"{rule['id']}: {node['target']}: {node['failureSummary']}" for rule in found["violations"] for node in rule["nodes"]
        ]

    return violations_


STARTED = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
READER_STAGES = [
    ("mrz", 40, 18, "successful", "reader"),
    ("issuance", 70, 210, "successful", "lane"),
    ("watchlist", 70, 160, "successful", "lane"),
    ("chip", 60, 2350, "successful", "reader"),
    ("passive_authentication", 1180, 9, "successful", "reader"),
    ("chip_authenticity", 1420, 31, "successful", "reader"),
    ("decide_entry", 2425, 0.4, "OPEN", "lane"),
    ("reference", 2430, 46, "successful", "vision"),
    ("walk_in", 2440, 1900, "successful", "lane"),
    ("capture", 4300, 880, "successful", "vision"),
    ("face", 5150, 38, "successful", "vision"),
    ("decide_exit", 5192, 0.3, "OPEN", "lane"),
    ("permit", 5193, 5.1, "successful", "lane"),
]


class Sample:
    """Views and records as a lane makes them."""

    @staticmethod
    def stages(upto: int = 99, **results: str) -> tuple[StageTiming, ...]:
        return tuple(
            StageTiming(name=name, start_ms=start, duration_ms=duration, result=results.get(name, result), room=room)
            for name, start, duration, result, room in READER_STAGES[:upto]
        )

    @staticmethod
    def evidence(transaction: str, **values: Fact) -> Evidence:
        good = Fact(value="valid", result=CheckResult.SUCCESSFUL)
        facts = {
            "mrz": Fact(value="read", result=CheckResult.SUCCESSFUL, source="scanner"),
            "infrared": Fact(value="present", result=CheckResult.SUCCESSFUL, source="scanner"),
            "access": Fact(value="pace", result=CheckResult.SUCCESSFUL),
            "card_access": Fact(value="agrees", result=CheckResult.SUCCESSFUL),
            "chip": Fact(value="read", result=CheckResult.SUCCESSFUL),
            "passive_authentication": Fact(value="authentic", result=CheckResult.SUCCESSFUL, source="CSCA Demonstration State"),
            "chip_authenticity": Fact(value="genuine", result=CheckResult.SUCCESSFUL, code="AA"),
            "dg1_mrz": Fact(value="equal", result=CheckResult.SUCCESSFUL),
            "expiry": good,
            "exit_permit": good,
            "face": Fact(value="match", result=CheckResult.SUCCESSFUL, score=0.71, threshold=0.53, source="demo pack"),
            "pad": Fact(value="not_available", result=CheckResult.NOT_SUPPORTED, code="pack_has_no_pad"),
            "profile": Fact(value="demo", result=CheckResult.SUCCESSFUL),
        }
        return Evidence(
            transaction=transaction,
            lane="lane-1",
            checkpoint="CGK",
            direction=Direction.DEPARTURE,
            civil_date=date(2026, 3, 2),
            facts={**facts, **values},
        )

    @classmethod
    def record(cls, number: int, outcome: Outcome = Outcome.OPEN, *reasons: str, document_class="ordinary", seconds=7.4, **facts):
        transaction = f"CGK-1-{number:06d}"
        decision = PolicyDecision(
            stage=Stage.EXIT,
            outcome=outcome,
            reasons=reasons,
            grant="wni-ordinary-departure-exit" if outcome is Outcome.OPEN else None,
            rules=tuple(reason.lower() for reason in reasons),
            tolerances=("UnsafeNoPad",),
            unmet=(),
            rules_version="draft-1 sha256:5f0c2a",
        )
        started = STARTED + timedelta(seconds=40 * number)
        return TransactionRecord(
            transaction=transaction,
            lane="lane-1",
            checkpoint="CGK",
            direction=Direction.DEPARTURE,
            started=started,
            ended=started + timedelta(seconds=seconds),
            document_class=document_class,
            document_key="00" * 16,
            outcome=outcome,
            reasons=reasons,
            stages=cls.stages(),
            decisions=(DecisionRecord(at=started, evidence=cls.evidence(transaction, **facts), decision=decision),),
            backends={"chip": "virtual", "face": "demo pack (demonstration, not for operation)", "controller": "simulator"},
            demonstration=True,
        )

    @classmethod
    def view(cls, **changes) -> OfficerView:
        view = OfficerView(
            lane="lane-1",
            checkpoint="CGK",
            direction="departure",
            profile="demo",
            state="idle",
            controller="ready",
            entry="locked",
            exit="locked",
            occupancy="0",
            warnings=(
                "profile demo: an exercise, no border crossing",
                "UnsafeNoPad: PAD not available",
                "demonstration recogniser, not for operation",
            ),
            ended=(
                cls.record(5, Outcome.COUNTER, "NO_TRUST_ANCHOR", seconds=3.1),
                cls.record(4, Outcome.SECONDARY, "EXIT_PERMIT_MISSING", document_class="service", seconds=3.4),
                cls.record(3, document_class="diplomatic", seconds=8.1),
                cls.record(2, document_class="service", seconds=7.9),
                cls.record(1),
            ),
        )
        return msgspec.structs.replace(view, **changes)


@pytest.fixture(scope="session")
def sample():
    return Sample
