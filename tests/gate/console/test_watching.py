"""Who supervises: officers whose signature the verifier proved, for as long as they are there; and what they are shown of a case, once it is written down."""

from __future__ import annotations

import base64

import msgspec
import pytest

from gate.audit.log import FILE_NAME, decode, open_readonly
from gate.console.acts import Refused, roles, watch_challenge, watch_part
from gate.console.assertion import Assertion, prove, public_key
from gate.lane import State
from gate.processes import watching as module
from gate.processes.messages import AskCase, AskNonce, OfficerWatch, WatchOver
from gate.records import CaseViewed, OfficerWatched
from hardware.controller.protocol import Leaf

OTHER = bytes(32)


def signed(desk, who: str, *, given=None, parts=None, says=None, **signing) -> OfficerWatch:
    """What ``who`` signs to go on watch at this lane and another one."""
    given = given or desk.officers.nonce(AskNonce(request=1))
    parts = parts or (OTHER, watch_part("x", given.nonce))
    proof = desk.keys[who].sign(watch_challenge(parts), **signing)
    return OfficerWatch(
        **({"nonce": given.nonce, "parts": parts, "credential": desk.keys[who].credential} | proof | (says or {}))
    )


async def watch(desk, who: str, **how):
    answer = await desk.officers.watching.watch(signed(desk, who, **how))
    await desk.hand.settle()
    return answer


async def look(desk, who: str, transaction: str | None = None):
    asked = AskCase(request=1, transaction=transaction or desk.hand.transaction, officer=who)
    answer = await desk.officers.watching.show(asked)
    await desk.hand.settle()
    return answer


async def written(desk, kind: str, shape, count: int) -> list:
    for _ in range(500):
        with open_readonly(desk.hand.folder / FILE_NAME) as log:
            found = [decode(record, shape) for record in log.records(kind)]
        if len(found) >= count:
            return found
        await desk.hand.settle()
    raise AssertionError(f"{len(found)} records, not {count}")


def view(desk):
    desk.hand.actor._publish()
    return [told for role, told in desk.hand.told if role == "console"][-1]


@pytest.fixture
async def supervised(desk):
    """A lane that officers supervise, and nobody does."""
    hand = desk.hand
    hand.actor._officers_supervise = True
    hand.actor.post(lambda: hand.actor.watched({}))
    await hand.settle()
    await hand.plant()
    assert hand.state is State.OUT_OF_SERVICE
    return desk


# --- supervision --------------------------------------------------------------------------------------------------------------


async def test_the_lane_serves_while_an_officer_is_on_watch_and_says_why_where_none_is(supervised):
    hand = supervised.hand
    assert not hand.actor.in_service
    assert any("supervision" in trouble for trouble in view(supervised).troubles)
    answer = await watch(supervised, "Sari")
    assert (answer.refused, answer.officer) == ("", "Sari")
    assert 0 < answer.seconds <= 1800
    await hand.plant()
    assert (hand.state, hand.actor.in_service, list(view(supervised).watching)) == (State.IDLE, True, ["Sari"])
    supervised.officers.watching.over(WatchOver(officer="Sari"))
    await hand.settle()
    await hand.plant()
    assert hand.state is State.OUT_OF_SERVICE
    events = [(each.officer, each.event) for each in await written(supervised, "watch", OfficerWatched, 2)]
    assert events == [("Sari", "signed"), ("Sari", "signed_out")]


async def test_the_officer_pages_process_is_no_supervision_where_officers_are(supervised):
    hand = supervised.hand
    await hand.peer("officer_screen", joined=False)
    await hand.peer("officer_screen")
    await hand.plant()
    assert hand.state is State.OUT_OF_SERVICE


async def test_no_exit_opens_for_whom_the_last_officer_left(supervised):
    hand = supervised.hand
    await watch(supervised, "Sari")
    await hand.plant()
    await hand.inside()
    supervised.officers.watching.over(WatchOver(officer="Sari"))
    await hand.settle()
    assert hand.state in {State.HOLD, State.EJECT}
    await watch(supervised, "Made")
    await hand.face()
    assert not hand.opened_exit(), "the permit died with the supervision"


async def test_a_watch_ends_by_itself_and_begins_anew_with_every_signature(supervised, monkeypatch):
    hand, watching = supervised.hand, supervised.officers.watching
    await watch(supervised, "Sari")
    first = watching.until["Sari"]
    watching._until["Sari"] = hand.clock.boot() + 0.2
    assert (await supervised.act("Sari", "close")).refused == ""
    assert watching.until["Sari"] > first - 1, "an order is a sign of life"  # near the end of a shift both end with it
    watching._until["Sari"] = hand.clock.boot() + 0.05
    watching._changed()
    await hand.until(lambda: not watching.until)
    await hand.settle()
    assert not hand.actor._view.supervised
    assert [each.event for each in await written(supervised, "watch", OfficerWatched, 2)] == ["signed", "ended"]


async def test_the_end_of_the_last_console_is_the_end_of_all_watches(supervised):
    await watch(supervised, "Sari")
    await watch(supervised, "Made")
    supervised.officers.watching.console_gone()
    await supervised.hand.settle()
    assert not supervised.hand.actor._view.supervised
    ends = [each.officer for each in await written(supervised, "watch", OfficerWatched, 4) if each.event == "console_gone"]
    assert ends == ["Sari", "Made"]


async def test_one_officer_who_goes_leaves_the_other_on_watch(supervised):
    await watch(supervised, "Sari")
    await watch(supervised, "Made")
    supervised.officers.watching.over(WatchOver(officer="Sari"))
    supervised.officers.watching.over(WatchOver(officer="nobody"))
    await supervised.hand.settle()
    assert supervised.hand.actor._view.supervised
    assert list(supervised.officers.watching.until) == ["Made"]


async def test_a_watch_proves_itself_from_the_log(supervised):
    await watch(supervised, "Sari")
    (record,) = await written(supervised, "watch", OfficerWatched, 1)
    own = watch_part("x", bytes.fromhex(record.nonce))
    parts = [own if part is None else bytes.fromhex(part) for part in record.beside]
    data, client, signature = (base64.b64decode(part) for part in record.proof)
    told = Assertion(authenticator_data=data, client_data=client, signature=signature)
    key = public_key(supervised.keys["Sari"].public)
    assert prove(told, key=key, challenge=watch_challenge(parts), origin="http://localhost:8412").refused is None


REFUSED_WATCHES = {
    "made for other lanes alone": ({"parts": (OTHER, watch_part("y", OTHER))}, "other_lane"),
    "made for nothing": ({"says": {"parts": ()}}, "malformed"),
    "for more lanes than there are": ({"says": {"parts": (OTHER,) * 40}}, "malformed"),
    "with a part of another length": ({"says": {"parts": (b"short",)}}, "malformed"),
    "with other parts than were signed": ({"says": {"parts": None}}, "wrong_challenge"),
    "with a nonce of the console's own": ({"says": {"nonce": b"n" * 32}}, "nonce_unknown"),
    "without its holder": ({"flags": 0x01}, "user_not_verified"),
    "signed on another page": ({"origin": "http://localhost:1"}, "wrong_origin"),
    "signed by nobody on the roster": ({"who": "Stranger"}, "unknown_authenticator"),
    "of an officer whose days are over": ({"who": "Former"}, "officer_not_valid"),
    "of an officer out of the shift": ({"who": "Night"}, "officer_not_valid"),
    "of an auditor": ({"who": "Auditor"}, "role_may_not"),
    "of an engineer": ({"who": "Engineer"}, "role_may_not"),
}


async def test_a_watch_that_is_refused_supervises_nothing_and_is_written_down(supervised, monkeypatch):
    monkeypatch.setattr(supervised.officers._prover.budget, "_left", 1e9)
    monkeypatch.setattr(supervised.officers._prover.budget, "_most", 1e9)
    said = {}
    for name, (signing, _) in REFUSED_WATCHES.items():
        how, given = dict(signing), supervised.officers.nonce(AskNonce(request=1))
        if how.get("says", {}).get("parts", OTHER) is None:
            how["says"] = {"parts": (bytes(31) + b"1", watch_part("x", given.nonce))}
        said[name] = (await watch(supervised, how.pop("who", "Sari"), given=given, **how)).refused
        assert not supervised.hand.actor._view.supervised
    assert said == {name: why for name, (_, why) in REFUSED_WATCHES.items()}
    records = await written(supervised, "watch", OfficerWatched, len(said))
    assert [(each.event, each.refused) for each in records] == [("refused", why) for why in said.values()]


async def test_a_watch_is_good_once(supervised):
    told = signed(supervised, "Sari")
    watching = supervised.officers.watching
    assert (await watching.watch(told)).refused == ""
    watching.over(WatchOver(officer="Sari"))
    assert (await watching.watch(told)).refused == "nonce_unknown", "a console cannot bring back who has signed out"


async def test_a_signature_for_an_order_is_no_watch_and_one_for_a_watch_no_order(supervised):
    act = supervised.prepared("Sari", "close")
    as_watch = OfficerWatch(
        nonce=act.nonce,
        parts=(watch_part("x", act.nonce),),
        credential=act.credential,
        authenticator_data=act.authenticator_data,
        client_data=act.client_data,
        signature=act.signature,
    )
    assert (await supervised.officers.watching.watch(as_watch)).refused == "wrong_challenge"
    told = signed(supervised, "Sari")
    order = msgspec.structs.replace(
        supervised.prepared("Sari", "close"),
        nonce=told.nonce,
        authenticator_data=told.authenticator_data,
        client_data=told.client_data,
        signature=told.signature,
    )
    assert (await supervised.send(order)).refused == "wrong_challenge"
    assert supervised.hand.actor.fitness.causes.keys() == {"supervision"}


def test_only_officers_and_supervisors_supervise_or_see_who_a_traveller_is():
    assert {role.id for role in roles().values() if role.watches} == {"officer", "supervisor"}
    assert {role.id for role in roles().values() if "mrz" in role.sees} == {"officer", "supervisor"}
    assert set(roles()) == {"officer", "supervisor", "trial_operator", "engineer", "auditor"}


# --- the case -----------------------------------------------------------------------------------------------------------------


async def test_an_officer_on_watch_opens_the_case_and_the_log_knows_before_the_screen(waiting):
    await watch(waiting, "Sari")
    waiting.hand.log.gate.clear()
    looking = waiting.hand.actor._loop.create_task(look(waiting, "Sari"))
    await waiting.hand.until(waiting.officers.watching._turn.locked)
    assert not looking.done()
    assert view(waiting).viewers == ()
    waiting.hand.log.gate.set()
    shown = await looking
    assert shown.refused == ""
    assert dict(shown.zone)["document_number"] == "X1"
    assert shown.facts["face"].value == "match"
    assert view(waiting).viewers == ("Sari",)
    (record,) = await written(waiting, "viewed", CaseViewed, 1)
    assert (record.officer, record.on_watch, record.transaction, record.refused) == ("Sari", True, shown.transaction, "")


async def test_a_case_that_is_looked_at_again_is_written_once_and_by_each_officer(waiting):
    for who in ("Sari", "Made"):
        await watch(waiting, who)
        for _ in range(3):
            assert (await look(waiting, who)).refused == ""
    assert [each.officer for each in await written(waiting, "viewed", CaseViewed, 2)] == ["Sari", "Made"]
    assert view(waiting).viewers == ("Sari", "Made")


async def test_nobody_is_shown_a_case_who_is_not_on_watch(waiting):
    names = ["Sari", "nobody", "", "x" * 5000, "Sari\n"]
    for who in names:
        shown = await look(waiting, who)
        assert (shown.refused, shown.zone, shown.facts, shown.pictures) == ("not_on_watch", (), {}, "")
    records = await written(waiting, "viewed", CaseViewed, len(names))
    assert {(each.on_watch, each.refused) for each in records} == {(False, "not_on_watch")}
    assert all(len(each.officer) <= 160 for each in records)


async def test_a_traveller_who_waits_for_nobody_is_shown_to_nobody(desk):
    await watch(desk, "Sari")
    assert (await look(desk, "Sari", "0" * 32)).refused == "too_late"
    await desk.hand.inside()
    assert (await look(desk, "Sari")).refused == "not_now"


async def test_the_case_before_or_of_another_is_shown_no_more(waiting):
    hand = waiting.hand
    await watch(waiting, "Sari")
    gone = hand.transaction
    assert (await look(waiting, "Sari")).refused == ""
    await waiting.act("Made", "eject")
    await hand.plant(entry=Leaf.OPEN)
    await hand.plant(occupancy=0)
    await hand.plant(entry=Leaf.LOCKED)
    assert (await look(waiting, "Sari", gone)).refused == "too_late"
    assert (hand.case.zone, hand.case.viewers) == ((), ()), "nothing of them is left in the lane"


async def test_a_log_that_takes_nothing_shows_nothing(waiting):
    await watch(waiting, "Sari")
    waiting.hand.log.full = True
    assert (await look(waiting, "Sari")).refused == "not_durable"
    assert view(waiting).viewers == ()


async def test_whoever_is_let_go_while_the_disk_writes_is_not_shown(waiting):
    await watch(waiting, "Sari")
    waiting.hand.log.gate.clear()
    looking = waiting.hand.actor._loop.create_task(look(waiting, "Sari"))
    await waiting.hand.until(waiting.officers.watching._turn.locked)
    assert (await waiting.officers.act(waiting.prepared("Made", "eject"))).refused == ""
    waiting.hand.log.gate.set()
    assert (await looking).refused in {"not_now", "too_late"}


async def test_questions_for_cases_without_end_fill_no_log(waiting):
    for _ in range(300):
        await waiting.officers.watching.show(AskCase(request=1, transaction=waiting.hand.transaction, officer="thief"))
    await waiting.hand.settle()
    assert len(await written(waiting, "viewed", CaseViewed, 1)) <= 31


async def test_the_bank_view_says_nothing_of_who_it_is(waiting):
    told = msgspec.json.encode(view(waiting))
    assert b"X1" not in told
    assert b"800101" not in told
    assert set(Refused) >= {"not_on_watch"}


def test_a_lane_has_room_for_so_many_officers_and_no_more():
    assert module.MOST_WATCHING >= 10
