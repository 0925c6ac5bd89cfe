"""The traveller's listener without a browser: what it offers, and that it passes on one request and no more."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from gate.config import load
from gate.config_sections import Screens
from gate.processes.messages import MoreTime
from gate.runtime import Runtime
from gate.service import _offers, commands
from gate.ui.feed import NewestView
from gate.ui.officer.app import create_app as officer_app
from gate.ui.traveller.app import FOLDER, REQUESTS, Offers, create_app
from gate.ui.traveller.screens import BUTTONS, ENTER_STEP, GUIDANCE, HOW_TO, SCREENS, STEPS

EVERYTHING = Offers(touch=True, more_time=True, prompts="spoken")
EXAMPLE = Path(__file__).parents[2] / "docs" / "gate.example.toml"
ORIGIN = "http://127.0.0.1:8410"


class Lane:
    """What the page says to it; ``there``: whether it can be reached."""

    def __init__(self) -> None:
        self.heard: list[MoreTime] = []
        self.there = True

    def tell(self, message: MoreTime) -> bool:
        self.heard.append(message)
        return self.there


def answer(app, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": ""}
    named = {"host": "127.0.0.1:8410", **headers}
    scope |= {"headers": [(name.encode(), value.encode()) for name, value in named.items()]}
    scope |= {"server": ("127.0.0.1", 8410), "scheme": "http", "http_version": "1.1"}
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


@pytest.fixture
def lane():
    return Lane()


@pytest.fixture
def app(lane):
    return create_app(NewestView(), EVERYTHING, lane.tell)


def test_a_request_for_more_time_reaches_the_lane(app, lane):
    assert answer(app, "/more-time", "POST", origin=ORIGIN)[0] == 202
    assert lane.heard == [MoreTime()]


def test_whoever_presses_while_the_lane_is_away_is_not_told_that_it_was_heard(app, lane):
    lane.there = False
    assert answer(app, "/more-time", "POST", origin=ORIGIN)[0] == 503


def test_a_page_that_asks_without_end_is_heard_a_few_times(app, lane):
    said = [answer(app, "/more-time", "POST", origin=ORIGIN)[0] for _ in range(50)]
    assert set(said) == {202, 429}
    assert len(lane.heard) == said.count(202) <= REQUESTS + 1


@pytest.mark.parametrize(
    "origin", [{}, {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:8411"}]
)
def test_no_other_page_asks_for_a_traveller(app, lane, origin):
    assert answer(app, "/more-time", "POST", **origin)[0] == 403
    assert lane.heard == []


def test_a_request_is_a_post(app, lane):
    assert answer(app, "/more-time", origin=ORIGIN)[0] == 405
    assert lane.heard == []


@pytest.mark.parametrize("path", ["/", "/events", "/static/page.js"])
def test_nothing_else_takes_anything(app, path):
    assert answer(app, path, "POST", origin=ORIGIN)[0] == 405


def test_a_screen_that_cannot_be_touched_has_no_buttons_and_nowhere_to_ask():
    app = create_app(NewestView())
    assert answer(app, "/more-time", "POST", origin=ORIGIN)[0] == 404
    page = answer(app, "/")[1].decode()
    assert "<button" not in page
    assert "sound.js" not in page


def test_the_listener_has_no_route_of_the_officers_pages():
    routes = lambda app: {route.path for route in app.routes}
    plain, full = routes(create_app(NewestView())), routes(create_app(NewestView(), EVERYTHING))
    assert plain == {"/", "/events", "/static/{name}"}
    assert full == plain | {"/more-time"}
    assert not (full - {"/", "/events", "/static/{name}"}) & routes(officer_app(NewestView()))


@pytest.mark.parametrize(
    ("section", "told"),
    [
        (Screens(), ["--touch", "--more-time", "--prompts", "off"]),
        (Screens(longer_times=1), ["--touch", "--prompts", "off"]),
        (Screens(touch=False, prompts="tones"), ["--prompts", "tones"]),
    ],
)
def test_the_configuration_says_what_the_screen_offers(section, told):
    assert _offers(SimpleNamespace(screens=section)) == told  # type: ignore[arg-type]  # the one section that it reads


@pytest.mark.parametrize("kind", ["mantrap", "single_door"])
def test_a_gate_with_a_single_door_says_so_to_its_screen_which_then_tells_nobody_to_enter(tmp_path, kind):
    (tmp_path / "secret").write_text("s")
    config = load(EXAMPLE)
    config = msgspec.structs.replace(config, lane=msgspec.structs.replace(config.lane, kind=kind))
    single = kind == "single_door"
    assert ("--single-door" in commands(EXAMPLE, config, Runtime(tmp_path))["traveller_screen"]) is single
    page = answer(create_app(NewestView(), single_door=single), "/")[1].decode()
    enter = STEPS[ENTER_STEP - 1][1]
    assert (f">{enter}</span></li>" in page) is not single


def test_the_page_is_whole_before_any_script_runs_and_then_it_is_the_closed_gate():
    before = answer(create_app(NewestView()), "/")[1].decode().partition("<template")[0]
    assert SCREENS["closed"].id in before
    assert SCREENS["closed"].en in before


def test_everything_that_is_shown_has_its_picture():
    page = answer(create_app(NewestView(), EVERYTHING), "/")[1].decode()
    assert page.count("<svg") == 1 + 1 + len(BUTTONS) + len(SCREENS) - 1 + len(HOW_TO) + len(GUIDANCE)
    assert {picture for picture, _ in HOW_TO} <= SCREENS.keys()


def test_no_word_asks_anybody_to_stand():
    said = [screen.en for screen in SCREENS.values()] + [en for _, en in GUIDANCE.values()]
    said += [en for screen in SCREENS.values() for _, en in screen.notes]
    assert len(said) > 15
    assert not any(word in text.lower().split() for text in said for word in ("stand", "walk", "step"))
    indonesian = [screen.id for screen in SCREENS.values()] + [id_ for id_, _ in GUIDANCE.values()]
    assert not any("berdiri" in text.lower() for text in indonesian)


def test_what_is_heard_of_a_referral_does_not_tell_which_one():
    script = (Path(FOLDER) / "sound.js").read_text(encoding="utf-8")
    tones = dict(re.findall(r"(\w+): (\[[^\]]*\])", script))
    assert tones["back"] == tones["refer"]
    assert {*tones, "stop"} == {screen.tone for screen in SCREENS.values()}
    assert (SCREENS["retry"].tone, SCREENS["counter"].tone) == ("back", "refer")
