"""Whom the lane lets officers look at: only who waits for one, only under a token of the case, and only what is written down first."""

from __future__ import annotations

import msgspec
import pytest

from gate.audit.log import FILE_NAME, decode, open_readonly
from gate.evidence import CheckResult, Fact, successful
from gate.lane import Event, State
from gate.processes import messages as m
from gate.processes.pictures_lane import RENEW_EVERY_S, PictureDesk
from gate.records import PicturesShown
from hardware.controller.link import DownReason, LinkDown
from hardware.controller.protocol import Leaf

PORT = 45678
ATTACK = {"face": successful("match"), "pad": Fact(value="attack", result=CheckResult.FAILED)}


@pytest.fixture
async def listening(hand):
    """A lane that waits long for officers, and whose pictures process is there."""
    hand.actor._timeouts = msgspec.structs.replace(hand.actor._timeouts, await_officer_s=60, walk_in_s=60, capture_s=60)
    await comes(hand)
    return hand


@pytest.fixture
async def waiting(listening):
    """Somebody waits inside for an officer, for the camera may see a picture of a face."""
    await refer(listening)
    return listening


async def comes(hand, port: int = PORT) -> None:
    await hand.peer("pictures")
    await hand.say("pictures", m.PicturesListen(port=port))


async def refer(hand) -> None:
    await hand.inside()
    now = hand.clock.boot()
    await hand.say("vision", m.FaceChecked(transaction=hand.transaction, facts=ATTACK, stages=(), chosen_frame_boot=now))
    assert hand.state is State.HOLD


async def ask(hand, transaction: str = "") -> None:
    await hand.say("pictures", m.PicturesAsked(transaction=transaction or hand.transaction))


def told(hand, role: str, kind: type) -> list:
    return [message for to, message in hand.told if to == role and isinstance(message, kind)]


def written(hand) -> list[PicturesShown]:
    with open_readonly(hand.folder / FILE_NAME) as log:
        return [decode(record, PicturesShown) for record in log.records("pictures")]


async def test_nobody_can_be_looked_at_before_they_wait_for_an_officer(listening):
    hand = listening
    assert hand.pictures.address == ""
    await hand.inside()
    await ask(hand)
    assert hand.pictures.address == ""
    assert told(hand, "pictures", m.OfferPictures) == told(hand, "vision", m.ShowPictures) == written(hand) == []


async def test_who_waits_is_offered_to_the_process_that_shows_them_and_to_nobody_else(waiting):
    (offer,) = told(waiting, "pictures", m.OfferPictures)
    assert offer.transaction == waiting.transaction
    assert waiting.pictures.address == f"http://127.0.0.1:{PORT}/{offer.token}"
    others = [message for role, message in waiting.told if role != "pictures"]
    assert offer.token.encode() not in b"".join(map(msgspec.msgpack.encode, others))


async def test_vision_sends_nothing_before_the_log_has_taken_that_somebody_looks(waiting):
    waiting.log.gate.clear()
    await ask(waiting)
    assert told(waiting, "vision", m.ShowPictures) == []
    waiting.log.gate.set()
    await waiting.until(lambda: told(waiting, "vision", m.ShowPictures))
    assert written(waiting) == [PicturesShown(transaction=waiting.transaction)]


async def test_where_the_log_refuses_nobody_is_shown(waiting):
    waiting.log.full = True
    await ask(waiting)
    await waiting.settle()
    assert told(waiting, "vision", m.ShowPictures) == []


async def test_asking_without_end_is_written_down_once_and_asking_for_others_never(waiting):
    for _ in range(20):
        await ask(waiting)
        await ask(waiting, "0" * 32)
    await waiting.until(lambda: told(waiting, "vision", m.ShowPictures))
    assert told(waiting, "vision", m.ShowPictures) == [m.ShowPictures(transaction=waiting.transaction)]
    assert len(written(waiting)) == 1


async def test_what_was_asked_for_before_the_case_was_over_is_not_shown_after_it(waiting):
    waiting.log.gate.clear()
    await ask(waiting)
    await waiting.plant(occupancy=0)
    waiting.log.gate.set()
    await waiting.record()
    await waiting.settle()
    assert told(waiting, "vision", m.ShowPictures) == []


async def eject(hand) -> None:
    hand.actor.post(lambda: hand.actor.officer(Event.OFFICER_EJECT))
    await hand.settle()


async def let_pass(hand) -> None:
    hand.actor.post(lambda: hand.actor.officer(Event.OFFICER_PASS))
    await hand.settle()


async def gone(hand) -> None:
    await hand.plant(occupancy=0)


async def fire(hand) -> None:
    await hand.plant(emergency=True, entry=Leaf.OPEN)


async def unlinked(hand) -> None:
    await hand.controller(LinkDown(reason=DownReason.SILENT, what="cut"))


@pytest.mark.parametrize("ends", [eject, let_pass, gone, fire, unlinked])
async def test_whatever_ends_the_waiting_ends_the_pictures(waiting, ends):
    await ends(waiting)
    assert waiting.state is not State.HOLD
    assert waiting.pictures.address == ""
    assert told(waiting, "pictures", m.OfferPictures)[-1] == m.OfferPictures()
    assert told(waiting, "vision", m.Forget)[-1] == m.Forget(transaction=waiting.transaction)
    await ask(waiting)
    assert told(waiting, "vision", m.ShowPictures) == []


async def test_the_chips_portrait_stays_for_an_officer_and_for_nothing_else(waiting):
    assert told(waiting, "vision", m.Forget) == [m.Forget(transaction=waiting.transaction, for_officer=True)]


async def test_who_is_inside_without_a_case_is_not_shown(listening):
    await listening.plant(occupancy=1)
    assert (listening.state, listening.case.running) == (State.HOLD, None)
    assert told(listening, "pictures", m.OfferPictures) == []


async def test_before_a_single_door_they_are_shown_while_they_wait_and_no_longer(single):
    single.actor._timeouts = msgspec.structs.replace(single.actor._timeouts, await_officer_s=60)
    await comes(single)
    await single.document()
    await single.until(lambda: single.state is State.CAPTURE)
    now = single.clock.boot()
    await single.say("vision", m.FaceChecked(transaction=single.transaction, facts=ATTACK, stages=(), chosen_frame_boot=now))
    assert single.state is State.HOLD
    assert f":{PORT}/" in single.pictures.address
    await eject(single)
    assert (single.state, single.pictures.address) == (State.IDLE, "")


async def test_a_process_that_comes_back_gets_another_token_and_has_to_ask_anew(waiting):
    first = waiting.pictures.address
    await ask(waiting)
    await waiting.until(lambda: told(waiting, "vision", m.ShowPictures))
    await waiting.peer("pictures", joined=False)
    assert waiting.pictures.address == ""
    await comes(waiting, PORT + 1)
    assert waiting.pictures.address.startswith(f"http://127.0.0.1:{PORT + 1}/")
    assert waiting.pictures.address.rpartition("/")[2] != first.rpartition("/")[2]
    await ask(waiting)
    await waiting.until(lambda: len(told(waiting, "vision", m.ShowPictures)) == 2)
    assert len(written(waiting)) == 2


async def test_the_next_traveller_gets_another_token(waiting):
    first = waiting.pictures.address
    await gone(waiting)
    await waiting.say("reader", m.DocumentRemoved())
    await refer(waiting)
    assert waiting.pictures.address not in {"", first}


@pytest.mark.parametrize("port", [0, -1, 65_536])
async def test_a_port_that_is_none_is_not_believed(hand, port):
    await comes(hand, port)
    await refer(hand)
    assert hand.pictures.address == ""


async def test_no_other_process_offers_shows_or_asks(listening):
    for role in ("console", "reader", "vision", "officer_screen"):
        await listening.say(role, m.PicturesListen(port=1))
    await refer(listening)
    for role in ("console", "reader", "vision", "officer_screen"):
        await listening.say(role, m.PicturesAsked(transaction=listening.transaction))
    await listening.settle()
    assert f":{PORT}/" in listening.pictures.address
    assert told(listening, "vision", m.ShowPictures) == []


def test_an_offer_is_renewed_in_time_and_never_for_another():
    now, said = [100.0], []
    desk = PictureDesk(lambda: now[0], lambda role, message: said.append((role, message)), lambda _: None)
    desk.hear(m.PicturesListen(port=PORT))
    for _ in range(10):
        desk.follow("t")
        now[0] += RENEW_EVERY_S / 2
    assert [role for role, _ in said] == ["pictures"] * 5
    assert len({message.token for _, message in said}) == 1


async def test_where_none_are_configured_the_process_is_not_heard(listening):
    listening.actor._display._pictures = None
    await refer(listening)
    await ask(listening)
    assert listening.actor._display.pictures_address == ""
    assert told(listening, "vision", m.ShowPictures) == []
