"""Basic access control: our terminal opens the second implementation's chip, and the other way round."""

from __future__ import annotations

import string
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from _pytest.outcomes import Failed
from ours import OurChannel
from second.bac import BacChip, BacReader
from second.dice import Dice
from sessions import Session

from hardware.emrtd.access_key import AccessKey
from hardware.emrtd.bac import BacExchange
from hardware.emrtd.errors import AccessError
from hardware.sim.chip_protocols import BasicAccessControl

ALPHABET = string.ascii_uppercase + string.digits + "<"


def test_basic_access_control_agrees_with_the_second_implementation(sessions: Callable) -> None:
    def run(session: Session, number: int) -> str:
        mrz = "".join(session.choice.choices(ALPHABET, k=session.choice.choice((24, 24, 27))))
        return (our_terminal, our_chip)[number % 2](session, mrz, Dice(session.random("second")))

    sessions("BAC", run)


def our_terminal(session: Session, mrz: str, dice: Dice) -> str:
    chip, cipher, random = BacChip(mrz, dice), AccessKey(mrz).bac_cipher(), session.random("ours")
    exchange = BacExchange(rnd_ic=chip.nonce, rnd_ifd=random(8), k_ifd=random(16))
    request = exchange.request(cipher)
    response, channel = chip.answer(request)
    for side in session.views.values():
        side += [f"challenge {chip.nonce.hex()}", f"> {request.hex()}", f"< {response.hex()}"]
    session.converse(OurChannel(exchange.session(cipher, response)), channel)
    return "3DES ours=terminal"


def our_chip(session: Session, mrz: str, dice: Dice) -> str:
    chip, terminal = BasicAccessControl(mrz, random=session.random("ours")), BacReader(mrz, dice)
    challenge = chip.challenge()
    request = terminal.request(challenge)
    answer = chip.authenticate(request)
    assert answer is not None, "our chip refuses"
    response, agreed = answer
    for side in session.views.values():
        side += [f"challenge {challenge.hex()}", f"> {request.hex()}", f"< {response.hex()}"]
    session.converse(terminal.finish(response), OurChannel(agreed))
    return "3DES ours=chip"


@pytest.mark.conforms("Doc 9303-11 §4.3", "negative")
def test_one_wrong_bit_in_the_cryptogram_ends_it() -> None:
    mrz, dice = "L898902C<369080619406236", Dice(Session("defect").random("second"))
    chip, terminal = BasicAccessControl(mrz), BacReader(mrz, dice)
    request = terminal.request(chip.challenge())
    assert chip.authenticate(bytes([request[0] ^ 1]) + request[1:]) is None


@pytest.mark.conforms("Doc 9303-11 §4.3", "negative")
def test_an_answer_to_another_challenge_ends_it() -> None:
    mrz, dice = "L898902C<369080619406236", Dice(Session("defect").random("second"))
    chip, cipher = BacChip(mrz, dice), AccessKey(mrz).bac_cipher()
    ours, replayed = (BacExchange(rnd_ic=chip.nonce, rnd_ifd=bytes([number]) * 8, k_ifd=bytes(16)) for number in range(2))
    response, _ = chip.answer(replayed.request(cipher))
    with pytest.raises(AccessError):
        ours.session(cipher, response)


@pytest.mark.conforms("Doc 9303-11 §4.3", "defect")
def test_without_the_comparison_an_answer_to_another_challenge_gets_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardware.emrtd.bac.hmac", SimpleNamespace(compare_digest=lambda *_: True))
    with pytest.raises(Failed):
        test_an_answer_to_another_challenge_ends_it()
