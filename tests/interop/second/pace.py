"""PACE (Doc 9303-11 §4.4), both sides, over APDUs as octets: generic, integrated and chip authentication mapping."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from second.dice import Dice
from second.groups import Refused
from second.messages import Command, do, objects
from second.messaging import Channel
from second.parameters import group
from second.suite import SUITES, Suite, unpad

MRZ, CAN = 1, 2
DH_GM, ECDH_GM, DH_IM, ECDH_IM, ECDH_CAM = 1, 2, 3, 4, 6
ID_PACE = bytes.fromhex("04007F00070202" + "04")
"""0.4.0.127.0.7.2.2.4, without tag and length."""

# Constants of the pseudo-random function of the integrated mapping (§4.4.3.3.2), for nonces of 128 and of 256 bits.
C0 = {
    16: bytes.fromhex("A668892A7C41E3CA739F40B057D85904"),
    32: bytes.fromhex("D463D65234124EF7897054986DCA0A174E28DF758CBAA03F240616414D5A1676"),
}
C1 = {
    16: bytes.fromhex("A4E136AC725F738B01C1F60217C188AD"),
    32: bytes.fromhex("54BD7255F0AAF831BEC3423FCF39D69B6CBF066677D0FAAE5AADD99DF8E53517"),
}


@dataclass(frozen=True)
class Protocol:
    """One PACEInfo: key agreement and mapping, cipher, domain parameters."""

    kind: int
    suite: Suite
    parameter_id: int

    @classmethod
    def of(cls, kind: int, cipher: int, parameter_id: int) -> Protocol:
        return cls(kind, SUITES[cipher], parameter_id)

    @property
    def oid(self) -> bytes:
        return ID_PACE + bytes([self.kind, self.suite.number])

    @property
    def integrated(self) -> bool:
        return self.kind in {DH_IM, ECDH_IM}

    def card_access(self) -> bytes:
        """EF.CardAccess with this PACEInfo alone."""
        return do(0x31, do(0x30, do(0x06, self.oid) + do(0x02, b"\x02") + do(0x02, bytes([self.parameter_id]))))


def pseudo_random(suite: Suite, s: bytes, t: bytes, modulus: int) -> tuple[bytes, int]:
    """R(s, t), and Rp(s, t): as many blocks as give 64 bits more than the modulus has."""
    c0, c1 = C0[suite.nonce_length], C1[suite.nonce_length]
    key, out = suite.encrypt(t, s), b""
    while len(out) * 8 < modulus.bit_length() + 64:
        key = key[: suite.key_length]
        key, out = suite.encrypt(key, c0), out + suite.encrypt(key, c1)
    return out, int.from_bytes(out, "big") % modulus


class Side:
    """What reader and chip have in common."""

    def __init__(self, protocol: Protocol, secret: bytes, dice: Dice) -> None:
        self.protocol, self.dice = protocol, dice
        self.suite, self.group = protocol.suite, group(protocol.parameter_id)
        self.k_pi = self.suite.derive(secret, 3)
        self.generator = self.private = self.public = self.other = None
        self.secret = b""

    def map_integrated(self, s: bytes, t: bytes) -> None:
        self.generator = self.group.integrated(pseudo_random(self.suite, s, t, self.group.p)[1])

    def map_generic(self, s: bytes, private: int, other: bytes) -> None:
        agreed = self.group.times(private, self.group.decode(other))
        self.generator = self.group.generic(int.from_bytes(s, "big"), agreed)

    def make_key(self) -> bytes:
        self.private = self.dice.scalar(self.group.order)
        self.public = self.group.encode(self.group.times(self.private, self.generator))
        return self.public

    def agree(self, other: bytes) -> None:
        if self.group.decode(other) == self.group.decode(self.public):
            raise Refused("my own key came back")
        self.other = other
        self.secret = self.group.secret(self.group.times(self.private, self.group.decode(other)))
        self.k_enc, self.k_mac = self.suite.derive(self.secret, 1), self.suite.derive(self.secret, 2)

    def token(self, public: bytes) -> bytes:
        """MAC over the public key data object."""
        return self.suite.mac(self.k_mac, do(0x7F49, do(0x06, self.protocol.oid) + do(self.group.public_tag, public)))

    def channel(self) -> Channel:
        return Channel(self.suite, self.k_enc, self.k_mac)

    def cam_start(self) -> bytes:
        """Initialisation vector for the chip authentication data: the encrypted counter -1."""
        return self.suite.ecb(self.k_enc, b"\xff" * 16)


class PaceReader(Side):
    """The terminal. After :meth:`run`, ``chip_authentication_data`` and ``mapping_key`` hold what the mapping gave."""

    chip_authentication_data = mapping_key = b""

    def run(self, exchange: Callable[[bytes], bytes], *, password: int, name_parameters: bool = True) -> Channel:
        naming = do(0x84, bytes([self.protocol.parameter_id])) if name_parameters else b""
        select = do(0x80, self.protocol.oid) + do(0x83, bytes([password])) + naming
        if exchange(Command(bytes.fromhex("0022C1A4"), select).encode()) != b"\x90\0":
            raise Refused("MSE:Set AT")
        s = self.suite.decrypt(self.k_pi, self._step(exchange, None, b"", 0x80))
        self._map(exchange, s)
        self.agree(self._step(exchange, 0x83, self.make_key(), 0x84))
        self._prove(exchange)
        return self.channel()

    def _map(self, exchange, s: bytes) -> None:
        if self.protocol.integrated:
            t = self.dice.octets(self.suite.key_length)
            if self._step(exchange, 0x81, t, 0x82):
                raise Refused("mapping data where none belongs")
            self.map_integrated(s, t)
            return
        private = self.dice.scalar(self.group.order)
        mine = self.group.encode(self.group.times(private, self.group.generator))
        self.mapping_key = self._step(exchange, 0x81, mine, 0x82)
        self.map_generic(s, private, self.mapping_key)

    def _prove(self, exchange) -> None:
        answer = self._objects(exchange, 0x85, self.token(self.other), last=True)
        if answer.pop(0x86, b"") != self.token(self.public):
            raise Refused("the chip's token is wrong")
        if self.protocol.kind == ECDH_CAM:
            data = self.suite.decrypt(self.k_enc, answer.pop(0x8A), self.cam_start())
            self.chip_authentication_data = unpad(data)
        if answer:
            raise Refused("more than was asked for")

    def cam_key_fits(self, static_public: bytes) -> bool:
        """Is the key in EF.CardSecurity the one whose private half the chip holds?"""
        scalar = int.from_bytes(self.chip_authentication_data, "big")
        return self.group.encode(self.group.times(scalar, self.group.decode(static_public))) == self.mapping_key

    def _step(self, exchange, tag: int | None, value: bytes, expected: int) -> bytes:
        found = self._objects(exchange, tag, value)
        if list(found) != [expected]:
            raise Refused("not the data object of this step")
        return found[expected]

    @staticmethod
    def _objects(exchange, tag: int | None, value: bytes, *, last: bool = False) -> dict[int, bytes]:
        body = do(0x7C, b"" if tag is None else do(tag, value))
        raw = exchange(Command(bytes.fromhex("00860000" if last else "10860000"), body, wanted(body)).encode())
        if raw[-2:] != b"\x90\0":
            raise Refused(f"GENERAL AUTHENTICATE: {raw[-2:].hex()}")
        [(outer, content)] = objects(raw[:-2])
        if outer != 0x7C:
            raise Refused("not dynamic authentication data")
        return dict(objects(content))


def wanted(body: bytes) -> bytes:
    return b"\0\0" if len(body) > 0xFF else b"\0"


class PaceChip(Side):
    """The chip: :meth:`answer` takes the five commands in turn. ``static`` is its private key for the CAM."""

    def __init__(self, protocol: Protocol, secret: bytes, dice: Dice, *, password: int, static: int = 0) -> None:
        super().__init__(protocol, secret, dice)
        self.password, self.static = password, static
        self.steps = [self._select, self._nonce, self._map, self._key, self._prove]

    def answer(self, raw: bytes) -> bytes:
        command = Command.decode(raw)
        try:
            return self.steps.pop(0)(command)
        except (Refused, IndexError):
            self.steps = []
            return b"\x63\0"

    def _select(self, command: Command) -> bytes:
        found = dict(objects(command.data))
        if (found[0x80], found[0x83]) != (self.protocol.oid, bytes([self.password])):
            raise Refused("another protocol or password")
        if found.get(0x84, bytes([self.protocol.parameter_id])) != bytes([self.protocol.parameter_id]):
            raise Refused("other parameters")
        return b"\x90\0"

    def _nonce(self, command: Command) -> bytes:
        self._take(command, None)
        self.s = self.dice.octets(self.suite.nonce_length)
        return self._give(0x80, self.suite.encrypt(self.k_pi, self.s))

    def _map(self, command: Command) -> bytes:
        received = self._take(command, 0x81)
        if self.protocol.integrated:
            if len(received) != self.suite.key_length:
                raise Refused("a nonce of another length")
            self.map_integrated(self.s, received)
            return self._give(0x82, b"")
        self.mapping_private = self.dice.scalar(self.group.order)
        self.map_generic(self.s, self.mapping_private, received)
        return self._give(0x82, self.group.encode(self.group.times(self.mapping_private, self.group.generator)))

    def _key(self, command: Command) -> bytes:
        mine = self.make_key()
        self.agree(self._take(command, 0x83))
        return self._give(0x84, mine)

    def _prove(self, command: Command) -> bytes:
        if self._take(command, 0x85) != self.token(self.public):
            raise Refused("the terminal's token is wrong")
        more = do(0x8A, self._chip_authentication_data()) if self.protocol.kind == ECDH_CAM else b""
        return do(0x7C, do(0x86, self.token(self.other)) + more) + b"\x90\0"

    def _chip_authentication_data(self) -> bytes:
        """The mapping key divided by the static key, encrypted."""
        order = self.group.order
        quotient = pow(self.static, -1, order) * self.mapping_private % order
        plain = quotient.to_bytes((order.bit_length() + 7) // 8, "big")
        return self.suite.encrypt(self.k_enc, self.suite.pad(plain), self.cam_start())

    @staticmethod
    def _take(command: Command, tag: int | None) -> bytes:
        [(outer, content)] = objects(command.data)
        found = dict(objects(content))
        if outer != 0x7C or list(found) != ([] if tag is None else [tag]):
            raise Refused("not the data object of this step")
        return found.get(tag or 0, b"")

    @staticmethod
    def _give(tag: int, value: bytes) -> bytes:
        return do(0x7C, do(tag, value)) + b"\x90\0"
