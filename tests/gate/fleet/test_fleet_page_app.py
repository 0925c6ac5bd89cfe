"""Who gets at the fleet page: nobody without a password, no other site, nobody who guesses; and whoever is in can do nothing."""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
from contextlib import suppress
from datetime import UTC, date, datetime
from http.client import HTTPConnection

import pytest
import uvicorn

from gate.console.passwords import hashed
from gate.console.roster import Roster, Viewer
from gate.console.sessions import IDLE_S, Sessions
from gate.fleet.page import command
from gate.fleet.page.app import COOKIE, FleetPage
from gate.fleet.page.figures import Alert, Fleet
from gate.ui.feed import NewestView
from gate.ui.serve import listen
from pki.errors import PkiError, ReasonCode

WORDS = "many words and a number 7"
NIA = Viewer(name="nia", role="auditor", password=hashed(WORDS), since=date(2020, 1, 1), until=date(2099, 1, 1))
ALERT = Alert(code="gap", gate="CGK.D07", opened=datetime(2026, 11, 23, tzinfo=UTC), detail="record 7 is missing")
FLEET = Fleet(at=datetime(2026, 11, 23, tzinfo=UTC), gates=(), slots=(), hours=(), books=(), alerts=(ALERT,), collected=None)


class House:
    """The real application on a real listener, in a thread with a loop of its own."""

    def __init__(self) -> None:
        self.listener, self.now, self.viewers = listen(0), 1000.0, (NIA,)
        self.port = self.listener.getsockname()[1]
        self.origin = f"http://localhost:{self.port}"
        self._ready = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),))
        self._thread.start()
        assert self._ready.wait(10)

    async def _serve(self) -> None:
        feed: NewestView[Fleet] = NewestView()
        feed.show(FLEET)
        self.feed = feed

        def roster() -> Roster:
            return Roster(format=1, version=1, officers=(), viewers=self.viewers)

        sessions = Sessions(roster, lambda: datetime(2026, 11, 23), self.origin, now=lambda: self.now)  # noqa: DTZ001 - civil time
        app = FleetPage(feed, sessions, self.origin).app()
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        self._ready.set()
        await self._server.serve(sockets=[self.listener])

    def stop(self) -> None:
        self.feed.close()
        self._server.should_exit = True
        self._thread.join(10)

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, dict[str, str], str]:
        line = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            told = {"Host": f"localhost:{self.port}"} | {name.replace("_", "-"): value for name, value in headers.items()}
            line.request(method, path, None if body is None else json.dumps(body), told)
            answer = line.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
        finally:
            line.close()

    def post(self, path: str, body: object, **headers: str) -> tuple[int, dict[str, str], str]:
        return self.ask("POST", path, body, **{"Origin": self.origin, "Content_Type": "application/json"} | headers)

    def sign_in(self, name: str = "nia", password: str = WORDS) -> tuple[int, str]:
        status, headers, _ = self.post("/signin", {"name": name, "password": password})
        return status, headers.get("set-cookie", "")


@pytest.fixture
def house():
    running = House()
    yield running
    running.stop()


def test_without_a_password_there_are_no_figures(house):
    status, headers, page = house.ask("GET", "/")
    assert (status, "CGK" in page, "data-part" in page) == (200, False, False)
    assert "script-src" not in headers["content-security-policy"], "scripts of its own alone"
    assert headers["content-security-policy"].startswith("default-src 'self'")
    assert house.ask("GET", "/events")[0] == 401
    assert house.post("/here", {})[0] == 401


def test_with_it_they_are_there_and_the_cookie_is_for_this_page_alone(house):
    status, cookie = house.sign_in()
    assert status == 200
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    token = cookie.partition(";")[0]
    assert "CGK.D07" in house.ask("GET", "/", Cookie=token)[2]
    assert house.post("/signout", {}, Cookie=token)[0] == 200
    assert "CGK.D07" not in house.ask("GET", "/", Cookie=token)[2]


def test_wrong_names_and_wrong_passwords_are_refused_alike_and_slowly(house):
    assert house.sign_in("nia", "not the words it takes")[0] == 403
    assert house.sign_in("nobody", WORDS)[0] == 403
    assert [house.sign_in("nia", f"guess number {each}")[0] for each in range(5)][-1] == 429


def test_another_site_another_host_and_another_form_get_nothing(house):
    told = {"name": "nia", "password": WORDS}
    assert house.post("/signin", told, Origin="http://evil.example")[0] == 403
    assert house.post("/signin", told, Content_Type="text/plain")[0] == 415
    assert house.post("/signin", told | {"role": "supervisor"})[0] == 400
    assert house.post("/signin", {"name": "n" * 20_000, "password": ""})[0] == 400
    assert house.ask("GET", "/", Host="evil.example")[0] == 421


def test_who_is_taken_off_the_roster_gets_in_no_more_and_a_screen_nobody_touches_signs_out(house):
    token = house.sign_in()[1].partition(";")[0]
    house.viewers = ()
    assert house.sign_in()[0] == 403
    house.now += IDLE_S + 1
    assert "CGK.D07" not in house.ask("GET", "/", Cookie=token)[2]


def test_only_files_of_the_page_are_served(house):
    assert house.ask("GET", "/static/page.js")[0] == 200
    for name in ("app.py", "page.html", "../app.py", "%2e%2e/app.py", "parts.html"):
        assert house.ask("GET", f"/static/{name}")[0] == 404, name


def test_the_stream_brings_the_parts_to_who_is_signed_in(house):
    token = house.sign_in()[1].partition(";")[0]
    line = HTTPConnection("127.0.0.1", house.port, timeout=10)
    line.request("GET", "/events", headers={"Host": f"localhost:{house.port}", "Cookie": token})
    answer = line.getresponse()
    heard = {}
    while "alerts" not in heard:
        name = answer.readline().decode().partition("event: ")[2].strip()
        if name:
            heard[name] = json.loads(answer.readline().decode().partition("data: ")[2])
    line.close()
    assert "record 7 is missing" in heard["alerts"]
    assert COOKIE in token


def test_the_service_manager_hears_that_whoever_comes_is_served_once_there_is_a_roster_to_go_by(monkeypatch):
    heard: list[object] = []

    async def served(*_: object) -> None:
        heard.append("serves")

    def spoilt(*_: object) -> None:
        raise PkiError(ReasonCode.MALFORMED, "no roster")

    monkeypatch.setattr(command, "serve", served)
    monkeypatch.setattr(command.notify, "tell", lambda *lines: heard.append(lines))
    parser = argparse.ArgumentParser()
    command.add_arguments("page", parser)
    options = parser.parse_args(["--roster", "nowhere", "--signer", f"siti:{'03' * 32}", "--port", "0"])
    for opened in (spoilt, lambda *_: (Roster(format=1, version=1, officers=(), viewers=(NIA,)), None)):
        monkeypatch.setattr(command, "open_roster", opened)
        with listen(0) as listener, suppress(PkiError):
            asyncio.run(command._serve(options, listener))
    assert heard == [("READY=1",), "serves"]
