"""A worker that lies, with the run's secret on a real socket: it may cost its traveller a referral, never open a door, never stop the lane."""

from __future__ import annotations

import math
import sys

import msgspec
import pytest

from gate.evidence import CheckResult, Fact
from gate.processes.messages import (
    AskRegistries,
    DocumentChecked,
    DocumentPlaced,
    FaceChecked,
    Forget,
    MrzRead,
    PrepareReference,
    ReadDocument,
    ReaderProgress,
    ReferenceReady,
    RegistryAnswered,
    StartCapture,
)
from gate.records import StageTiming
from gate.registries.answers import Answers

pytestmark = [pytest.mark.processes, pytest.mark.timeout(180)]  # workers are started anew again and again

MATCH = {
    "face": Fact(value="match", result=CheckResult.SUCCESSFUL, source="faceverify", score=1.0, threshold=0.5),
    "pad": Fact(value="bona_fide", result=CheckResult.SUCCESSFUL, source="faceverify", score=0.0, threshold=0.5),
}
GOOD_CHIP = {
    name: Fact(value=value, result=CheckResult.SUCCESSFUL, source="pki")
    for name, value in {
        "access": "bac",
        "card_access": "not_offered",
        "chip": "read",
        "passive_authentication": "authentic",
        "dg1_mrz": "equal",
        "revocation": "good",
        "chip_authenticity": "genuine",
    }.items()
}


LIES = {
    "issuance": "active",
    "document_model": "chip_expected",
    "biometric_record": "recorded",
    "issuer_portrait": "same",
    "exit_permit": "valid",
    "pencegahan": "clear",
    "wanted": "clear",
    "sltd": "clear",
    "enablement": "enabled",
    "occupancy": "one",
    "document_class": "ordinary",
    "supervision": "present",
}


ABSENT = [sys.executable, "-c", "import time; time.sleep(600)"]


def match(transaction: str) -> FaceChecked:
    return FaceChecked(transaction=transaction, facts=MATCH, stages=(), chosen_frame_boot=None)


@pytest.fixture
def liar(gate_now):
    """``liar(role)``: the role's own process died and stays away, another one speaks in its place."""
    processes = {process.name: process for process in gate_now.service._processes}
    honest, peers = {}, []

    def stand_in(role: str):
        honest[role] = processes[role].command
        processes[role].command = ABSENT
        gate_now.started_again(role, gate_now.signal(role))
        gate_now.until_screen("closed")  # until the lane has noticed, it would take the stand-in for a second worker
        peers.append(gate_now.peer(role))
        gate_now.until(lambda: gate_now.screen != "closed", "the lane serves with the stand-in")
        return peers[-1]

    yield stand_in
    for peer in peers:
        peer.leave()
    gate_now.stage.world.lift()
    gate_now.line.mode = "pass"
    gate_now.director._seen.ready = False  # until the honest ones are back
    for role, command in honest.items():
        processes[role].command = command
        gate_now.started_again(role, gate_now.signal(role))
    gate_now.passes()


def test_vision_cannot_speak_for_the_chip(gate_now, liar):
    before = gate_now.plant()
    vision, reader = liar("vision"), liar("reader")
    walk = gate_now.send()
    reader.say(DocumentPlaced(boot=0.0))
    order = reader.hear(ReadDocument)
    reader.say(mrz_read(order.transaction))
    vision.say(FaceChecked(transaction=order.transaction, facts=GOOD_CHIP | MATCH, stages=(), chosen_frame_boot=None))
    reader.say(DocumentChecked(transaction=order.transaction, facts={}, stages=(), portrait=b"a face", last_byte_boot=0.0))
    record = gate_now.ends_referred(walk, before)
    facts = record.decisions[-1].evidence.facts
    assert not {"passive_authentication", "chip_authenticity", "face"} & facts.keys()
    assert gate_now.plant()["ejected"] == before["ejected"], "nobody was let in either"


def test_vision_cannot_answer_before_it_is_asked_nor_for_another_nor_twice(gate_now, liar):
    before = gate_now.plant()
    vision = liar("vision")
    walk = gate_now.send()
    transaction = vision.hear(PrepareReference).transaction  # and at once, long before the entry has let anybody in:
    vision.say(match(transaction), match(transaction), ReferenceReady(transaction=transaction, stages=()))
    asked = vision.hear(StartCapture)
    vision.say(match("another"), match(""), match(transaction.upper()))
    no_match = {"face": Fact(value="no_match", result=CheckResult.FAILED, source="faceverify")}
    vision.say(FaceChecked(transaction=asked.transaction, facts=no_match, stages=(), chosen_frame_boot=None))
    vision.say(match(transaction), match(transaction))
    record = gate_now.ends_referred(walk, before)
    assert (record.outcome, record.reasons) == ("COUNTER", ("FACE_NO_MATCH",))
    vision.hear(Forget)
    vision.say(match(transaction))
    gate_now.until_ready()
    assert gate_now.plant()["left"] == before["left"]


def mrz_read(transaction: str) -> MrzRead:
    return MrzRead(
        transaction=transaction,
        facts={
            "mrz": Fact(value="read", result=CheckResult.SUCCESSFUL, source="mrz"),
            "infrared": Fact(value="present", result=CheckResult.SUCCESSFUL, source="mrz"),
            "nationality": Fact(value="citizen", result=CheckResult.SUCCESSFUL, source="mrz"),
            "age": Fact(value="adult", result=CheckResult.SUCCESSFUL, source="mrz"),
            "expiry": Fact(value="valid", result=CheckResult.SUCCESSFUL, source="mrz"),
        },
        issuing_state="IDN",
        document_code="P",
        document_number="X1000001",
        primary_identifier="SANTOSO",
        secondary_identifier="BUDI",
        date_of_birth="880412",
        sex="M",
    )


def test_reader_cannot_speak_for_the_face_the_registries_or_the_gate(gate_now, liar):
    before = gate_now.plant()
    reader = liar("reader")
    gate_now.line.mode = "down"
    walk = gate_now.send()
    reader.say(DocumentPlaced(boot=0.0))
    order = reader.hear(ReadDocument)
    words = {
        "issuance": "active",
        "pencegahan": "clear",
        "wanted": "clear",
        "sltd": "clear",
        "enablement": "enabled",
        "occupancy": "one",
        "document_class": "ordinary",
        "supervision": "present",
    }
    others = {name: Fact(value=value, result=CheckResult.SUCCESSFUL) for name, value in words.items()}
    reader.say(mrz_read(order.transaction))
    checked = DocumentChecked(transaction=order.transaction, facts=GOOD_CHIP | MATCH | others, stages=(), last_byte_boot=0.0)
    reader.say(checked, checked)
    record = gate_now.ends_referred(walk, before)
    assert record.outcome == "COUNTER"
    assert set(record.reasons) == {"ISSUANCE_UNAVAILABLE", "WATCHLIST_UNAVAILABLE", "LOST_AND_STOLEN_UNAVAILABLE"}
    assert not {"face", "pad", "occupancy"} & record.decisions[0].evidence.facts.keys()


def test_registries_cannot_speak_for_each_other_for_the_chip_or_for_the_gate(gate_now, liar):
    before = gate_now.plant()
    registries = liar("registries")
    gate_now.stage.world.spoilt = {"clone": True}
    walk = gate_now.send("service")
    asked = registries.hear(AskRegistries).read.transaction
    lies = {name: Fact(value=value, result=CheckResult.SUCCESSFUL) for name, value in LIES.items()}
    for registry in ("issuance", "watchlist", "lost_and_stolen", "watchlist", "another"):
        registries.say(RegistryAnswered(transaction=asked, registry=registry, answers=Answers(facts=lies | GOOD_CHIP | MATCH)))
    registries.say(RegistryAnswered(transaction="another", registry="exit_permit", answers=Answers(facts=lies)))
    record = gate_now.ends_referred(walk, before)
    gate_now.stage.world.sound()
    assert set(record.reasons) == {"CHIP_NOT_GENUINE", "EXIT_PERMIT_UNAVAILABLE"}
    assert not {"face", "pad", "occupancy"} & record.decisions[0].evidence.facts.keys()


def test_a_portrait_without_passive_authentication_never_reaches_vision(gate_now, liar):
    before = gate_now.plant()
    vision, reader = liar("vision"), liar("reader")
    walk = gate_now.send()
    reader.say(DocumentPlaced(boot=0.0))
    transaction = reader.hear(ReadDocument).transaction
    facts = GOOD_CHIP | {"passive_authentication": Fact(value="undetermined", result=CheckResult.UNDETERMINED)}
    first = DocumentChecked(transaction=transaction, facts=facts, stages=(), portrait=b"a face", last_byte_boot=0.0)
    reader.say(
        mrz_read(transaction),
        first,
        DocumentChecked(transaction=transaction, facts=GOOD_CHIP, stages=(), portrait=b"a face", last_byte_boot=0.0),
    )
    record = gate_now.ends_referred(walk, before)
    assert record.reasons == ("PA_UNDETERMINED",)
    told = vision.hear((PrepareReference, Forget))
    assert isinstance(told, Forget), "the first thing that vision hears of the traveller is to forget them"


LONG = "x" * 450_000
"""Each message stays below the channel's limit; the record of all of them would be over the audit's."""


def test_a_reader_that_floods_the_record_cannot_stop_the_lane(gate_now, liar):
    before = gate_now.plant()
    reader = liar("reader")
    walk = gate_now.send()
    reader.say(DocumentPlaced(boot=0.0))
    transaction = reader.hear(ReadDocument).transaction
    read = mrz_read(transaction)
    wordy = Fact(value="read", result=CheckResult.SUCCESSFUL, code=LONG, source=LONG, score=math.nan)
    reader.say(ReaderProgress(transaction=transaction, fraction=math.nan), msgspec.structs.replace(read, facts={"mrz": wordy}))
    stages = (
        StageTiming(name=LONG, start_ms=math.nan, duration_ms=-math.inf, result="x"),
        *(StageTiming(name="x", start_ms=0, duration_ms=0, result="x"),) * 5000,
    )
    facts = {"chip": Fact(value="tag_lost", code="x" * 10_000, threshold=math.inf), "x" * 10_000: Fact()}
    reader.say(DocumentChecked(transaction=transaction, facts=facts, stages=stages, last_byte_boot=math.nan))
    record = gate_now.ends_referred(walk, before)
    assert record.reasons == ("CHIP_LEFT_FIELD",)


@pytest.mark.parametrize("role", ["reader", "vision", "registries"])
def test_a_second_worker_beside_the_real_one_is_hung_up_on(gate_now, role):
    second = gate_now.peer(role)
    second.hung_up_on()
    second.leave()
    gate_now.passes()


def test_a_peer_that_talks_without_end_holds_up_nobody(gate_now):
    peer = gate_now.peer("director")
    flood = peer.talk(ReaderProgress(transaction="x", fraction=0.5))
    gate_now.passes()
    assert not flood.done()
    flood.cancel()
    peer.leave()


@pytest.mark.parametrize(
    "raw",
    [b"\xff\xff\xff\xff", b"\x00\x00\x00\x05\xc1garb", (1 << 19).to_bytes(4, "big") + b"\x00" * (1 << 19)],
    ids=["announces 4 GB", "garbage", "half a megabyte of zeros"],
)
def test_a_peer_that_speaks_nonsense_is_hung_up_on_and_nobody_notices(gate_now, raw):
    peer = gate_now.peer("director")
    peer.say_bytes(raw)
    peer.hung_up_on()
    peer.leave()
    gate_now.until_ready()
