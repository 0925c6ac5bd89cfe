"""Chip authentication, versions 1 and 2, and secure messaging after it: each of our sides against OpenPACE's other side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from fractions import Fraction

import pytest
from ours import OurChipAuthentication, run_chip_authentication
from second.chip_authentication import DH, ECDH, Chip, dg14, protocol_oid, run_terminal
from second.dice import Dice
from second.groups import ModularGroup, Refused
from second.keys import subject_public_key_info
from second.parameters import CURVES, MODULAR_GROUPS, group
from second.suite import SUITES
from sessions import Mismatch, Session, play

from hardware.emrtd.errors import ChipError

FAMILIES = {DH: "DH", ECDH: "ECDH"}
VARIANTS = [(DH, each) for each in MODULAR_GROUPS] + [(ECDH, each) for each in CURVES]

SLOW = {(DH, 1), (DH, 2)}
"""OpenPACE takes 0.1 s to 0.2 s over the groups of 2048 bits."""


def named(variant: tuple[int, int]) -> str:
    return f"{FAMILIES[variant[0]]}/{variant[1]}"


class Play:
    """One session: ciphers take turns, then our parts; eight sessions have each pair once, sixteen with either version."""

    def __init__(self, session: Session, variant: tuple[int, int], number: int) -> None:
        self.session = session
        self.family, self.parameter_id = variant
        self.suite = SUITES[1 + number % 4]
        self.ours = ("terminal", "chip")[number // 4 % 2]
        self.version = 1 + (number + number // 4 + number // 8) % 2
        self.key_id = session.choice.choice((None, session.choice.randrange(128)))
        self.group = group(self.parameter_id)
        self.oid = protocol_oid(self.family, self.suite.number)

    def run(self, openpace, tamper: Callable[[bytes], bytes] = bytes) -> str:
        with openpace.randomness(self.session.random("openpace")):
            other = openpace.OpenChipAuthentication(self.suite, self.oid, self.parameter_id)
            try:
                (self._our_terminal if self.ours == "terminal" else self._our_chip)(other, tamper)
            except (Refused, ChipError):
                if isinstance(self.group, ModularGroup) and len(other.secret) < self.group.size:
                    return "aside: OpenPACE drops the leading zeros of the secret"
                raise
        return f"v{self.version} {self.suite.name} ours={self.ours}"

    def _our_terminal(self, other, tamper: Callable[[bytes], bytes]) -> None:
        chip = Chip(other, self.oid, version=self.version, key_id=self.key_id)
        element = self.group.decode(other.public)
        key = subject_public_key_info(self.group, element, explicit=self.session.choice.random() < 0.5)
        file = dg14(self.family, self.suite.number, key, version=self.version, key_id=self.key_id)
        air = self.session.air(lambda command: tamper(chip.answer(command)))
        channel = run_chip_authentication(air, file, self.session.random("ours"))
        self.session.converse(channel, chip.channel())

    def _our_chip(self, other, tamper: Callable[[bytes], bytes]) -> None:
        scalar = Dice(self.session.random("static")).scalar(self.group.order)
        chip = OurChipAuthentication(self.parameter_id, scalar, self.version, self.key_id, self.session.random("ours"))
        public = self.group.encode(self.group.times(scalar, self.group.generator))
        air = self.session.air(lambda command: tamper(chip.answer(command)))
        channel = run_terminal(other, air, self.oid, public, version=self.version, key_id=self.key_id)
        self.session.converse(channel, chip.channel())


@pytest.mark.interop
@pytest.mark.parametrize("variant", VARIANTS, ids=named)
def test_chip_authentication_agrees_with_openpace(variant: tuple[int, int], sessions: Callable, openpace) -> None:
    def run(session: Session, number: int) -> str:
        return Play(session, variant, number).run(openpace)

    sessions(f"chip authentication {named(variant)}", run, slow=variant in SLOW, share=Fraction(7, 5) if variant[0] == DH else 1)


@pytest.mark.interop
@pytest.mark.parametrize("number", [1, 7], ids=["our terminal", "our chip"])
def test_one_wrong_bit_in_the_token_of_version_2_is_a_mismatch(number: int, openpace) -> None:
    def flipped(response: bytes) -> bytes:
        return response[:-3] + bytes([response[-3] ^ 1]) + response[-2:] if len(response) > 2 else response

    def run(session: Session, _number: int) -> str:
        return Play(session, (ECDH, 12), number).run(openpace, flipped)

    with pytest.raises(Mismatch, match="seed: 7/defect/0"):
        play("defect", run, count=1, seed="7", tally=Counter())


@pytest.mark.interop
@pytest.mark.parametrize(
    "number", [0, 2, 5, 12], ids=["3DES, our terminal", "AES, our terminal", "AES, our chip", "3DES, our chip"]
)
def test_a_chip_with_another_key_cannot_go_on(number: int, openpace) -> None:
    def run(session: Session, _number: int) -> str:
        game = Play(session, (ECDH, 13), number)
        game.session.converse = lambda one, other: Session.converse(session, one, stranger(game.suite, openpace))
        return game.run(openpace)

    with pytest.raises(Mismatch, match="MAC"):
        play("clone", run, count=1, seed="7", tally=Counter())


def stranger(suite, openpace):
    """A channel under the keys of another agreement."""
    sides = [openpace.OpenChipAuthentication(suite, protocol_oid(ECDH, suite.number), 13) for _ in range(2)]
    sides[0].agree(sides[1].public)
    return sides[0].first_version()
