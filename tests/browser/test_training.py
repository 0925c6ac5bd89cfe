"""An exercise in a real browser: a trainee makes a key at the desk, decides at the real console and at the counter, and reads why."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time

import pytest

from gate.training.case import load_cases
from gate.training.session import sessions
from gate.ui.exercise import EXERCISE

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.timeout(180)]
LIMIT_S = 90
CASES = {case.id: case for case in load_cases()}


def free_port() -> int:
    """A port nobody listens on now, outside the range from which connections take theirs."""
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


class Training:
    """``autogate train`` that runs, for an officer who was never there before."""

    def __init__(self, folder, *cases: str) -> None:
        self.folder = folder
        self.ports = {name: free_port() for name in ("traveller", "officer", "desk", "console")}
        command = [sys.executable, "-m", "gate", "train", "--officer", "Sari", "--state", str(folder / "state")]
        command += [word for name in cases for word in ("--case", name)]
        command += [word for name, port in self.ports.items() for word in (f"--{name}-port", str(port))]
        with (folder / "output").open("wb") as output:
            environment = {**os.environ, "TMPDIR": str(folder)}
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)

    def address(self, page: str) -> str:
        host = "localhost" if page in {"desk", "console"} else "127.0.0.1"
        return f"http://{host}:{self.ports[page]}/"

    def listens(self, page: str) -> None:
        deadline = time.monotonic() + LIMIT_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.ports[page]), 1):
                return
            assert self.process.poll() is None, (self.folder / "output").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


@pytest.fixture
def training(tmp_path_factory):
    running = Training(tmp_path_factory.mktemp("t"), "look-alike", "dinas-without-permit")
    yield running
    running.process.terminate()
    running.process.wait(30)


@pytest.fixture
def pages(browser):
    """``pages(address)`` → a page with an authenticator; what the browser complains of fails the test."""
    context, complaints = browser.browser.new_context(), []

    def open_(address: str):
        page = context.new_page()
        page.set_viewport_size({"width": 1280, "height": 800})
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda told: complaints.append(told.text) if told.type == "error" else None)
        page.goto(address)
        return page

    yield open_
    context.close()
    assert complaints == []


def authenticator(page):
    """The page's own virtual authenticator, as (CDP session, id)."""
    cdp = page.context.new_cdp_session(page)
    cdp.send("WebAuthn.enable", {"enableUI": False})
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    options |= {"isUserVerified": True, "automaticPresenceSimulation": True}
    return cdp, cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]


def says_that_it_is_an_exercise(page) -> bool:
    """In both languages, where it can be seen, over whatever else is there."""
    band = page.locator("#exercise, .exercise").first
    band.wait_for()
    box = band.bounding_box()
    return all(word in band.inner_text() for word in EXERCISE) and box["y"] >= 0 and box["width"] > 300


def test_a_trainee_decides_at_the_console_and_at_the_counter_and_reads_why(training, pages, violations, shoot):
    training.listens("desk")
    desk = pages(training.address("desk"))
    cdp, device = authenticator(desk)
    desk.locator("#make").click(timeout=LIMIT_S * 1000)
    desk.locator("#key").wait_for(state="hidden")
    key = cdp.send("WebAuthn.getCredentials", {"authenticatorId": device})["credentials"][0]

    training.listens("console")
    console = pages(training.address("console"))
    there, held = authenticator(console)
    there.send("WebAuthn.addCredential", {"authenticatorId": held, "credential": key})
    console.locator("#enter").click()
    console.locator("#bank").wait_for()

    desk.locator("#begin").click(timeout=LIMIT_S * 1000)
    desk.locator('[data-look="face-by-eye"]').click(timeout=LIMIT_S * 1000)
    desk.locator(".finding").wait_for()
    shoot(desk, "training-gate")
    console.locator('[data-action="secondary"]').first.click(timeout=LIMIT_S * 1000)
    console.locator('#why input[value="FACE_DOUBTFUL"]').check()
    shoot(console, "training-console")
    console.locator("#sign").click()
    console.locator("#said.good").wait_for()

    desk.locator("#review").wait_for(timeout=LIMIT_S * 1000)
    assert " passed" in desk.locator("#points").inner_text()
    shoot(desk, "training-result")
    review = pages(training.address("desk") + "review")
    told = review.locator("main").inner_text()
    assert CASES["look-alike"].expected[0].why[1] in told
    assert "BIO-001" in told
    assert violations(review) == []
    shoot(review, "training-review")

    desk.bring_to_front()  # a browser signs on the page that has the focus alone
    desk.locator("#next").click()
    desk.locator("#begin").click(timeout=LIMIT_S * 1000)
    desk.locator('#acts [data-action="clear"]').wait_for(timeout=LIMIT_S * 1000)
    onlooker = pages(training.address("desk"))  # looking into the page that signs would take its authenticator away
    onlooker.locator('#acts [data-action="clear"]').wait_for()
    assert violations(onlooker) == []
    shoot(onlooker, "training-counter")
    desk.bring_to_front()
    desk.locator('#acts [data-action="clear"]').click()
    assert desk.locator("#sign").is_disabled(), "no reason, no decision"
    desk.locator('#why input[value="PERMIT_ESTABLISHED"]').check()
    desk.locator("#sign").click()
    desk.locator("#review").wait_for(timeout=LIMIT_S * 1000)
    assert desk.locator("#points").inner_text().startswith("0 / 100")
    assert violations(onlooker) == []

    for page in (desk, console, review, pages(training.address("traveller")), pages(training.address("officer"))):
        assert says_that_it_is_an_exercise(page)
        shoot(page, f"training-band-{page.url.split(':')[2].strip('/').replace('/', '-')}")
    held_sessions = list(sessions(training.folder / "state"))
    assert [(each.case, each.officer, each.score.passed) for each in held_sessions] == [
        ("look-alike", "Sari", True),
        ("dinas-without-permit", "Sari", False),
    ]
    assert [each.action for each in held_sessions[0].done] == ["secondary"]
    assert json.loads((training.folder / "state" / "officers.json").read_text())["officers"][0]["name"] == "Sari"
    for page in desk.context.pages:
        page.close()  # else they would complain that nobody answers
    assert training.end() == 0, (training.folder / "output").read_text()
