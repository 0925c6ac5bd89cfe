"""The dialogue of chip authentication in APDUs (Doc 9303-11 §6.2.4; version 2: BSI TR-03110-3), for any ``side`` that agrees on keys.

A side has a key pair (``public``) and a ``suite``; ``agree(other)`` computes the secret, the methods named after the versions
derive keys from it and return a channel.
"""

from __future__ import annotations

from collections.abc import Callable

from second.dialogue import OK, inside
from second.dice import Dice
from second.groups import Refused
from second.keys import integer
from second.messages import Command, do, objects
from second.messaging import Channel
from second.parameters import group
from second.suite import Suite

ID_CA, ID_PK = bytes.fromhex("04007F0007020203"), bytes.fromhex("04007F0007020201")
DH, ECDH = 1, 2


class Agreement:
    """A side in plain integers: static key of the chip, or ephemeral key of the terminal. Version 1."""

    def __init__(self, suite: Suite, parameter_id: int, dice: Dice) -> None:
        self.suite, self.group = suite, group(parameter_id)
        self.private = dice.scalar(self.group.order)
        self.element = self.group.times(self.private, self.group.generator)
        self.public = self.group.encode(self.element)

    def agree(self, other: bytes) -> None:
        self.secret = self.group.secret(self.group.times(self.private, self.group.decode(other)))

    def first_version(self) -> Channel:
        return Channel.agreed(self.suite, self.secret)


def protocol_oid(family: int, cipher: int) -> bytes:
    return ID_CA + bytes([family, cipher])


def dg14(family: int, cipher: int, public_key: bytes, *, version: int, key_id: int | None) -> bytes:
    """A DG14 with one key (SubjectPublicKeyInfo) and one protocol."""
    reference = b"" if key_id is None else integer(key_id)
    key = do(0x30, do(0x06, ID_PK + bytes([family])) + public_key + reference)
    info = do(0x30, do(0x06, protocol_oid(family, cipher)) + integer(version) + reference)
    return do(0x6E, do(0x31, key + info))


def by_key_agreement(side, version: int) -> bool:
    """3DES in version 1 has a command of its own: MSE:Set KAT."""
    return version == 1 and side.suite.block == 8


def run_terminal(side, exchange: Callable[[bytes], bytes], oid: bytes, chip_public: bytes, *, version: int, key_id: int | None):
    """The terminal's commands; returns its channel. Raises Refused."""
    side.agree(chip_public)
    reference = b"" if key_id is None else do(0x84, bytes([key_id]))
    if by_key_agreement(side, version):
        accepted(exchange(Command(bytes.fromhex("002241A6"), do(0x91, side.public) + reference).encode()))
        return side.first_version()
    accepted(exchange(Command(bytes.fromhex("002241A4"), do(0x80, oid) + reference).encode()))
    body = do(0x7C, do(0x80, side.public))
    le = bytes(2) if len(body) > 0xFF else bytes(1)
    found = inside(accepted(exchange(Command(bytes.fromhex("00860000"), body, le).encode())))
    if version == 1:
        return side.first_version()
    return side.second_version_of_terminal(found[0x81], found[0x82])


def accepted(response: bytes) -> bytes:
    if response[-2:] != OK:
        raise Refused(f"chip authentication: {response[-2:].hex()}")
    return response[:-2]


class Chip:
    """The chip; ``channel`` is there once the keys are agreed."""

    def __init__(self, side, oid: bytes, *, version: int, key_id: int | None) -> None:
        self.side, self.oid, self.version, self.key_id = side, oid, version, key_id
        self._channel = None

    def answer(self, raw: bytes) -> bytes:
        command = Command.decode(raw)
        if command.header == bytes.fromhex("00860000"):
            return self._agree(inside(command.data)[0x80]) + OK
        found = dict(objects(command.data))
        if found.pop(0x84, None) != (None if self.key_id is None else bytes([self.key_id])):
            raise Refused("another key")
        if by_key_agreement(self.side, self.version):
            if command.header != bytes.fromhex("002241A6"):
                raise Refused("not MSE:Set KAT")
            self._agree(found.pop(0x91))
        elif (command.header, found.pop(0x80)) != (bytes.fromhex("002241A4"), self.oid):
            raise Refused("not MSE:Set AT, or another protocol")
        return OK

    def _agree(self, public: bytes) -> bytes:
        self.side.agree(public)
        if self.version == 1:
            self._channel = self.side.first_version()
            return do(0x7C, b"")
        nonce, token, self._channel = self.side.second_version_of_chip(public)
        return do(0x7C, do(0x81, nonce) + do(0x82, token))

    @property
    def done(self) -> bool:
        return self._channel is not None

    def channel(self):
        if self._channel is None:
            raise Refused("no keys were agreed")
        return self._channel
