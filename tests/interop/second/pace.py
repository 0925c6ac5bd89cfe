"""The cryptography of PACE (Doc 9303-11 §4.4): generic, integrated and chip authentication mapping."""

from __future__ import annotations

from dataclasses import dataclass

from second.dice import Dice
from second.groups import Refused
from second.messages import do
from second.messaging import Channel
from second.parameters import group
from second.suite import SUITES, Suite, unpad

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
    """What a terminal or a chip computes. ``static`` is the chip's private key for the chip authentication mapping."""

    def __init__(self, protocol: Protocol, secret: bytes, dice: Dice, *, static: int = 0) -> None:
        self.protocol, self.dice, self.static = protocol, dice, static
        self.suite, self.group = protocol.suite, group(protocol.parameter_id)
        self.k_pi = self.suite.derive(secret, 3)

    def seal_nonce(self) -> bytes:
        """Chip: draw the nonce s and encrypt it."""
        self.s, self.t = self.dice.octets(self.suite.nonce_length), b""
        return self.suite.encrypt(self.k_pi, self.s)

    def open_nonce(self, encrypted: bytes) -> None:
        """Terminal: decrypt s; draw t where the mapping has one."""
        self.s = self.suite.decrypt(self.k_pi, encrypted)
        self.t = self.dice.octets(self.suite.key_length) if self.protocol.integrated else b""

    def mapping_data(self) -> bytes:
        """What this side sends for the mapping: a public key, t, or nothing (the chip, integrated mapping)."""
        if self.protocol.integrated:
            return self.t
        self.mapping_private = self.dice.scalar(self.group.order)
        return self.group.encode(self.group.times(self.mapping_private, self.group.generator))

    def map(self, received: bytes) -> None:
        """Compute the generator out of what both sides sent."""
        self.mapping_key = received
        if not self.protocol.integrated:
            agreed = self.group.times(self.mapping_private, self.group.decode(received))
            self.generator = self.group.generic(int.from_bytes(self.s, "big"), agreed)
            return
        t = self.t or received
        if (self.t and received) or len(t) != self.suite.key_length:
            raise Refused("one nonce t, from the terminal, in the length of a key")
        self.generator = self.group.integrated(pseudo_random(self.suite, self.s, t, self.group.p)[1])

    def make_key(self) -> bytes:
        self.private = self.dice.scalar(self.group.order)
        self.public = self.group.encode(self.group.times(self.private, self.generator))
        return self.public

    def agree(self, other: bytes) -> None:
        if other == self.public:
            raise Refused("my own key came back")
        self.other = other
        self.secret = self.group.secret(self.group.times(self.private, self.group.decode(other)))
        self.k_enc, self.k_mac = self.suite.derive(self.secret, 1), self.suite.derive(self.secret, 2)

    def token(self) -> bytes:
        """The authentication token to send: over the other side's key."""
        return self._token(self.other)

    def expected_token(self) -> bytes:
        return self._token(self.public)

    def proves(self, token: bytes) -> bool:
        return token == self.expected_token()

    def channel(self) -> Channel:
        return Channel(self.suite, self.k_enc, self.k_mac)

    def _token(self, public: bytes) -> bytes:
        """MAC over the public key data object."""
        return self.suite.mac(self.k_mac, do(0x7F49, do(0x06, self.protocol.oid) + do(self.group.public_tag, public)))

    # Chip authentication mapping

    def cam_start(self) -> bytes:
        """Initialisation vector of the chip authentication data: the encrypted counter -1."""
        return self.suite.ecb(self.k_enc, b"\xff" * 16)

    def seal_cam(self) -> bytes:
        """Chip: the mapping key divided by the static key, encrypted."""
        order = self.group.order
        quotient = pow(self.static, -1, order) * self.mapping_private % order
        plain = quotient.to_bytes((order.bit_length() + 7) // 8, "big")
        return self.suite.encrypt(self.k_enc, self.suite.pad(plain), self.cam_start())

    def open_cam(self, encrypted: bytes) -> None:
        self.chip_authentication_data = unpad(self.suite.decrypt(self.k_enc, encrypted, self.cam_start()))

    def cam_key_fits(self, static_public: bytes) -> bool:
        """Terminal: is the key in EF.CardSecurity the one whose private half the chip holds?"""
        scalar = int.from_bytes(self.chip_authentication_data, "big")
        return self.group.encode(self.group.times(scalar, self.group.decode(static_public))) == self.mapping_key
