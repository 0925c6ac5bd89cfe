"""Sessions of the console: by key or by password, within the shift and no longer; passwords may look and nothing else."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.console import sessions as module
from gate.console.assertion import Assertion
from gate.console.passwords import hashed, matches
from gate.console.roster import Officer, Roster, Viewer, parse_roster
from gate.console.sessions import IDLE_S, SESSION_S, TRIES, TRY_EVERY_S, Sessions
from gate.console.shifts import WHOLE_DAY, duty_left_s
from pki.errors import PkiError

NOON = datetime(2026, 11, 23, 12, 0)  # noqa: DTZ001 - the checkpoint's calendar, without zone
DAY = NOON.date()
WORDS = "seven words that nobody guesses"


@pytest.fixture(scope="module")
def password() -> str:
    return hashed(WORDS)


class House:
    """Sessions with clocks that a test turns."""

    def __init__(self, key, password: str, shift: str = "08:00-16:00") -> None:
        self.key, self.civil, self.seconds = key, NOON, 1000.0
        days = {"since": DAY, "until": DAY}
        officer = key.officer("Sari", shift=shift, **days)
        viewer = Viewer(name="Nia", role="auditor", password=password, shift=shift, **days)
        self.roster = Roster(format=1, version=1, officers=(officer,), viewers=(viewer,))
        self.sessions = Sessions(lambda: self.roster, lambda: self.civil, "http://localhost:8412", lambda: self.seconds)

    def sign_in(self):
        challenge = self.sessions.begin({"x": b"n" * 32})
        proven = self.sessions.prove(challenge, self.key.credential, Assertion(**self.key.sign(challenge)))
        return self.sessions.open(proven[1]) if isinstance(proven, tuple) else proven

    def look_in(self, name: str = "Nia", words: str = WORDS):
        return self.sessions.open_viewer(self.sessions.look_in(name, words))

    def later(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def house(new_authenticator, password):
    return House(new_authenticator(), password)


def test_a_session_ends_with_the_shift_and_none_begins_after_it(house):
    token = house.sign_in()
    for _ in range(31):
        house.later(450)
        assert house.sessions.find(token, touched=True).name == "Sari"
    house.later(450)
    assert house.sessions.find(token, touched=True) is None
    house.civil = NOON.replace(hour=16)
    assert house.sign_in() == "officer_not_valid"
    house.civil = NOON + timedelta(days=1)
    assert house.sign_in() == "officer_not_valid"


def test_a_session_that_nobody_touches_ends_and_so_does_its_officers_presence(house):
    token = house.sign_in()
    assert house.sessions.present() == {"Sari"}
    house.later(IDLE_S + 1)
    assert house.sessions.present() == frozenset()
    assert house.sessions.find(token) is None


def test_no_session_lasts_longer_than_a_shift_may(new_authenticator, password):
    house = House(new_authenticator(), password, WHOLE_DAY)
    token = house.sign_in()
    house.later(SESSION_S - 1)
    house.sessions._sessions[token].used = house.seconds
    assert house.sessions.find(token)
    house.later(2)
    assert house.sessions.find(token, touched=True) is None


def test_an_officer_who_was_taken_off_the_roster_signs_in_no_more(house):
    house.roster = Roster(format=1, version=2, officers=())
    assert house.sign_in() == "unknown_authenticator"


def test_a_challenge_to_sign_in_dies_after_a_minute_and_is_good_once(house):
    challenge = house.sessions.begin({})
    assertion = Assertion(**house.key.sign(challenge))
    house.later(module.CHALLENGE_S + 1)
    assert house.sessions.prove(challenge, house.key.credential, assertion) == "nonce_unknown"
    fresh = house.sessions.begin({})
    assertion = Assertion(**house.key.sign(fresh))
    assert isinstance(house.sessions.prove(fresh, house.key.credential, assertion), tuple)
    assert house.sessions.prove(fresh, house.key.credential, assertion) == "nonce_unknown"


def test_a_password_opens_a_session_without_a_key(house):
    person = house.sessions.find(house.look_in())
    assert (person.name, person.role, person.credential) == ("Nia", "auditor", "")
    assert house.sessions.present() == frozenset(), "who looks supervises nothing"
    assert house.look_in(words=WORDS[:-1]) == "wrong_password"
    assert house.look_in("Nobody") == "wrong_password"
    house.civil = NOON.replace(hour=7)
    assert house.look_in() == "officer_not_valid"


def test_passwords_are_guessed_slowly_and_a_name_at_a_time(house):
    assert [house.sessions.may_try("Nia") for _ in range(TRIES + 2)] == [True] * TRIES + [False] * 2
    assert house.sessions.may_try("Other")
    house.later(TRY_EVERY_S)
    assert house.sessions.may_try("Nia")
    assert not house.sessions.may_try("Nia")


@pytest.mark.parametrize(
    "told", ["", "x", "$argon2i$v=19$m=65536,t=3,p=1$AAAA$AAAA", "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43]
)
def test_only_hashes_with_our_own_cost_are_passwords(told):
    assert not matches("", told)
    entry = {"name": "Nia", "role": "auditor", "password": told, "since": "2026-01-01", "until": "2026-01-02"}
    with pytest.raises(PkiError):
        parse_roster(json.dumps({"officers": [], "viewers": [entry]}).encode())


@pytest.mark.parametrize("short", ["", "short", "x" * 129])
def test_a_password_is_neither_short_nor_endless(short):
    with pytest.raises(ValueError, match="characters"):
        hashed(short)


def test_one_name_has_one_role_and_one_password(new_authenticator, password):
    days = {"since": DAY, "until": DAY}
    nia = Viewer(name="Nia", role="auditor", password=password, **days)
    for viewers, officers in (((nia, nia), ()), ((nia,), (new_authenticator().officer("Nia", **days),))):
        raw = msgspec.json.encode({"officers": officers, "viewers": viewers})
        with pytest.raises(PkiError):
            parse_roster(raw)


# --- shifts -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shift", "at", "hours"),
    [
        (WHOLE_DAY, "2026-11-23T00:00", 24),
        (WHOLE_DAY, "2026-11-24T00:00", 0),
        ("08:00-16:00", "2026-11-23T08:00", 8),
        ("08:00-16:00", "2026-11-23T07:59", 0),
        ("08:00-16:00", "2026-11-23T16:00", 0),
        ("22:00-06:00", "2026-11-23T23:00", 7),
        ("22:00-06:00", "2026-11-24T05:00", 1),
        ("22:00-06:00", "2026-11-23T05:00", 0),
        ("22:00-06:00", "2026-11-24T06:00", 0),
        ("22:00-24:00", "2026-11-23T23:00", 1),
        ("nonsense", "2026-11-23T12:00", 0),
        ("", "2026-11-23T12:00", 0),
        ("25:00-26:00", "2026-11-23T12:00", 0),
    ],
)
def test_a_shift_over_midnight_belongs_to_the_day_on_which_it_began(shift, at, hours):
    assert duty_left_s(datetime.fromisoformat(at), since=DAY, until=DAY, shift=shift) == hours * 3600


@settings(deadline=None)
@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)), st.times(), st.times())  # noqa: DTZ001 - as above
def test_nobody_is_on_duty_for_longer_than_their_shift(at, first, last):
    shift = f"{first:%H:%M}-{last:%H:%M}"
    left = duty_left_s(at, since=date(2026, 1, 1), until=date(2027, 1, 1), shift=shift)
    assert 0 <= left <= 86_400
    if left:
        assert duty_left_s(at + timedelta(seconds=left), since=date(2026, 1, 1), until=at.date(), shift=shift) in {0, 86_400}


def test_officers_are_not_viewers(house):
    assert isinstance(house.roster.find(house.key.credential), Officer)
    assert house.roster.viewer("Sari") is None
