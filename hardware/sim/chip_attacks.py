"""Attacks that a virtual passport can mount, by name: what a forged chip, or somebody between chip and reader, does to single messages.

An :class:`Attack` stands at six places of a chip; a subclass changes what passes there. Those that seal hold the session keys, as
only the chip itself or who authenticated to it does; those that say something else at the end do without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from hardware.emrtd import tlv
from hardware.emrtd.active_authentication import INTERNAL_AUTHENTICATE
from hardware.emrtd.apdu import OK, CommandApdu, ResponseApdu
from hardware.emrtd.pace import (
    DO_DYNAMIC,
    DO_KEY_CHIP,
    DO_MAP_CHIP,
    DO_NONCE,
    DO_TOKEN_CHIP,
    GENERAL_AUTHENTICATE,
    MANAGE_SECURITY_ENVIRONMENT,
    SET_MUTUAL_AUTHENTICATION,
)
from hardware.emrtd.secure_messaging import DO_CRYPTOGRAM, DO_MAC, DO_STATUS, MAC_LENGTH, SM_CLASS, SecureMessaging, pad

GET_CHALLENGE, EXTERNAL_AUTHENTICATE = 0x84, 0x82
ACCESS = frozenset({GET_CHALLENGE, EXTERNAL_AUTHENTICATE, MANAGE_SECURITY_ENVIRONMENT, GENERAL_AUTHENTICATE})
PACE_NONCE = 16
"""Octets of the nonce, and of nothing else that a chip with a group of 256 bits draws."""
GIANT = 65_537
"""Data bytes in a response one longer than any may be (ISO/IEC 7816-3 §12.1)."""


class Attack:
    """None at all: each place lets pass what comes. One instance belongs to one chip and may remember."""

    def heard(self, command: CommandApdu) -> CommandApdu:
        """What the chip takes a command for."""
        return command

    def answered(self, command: CommandApdu, response: ResponseApdu) -> ResponseApdu:  # noqa: ARG002 - for subclasses
        """What it answers, before any protection."""
        return response

    def seal(self, session: SecureMessaging, response: ResponseApdu, *, odd: bool) -> ResponseApdu:
        """How it protects an answer."""
        return session.seal_response(response, odd=odd)

    def unheard(self, session: SecureMessaging) -> ResponseApdu | None:  # noqa: ARG002 - for subclasses
        """What it answers to a command that is not authentic; None for the status that ends the session."""
        return None

    def said(self, command: bytes, response: bytes) -> bytes:  # noqa: ARG002 - for subclasses
        """What goes on the air."""
        return response

    def drawn(self, octets: bytes) -> bytes:
        """What the chip takes for a nonce or an ephemeral key: ``octets`` came out of its random number generator."""
        return octets


HONEST = Attack()


# --- on the air, without any key ---


class _Air(Attack):
    """Changes protected responses, or all (``plain``), on their way."""

    def __init__(self, change: Callable[[bytes], bytes], *, plain: bool = False) -> None:
        self._change, self._plain = change, plain

    def said(self, command: bytes, response: bytes) -> bytes:
        protected = len(response) > MAC_LENGTH and command[:1] and command[0] & SM_CLASS == SM_CLASS
        return self._change(response) if protected or self._plain else response


def _without(tag: int) -> Callable[[bytes], bytes]:
    return lambda raw: _joined([item for item in _objects(raw) if item[0] != tag], raw[-2:])


def _twice(tag: int) -> Callable[[bytes], bytes]:
    return lambda raw: _joined([item for item in _objects(raw) for _ in range(1 + (item[0] == tag))], raw[-2:])


def _flipped(tag: int) -> Callable[[bytes], bytes]:
    """Change the last bit of this object's value."""

    def change(raw: bytes) -> bytes:
        return _joined([(t, _flip_last(b"", v) if t == tag else v) for t, v in _objects(raw)], raw[-2:])

    return change


def _objects(raw: bytes) -> list[tuple[int, bytes]]:
    return [(item.tag, item.value) for item in tlv.children(raw[:-2])]


def _joined(objects: list[tuple[int, bytes]], status: bytes) -> bytes:
    return b"".join(tlv.encode(tag, value) for tag, value in objects) + status


class _Replay(Attack):
    """The first protected response again and again."""

    def __init__(self) -> None:
        self._first = b""

    def said(self, command: bytes, response: bytes) -> bytes:
        if len(response) <= MAC_LENGTH or not command or command[0] & SM_CLASS != SM_CLASS:
            return response
        self._first = self._first or response
        return self._first


class _AccessReplay(Attack):
    """Access control as it went the first time, answer by answer, from the second time on."""

    def __init__(self) -> None:
        self._recorded: list[bytes] = []
        self._complete, self._next = False, 0

    def said(self, command: bytes, response: bytes) -> bytes:
        if len(command) < 2 or command[1] not in ACCESS or command[0] & SM_CLASS == SM_CLASS:
            self._complete, self._next = self._complete or bool(self._recorded), 0
            return response
        if not self._complete:
            self._recorded.append(response)
            return response
        self._next += 1
        return self._recorded[min(self._next, len(self._recorded)) - 1]


# --- under the session keys ---


class _Sealer(Attack):
    """Protects each answer in a way of its own: ``body`` gives the objects before the MAC."""

    def __init__(self, body: Callable[[bytes, bytes], bytes], *, lag: int = 0) -> None:
        self._body, self._lag = body, lag

    def seal(self, session: SecureMessaging, response: ResponseApdu, *, odd: bool) -> ResponseApdu:
        ssc = session._advance()  # noqa: SLF001 - a chip that breaks the rules of the session
        cryptogram = session._cryptogram(ssc, response.data, odd=odd) if response.data else b""  # noqa: SLF001 - as above
        body = self._body(cryptogram, tlv.encode(DO_STATUS, response.sw.to_bytes(2)))
        counted = ((int.from_bytes(ssc) + self._lag) % (1 << 8 * len(ssc))).to_bytes(len(ssc))
        return ResponseApdu(data=body + tlv.encode(DO_MAC, session._mac(counted, body)), sw=response.sw)  # noqa: SLF001 - as above


class _Padder(Attack):
    """Pads, or not, in a way of its own, under ``indicator``."""

    def __init__(self, padded: Callable[[bytes, int], bytes], indicator: bytes = b"\x01") -> None:
        self._padded, self._indicator = padded, indicator

    def seal(self, session: SecureMessaging, response: ResponseApdu, *, odd: bool) -> ResponseApdu:  # noqa: ARG002 - always DO'87'
        ssc = session._advance()  # noqa: SLF001 - a chip that breaks the rules of the session
        cipher = session._cipher  # noqa: SLF001 - as above
        encrypted = cipher.encrypt(ssc, self._padded(response.data, cipher.block))
        body = tlv.encode(DO_CRYPTOGRAM, self._indicator + encrypted) + tlv.encode(DO_STATUS, response.sw.to_bytes(2))
        return ResponseApdu(data=body + tlv.encode(DO_MAC, session._mac(ssc, body)), sw=response.sw)  # noqa: SLF001 - as above


def _blocks(data: bytes, block: int) -> bytes:
    """Whole blocks without any padding."""
    return b"\xff" * max(block, len(data) - len(data) % block)


# --- PACE ---


class _Refusal(Attack):
    """Turns PACE down by this status, so that the terminal may try something weaker."""

    def __init__(self, sw: int) -> None:
        self._sw = sw

    def answered(self, command: CommandApdu, response: ResponseApdu) -> ResponseApdu:
        pace = command.ins == MANAGE_SECURITY_ENVIRONMENT and (command.p1, command.p2) == SET_MUTUAL_AUTHENTICATION
        return ResponseApdu(sw=self._sw) if pace else response


class _Pace(Attack):
    """Puts ``change(what the terminal sent, the true value)`` in the place of data object ``tag`` in the dynamic authentication data."""

    def __init__(self, tag: int, change: Callable[[bytes, bytes], bytes]) -> None:
        self._tag, self._change = tag, change

    def answered(self, command: CommandApdu, response: ResponseApdu) -> ResponseApdu:
        if command.ins != GENERAL_AUTHENTICATE or not response.data:
            return response
        sent = b"".join(item.value for item in tlv.children(tlv.only(command.data, DO_DYNAMIC)))
        objects = tlv.children(tlv.only(response.data, DO_DYNAMIC))
        changed = [tlv.encode(o.tag, self._change(sent, o.value) if o.tag == self._tag else o.value) for o in objects]
        return replace(response, data=tlv.encode(DO_DYNAMIC, b"".join(changed)))


class _OwnGenerator(Attack):
    """Sends its mapping key once more as its ephemeral key: a good element, on a generator that does not depend on the password."""

    def __init__(self) -> None:
        self._map = _Pace(DO_MAP_CHIP, self._keep)
        self._key = _Pace(DO_KEY_CHIP, lambda _, __: self._mapping_key)
        self._mapping_key = b""

    def _keep(self, _: bytes, value: bytes) -> bytes:
        self._mapping_key = value
        return value

    def answered(self, command: CommandApdu, response: ResponseApdu) -> ResponseApdu:
        return self._key.answered(command, self._map.answered(command, response))


class _ZeroNonce(Attack):
    """Draws the nonce zero: the generator is then the mapped point alone."""

    def drawn(self, octets: bytes) -> bytes:
        return bytes(PACE_NONCE) if len(octets) == PACE_NONCE else octets


# --- the proofs ---


class _SaysYes(Attack):
    """Agrees to chip authentication without a key; ``goes_on`` under the old keys, even where it understands nothing."""

    def __init__(self, *, goes_on: bool = False) -> None:
        self._goes_on = goes_on

    def answered(self, command: CommandApdu, response: ResponseApdu) -> ResponseApdu:
        if command.ins == MANAGE_SECURITY_ENVIRONMENT:
            return ResponseApdu()
        return ResponseApdu(data=tlv.encode(DO_DYNAMIC, b"")) if command.ins == GENERAL_AUTHENTICATE else response

    def unheard(self, session: SecureMessaging) -> ResponseApdu | None:
        return session.seal_response(ResponseApdu(data=b"\x60\x14\x5f\x01")) if self._goes_on else None


class _StaleProof(Attack):
    """Signs a challenge of its own choice, as one who recorded a proof earlier."""

    def heard(self, command: CommandApdu) -> CommandApdu:
        return replace(command, data=bytes(len(command.data))) if command.ins == INTERNAL_AUTHENTICATE else command


class _Reply(Attack):
    """Answers instruction ``ins`` with ``change(the command's data, the true answer)`` where the chip would not refuse."""

    def __init__(self, ins: int, change: Callable[[bytes, bytes], bytes]) -> None:
        self._ins, self._change = ins, change

    def answered(self, command: CommandApdu, response: ResponseApdu) -> ResponseApdu:
        if command.ins != self._ins or response.sw != OK:
            return response
        return ResponseApdu(data=self._change(command.data, response.data))


def _flip_last(_: bytes, value: bytes) -> bytes:
    return value[:-1] + bytes([value[-1] ^ 1]) if value else b""


ATTACKS: Mapping[str, Callable[[], Attack]] = MappingProxyType(
    {
        # secure messaging, by somebody on the air
        "sm_mac_changed": lambda: _Air(_flipped(DO_MAC)),
        "sm_mac_dropped": lambda: _Air(_without(DO_MAC)),
        "sm_mac_twice": lambda: _Air(_twice(DO_MAC)),
        "sm_mac_short": lambda: _Air(lambda raw: _joined([(t, v[:4] if t == DO_MAC else v) for t, v in _objects(raw)], raw[-2:])),
        "sm_status_changed": lambda: _Air(_flipped(DO_STATUS)),
        "sm_status_dropped": lambda: _Air(_without(DO_STATUS)),
        "sm_status_repeated": lambda: _Air(_twice(DO_STATUS)),
        "sm_cryptogram_changed": lambda: _Air(_flipped(DO_CRYPTOGRAM)),
        "sm_cryptogram_dropped": lambda: _Air(_without(DO_CRYPTOGRAM)),
        "sm_cryptogram_repeated": lambda: _Air(_twice(DO_CRYPTOGRAM)),
        "sm_reordered": lambda: _Air(lambda raw: _joined(_objects(raw)[::-1], raw[-2:])),
        "sm_plain_status": lambda: _Air(lambda raw: raw[-2:]),
        "sm_plain_refusal": lambda: _Air(lambda _: b"\x6a\x82"),
        "sm_plain_data": lambda: _Air(lambda _: b"\x61\x02\x5f\x1f\x90\x00"),
        "sm_other_status_word": lambda: _Air(lambda raw: raw[:-2] + b"\x6a\x82"),
        "sm_replayed": _Replay,
        "sm_truncated": lambda: _Air(lambda raw: raw[: len(raw) // 2]),
        # secure messaging, by a chip that holds the keys
        "sm_counter_behind": lambda: _Sealer(lambda cryptogram, status: cryptogram + status, lag=-1),
        "sm_counter_ahead": lambda: _Sealer(lambda cryptogram, status: cryptogram + status, lag=1),
        "sm_sealed_without_status": lambda: _Sealer(lambda cryptogram, _: cryptogram or tlv.encode(0x81, b"")),
        "sm_sealed_status_first": lambda: _Sealer(lambda cryptogram, status: status + (cryptogram or status)),
        "sm_sealed_twice": lambda: _Sealer(lambda cryptogram, status: cryptogram + cryptogram + status + status),
        "sm_sealed_other_status": lambda: _Sealer(lambda cryptogram, _: cryptogram + tlv.encode(DO_STATUS, b"\x62\x83")),
        "sm_sealed_in_the_clear": lambda: _Sealer(lambda _, status: tlv.encode(0x81, b"\x61\x02\x5f\x1f") + status),
        "sm_sealed_unpadded": lambda: _Padder(_blocks),
        "sm_sealed_zeros": lambda: _Padder(lambda _, block: bytes(block)),
        "sm_sealed_padded_twice": lambda: _Padder(lambda data, block: pad(data, block) + bytes(block)),
        "sm_padding_indicator": lambda: _Padder(pad, indicator=b"\x02"),
        # responses that are none
        "nothing": lambda: _Air(lambda _: b"", plain=True),
        "one_byte": lambda: _Air(lambda _: b"\x90", plain=True),
        "giant_response": lambda: _Air(lambda raw: bytes(GIANT) + raw[-2:], plain=True),
        "longest_response": lambda: _Air(lambda raw: bytes(GIANT - 1) + raw[-2:], plain=True),
        "junk_after_status": lambda: _Air(lambda raw: raw + b"\xde\xad", plain=True),
        # access control
        "access_replayed": _AccessReplay,
        "bac_challenge_short": lambda: _Reply(GET_CHALLENGE, lambda _, challenge: challenge[:4]),
        "bac_challenge_long": lambda: _Reply(GET_CHALLENGE, lambda _, challenge: challenge * 2),
        "bac_cryptogram_changed": lambda: _Reply(EXTERNAL_AUTHENTICATE, lambda _, sealed: bytes([sealed[0] ^ 1]) + sealed[1:]),
        "bac_mac_changed": lambda: _Reply(EXTERNAL_AUTHENTICATE, _flip_last),
        "bac_cryptogram_reflected": lambda: _Reply(EXTERNAL_AUTHENTICATE, lambda sent, _: sent),
        "bac_cryptogram_long": lambda: _Reply(EXTERNAL_AUTHENTICATE, lambda _, sealed: sealed + bytes(8)),
        "pace_refused": lambda: _Refusal(0x6A88),
        "pace_conditions": lambda: _Refusal(0x6985),
        "pace_warning": lambda: _Refusal(0x6300),
        "pace_nonce_short": lambda: _Pace(DO_NONCE, lambda _, value: value[:8]),
        "pace_nonce_long": lambda: _Pace(DO_NONCE, lambda _, value: value * 16),
        "pace_nonce_zero": _ZeroNonce,
        "pace_mapping_reflected": lambda: _Pace(DO_MAP_CHIP, lambda sent, _: sent),
        "pace_mapping_off_curve": lambda: _Pace(DO_MAP_CHIP, _flip_last),
        "pace_mapping_infinity": lambda: _Pace(DO_MAP_CHIP, lambda _, __: b"\0"),
        "pace_mapping_unasked": lambda: _Pace(DO_MAP_CHIP, lambda _, value: value + b"\1"),
        "pace_key_reflected": lambda: _Pace(DO_KEY_CHIP, lambda sent, _: sent),
        "pace_key_off_curve": lambda: _Pace(DO_KEY_CHIP, _flip_last),
        "pace_key_infinity": lambda: _Pace(DO_KEY_CHIP, lambda _, __: b"\0"),
        "pace_key_one": lambda: _Pace(DO_KEY_CHIP, lambda _, value: bytes(len(value) - 1) + b"\1"),
        "pace_own_generator": _OwnGenerator,
        "pace_wrong_token": lambda: _Pace(DO_TOKEN_CHIP, _flip_last),
        "pace_token_reflected": lambda: _Pace(DO_TOKEN_CHIP, lambda sent, _: sent),
        # the proofs
        "chip_authentication_pretended": _SaysYes,
        "chip_authentication_old_keys": lambda: _SaysYes(goes_on=True),
        "chip_authentication_token_changed": lambda: _Pace(DO_MAP_CHIP, _flip_last),  # version 2 has its token in DO'82' as well
        "active_authentication_stale": _StaleProof,
        "active_authentication_changed": lambda: _Reply(INTERNAL_AUTHENTICATE, _flip_last),
        "active_authentication_empty": lambda: _Reply(INTERNAL_AUTHENTICATE, lambda _, __: b""),
        "active_authentication_mirrored": lambda: _Reply(INTERNAL_AUTHENTICATE, lambda sent, _: sent),
        "active_authentication_long": lambda: _Reply(INTERNAL_AUTHENTICATE, lambda _, signature: signature * 3),
    }
)
"""By name: how to mount it. Which rule each breaks, and what must come of it, stands in the suite ``tests/hardware/evil``."""
