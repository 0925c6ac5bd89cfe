"""Basic access control (Doc 9303-11 §4.3), both sides. The messages are the data of EXTERNAL AUTHENTICATE and its response."""

from __future__ import annotations

import hashlib

from second.dice import Dice
from second.groups import Refused
from second.messaging import Channel
from second.suite import SUITES, xor

SUITE = SUITES[1]


class Side:
    """What reader and chip have in common: the document basic access keys and nonces of eight octets."""

    def __init__(self, mrz_information: str, dice: Dice) -> None:
        seed = hashlib.sha1(mrz_information.encode()).digest()[:16]
        self.k_enc, self.k_mac = SUITE.derive(seed, 1), SUITE.derive(seed, 2)
        self.nonce, self.key = dice.octets(8), dice.octets(16)

    def send(self, first: bytes, second: bytes) -> bytes:
        cipher = SUITE.encrypt(self.k_enc, first + second + self.key)
        return cipher + SUITE.mac(self.k_mac, cipher)

    def receive(self, message: bytes) -> tuple[bytes, bytes, bytes]:
        """The two nonces and the other side's key."""
        cipher, mac = message[:-8], message[-8:]
        if len(cipher) != 32 or SUITE.mac(self.k_mac, cipher) != mac:
            raise Refused("the MAC is wrong")
        plain = SUITE.decrypt(self.k_enc, cipher)
        return plain[:8], plain[8:16], plain[16:]

    def channel(self, k_ifd: bytes, k_ic: bytes, rnd_ic: bytes, rnd_ifd: bytes) -> Channel:
        return Channel.agreed(SUITE, xor(k_ifd, k_ic), int.from_bytes(rnd_ic[4:] + rnd_ifd[4:], "big"))


class BacReader(Side):
    def request(self, rnd_ic: bytes) -> bytes:
        self.rnd_ic = rnd_ic
        return self.send(self.nonce, rnd_ic)

    def finish(self, answer: bytes) -> Channel:
        rnd_ic, rnd_ifd, k_ic = self.receive(answer)
        if (rnd_ic, rnd_ifd) != (self.rnd_ic, self.nonce):
            raise Refused("not the nonces of this session")
        return self.channel(self.key, k_ic, rnd_ic, rnd_ifd)


class BacChip(Side):
    def answer(self, request: bytes) -> tuple[bytes, Channel]:
        rnd_ifd, rnd_ic, k_ifd = self.receive(request)
        if rnd_ic != self.nonce:
            raise Refused("not the challenge of this session")
        return self.send(self.nonce, rnd_ifd), self.channel(k_ifd, self.key, rnd_ic, rnd_ifd)
