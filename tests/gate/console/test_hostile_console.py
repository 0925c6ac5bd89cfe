"""A console that lies, replays, floods or was broken into, speaking to the lane directly: each time a refusal with a name, in the log, and no door."""

from __future__ import annotations

import asyncio
import secrets

import msgspec
import pytest

from gate.console.roster import RosterVersions
from gate.console.verifier import COUNTERS_FILE, SEEN_FILE, Verifier
from gate.lane import State
from gate.processes import officers as module
from gate.processes import proving
from gate.processes.messages import ActVerified, AskNonce, DocumentRemoved
from gate.processes.officers import MOST_NONCES, MOST_PENDING, NOTES
from hardware.controller.protocol import Leaf


async def refused(desk, act, why: str) -> None:
    """The lane says so, the log says so, and nothing moved."""
    await desk.hand.case.settle()  # what was carried out before is noted beside the loop
    before = len(await desk.written(0))
    answer = await desk.send(act)
    assert answer.refused == why
    assert (await desk.written(before + 1))[-1].refused == why
    assert desk.hand.state is State.HOLD
    assert not desk.hand.opened_exit()


LIES = {
    "another action, with its reason": ({"action": "pass", "reason": "DOCUMENT_EXAMINED"}, "wrong_challenge"),
    "another action, with the same reason": ({"action": "eject"}, "wrong_challenge"),
    "another reason": ({"reason": "NOT_SETTLED_HERE"}, "wrong_challenge"),
    "a reason of another action": ({"reason": "SEVERAL_INSIDE"}, "unknown_reason"),
    "a reason of its own": ({"reason": "because"}, "unknown_reason"),
    "an action of its own": ({"action": "open_everything"}, "unknown_action"),
    "another lane": ({"lane": "y"}, "other_lane"),
    "another traveller": ({"transaction": "0" * 32}, "other_transaction"),
    "no traveller": ({"transaction": ""}, "other_transaction"),
    "no nonce": ({"nonce": b""}, "nonce_unknown"),
    "a nonce of its own": ({"nonce": b"n" * 32}, "nonce_unknown"),
    "no signature": ({"signature": b""}, "malformed"),
    "a signature of nobody": ({"signature": b"\x30\x06\x02\x01\x01\x02\x01\x01"}, "signature_bad"),
    "no authenticator data": ({"authenticator_data": b""}, "malformed"),
    "no client data": ({"client_data": b"{}"}, "malformed"),
    "client data without end": ({"client_data": b"[" * 1000}, "malformed"),
    "much client data": ({"client_data": b"x" * 100_000}, "malformed"),
    "a long name of an authenticator": ({"credential": "x" * 100_000}, "malformed"),
}
FOREIGN = {
    "signed on another page of this machine": ({"origin": "http://localhost:8411"}, "wrong_origin"),
    "signed under another name of this machine": ({"origin": "http://127.0.0.1:8412"}, "wrong_origin"),
    "signed elsewhere": ({"origin": "https://evil.example"}, "wrong_origin"),
    "signed in a frame": ({"crossOrigin": True}, "wrong_origin"),
    "signed below another page": ({"topOrigin": "https://evil.example"}, "wrong_origin"),
    "made while a key was made": ({"type_": "webauthn.create"}, "wrong_type"),
    "made for another service": ({"rp": "evil.example"}, "wrong_relying_party"),
    "its holder was not verified": ({"flags": 0x01}, "user_not_verified"),
    "its holder was not there": ({"flags": 0x04}, "user_not_present"),
    "a key that may leave its device": ({"flags": 0x0D}, "key_leaves_device"),
    "a key that left its device": ({"flags": 0x1D}, "key_leaves_device"),
    "with the data of a new key": ({"flags": 0x45}, "malformed"),
    "with an extension": ({"flags": 0x85, "tail": b"\xa0"}, "malformed"),
    "with more behind it": ({"tail": b"\x00"}, "malformed"),
}


@pytest.fixture
def patient(waiting, monkeypatch):
    """A lane that proves and writes down as many as come."""
    monkeypatch.setattr(waiting.officers._prover.budget, "_left", 1e9)
    monkeypatch.setattr(waiting.officers._prover.budget, "_most", 1e9)
    monkeypatch.setattr(waiting.officers._notes, "_left", 1e9)
    monkeypatch.setattr(waiting.officers._notes, "_most", 1e9)
    return waiting


async def test_a_console_that_passes_on_something_else_than_was_signed(patient):
    said = {}
    for name, (claims, _) in LIES.items():
        given = patient.nonce()
        order = {"action": "counter", "transaction": given.transaction, "lane": "x", "reason": "NEEDS_HELP", "nonce": given.nonce}
        act = msgspec.structs.replace(patient.prepared("Sari", "counter", given=given), reason="NEEDS_HELP")
        act = msgspec.structs.replace(act, **patient.keys["Sari"].sign(module.challenge(**order)))
        said[name] = (await patient.officers.act(msgspec.structs.replace(act, **claims))).refused
    assert said == {name: why for name, (_, why) in LIES.items()}
    assert [each.refused for each in await patient.written(len(LIES))] == list(said.values())
    assert patient.hand.state is State.HOLD


async def test_a_signature_made_elsewhere_or_without_its_holder(patient):
    said = {}
    for name, (signing, _) in FOREIGN.items():
        said[name] = (await patient.officers.act(patient.prepared("Sari", "pass", **signing))).refused
    assert said == {name: why for name, (_, why) in FOREIGN.items()}
    assert [each.refused for each in await patient.written(len(FOREIGN))] == list(said.values())
    assert not patient.hand.opened_exit()


async def test_an_assertion_for_the_challenge_of_another_lane(waiting):
    given = waiting.nonce()
    other = module.challenge(
        action="pass", transaction=given.transaction, lane="y", reason="DOCUMENT_EXAMINED", nonce=given.nonce
    )
    act = waiting.prepared("Sari", "pass", given=given)
    await refused(waiting, msgspec.structs.replace(act, **waiting.keys["Sari"].sign(other)), "wrong_challenge")


async def test_an_assertion_is_good_once(waiting):
    act = waiting.prepared("Sari", "hold")
    assert (await waiting.send(act)).refused == ""
    await refused(waiting, act, "nonce_unknown")


async def test_a_refused_assertion_cannot_be_tried_again_with_other_words(waiting):
    act = waiting.prepared("Sari", "pass")
    await refused(waiting, msgspec.structs.replace(act, lane="y"), "other_lane")
    await refused(waiting, act, "nonce_unknown")


async def test_an_assertion_with_an_old_signature_and_a_new_nonce(waiting):
    act = waiting.prepared("Sari", "pass")
    await refused(waiting, msgspec.structs.replace(act, nonce=waiting.nonce().nonce), "wrong_challenge")


async def test_a_nonce_dies_after_a_minute(waiting, monkeypatch):
    act = waiting.prepared("Sari", "pass")
    monkeypatch.setattr(module, "NONCE_S", -1.0)
    await refused(waiting, act, "nonce_expired")


async def test_a_signature_kept_for_the_next_traveller(waiting):
    hand = waiting.hand
    kept = waiting.prepared("Sari", "pass")
    assert (await waiting.act("Made", "eject")).refused == ""
    await hand.plant(entry=Leaf.OPEN)
    await hand.plant(occupancy=0)
    await hand.plant(entry=Leaf.LOCKED)
    await hand.say("reader", DocumentRemoved())
    assert hand.state is State.IDLE
    await hand.inside()
    answer = await waiting.send(kept)
    assert (answer.refused, answer.detail) == ("too_late", "Made: eject")
    relabelled = msgspec.structs.replace(waiting.prepared("Sari", "pass"), transaction=kept.transaction)
    assert (await waiting.send(relabelled)).refused == "other_transaction"
    assert not hand.opened_exit()


async def test_a_signature_kept_while_the_same_traveller_was_elsewhere_in_the_lane(desk):
    await desk.hand.inside()
    kept = desk.prepared("Sari", "hold")
    assert (await desk.act("Made", "hold")).refused == ""
    assert (await desk.send(kept)).refused == "too_late"


async def test_a_counter_that_goes_back_or_stands_still_is_a_second_authenticator(waiting):
    assert (await waiting.act("Sari", "hold", counter=7)).refused == ""
    for counter in (7, 6, 0):
        await refused(waiting, waiting.prepared("Sari", "pass", counter=counter), "counter_went_back")
    waiting.verifier = Verifier(waiting.folder, waiting.office.folder, waiting.office.signers, "http://localhost:8412")
    await refused(waiting, waiting.prepared("Sari", "pass", counter=7), "counter_went_back")
    assert (await waiting.act("Made", "hold", counter=0)).refused == "", "one that never counts"


async def test_counters_that_cannot_be_read_refuse(waiting):
    (waiting.folder / COUNTERS_FILE).write_text("nothing of the kind")
    await refused(waiting, waiting.prepared("Sari", "pass"), "not_verifiable")


async def test_an_authenticator_that_is_on_no_roster(waiting):
    await refused(waiting, waiting.prepared("Stranger", "pass"), "unknown_authenticator")


async def test_an_authenticator_under_another_officers_name(waiting):
    act = waiting.prepared("Stranger", "pass")
    await refused(waiting, msgspec.structs.replace(act, credential=waiting.keys["Sari"].credential), "signature_bad")


async def test_a_roster_with_one_signature_or_of_strangers(waiting):
    office, officer = waiting.office, waiting.keys["Stranger"].officer("Stranger")
    versions = RosterVersions(office.folder)
    version = versions.add((*waiting.people, officer))
    signed = versions.sign(version, office.keys["Ratna"], now=waiting.hand.clock.wall())
    (office.folder / "active").write_bytes(signed.encoded)
    await refused(waiting, waiting.prepared("Stranger", "pass"), "not_verifiable")


async def test_a_roster_whose_octets_were_changed(waiting):
    (path,) = (waiting.office.folder / "versions").glob("*.json")
    path.write_bytes(path.read_bytes().replace(b'"officer"', b'"supervisor"', 1))
    await refused(waiting, waiting.prepared("Sari", "pass"), "not_verifiable")


async def test_an_old_roster_put_back(waiting):
    assert (await waiting.act("Sari", "hold")).refused == ""
    old = (waiting.office.folder / "active").read_bytes()
    waiting.office.put_in_force(*[one for one in waiting.people if one.name != "Sari"])
    assert (await waiting.act("Made", "hold")).refused == ""
    assert (waiting.folder / SEEN_FILE).exists()
    (waiting.office.folder / "active").write_bytes(old)
    await refused(waiting, waiting.prepared("Sari", "pass"), "not_verifiable")


async def test_no_verifier_no_order(waiting, monkeypatch):
    waiting.verifier = None
    await refused(waiting, waiting.prepared("Sari", "pass"), "not_verifiable")


async def test_a_verifier_that_says_nothing_or_nonsense(waiting, monkeypatch):
    monkeypatch.setattr(proving, "VERIFY_S", 0.05)
    waiting.verifier = type("Silent", (), {"answer": lambda _, asked: ActVerified(nonce=b"other")})()
    await refused(waiting, waiting.prepared("Sari", "pass"), "not_verifiable")
    waiting.verifier = type("Odd", (), {"answer": lambda _, asked: ActVerified(nonce=asked.nonce, refused="well")})()
    await refused(waiting, waiting.prepared("Sari", "pass"), "not_verifiable")
    waiting.verifier = type("Vague", (), {"answer": lambda _, asked: ActVerified(nonce=asked.nonce)})()
    await refused(waiting, waiting.prepared("Sari", "pass"), "officer_not_valid")


async def test_a_flood_of_nonces_costs_the_console_its_own_alone(waiting):
    mine = waiting.nonce()
    for number in range(MOST_NONCES * 100):
        waiting.officers.nonce(AskNonce(request=number))
    assert len(waiting.officers._nonces) == MOST_NONCES
    await refused(waiting, waiting.prepared("Sari", "pass", given=mine), "nonce_unknown")
    assert (await waiting.act("Sari", "pass")).refused == ""


async def test_a_flood_of_orders_is_proven_in_small_helpings_and_fills_no_log(waiting, monkeypatch):
    monkeypatch.setattr(waiting.officers._prover.budget, "_every_s", 1e9)
    acts = [waiting.prepared("Sari", "hold", flags=0x01) for _ in range(MOST_PENDING + 3)]
    answers = await asyncio.gather(*(waiting.officers.act(act) for act in acts))
    assert [each.refused for each in answers].count("busy") == 3
    for _ in range(200):
        await waiting.officers.act(waiting.prepared("Sari", "pass", flags=0x01))
        await waiting.officers.act(msgspec.structs.replace(waiting.prepared("Sari", "pass"), nonce=secrets.token_bytes(32)))
    assert waiting.asked <= proving.PROOFS
    await waiting.hand.settle()
    assert NOTES <= len(await waiting.written(NOTES)) <= NOTES + 3
    assert waiting.officers._left_out > 300
    monkeypatch.setattr(waiting.officers._prover.budget, "_left", 5.0)
    assert (await waiting.act("Made", "eject")).refused == "", "an honest officer is heard again"
    assert (await waiting.written(NOTES + 1))[-1].left_out > 300


async def test_words_of_a_console_cannot_forge_lines_in_the_log(waiting):
    act = msgspec.structs.replace(waiting.prepared("Sari", "pass"), reason="x\n\x1b[2J" + "y" * 9999)
    await refused(waiting, act, "unknown_reason")
    (written,) = await waiting.written(1)
    assert written.reason.isprintable()
    assert len(written.reason) <= 160
