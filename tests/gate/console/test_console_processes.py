"""The real lane, verifier and console, each a process: what a browser, a thief of a session or a console that was broken into gets from them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate.audit.log import FILE_NAME, decode, gate_key, open_readonly
from gate.console.acts import challenge, watch_challenge, watch_part
from gate.console.assertion import decoded, encoded
from gate.console.passwords import hashed
from gate.console.roster import RosterVersions, Viewer
from gate.processes import messages as m
from gate.processes.channel import ChannelClosed, connect
from gate.profiles import DEMO_MARKER
from gate.records import OfficerActed, OfficerWatched
from gate.runtime import Runtime
from gate.signer_key import public_hex
from hardware.sim.controller import SimulatedController

pytestmark = pytest.mark.processes
LIMIT_S = 30
WORDS = "seven words that nobody guesses"
CONFIG = """\
profile = "demo"
state_dir = "{folder}/state"
[lane]
id = "T1"
checkpoint = "CGK"
direction = "departure"
[scanner]
kind = "simulator"
address = "world"
[camera]
kind = "simulator"
address = "world"
[controller]
device = "{tty}"
key_file = "{folder}/state/gate.key"
[face]
pack = "demo"
packs_dir = "packs"
[trust]
store = "{folder}/trust"
[console]
port = {port}
roster = "{folder}/roster"
signers = {signers}
supervision = "officers"
"""


ANY_WORDS = ["Dengan kata sandi hanya dapat melihat", "With a password one may only look"]


def eventually(condition, what: str) -> Any:
    deadline = time.monotonic() + LIMIT_S
    while not (value := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
    return value


def free_port() -> int:
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


class House:
    """Three processes and an officer with a key."""

    def __init__(self, folder: Path, authenticator: Any) -> None:
        self.state, self.port, self.key = folder / "state", free_port(), authenticator
        self.origin, self.runtime = f"http://localhost:{self.port}", Runtime.create()
        for name in (self.state, folder / "trust"):
            name.mkdir()
        (folder / "trust" / DEMO_MARKER).touch()
        (self.state / "gate.key").write_text("5b1e9c02d7f4438a60b93e77c1250fae" * 2)
        keys = {name: Ed25519PrivateKey.generate() for name in ("Ratna", "Yusuf")}
        versions = RosterVersions(folder / "roster")
        self.auditor, self.second = type(authenticator)(), type(authenticator)()
        today = datetime.now(UTC).date()
        days = {"since": today - timedelta(days=1), "until": today + timedelta(days=1)}
        viewer = Viewer(name="Nia", role="engineer", password=hashed(WORDS), **days)
        people = (authenticator.officer("Sari"), self.auditor.officer("Oditor", "auditor"), self.second.officer("Made"))
        version = versions.add(people, (viewer,))
        for key in keys.values():
            versions.sign(version, key, now=datetime.now(UTC))
        versions.activate(version, "activate", {public_hex(key): name for name, key in keys.items()})
        self.controller = SimulatedController(self.runtime.folder, gate_key(self.state / "gate.key"))
        signers = json.dumps([f"{name}:{public_hex(key)}" for name, key in keys.items()])
        self.config = folder / "gate.toml"
        self.config.write_text(CONFIG.format(folder=folder, tty=self.controller.tty, port=self.port, signers=signers))
        self.runtime.secret_file_for("console")
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        self.controller.start()
        runtime = ["--runtime", str(self.runtime.folder)]
        for name, more in (("processes.lane", runtime), ("console.verifier", runtime), ("console.serve", [])):
            self.processes.append(subprocess.Popen([sys.executable, "-m", f"gate.{name}", "--config", str(self.config), *more]))
        eventually(self._answers, "the console answers")
        self.cookie = self.sign_in()
        eventually(lambda: self.post("/prepare", self.order("close"))[0] == 200, "the console reaches the lane")

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            return self.get("/")[0] == 200
        return False

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(LIMIT_S)
        self.controller.stop()
        self.runtime.remove()

    # a browser's end

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
        line = HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        line.request(method, path, body, {"Host": f"localhost:{self.port}"} | headers)
        answer = line.getresponse()
        told = answer.status, {name.lower(): value for name, value in answer.getheaders()}, b""
        if answer.headers["content-type"] != "text/event-stream; charset=utf-8":
            told = (*told[:2], answer.read())
        line.close()
        return told

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        known = {"Origin": self.origin, "Content-Type": "application/json", "Cookie": getattr(self, "cookie", "")}
        for _ in range(100):
            status, told, raw = self.ask("POST", path, json.dumps(body).encode(), **(known | headers))
            if status != 429:
                break
            time.sleep(0.3)
        self.headers = told
        return status, json.loads(raw)

    def sign_in(self, path: str = "/signin", *, key: Any = None, cookie: str | None = None, **signing: Any) -> str:
        _, begun = self.post("/signin/begin", {})
        proof = self.proof(decoded(begun["challenge"]), key=key, **signing)
        with_cookie = {} if cookie is None else {"Cookie": cookie}
        status, self.told = self.post(path, {"challenge": begun["challenge"]} | proof, **with_cookie)
        if status != 200:
            return f"refused: {self.told['refused']}"
        return self.headers.get("set-cookie", "").partition(";")[0]

    def look_in(self, name: str = "Nia", words: str = WORDS) -> tuple[int, str]:
        status, told = self.post("/signin/password", {"name": name, "password": words})
        return status, self.headers["set-cookie"].partition(";")[0] if status == 200 else told["refused"]

    def proof(self, signed: bytes, *, key: Any = None, **signing: Any) -> dict[str, str]:
        key = key or self.key
        made = key.sign(signed, **({"origin": self.origin} | signing))
        return {name: encoded(part) for name, part in made.items()} | {"credential": key.credential}

    def watched(self) -> list[OfficerWatched]:
        with open_readonly(self.state / FILE_NAME) as log:
            return [decode(record, OfficerWatched) for record in log.records("watch")]

    def events(self, cookie: str, count: int = 2) -> list[Any]:
        """The first parts of the stream: how many lanes, and what is told of the first."""
        line = HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        line.request("GET", "/events", None, {"Host": f"localhost:{self.port}", "Cookie": cookie})
        answer, parts = line.getresponse(), []
        while len(parts) < count:
            if (text := answer.readline().decode()).startswith("data: "):
                parts.append(json.loads(text[6:]))
        line.close()
        return parts

    @staticmethod
    def order(action: str) -> dict[str, str]:
        reason = {"close": "CLEANING", "open": "START_OF_SHIFT", "eject": "UNWELL"}[action]
        return {"lane": "T1", "action": action, "reason": reason, "transaction": ""}

    def act(self, action: str) -> tuple[int, Any]:
        told = self.order(action)
        status, prepared = self.post("/prepare", told)
        assert status == 200, prepared
        return self.post("/act", told | {"nonce": prepared["nonce"]} | self.proof(decoded(prepared["challenge"])))

    def orders(self) -> list[OfficerActed]:
        with open_readonly(self.state / FILE_NAME) as log:
            return [decode(record, OfficerActed) for record in log.records("officer")]

    # a process' end

    def speak(self, role: Any, *messages: Any, secret: str | None = None, hear: type | None = None) -> Any:
        """Join the lane as ``role``, say ``messages``, return the first of kind ``hear``; None where the lane hung up."""

        async def run() -> Any:
            channel = await connect(self.runtime.lane_socket, role, secret or self.runtime.given_secret("console"))
            try:
                for message in messages:
                    await channel.send(message)
                async with asyncio.timeout(LIMIT_S):
                    while not isinstance(heard := await channel.receive(), hear or m.Join):
                        pass
                return heard
            except ChannelClosed:
                return None
            finally:
                await channel.close()

        return asyncio.run(run())


@pytest.fixture(scope="module")
def house(tmp_path_factory, new_authenticator):
    running = House(tmp_path_factory.mktemp("h"), new_authenticator())
    try:
        running.start()
        yield running
    finally:
        running.stop()
    with open_readonly(running.state / FILE_NAME, gate_key(running.state / "gate.key")) as log:
        assert log.verify() == []


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_console_does_not_share_localhost_with_a_stranger(house, tmp_path, family, host):
    try:
        stranger = socket.create_server((host, 0), family=family)
    except OSError as error:
        pytest.skip(f"this machine has no {host}: {error}")
    with stranger:
        port, config = stranger.getsockname()[1], tmp_path / "gate.toml"
        config.write_text(house.config.read_text().replace(f"port = {house.port}\n", f"port = {port}\n"))
        command = [sys.executable, "-m", "gate.console.serve", "--config", str(config)]
        told = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert (told.returncode, told.stdout) == (2, "")
    assert f"console: port {port} of localhost (127.0.0.1 and ::1): Address already in use (free it" in told.stderr


def test_an_order_goes_all_the_way_and_the_log_names_who_gave_it(house):
    for action in ("close", "open"):
        status, told = house.act(action)
        assert (status, told["refused"], told["officer"]) == (200, "", "Sari")
        written = eventually(lambda action=action: [each for each in house.orders() if each.action == action], "the log tells it")
        assert (written[-1].officer, written[-1].refused, written[-1].reason) == ("Sari", "", house.order(action)["reason"])
    assert house.act("eject")[1]["refused"] == "not_now"


def test_whom_the_console_sends_away_is_in_the_log(house):
    def told() -> list[OfficerWatched]:
        return [each for each in house.watched() if each.event == "console"]

    before = len(told())
    deadline = time.monotonic() + LIMIT_S
    while len(told()) == before and time.monotonic() < deadline:  # tests before may have said all that can be written for now
        house.post("/act", house.order("close"), Cookie="autogate_console=guess")
        time.sleep(0.5)
    assert {(each.officer, each.refused) for each in told()} >= {("", "not_signed_in")}
    assert {each.detail for each in told()} <= {
        "/signin",
        "/signin/begin",
        "/signin/password",
        "/prepare",
        "/act",
        "/case",
        "/watch",
    }


def test_the_page_carries_its_shield_and_no_script_of_its_own(house):
    status, headers, page = house.get("/")
    assert status == 200
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert b"<script>" not in page
    assert b"style=" not in page
    assert b"http://" not in page
    assert b"https://" not in page


def test_a_session_is_a_strict_cookie_that_no_script_reads(house):
    house.sign_in()
    given = house.headers["set-cookie"].lower()
    assert "httponly" in given
    assert "samesite=strict" in given


@pytest.mark.parametrize(
    ("signing", "why"),
    [
        ({"flags": 0x01}, "user_not_verified"),
        ({"origin": "http://localhost:1"}, "wrong_origin"),
        ({"type_": "webauthn.create"}, "wrong_type"),
    ],
)
def test_nobody_signs_in_with_half_a_key(house, signing, why):
    assert house.sign_in(**signing) == f"refused: {why}"


def test_an_assertion_to_sign_in_is_good_once_and_for_this_console(house):
    _, begun = house.post("/signin/begin", {})
    body = {"challenge": begun["challenge"]} | house.proof(decoded(begun["challenge"]))
    assert house.post("/signin", body)[0] == 200
    assert house.post("/signin", body)[1]["refused"] == "nonce_unknown"
    own = encoded(b"c" * 32)
    assert house.post("/signin", {"challenge": own} | house.proof(b"c" * 32))[1]["refused"] == "nonce_unknown"


@pytest.mark.parametrize("path", ["/prepare", "/act"])
@pytest.mark.parametrize("cookie", ["", "autogate_console=guess"])
def test_who_is_not_signed_in_gets_nothing(house, path, cookie):
    assert house.post(path, house.order("close"), Cookie=cookie)[0] == 401
    assert house.get("/events", Cookie=cookie)[0] == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://localhost:1"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Host": "evil.example"}, 421),
    ],
)
def test_another_site_cannot_order_through_an_officers_browser(house, headers, status):
    raw = json.dumps(house.order("close")).encode()
    known = {"Origin": house.origin, "Content-Type": "application/json", "Cookie": house.cookie}
    assert house.ask("POST", "/prepare", raw, **(known | headers))[0] == status


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"lane": 1}', b"\xff", b"[" * 10_000, b'"' + b"x" * 20_000 + b'"'])
def test_broken_requests_are_refused_and_the_console_lives_on(house, raw):
    eventually(lambda: house.post("/signin/begin", {})[0] == 200, "it has time again")
    known = {"Origin": house.origin, "Content-Type": "application/json", "Cookie": house.cookie}
    assert house.ask("POST", "/act", raw, **known)[0] in {400, 429}
    assert house.get("/")[0] == 200


def test_a_stolen_session_orders_nothing(house):
    told = house.order("close")
    _, prepared = house.post("/prepare", told)
    thief = type(house.key)()
    made = {name: encoded(part) for name, part in thief.sign(decoded(prepared["challenge"]), origin=house.origin).items()}
    for credential, why in ((house.key.credential, "signature_bad"), (thief.credential, "nonce_unknown")):
        answer = house.post("/act", told | {"nonce": prepared["nonce"], "credential": credential} | made)[1]
        assert answer["refused"] == why
    eventually(lambda: [each.refused for each in house.orders()[-2:]] == ["signature_bad", "nonce_unknown"], "the log tells it")


def test_a_flood_of_requests_is_slowed_down(house):
    known = {"Origin": house.origin, "Content-Type": "application/json"}
    assert 429 in {house.ask("POST", "/signin/begin", b"{}", **known)[0] for _ in range(200)}


def test_challenges_that_nobody_signs_do_not_use_up_an_officers_nonce(house):
    told = house.order("open")
    _, prepared = house.post("/prepare", told)
    known = {"Origin": house.origin, "Content-Type": "application/json"}
    given = [house.ask("POST", "/signin/begin", b"{}", **known)[0] for _ in range(60)]
    assert given.count(200) < 25
    assert 429 in given
    answer = house.post("/act", told | {"nonce": prepared["nonce"]} | house.proof(decoded(prepared["challenge"])))[1]
    assert answer["refused"] in {"", "not_now"}


# --- being on watch, looking -------------------------------------------------------------------------------------------------


def on_watch(house) -> set[str]:
    return set(house.speak("console", m.AskNonce(request=1), hear=m.ConsoleView).watching)


def test_signing_in_is_going_on_watch_and_signing_out_its_end(house):
    assert house.sign_in("/watch") == ""
    assert house.told["watch"][0]["refused"] == ""
    assert 0 < house.told["watch"][0]["seconds"] <= 1800
    one, other = house.sign_in(key=house.second), house.sign_in(key=house.second)
    assert {"Sari", "Made"} <= on_watch(house)
    assert house.post("/signout", {}, Cookie=other)[0] == 200
    assert "Made" in on_watch(house), "still signed in at another screen"
    assert house.post("/signout", {}, Cookie=one)[0] == 200
    eventually(lambda: "Made" not in on_watch(house), "the watch is over")
    house.sign_in(key=house.second)
    assert "Made" in on_watch(house)
    eventually(
        lambda: (
            [each.event for each in house.watched() if each.officer == "Made"] == ["signed", "signed", "signed_out", "signed"]
        ),
        "the log tells it",
    )


def test_nobody_stays_on_watch_by_somebody_elses_key(house):
    assert house.sign_in("/watch", key=house.auditor) == "refused: role_may_not"
    assert house.sign_in("/watch", key=type(house.key)()) == "refused: unknown_authenticator"
    assert house.sign_in("/watch", cookie="") == "refused: not_signed_in"


def test_who_signs_in_without_supervising_is_on_watch_nowhere(house):
    before = len([each for each in house.watched() if each.event != "console"])
    cookie = house.sign_in(key=house.auditor)
    assert house.told["watch"] == []
    me = json.loads(house.get("/me", Cookie=cookie)[2])
    assert (me["officer"], me["watches"], me["opens"]) == ("Oditor", False, False)
    assert house.post("/case", {"lane": "T1", "transaction": "x"}, Cookie=cookie)[1]["refused"] == "role_may_not"
    assert len([each for each in house.watched() if each.event != "console"]) == before


def test_a_password_shows_lanes_and_does_nothing(house):
    status, cookie = house.look_in()
    assert status == 200
    me = json.loads(house.get("/me", Cookie=cookie)[2])
    assert (me["officer"], me["role"], me["acts"], me["watches"], me["opens"]) == ("Nia", "engineer", False, False, False)
    assert house.events(cookie)[0] == 1
    for path in ("/prepare", "/act", "/case", "/watch"):
        assert house.post(path, house.order("close"), Cookie=cookie) == (403, {"refused": "view_only", "words": ANY_WORDS})
    assert house.sign_in("/watch", cookie=cookie) == "refused: view_only"


def test_passwords_are_refused_alike_and_slowly(house):
    assert house.look_in("Nia", "not the words it takes") == (403, "wrong_password")
    assert house.look_in("Nobody", WORDS) == (403, "wrong_password")
    known = {"Origin": house.origin, "Content-Type": "application/json"}
    raw = json.dumps({"name": "Guessed", "password": "x"}).encode()
    assert any(house.ask("POST", "/signin/password", raw, **known)[0] == 429 for _ in range(8))


def test_a_case_that_nobody_waits_for_is_not_shown(house):
    status, told = house.post("/case", {"lane": "T1", "transaction": "0" * 32})
    assert (status, told["refused"]) == (409, "too_late")
    assert house.post("/case", {"lane": "T9", "transaction": "0" * 32})[0] == 404


def test_a_console_that_names_an_officer_who_is_not_on_watch_is_shown_nothing(house):
    shown = house.speak("console", m.AskCase(request=7, transaction="", officer="Chief"), hear=m.CaseShown)
    assert (shown.refused, shown.zone, shown.facts) == ("too_late", (), {})


def test_a_console_that_puts_officers_on_watch_by_itself_supervises_nothing(house):
    given = house.speak("console", m.AskNonce(request=1), hear=m.NonceGiven)
    made = type(house.key)().sign(watch_challenge((watch_part("T1", given.nonce),)), origin=house.origin)
    told = m.OfficerWatch(nonce=given.nonce, parts=(watch_part("T1", given.nonce),), credential=house.key.credential, **made)
    assert house.speak("console", told, hear=m.WatchAnswered).refused == "signature_bad"


# --- a console that was broken into speaks to the lane itself ---------------------------------------------------------------


def test_a_console_cannot_pose_as_another_process(house):
    for role in ("verifier", "command", "reader", "officer_screen", "director", "service"):
        assert house.speak(role, m.OfficerOrder(order="reset")) is None, role


def test_a_console_cannot_answer_for_the_verifier(house):
    given = house.speak("console", m.AskNonce(request=1), hear=m.NonceGiven)
    act = m.OfficerAct(
        **(house.order("close") | {"nonce": given.nonce, "credential": house.key.credential}),
        authenticator_data=b"",
        client_data=b"{}",
        signature=b"s",
    )
    today = datetime.now(UTC).date()
    yes = m.ActVerified(nonce=given.nonce, officer="Sari", role="supervisor", since=today, until=today)
    assert house.speak("console", act, yes, hear=m.ActAnswered).refused == "malformed"


def test_a_console_gets_no_order_of_the_command_line_carried_out(house):
    house.speak("console", m.OfficerOrder(order="reset", name="root"), m.AskNonce(request=1), hear=m.NonceGiven)
    assert house.act("eject")[1]["refused"] == "not_now"
    written = eventually(lambda: [each for each in house.orders() if each.action == "eject"], "what came after it is in the log")
    assert written
    assert not [each for each in house.orders() if each.role == "command" or each.action == "reset"]


def test_a_console_that_speaks_for_a_reader_is_not_heard(house):
    view = house.speak("console", m.DocumentPlaced(boot=0.0), m.AskNonce(request=1), hear=m.NonceGiven)
    assert view.transaction == ""


def test_a_console_that_talks_nonsense_is_hung_up_on_and_the_lane_goes_on(house):
    secret = house.runtime.given_secret("console")

    async def nonsense() -> bytes:
        reader, writer = await asyncio.open_unix_connection(house.runtime.lane_socket)
        channel = await connect(house.runtime.lane_socket, "console", secret)
        for junk in (b"\x00\x00\x00\x04junk", b"\xff\xff\xff\xff", b"\x00\x00\x00\x01\xc1"):
            channel._writer.write(junk)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ChannelClosed):
            while True:
                await channel.receive()
        rest = await reader.read()
        writer.close()
        await channel.close()
        return rest

    assert asyncio.run(nonsense()) == b""
    assert house.act("open")[1]["refused"] in {"", "not_now"}


def test_an_order_signed_for_one_lane_told_to_another_is_refused(house):
    given = house.speak("console", m.AskNonce(request=1), hear=m.NonceGiven)
    order = house.order("close") | {"nonce": given.nonce}
    signed = challenge(**(order | {"lane": "T2"}))
    proof = house.key.sign(signed, origin=house.origin)
    told = m.OfficerAct(**order, credential=house.key.credential, **proof)
    assert house.speak("console", told, hear=m.ActAnswered).refused == "wrong_challenge"


def test_a_flood_of_orders_leaves_the_lane_to_an_honest_officer(house):
    acts = [
        m.OfficerAct(
            **(house.order("close") | {"nonce": bytes(32), "credential": "x"}),
            authenticator_data=b"",
            client_data=b"",
            signature=b"s",
        )
        for _ in range(2000)
    ]
    house.speak("console", *acts, m.AskNonce(request=1), hear=m.NonceGiven)
    assert house.act("open")[1]["refused"] in {"", "not_now"}
    assert len(house.orders()) < 100
    assert house.speak("console", m.AskNonce(request=1), hear=m.ConsoleView).lane == "T1"
