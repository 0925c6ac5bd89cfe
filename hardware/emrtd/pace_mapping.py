"""Mapping PACE's nonce to a generator (Doc 9303-11 §4.4.3.3), the same on both sides. Pure functions."""

from __future__ import annotations

from hardware.emrtd.cipher_suites import CipherSuite
from hardware.emrtd.groups import Element, KeyAgreementGroup, PrivateKey

# §4.4.3.3.2: c₀ and c₁ by the length of the cipher's keys in bytes; their own length is l.
_C128 = bytes.fromhex("A668892A7C41E3CA739F40B057D85904"), bytes.fromhex("A4E136AC725F738B01C1F60217C188AD")
_C256 = (
    bytes.fromhex("D463D65234124EF7897054986DCA0A174E28DF758CBAA03F240616414D5A1676"),
    bytes.fromhex("54BD7255F0AAF831BEC3423FCF39D69B6CBF066677D0FAAE5AADD99DF8E53517"),
)
_CONSTANTS = {16: _C128, 24: _C256, 32: _C256}
_MARGIN = 64
"""Bits beyond those of p, so that the remainder is as good as uniform."""


def nonce_length(suite: CipherSuite) -> int:
    """Octets of the chip's nonce for the integrated mapping: the fewest blocks that hold a key. Fine for the other mappings too."""
    return len(_CONSTANTS[suite.key_length][0])


def map_generic(group: KeyAgreementGroup, key: PrivateKey, peer: Element, nonce: bytes) -> Element:
    """The generator s·G + H, H agreed with ``peer``'s mapping key (§4.4.3.3.1). Raises ChipError where that is nothing."""
    shared = key.multiply(peer)
    scalar = int.from_bytes(nonce) % group.order
    return group.combine(group.key(scalar).public, shared) if scalar else shared


def map_integrated(group: KeyAgreementGroup, suite: CipherSuite, nonce: bytes, terminal_nonce: bytes) -> Element:
    """The generator f(R(s, t)) (§4.4.3.3.2). Raises ChipError where it is none."""
    return group.element_of(pseudo_random(suite, nonce, terminal_nonce, group.p))


def pseudo_random(suite: CipherSuite, nonce: bytes, terminal_nonce: bytes, p: int) -> int:
    """R(s, t), a number below ``p`` (figure 2). ``nonce`` is as long as :func:`nonce_length` says, ``terminal_nonce`` as a key."""
    c0, c1 = _CONSTANTS[suite.key_length]
    key = suite.encrypt(terminal_nonce, nonce)[: suite.key_length]
    octets = b""
    while 8 * len(octets) < p.bit_length() + _MARGIN:
        octets += suite.encrypt(key, c1)
        key = suite.encrypt(key, c0)[: suite.key_length]
    return int.from_bytes(octets) % p
