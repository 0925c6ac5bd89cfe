"""The two listeners without a browser: words for everything, headers on everything, one line for whoever starts them wrong."""

import asyncio
import re
import socket
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gate.policy
from gate.decision import Outcome
from gate.evidence import VOCABULARY, CheckResult, Fact
from gate.lane_terms import State
from gate.processes import channel
from gate.processes.messages import Guidance, OfficerView, TravellerView
from gate.ui import serve, web, words
from gate.ui.feed import NewestView, traveller_feed
from gate.ui.officer import present
from gate.ui.officer.app import create_app as officer_app
from gate.ui.reasons import REASONS, UNKNOWN, reason
from gate.ui.traveller.app import create_app as traveller_app
from gate.ui.traveller.app import encode as encode_traveller
from gate.ui.traveller.screens import GUIDANCE, SCREENS


def view(**changes):
    plain = {
        "lane": "l",
        "checkpoint": "CGK",
        "direction": "departure",
        "profile": "demo",
        "state": "idle",
        "controller": "ready",
    }
    return OfficerView(**{**plain, "entry": "locked", "exit": "locked", "occupancy": "0", **changes})


async def get(app, path="/", host="127.0.0.1:8000", method="GET"):
    """(status, headers, body) of an ASGI application, as its server would ask it."""
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": ""}
    scope |= {"headers": [(b"host", host.encode())], "server": ("127.0.0.1", 8000), "scheme": "http", "http_version": "1.1"}
    sent = []

    async def receive():
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:])


# --- words ------------------------------------------------------------------------------------------------------------


def test_every_reason_that_a_rule_gives_has_words_and_a_check_list():
    rules = tomllib.loads((Path(gate.policy.__file__).parent / "rules" / "rules.toml").read_text())
    given_reasons = {rule["reason"] for entries in rules.values() if isinstance(entries, list) for rule in entries}
    assert len(given_reasons) > 30
    assert given_reasons | {"REQUIREMENT_UNMET", "SNAPSHOT_TOO_OLD"} <= REASONS.keys()
    for text in REASONS.values():
        assert all(text.words)
        assert text.checks


def test_no_reason_calls_a_traveller_or_a_book_false():
    for text in REASONS.values():
        for sentence in (*text.words, *(word for check in text.checks for word in check)):
            assert not {"fake", "forged", "palsu", "penipu", "impostor"} & set(sentence.lower().split())


def test_an_officer_sees_of_when_a_copy_is_that_spoke_for_its_registry():
    as_of = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
    told = [present._check(Fact(value=word, as_of=as_of))["code"] for word in ("clear_in_snapshot", "clear")]
    assert told == ["2026-03-02 03:00 UTC", ""]


def test_an_unknown_reason_is_shown_and_not_hidden():
    assert reason("NEVER_HEARD") is UNKNOWN


def test_there_is_a_screen_for_every_word_and_a_word_for_every_state_check_result_and_outcome():
    screen_field = next(field for field in msgspec.structs.fields(TravellerView) if field.name == "screen")
    assert set(get_args(screen_field.type)) == SCREENS.keys()
    assert {state.value for state in State} == words.STATES.keys()
    assert words.RESULTS.keys() == set(CheckResult)
    assert words.OUTCOMES.keys() == set(Outcome) == present.OUTCOME_TONES.keys()
    assert sorted(fact for _, members in words.CHECK_TREE for fact, _ in members) == sorted(VOCABULARY)


def test_the_readers_panel_is_a_tile_where_there_is_one_and_a_call_for_help_another():
    tiles = lambda **how: {tile["name"][1]: tile for tile in msgspec.json.decode(present.encode(view(**how))["lane"])["tiles"]}
    assert not {"Reader panel", "Call"} & tiles().keys()
    assert tiles(panel="ready")["Reader panel"]["tone"] == "good"
    assert tiles(panel="tamper")["Reader panel"]["value"] == ["Rumah pembaca terbuka", "Enclosure open"]
    assert tiles(panel="fault", assistance=True)["Reader panel"]["tone"] == "bad"
    assert tiles(panel="fault", assistance=True)["Call"]["value"][1] == "A traveller asks for help"


def test_the_entry_that_a_single_door_has_not_is_no_tile_on_the_officers_page():
    tiles = lambda entry: [tile["name"][1] for tile in msgspec.json.decode(present.encode(view(entry=entry))["lane"])["tiles"]]
    assert "Entry" in tiles("locked")
    assert "Entry" not in tiles("none")


@pytest.mark.parametrize(
    ("count", "word"), [("0", "none"), ("1", "one"), ("2", "many"), ("unknown", "uncertain"), ("-1", "uncertain")]
)
def test_an_occupancy_that_is_no_count_is_not_one(count, word):
    lane = msgspec.json.decode(present.encode(view(occupancy=count))["lane"])
    assert lane["doors"]["occupancy"] == word


# --- what a traveller's stream may hold ---------------------------------------------------------------------------------


def test_every_guidance_has_words_and_none_is_about_hair_ears_or_neck():
    assert {"", *GUIDANCE} == set(get_args(Guidance))
    page = asyncio.run(get(traveller_app(NewestView())))[2].decode()
    for guidance, sentences in GUIDANCE.items():
        assert f'data-guidance="{guidance}"' in page
        assert all(sentence in page for sentence in sentences)
        for word in ("rambut", "telinga", "leher", "hair", "ears", "neck", "hijab"):
            assert word not in " ".join(sentences).lower()
    assert "Kerudung boleh tetap dipakai" in GUIDANCE["remove_occlusion"][0]


@given(st.sampled_from(sorted(SCREENS)), st.floats())
@settings(max_examples=60)
def test_a_traveller_gets_a_screen_word_and_a_fraction_whatever_the_lane_says(screen, progress):
    got = msgspec.json.decode(encode_traveller(TravellerView(screen=screen, progress=progress))["screen"])
    assert got.keys() == {"screen", "progress", "guidance", "more_time"}
    assert got["guidance"] == ""
    assert got["progress"] is None or 0 <= got["progress"] <= 1


def test_without_a_lane_the_gate_is_closed_and_the_officer_is_told():
    assert b'"closed"' in encode_traveller(None)["screen"]
    assert present.encode(None) == {"lane": b"null"}


def test_the_traveller_page_names_no_reason_and_no_outcome():
    page = asyncio.run(get(traveller_app(NewestView())))[2].decode()
    for word in (*REASONS, *Outcome):
        assert word not in page


def test_the_traveller_page_is_small():
    folder = Path(serve.__file__).parent / "traveller"
    page = asyncio.run(get(traveller_app(NewestView())))[2]
    served = [path for path in folder.iterdir() if path.name in {"page.css", "page.js", "icon.svg"}]
    assert len(served) == 3
    assert len(page) + sum(path.stat().st_size for path in served) < 60_000


def luminance(colour: str) -> float:
    """Relative luminance of #rgb or #rrggbb (WCAG 2.2)."""
    digits = colour.lstrip("#")
    digits = digits if len(digits) == 6 else "".join(digit * 2 for digit in digits)
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_tone_has_the_contrast_of_seven_to_one():
    css = (Path(serve.__file__).parent / "traveller" / "page.css").read_text()
    tones = dict(re.findall(r'body\[data-tone="(\w+)"\] \{([^}]*)\}', css))
    assert tones.keys() == {screen.tone for screen in SCREENS.values()}
    for tone, rule in tones.items():
        colours = {"fg": "#fff", **dict(re.findall(r"--(bg|fg): (#\w+)", rule))}
        dark, light = sorted((luminance(colours["bg"]), luminance(colours["fg"])))
        assert (light + 0.05) / (dark + 0.05) >= 7, tone


# --- the listeners --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("app", [traveller_app(NewestView()), officer_app(NewestView())], ids=("traveller", "officer"))
@pytest.mark.parametrize("path", ["/", "/static/page.js", "/static/page.css", "/nowhere"])
def test_every_answer_carries_the_security_headers(app, path):
    status, headers, _ = asyncio.run(get(app, path))
    assert status == (404 if path == "/nowhere" else 200)
    assert headers["content-security-policy"].startswith("default-src 'self'")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "set-cookie" not in headers


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1", "127.0.0.1:8001", "127.0.0.1.evil.example:8000", ""]
)
def test_a_host_header_that_is_not_this_listener_is_refused(host):
    status, _, body = asyncio.run(get(officer_app(NewestView()), "/healthz", host))
    assert status == 421
    assert b"lane" not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/", "/events", "/healthz", "/static/page.js"])
def test_the_officer_page_only_reads(method, path):
    assert asyncio.run(get(officer_app(NewestView()), path, method=method))[0] == 405


def test_health_follows_the_lane():
    feed = NewestView()
    app = officer_app(feed)
    assert asyncio.run(get(app, "/healthz"))[0] == 503
    feed.show(view())
    assert asyncio.run(get(app, "/healthz"))[0] == 200


async def test_a_stream_begins_with_the_newest_view_and_sends_only_what_changed(monkeypatch):
    monkeypatch.setattr(web, "BEAT_S", 0.02)
    feed = NewestView()
    feed.show(view(state="idle"))
    events = web.stream(feed, present.encode)
    names = [(await anext(events)).split(b"\n")[0] for _ in range(2)]
    assert names == [b"event: lane", b"event: ended"]
    feed.show(view(state="document"))
    assert (await anext(events)).startswith(b"event: lane\ndata: {")
    assert await anext(events) == b"event: beat\ndata:\n\n"
    feed.show(None)
    assert await anext(events) == b"event: lane\ndata: null\n\n"
    feed.close()
    assert [event async for event in events] == []


async def test_a_slow_reader_gets_the_newest_view_and_not_the_queue():
    feed = NewestView()
    changes = feed.changes()
    assert await anext(changes) is None
    for state in ("document", "entry_open", "capture"):
        feed.show(view(state=state))
    assert (await anext(changes)).state == "capture"


async def test_a_screen_takes_only_its_own_view_and_comes_back_after_the_lane_was_away(tmp_path):
    roles, hang_up = [], asyncio.Event()

    async def on_peer(join, peer):
        roles.append(join.role)
        await peer.send(view(transaction="T-1", reasons=("FACE_NO_MATCH",)))
        await peer.send(TravellerView(screen="counter"))
        await hang_up.wait()

    server = await channel.serve(tmp_path / "lane.sock", "s", on_peer)
    feed, shown = traveller_feed(tmp_path / "lane.sock", channel.role_secret("s", "traveller_screen")), []
    show = feed.show
    feed.show = lambda view: (shown.append(view), show(view))  # every one: a slow reader would miss the wrong one
    following = asyncio.create_task(feed.run())
    seen = feed.changes()
    assert await anext(seen) is None
    assert await anext(seen) == TravellerView(screen="counter")
    hang_up.set()
    assert await anext(seen) is None
    hang_up.clear()
    assert await anext(seen) == TravellerView(screen="counter")
    assert set(roles) == {"traveller_screen"}
    assert {type(view) for view in shown} == {TravellerView, type(None)}
    hang_up.set()
    following.cancel()
    server.close()


# --- starting it wrong -----------------------------------------------------------------------------------------------------


def test_a_taken_port_is_said_in_one_line(tmp_path, capsys):
    (tmp_path / "secret").write_text("s")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        arguments = ["officer", "--lane", str(tmp_path / "lane"), "--secret-file", str(tmp_path / "secret"), "--port", str(port)]
        assert serve.main(arguments) == 2
    said = capsys.readouterr().err
    assert f"port {port}" in said
    assert said.count("\n") == 1


def test_a_missing_secret_is_said_in_one_line(tmp_path, capsys):
    arguments = ["traveller", "--lane", str(tmp_path / "lane"), "--secret-file", str(tmp_path / "none"), "--port", "0"]
    assert serve.main(arguments) == 2
    said = capsys.readouterr().err
    assert str(tmp_path / "none") in said
    assert said.count("\n") == 1
