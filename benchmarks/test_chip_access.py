"""What the terminal computes to get into a chip, and to see that it is no copy. The chip's answers were recorded: they cost nothing.
All times here are processor times: they say nothing of whom else the machine serves.

References: the same PACE with point arithmetic in plain Python, by another hand; floor: the calls of libcrypto without which it cannot
be done.
"""

from __future__ import annotations

import importlib
import random
import sys
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from benchmarks.chip_line import BP256, MRZ_INFORMATION, SEED, Answers, passport
from benchmarks.machine import REPOSITORY
from hardware.emrtd import chip_authentication, pace
from hardware.emrtd.access_key import AccessKey
from hardware.emrtd.bac import KEYING, NONCE, BacExchange
from hardware.emrtd.channel import Channel
from hardware.emrtd.secure_messaging import SecureMessaging
from hardware.emrtd.security_infos import parse_security_infos
from hardware.sim.chip_protocols import BasicAccessControl

pytestmark = pytest.mark.benchmark(timer=time.thread_time)

KEY = AccessKey(MRZ_INFORMATION)
VARIANTS = {
    "GM, brainpoolP256r1": ("2.4", 13),
    "GM, P-256": ("2.4", 12),
    "GM, brainpoolP512r1": ("2.4", 17),
    "IM, brainpoolP256r1": ("4.4", 13),
    "CAM, brainpoolP256r1": ("6.4", 13),
    "GM, DH 2048": ("1.4", 2),
    "GM, DH 1024": ("1.4", 0),
    "IM, DH 2048": ("3.4", 2),
}
CHIP_KEYS = {"brainpoolP256r1": ("2.4", 13), "P-256": ("2.4", 12), "DH 2048": ("1.4", 2)}
FLOOR = "chip: PACE, GM on brainpoolP256r1, terminal"


class Recorded:
    """Passes commands to ``answer`` once, and gives the same answers ever after."""

    def __init__(self, answer) -> None:
        self._answer = answer
        self.answers: list[bytes] = []

    def transceive(self, command: bytes) -> bytes:
        self.answers.append(self._answer(command))
        return self.answers[-1]

    def again(self) -> Channel:
        return Channel(Answers(self.answers))


def dice():
    return random.Random(SEED).randbytes


@pytest.mark.parametrize("variant", VARIANTS)
def test_pace(benchmark, variant):
    benchmark.group = FLOOR if variant == "GM, brainpoolP256r1" else "chip: PACE, terminal"
    kind, number = VARIANTS[variant]
    chip = passport(kind, number, chip_parameters=number if number >= 8 else BP256)
    [offer] = pace.offers(chip.files["EF.CardAccess"])
    record = Recorded(chip.transceive)
    first = pace.establish(Channel(record).exchange, offer, KEY, random=dice())
    infos = parse_security_infos(chip.files["DG14"][4:], "DG14")  # holds the key that EF.CardSecurity would

    def run():
        session = pace.establish(record.again().exchange, offer, KEY, random=dice())
        return session, offer.protocol.mapping != "CAM" or pace.cam_public_key(session, infos, offer)

    again, proven = benchmark(run)
    assert again.mapping_key == first.mapping_key
    assert proven


def test_reference_pace_in_plain_python(benchmark):
    """tests/interop/second: Jacobian coordinates, windows of four bits."""
    benchmark.group = FLOOR
    sys.path.append(str(REPOSITORY / "tests" / "interop"))
    theirs, dialogue, throws = (importlib.import_module(f"second.{name}") for name in ("pace", "dialogue", "dice"))
    protocol = theirs.Protocol.of(theirs.ECDH_GM, 4, BP256)
    record = Recorded(passport().transceive)

    def run(exchange):
        side = theirs.Side(protocol, KEY.pace_secret(), throws.Dice(dice()))
        return dialogue.PaceReader(side).run(exchange, password=1, name_parameters=False)

    run(record.transceive)
    assert benchmark(lambda: run(Answers(record.answers).transceive))


def test_floor_bare_libcrypto(benchmark):
    """Two public keys, H with its y, our key on the new generator, the secret: four agreements of x coordinates."""
    benchmark.group = FLOOR
    curve = ec.BrainpoolP256R1()
    peer = ec.generate_private_key(curve).public_key()
    scalar = ec.generate_private_key(curve).private_numbers().private_value

    def run():
        keys = [ec.derive_private_key(scalar, curve) for _ in range(2)]
        return [keys[0].exchange(ec.ECDH(), peer) for _ in range(4)]

    assert len(benchmark(run)) == 4


def test_basic_access_control(benchmark):
    benchmark.group = "chip: PACE, terminal"
    chip = BasicAccessControl(MRZ_INFORMATION)
    throw = dice()
    run = BacExchange(rnd_ic=chip.challenge(), rnd_ifd=throw(NONCE), k_ifd=throw(KEYING))
    agreed = chip.authenticate(run.request(KEY.bac_cipher()))
    assert agreed is not None

    def terminal():
        cipher = KEY.bac_cipher()
        run.request(cipher)
        return run.session(cipher, agreed[0])

    assert isinstance(benchmark(terminal), SecureMessaging)


@pytest.mark.parametrize("parameters", CHIP_KEYS)
def test_chip_authentication(benchmark, parameters):
    """From DG14 to the new session."""
    benchmark.group = "chip: chip authentication, terminal"
    kind, number = CHIP_KEYS[parameters]
    dg14 = passport(chip=kind, chip_parameters=number).files["DG14"]
    answers = [b"\x90\0", b"\x7c\x00\x90\0"]  # version 1 answers nothing but yes

    def run():
        choice = chip_authentication.choose(dg14)
        assert choice is not None
        return chip_authentication.run(Channel(Answers(answers)).exchange, choice, dice())

    assert isinstance(benchmark(run), SecureMessaging)
