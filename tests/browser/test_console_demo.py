"""The demonstration's console in a real browser: an officer signs in with a key, rules on who is referred, and the log says so."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import random
import re
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from gate.audit.log import FILE_NAME, KEY_FILE, decode, gate_key, open_readonly
from gate.console.acts import challenge
from gate.console.assertion import Assertion, encoded, prove, public_key
from gate.console.roster import parse_officers
from gate.demo.cast import DEFAULT_CAST
from gate.records import CaseViewed, OfficerActed, OfficerWatched

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.timeout(180)]
LIMIT_S = 90
TODAY = datetime.now(UTC).date()
CAST = re.split(r"(?=\[\[traveller\]\])", DEFAULT_CAST.read_text(encoding="utf-8"))
BORROWED = next(part for part in CAST if 'id = "borrowed"' in part)
PATIENT = """
import gate.demo.console, gate.demo.stage
from gate.__main__ import main

gate.demo.stage.AWAIT_OFFICER_S = gate.demo.console.AWAIT_S = 300  # on a busy machine officers take longer than a minute
raise SystemExit(main())
"""


class Key:
    """An officer's key, and how it lies in the browser's virtual authenticator."""

    def __init__(self, name: str) -> None:
        self._key, self.id, self.name = generate_private_key(SECP256R1()), os.urandom(16), name
        public = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.line = {"name": name, "role": "officer", "credential": encoded(self.id), "key": encoded(public)}
        self.line |= {"since": str(TODAY - timedelta(days=1)), "until": str(TODAY + timedelta(days=1))}

    def put_into(self, cdp, authenticator: str) -> None:
        private = self._key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        cdp.send(
            "WebAuthn.addCredential",
            {
                "authenticatorId": authenticator,
                "credential": {
                    "credentialId": base64.b64encode(self.id).decode(),
                    "isResidentCredential": True,
                    "rpId": "localhost",
                    "privateKey": base64.b64encode(private).decode(),
                    "userHandle": base64.b64encode(self.name.encode()).decode(),
                    "signCount": 1,
                },
            },
        )


def authenticator(context, page, **how) -> tuple[object, str]:
    cdp = context.new_cdp_session(page)
    cdp.send("WebAuthn.enable", {"enableUI": False})
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    options |= {"isUserVerified": True, "automaticPresenceSimulation": True} | how
    return cdp, cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]


def free_port() -> int:
    """A port nobody listens on now, outside the range from which connections take theirs."""
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


class Demo:
    """A demonstration that runs: all its travellers carry somebody else's passport, so that each waits inside for an officer."""

    def __init__(self, folder: Path, *keys: Key) -> None:
        self.folder, self.port = folder, free_port()
        (folder / "state").mkdir()
        (folder / "state" / "closed").write_text("Sari: CLEANING, in an earlier demonstration")
        seen = {"sequence": 1, "statement": "0" * 64, "version": 1}
        (folder / "state" / "roster-seen.json").write_text(json.dumps(seen))
        (folder / "officers.json").write_text(json.dumps({"officers": [key.line for key in keys]}))
        second = BORROWED.replace('id = "borrowed"', 'id = "borrowed-2"').replace("X1000006", "X1000016")
        (folder / "cast.toml").write_text(CAST[0] + BORROWED + second, encoding="utf-8")
        command = [sys.executable, "-c", PATIENT, "demo", "--headless", "--once", "--cast", str(folder / "cast.toml")]
        command += ["--state", str(folder / "state"), "--json", str(folder / "out.json"), "--console", str(self.port)]
        command += ["--officers", str(folder / "officers.json")]
        command += ["--traveller-port", str(free_port()), "--officer-port", str(free_port())]
        with (folder / "output").open("wb") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, "TMPDIR": str(folder)}
            )
        self.address = f"http://localhost:{self.port}/"

    def listens(self) -> None:
        """Wait until the console does."""
        deadline = time.monotonic() + LIMIT_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            assert self._process.poll() is None, (self.folder / "output").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def ended(self) -> dict[str, dict[str, object]]:
        """Wait for the end; each traveller's transaction."""
        assert self._process.wait(LIMIT_S) == 0, (self.folder / "output").read_text()
        told = json.loads((self.folder / "out.json").read_text(encoding="utf-8"))
        self.crossings = told["crossings"]
        return {each["traveller"]: each for each in told["transactions"]}

    def log(self):
        return open_readonly(self.folder / "state" / FILE_NAME, gate_key(self.folder / "state" / KEY_FILE))

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)


@pytest.fixture
def sari():
    return Key("Sari")


@pytest.fixture
def made():
    return Key("Made")


@pytest.fixture
def demo(tmp_path_factory, sari, made):
    running = Demo(tmp_path_factory.mktemp("c"), sari, made)
    yield running
    running.stop()


@pytest.fixture
def open_screen(browser):
    """``open_screen()`` → a screen of an officer's own, 1280 × 800."""
    contexts = []

    def open_():
        contexts.append(context := browser.browser.new_context())
        page = context.new_page()
        page.set_viewport_size({"width": 1280, "height": 800})
        page.complaints = []
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("console", lambda told: page.complaints.append(told.text) if told.type == "error" else None)
        return page

    yield open_
    for context in contexts:
        context.close()


def signs_in(page, demo, key) -> tuple[object, str]:
    page.goto(demo.address)
    cdp, device = authenticator(page.context, page)
    key.put_into(cdp, device)
    page.locator("#enter").click()
    page.locator("#bank").wait_for()
    return cdp, device


def rule(page, action: str, reason: str) -> None:
    """Wait for somebody who waits, and order ``action`` for ``reason``, as an officer does: press, choose, sign."""
    page.locator(f'.lane[data-state="hold"] [data-action="{action}"]').click(timeout=LIMIT_S * 1000)
    page.locator(f'#why input[value="{reason}"]').check()
    page.locator("#sign").click()
    page.locator("#said.good").wait_for()


def test_two_officers_rule_on_referred_travellers_and_the_log_proves_whose_orders_they_were(demo, open_screen, sari, made, shoot):
    demo.listens()
    page, other = open_screen(), open_screen()
    page.goto(demo.address)
    cdp, device = authenticator(page.context, page)
    makes_a_key(page)
    cdp.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": device})
    page.complaints.clear()  # the browser calls the refusal an error
    cdp, device = signs_in(page, demo, sari)
    assert page.locator("#who").inner_text().startswith("Sari · Petugas")
    goes_on_watch(page)
    signs_in(other, demo, made)
    goes_on_watch(other)

    page.locator('.lane[data-state="hold"] .case').wait_for(timeout=LIMIT_S * 1000)
    shown = page.locator(".case code").all_inner_texts()
    opens_the_case(page)
    sees_both_pictures(page)
    shoot(page, "console-referred")
    other.locator(".case dd", has_text="Sari").wait_for()
    assert other.locator("#zone dd").count() == 0, "who has not opened it is not shown who it is"
    assert page.evaluate("alerting.played") >= 1, "it was heard"
    refuses_without_reason_or_holder(page, cdp, device, shoot)

    page.keyboard.press("c")  # both have their order before them, by the keyboard alone, and press at once
    page.keyboard.press("4")
    other.keyboard.press("e")
    other.keyboard.press("4")
    for each in (page, other):
        each.keyboard.press("Enter")
    page.locator("#said.good, #said.bad").wait_for()
    other.locator("#said.good, #said.bad").wait_for()
    won, lost = (page, other) if page.locator("#said.good").count() else (other, page)
    assert won.locator("#said.good").count() == 1
    assert "Too late" in lost.locator("#said.bad").inner_text()
    lost.complaints.clear()
    page.locator(".lane:not([data-state=hold])").first.wait_for()
    assert page.locator("#zone dd").count() == 0, "nothing of who went stays on the screen"
    rule(page, "pass", "FACE_COMPARED_BY_EYE")
    ended = demo.ended()
    assert page.complaints == other.complaints == []

    assert [each["outcome"] for each in ended.values()] == ["COUNTER", "COUNTER"]
    assert set(ended["borrowed"]["reasons"]) <= set(shown), "the page said why"
    sent, passed = (ended[name]["transaction"] for name in ("borrowed", "borrowed-2"))
    assert demo.crossings == [passed], "the registry of crossings heard of the one who passed"
    with demo.log() as log:
        assert log.verify() == []
        orders = [decode(record, OfficerActed) for record in log.records("officer")]
        assert [record.transaction for record in log.records("pictures")] == [sent], "that somebody looked is written down"
        records = {record.transaction: record for record in log.transactions()}
        watched = [decode(record, OfficerWatched) for record in log.records("watch")]
        viewed = [decode(record, CaseViewed) for record in log.records("viewed")]
    winner = ("Sari", "counter", "NOT_SETTLED_HERE") if won is page else ("Made", "eject", "UNWELL")
    carried_out = [(each.officer, each.action, each.reason, each.transaction) for each in orders if not each.refused]
    assert carried_out == [(*winner, sent), ("Sari", "pass", "FACE_COMPARED_BY_EYE", passed)]
    assert {each.refused for each in orders} <= {"", "too_late"}
    assert [each.action for each in records[passed].ruled] == ["pass"]
    assert {(each.officer, each.event) for each in watched} >= {("Sari", "signed"), ("Made", "signed")}
    assert [(each.officer, each.on_watch, each.transaction, each.refused) for each in viewed] == [("Sari", True, sent, "")]
    for order in (order for order in orders if not order.refused):
        assert proves_itself(order, {"Sari": sari, "Made": made}[order.officer], demo.address.rstrip("/"))


def refuses_without_reason_or_holder(page, cdp, device, shoot) -> None:
    page.locator('[data-action="pass"]').click()
    shoot(page, "console-reasons")
    page.locator("#ask button[value=cancel]").click()
    assert page.locator("#said").inner_text() == ""
    cdp.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    page.locator('[data-action="pass"]').click()
    assert page.locator("#sign").is_disabled(), "no reason, no order"
    page.locator("#why input").first.check()
    page.locator("#sign").click()
    page.locator("#said.bad").wait_for()
    cdp.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": True})


def sees_both_pictures(page) -> None:
    """The portrait in the chip beside the person: on the page as it ships, its Content-Security-Policy included."""
    for which, width in (("chip", 373), ("live", 853)):
        page.locator(f"#{which}").wait_for()
        assert page.evaluate(f"document.querySelector('#{which}').naturalWidth") == width


def goes_on_watch(page) -> None:
    """Signing in may have been too early for the lane; a key on the keyboard makes good for it, and only then the lane serves."""
    page.locator("#watch:not(:empty)").wait_for(timeout=LIMIT_S * 1000)
    if "Not on watch" in page.locator("#watch").inner_text():
        page.keyboard.press("w")
    page.locator("#watch", has_text="On watch for").wait_for()


def opens_the_case(page) -> None:
    """Who it is, and every check, are shown once the officer asks."""
    assert page.locator("#zone dd").count() == 0
    page.keyboard.press("o")
    page.locator("#zone dd").first.wait_for()
    assert len([text for text in page.locator("#zone dd").all_inner_texts() if text]) >= 5
    assert page.locator("#checks .check.bad").count() >= 1
    assert page.locator(".case dd", has_text="Sari").count() == 1, "the others see who opened it"


def makes_a_key(page) -> None:
    """An officer makes a key on the page: what it shows can go onto a roster, and gives nobody any right by itself."""
    page.locator("#enrol summary").click()
    page.locator("#name").fill("Made")
    page.locator("#make").click()
    page.wait_for_function("document.querySelector('#made').value || document.querySelector('#said').textContent")
    line = json.loads(page.locator("#made").inner_text())
    officer = line | {"role": "officer", "since": str(TODAY), "until": str(TODAY)}
    assert parse_officers(json.dumps({"officers": [officer]}).encode())[0].name == "Made"
    page.locator("#enter").click()
    page.locator("#said.bad").wait_for()
    assert "on no roster" in page.locator("#said").inner_text()


def proves_itself(order: OfficerActed, key: Key, origin: str) -> bool:
    """What the log kept of an order, held against the officer's public key by nothing but itself."""
    data, client, signature = (base64.b64decode(part) for part in order.proof)
    signed = challenge(
        action=order.action, transaction=order.transaction, lane="demo-1", reason=order.reason, nonce=bytes.fromhex(order.nonce)
    )
    assertion = Assertion(authenticator_data=data, client_data=client, signature=signature)
    return prove(assertion, key=public_key(key.line["key"]), challenge=signed, origin=origin).refused is None
