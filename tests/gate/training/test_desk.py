"""The exercise desk: who may decide, when, and that nothing signed there means anything to a gate."""

import asyncio
import json
from datetime import UTC, date, datetime, timedelta

import pytest

from gate.console import acts
from gate.console.assertion import Assertion, decoded, encoded
from gate.console.roster import parse_officers
from gate.demo.console import DemoConsole
from gate.training.app import DeskApp
from gate.training.desk import Desk, Refused, challenge
from gate.training.scripted import Key
from gate.training.trainees import FILE_NAME, Trainees
from pki.errors import PkiError

ORIGIN = "http://localhost:8000"
TODAY = date(2026, 11, 23)


def officer(key, name="Sari"):
    line = {"name": name, "role": "officer", "credential": key.credential, "key": key.public}
    return parse_officers(json.dumps({"officers": [line | {"since": f"{TODAY}", "until": f"{TODAY}"}]}).encode())[0]


class Room:
    """A desk with an officer before it, at a moment that the test moves."""

    def __init__(self, maker, name="dinas-without-permit"):
        self.key, self.now = Key(), datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
        self.desk, self.case = Desk(ORIGIN, lambda: self.now), maker.cases[name]
        self.shown = maker.shown(self.case)

    async def at_counter(self):
        await self.desk.until_enrolled(officer(self.key), "Sari")
        briefed = asyncio.create_task(self.desk.until_begun(self.case, 1, 1))
        await asyncio.sleep(0)
        self.desk.begin()
        await briefed
        self.waiting = asyncio.create_task(self.desk.until_decided(self.shown, self.now, 30))
        await asyncio.sleep(0)

    def assertion(self, key=None, origin=ORIGIN, signed=None):
        made = (key or self.key).sign(encoded(signed), origin)
        return Assertion(**{name: decoded(value) for name, value in made.items()})

    def decide(self, action="ordinary_book", reason="PERMIT_MISSING", **how):
        signed, _ = self.desk.prepare(action, reason)
        self.desk.decide(action, reason, self.assertion(**{"signed": signed} | how))


@pytest.fixture
async def room(maker):
    room = Room(maker)
    await room.at_counter()
    yield room
    room.waiting.cancel()


async def test_a_signed_decision_ends_the_wait_and_is_kept_with_its_time(room):
    room.now += timedelta(seconds=12)
    room.desk.look("permit-paper")
    room.now += timedelta(seconds=8)
    room.decide()
    await asyncio.wait_for(room.waiting, 5)
    assert [(each.action, each.after_s) for each in room.desk.done] == [("ordinary_book", 20.0)]
    assert [(each.look, each.after_s) for each in room.desk.looked] == [("permit-paper", 12.0)]


@pytest.mark.parametrize(
    "how", [{"key": Key()}, {"origin": "http://localhost:8423"}, {"signed": b"0" * 32}], ids=["key", "origin", "challenge"]
)
async def test_what_this_officer_did_not_sign_here_for_this_is_refused(room, how):
    with pytest.raises(Refused):
        room.decide(**how)
    assert room.desk.done == []


async def test_a_signature_counts_once_and_for_what_was_prepared(room):
    signed, _ = room.desk.prepare("ordinary_book", "PERMIT_MISSING")
    with pytest.raises(Refused):
        room.desk.decide("clear", "PERMIT_ESTABLISHED", room.assertion(signed=signed))
    with pytest.raises(Refused, match="nonce_unknown"):
        room.desk.decide("ordinary_book", "PERMIT_MISSING", room.assertion(signed=signed))


@pytest.mark.parametrize(("action", "reason"), [("pass", "DOCUMENT_EXAMINED"), ("clear", "BAD_MOOD"), ("", "")])
async def test_only_acts_and_reasons_of_the_counter_are_taken(room, action, reason):
    with pytest.raises(Refused, match="unknown_action"):
        room.desk.prepare(action, reason)


async def test_one_decision_is_all_there_is(room):
    room.decide()
    with pytest.raises(Refused, match="not_now"):
        room.desk.prepare("clear", "IDENTITY_ESTABLISHED")


async def test_nothing_is_looked_at_or_decided_before_the_officer_is_called(maker):
    desk = Desk(ORIGIN)
    for too_early in (desk.begin, lambda: desk.look("permit-paper"), lambda: desk.prepare("clear", "IDENTITY_ESTABLISHED")):
        with pytest.raises(Refused, match="not_now"):
            too_early()


def test_a_signature_from_an_exercise_is_none_for_a_gate():
    """Both hash a line of JSON; what goes before it differs, so that no line can mean the same to both."""
    nonce = b"n" * 32
    told = acts.challenge(action="pass", transaction="t", lane="l", reason="DOCUMENT_EXAMINED", nonce=nonce)
    assert challenge(case="l", action="pass", reason="DOCUMENT_EXAMINED", nonce=nonce) != told


# --- over HTTP ------------------------------------------------------------------------------------------------------------------


async def ask(app, path, body=None, origin=ORIGIN, kind="application/json"):
    headers = [(b"host", b"localhost:8000"), (b"origin", origin.encode()), (b"content-type", kind.encode())]
    scope = {"type": "http", "method": "GET" if body is None else "POST", "path": path, "raw_path": path.encode()}
    scope |= {"query_string": b"", "root_path": "", "headers": headers, "server": ("127.0.0.1", 8000), "scheme": "http"}
    sent = []

    async def receive():
        await asyncio.sleep(0)
        return {"type": "http.request", "body": body or b"", "more_body": False}

    async def send(message):
        sent.append(message)

    await app(scope | {"http_version": "1.1"}, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


@pytest.fixture
def enrolled():
    return []


@pytest.fixture
def app(room, enrolled):
    return DeskApp(room.desk, lambda *told: enrolled.append(told), ORIGIN, "http://localhost:8423/").app()


async def test_a_whole_decision_over_http(room, app):
    status, body = await ask(app, "/look", b'{"look":"permit-paper"}')
    assert (status, json.loads(body)["finding"][0][:9]) == (200, "Tidak ada")
    told = {"action": "ordinary_book", "reason": "PRIVATE_JOURNEY"}
    _, body = await ask(app, "/prepare", json.dumps(told).encode())
    given = json.loads(body)
    assert given["credential"] == room.key.credential
    status, _ = await ask(app, "/decide", json.dumps(told | room.key.sign(given["challenge"], ORIGIN)).encode())
    assert (status, len(room.desk.done)) == (200, 1)


@pytest.mark.parametrize(
    ("path", "body", "how", "status"),
    [
        ("/prepare", b'{"action":"clear","reason":"TRY_AGAIN"}', {}, 409),
        ("/prepare", b'{"action":"clear","reason":"IDENTITY_ESTABLISHED"}', {"origin": "http://evil.example"}, 403),
        ("/prepare", b'{"action":"clear","reason":"IDENTITY_ESTABLISHED"}', {"kind": "text/plain"}, 403),
        ("/prepare", b"{", {}, 400),
        ("/prepare", b"x" * 20_000, {}, 400),
        ("/prepare", b'{"action":"clear","reason":"IDENTITY_ESTABLISHED","pass":1}', {}, 400),
        ("/decide", b'{"action":"clear","reason":"IDENTITY_ESTABLISHED"}', {}, 400),
        ("/look", b'{"look":"../../etc/passwd"}', {}, 409),
        ("/begin", b"{}", {}, 409),
        ("/enrol", b'{"credential":"AA","key":"AA"}', {}, 409),
        ("/review", None, {}, 404),
    ],
)
async def test_a_request_that_is_not_this_page_s_or_not_now_is_refused(app, room, enrolled, path, body, how, status):
    assert (await ask(app, path, body, **how))[0] == status
    assert (room.desk.done, enrolled) == ([], [])


# --- keys -----------------------------------------------------------------------------------------------------------------------


def test_a_trainee_s_new_key_takes_the_place_of_the_old_one_and_is_in_force_at_once(tmp_path):
    console = DemoConsole(8423, None)
    trainees = Trainees(tmp_path, console)
    console.config(tmp_path / "roster")
    first, second, other = Key(), Key(), Key()
    for name, key in (("Sari", first), ("Made", other), ("Sari", second)):
        trainees.enrol(name, key.credential, key.public, TODAY)
    again = Trainees(tmp_path, DemoConsole(8423, None))
    assert again.find("Sari", TODAY).credential == second.credential
    assert again.find("Made", TODAY).credential == other.credential
    assert again.find("Sari", TODAY + timedelta(days=400)) is None
    versions = sorted(path.name for path in (tmp_path / "roster" / "versions").iterdir() if path.suffix == ".json")
    assert versions[-1].startswith("000004-")
    with pytest.raises(PkiError):
        trainees.enrol("Wayan", "AA", "not a key", TODAY)
    assert again.find("Wayan", TODAY) is None
    assert b"PRIVATE" not in (tmp_path / FILE_NAME).read_bytes()
