"""PACE: our terminal opens other people's chips, and other people's terminals open ours."""

from __future__ import annotations

import hashlib
import string
from collections import Counter
from collections.abc import Callable
from fractions import Fraction

import pytest
from doc9303_11 import PACE_IM_DH_H2, PACE_IM_ECDH_H1, Example, octets
from ours import OurPaceChip, OurPaceReader
from second.dialogue import CAN, MRZ, PaceChip, PaceReader
from second.dice import Dice
from second.groups import Refused
from second.keys import subject_public_key_info
from second.pace import DH_GM, DH_IM, ECDH_CAM, ECDH_GM, ECDH_IM, Protocol, Side
from second.parameters import CURVES, MODULAR_GROUPS, group
from sessions import Mismatch, Session, play

from hardware.emrtd.access_key import AccessKey
from hardware.emrtd.errors import AccessError

ALPHABET = string.ascii_uppercase + string.digits + "<"
KINDS = {DH_GM: "PACE-DH-GM", ECDH_GM: "PACE-ECDH-GM", DH_IM: "PACE-DH-IM", ECDH_IM: "PACE-ECDH-IM", ECDH_CAM: "PACE-ECDH-CAM"}
SUITABLE = [each for each, curve in CURVES.items() if curve.p % 4 == 3]
"""Curves for the integrated mapping: all but P-224."""
GENERIC = [(DH_GM, each) for each in MODULAR_GROUPS] + [(ECDH_GM, each) for each in CURVES]
OTHERS = (
    [(DH_IM, each) for each in MODULAR_GROUPS] + [(ECDH_IM, each) for each in SUITABLE] + [(ECDH_CAM, each) for each in CURVES]
)


def named(variant: tuple[int, int]) -> str:
    return f"{KINDS[variant[0]]}/{variant[1]}"


def protocol_of(kind: int, parameter_id: int, number: int) -> Protocol:
    """Ciphers take turns. The chip authentication mapping knows no 3DES."""
    return Protocol.of(kind, 2 + number % 3 if kind == ECDH_CAM else 1 + number % 4, parameter_id)


def password(session: Session) -> tuple[AccessKey, int, bytes]:
    """Some MRZ or CAN: for ours, its reference, and what the others derive their key from."""
    if session.choice.random() < 0.5:
        can = "".join(session.choice.choices(string.digits, k=6))
        return AccessKey.from_can(can), CAN, can.encode()
    mrz = "".join(session.choice.choices(ALPHABET, k=24))
    return AccessKey(mrz), MRZ, hashlib.sha1(mrz.encode()).digest()


def untouched(_step: int, response: bytes) -> bytes:
    return response


class Play:
    """One session of ``protocol``, ``ours`` the terminal or the chip. ``side(secret, static)`` computes for the other.

    ``tamper(step, response)`` may change what the chip answers.
    """

    def __init__(self, session: Session, protocol: Protocol, ours: str, tamper: Callable = untouched) -> None:
        self.session, self.protocol, self.ours, self.tamper = session, protocol, ours, tamper
        self.key, self.reference, self.secret = password(session)
        self.group = group(protocol.parameter_id)
        self.static = Dice(session.random("static")).scalar(self.group.order) if protocol.kind == ECDH_CAM else 0

    def run(self, other) -> str:
        """``other`` is a side of another implementation."""
        random = self.session.random("ours")
        if self.ours == "terminal":
            terminal, chip = OurPaceReader(self.protocol, self.key, random), PaceChip(other, password=self.reference)
            channel = terminal.run(self._air(chip))
        else:
            chip = OurPaceChip(self.protocol, {self.reference: self.secret}, random, static=self.static)
            channel = PaceReader(other).run(self._air(chip), password=self.reference)
        self.session.converse(channel, chip.channel())
        if self.protocol.kind == ECDH_CAM:
            self._prove(terminal.cam_key_fits if self.ours == "terminal" else other.cam_key_fits)
        return f"{self.protocol.suite.name} ours={self.ours}"

    def _air(self, chip) -> Callable[[bytes], bytes]:
        steps = iter(range(5))
        return self.session.air(lambda command: self.tamper(next(steps), chip.answer(command)))

    def _prove(self, fits: Callable) -> None:
        """The chip's static key must fit what it proved, and another key must not."""
        point, explicit = self.group.times(self.static, self.group.generator), self.session.choice.random() < 0.5
        another = self.group.add(point, self.group.generator)
        if self.ours == "terminal":
            keys = [subject_public_key_info(self.group, each, explicit=explicit) for each in (point, another)]
        else:
            keys = [self.group.encode(each) for each in (point, another)]
        if [fits(each) for each in keys] != [True, False]:
            raise Mismatch("chip authentication data does not fit the static key, or fits another")


def with_openpace(openpace, play: Play) -> str:
    """OpenPACE drops leading zeros of a Diffie-Hellman secret (PKCS #3 keeps them): such a session must fail, and no other."""
    with openpace.randomness(play.session.random("openpace")):
        other = openpace.OpenPaceSide(play.protocol, play.secret)
        try:
            return play.run(other)
        except (Refused, AccessError):
            if play.protocol.kind == DH_GM and other.secret and len(other.secret) < play.group.size:
                return "aside: OpenPACE drops the leading zeros of the secret"
            raise


def with_second(play: Play) -> str:
    return play.run(Side(play.protocol, play.secret, Dice(play.session.random("second")), static=play.static))


def part(kind: int, number: int) -> str:
    """Both parts with each cipher."""
    return ("terminal", "chip")[number // (3 if kind == ECDH_CAM else 4) % 2]


def share(variant: tuple[int, int]) -> Fraction | int:
    """Four ciphers share three groups (one session in 256 does not count); with the generic mapping each cipher has each curve."""
    return {ECDH_GM: 4, DH_GM: Fraction(7, 5), DH_IM: Fraction(7, 5)}.get(variant[0], 1)


@pytest.mark.interop
@pytest.mark.parametrize("variant", GENERIC, ids=named)
def test_generic_mapping_agrees_with_openpace(variant: tuple[int, int], sessions: Callable, openpace) -> None:
    def run(session: Session, number: int) -> str:
        return with_openpace(openpace, Play(session, protocol_of(*variant, number), part(variant[0], number)))

    sessions(named(variant), run, slow=True, share=share(variant))


@pytest.mark.parametrize("variant", OTHERS, ids=named)
def test_other_mappings_agree_with_the_second_implementation(variant: tuple[int, int], sessions: Callable) -> None:
    def run(session: Session, number: int) -> str:
        return with_second(Play(session, protocol_of(*variant, number), part(variant[0], number)))

    sessions(named(variant), run, slow=True, share=share(variant))


def flipped(wanted: int) -> Callable[[int, bytes], bytes]:
    """The last bit of the chip's data in one step, the other way round."""
    return lambda step, response: response[:-3] + bytes([response[-3] ^ 1]) + response[-2:] if step == wanted else response


@pytest.mark.parametrize("ours", ["terminal", "chip"])
@pytest.mark.parametrize("step", [1, 2, 3, 4], ids=["nonce", "mapping", "key", "token"])
@pytest.mark.parametrize("kind", [ECDH_GM, ECDH_CAM])
def test_one_wrong_bit_from_the_chip_is_a_mismatch_with_its_seed_and_both_views(kind: int, step: int, ours: str) -> None:
    def run(session: Session, number: int) -> str:
        return with_second(Play(session, protocol_of(kind, 12, number), ours, flipped(step)))

    with pytest.raises(Mismatch, match=r"(?s)seed: 7/defect/0\nterminal:\n  > 0022c1a4.*chip:\n  > 0022c1a4"):
        play("defect", run, count=1, seed="7", tally=Counter())


@pytest.mark.interop
@pytest.mark.parametrize("ours", ["terminal", "chip"])
def test_one_wrong_bit_is_a_mismatch_with_openpace_too(ours: str, openpace) -> None:
    def run(session: Session, number: int) -> str:
        return with_openpace(openpace, Play(session, protocol_of(ECDH_GM, 13, number), ours, flipped(4)))

    with pytest.raises(Mismatch):
        play("defect", run, count=1, seed="7", tally=Counter())


def test_a_session_is_repeated_by_its_seed() -> None:
    views = []
    for _ in range(2):
        session = Session("7/again/0")
        with_second(Play(session, Protocol.of(ECDH_IM, 4, 13), "chip"))
        views.append(session.views)
    assert views[0] == views[1]
    assert len(views[0]["chip"]) > 10


@pytest.mark.parametrize(("ours", "start"), [("terminal", 270), ("chip", 10)])
def test_a_shared_secret_keeps_its_leading_zeros(ours: str, start: int) -> None:
    """One Diffie-Hellman session in 256; here it is looked for (from a little before the first), so that each run has one."""
    for number in range(start, start + 5000):
        session = Session(f"zeros/{number}")
        play = Play(session, Protocol.of(DH_GM, 2, 0), ours)
        side = Side(play.protocol, play.secret, Dice(session.random("second")))
        play.run(side)
        if side.secret[0] == 0:
            return
    pytest.fail("no such session found")


@pytest.mark.interop
@pytest.mark.parametrize(
    ("example", "kind", "parameter_id"), [(PACE_IM_ECDH_H1, ECDH_IM, 13), (PACE_IM_DH_H2, DH_IM, 0)], ids=["H.1", "H.2"]
)
def test_the_integrated_mapping_of_openpace_is_another_one(example: Example, kind: int, parameter_id: int, openpace) -> None:
    protocol = Protocol.of(kind, 2, parameter_id)
    reference = Side(protocol, b"123456", Dice(bytes))
    other = openpace.OpenPaceSide(protocol, b"123456")
    other.open_nonce(reference.suite.encrypt(reference.k_pi, octets(example, "nonce_s")))
    other.map(octets(example, "nonce_t"))
    assert other.mapped_generator() != octets(example, "mapped_g")


@pytest.mark.interop
@pytest.mark.parametrize(("kind", "parameter_id"), [(ECDH_GM, 13), (DH_GM, 0)])
def test_the_generator_that_openpace_maps_to_can_be_read(kind: int, parameter_id: int, openpace) -> None:
    """Else the test before this one could not fail."""
    protocol = Protocol.of(kind, 2, parameter_id)
    reference, other = (
        Side(protocol, b"123456", Dice(Session("read").random("second"))),
        openpace.OpenPaceSide(protocol, b"123456"),
    )
    other.open_nonce(reference.seal_nonce())
    theirs, mine = other.mapping_data(), reference.mapping_data()
    reference.map(theirs)
    other.map(mine)
    assert other.mapped_generator() == reference.group.encode(reference.generator)
