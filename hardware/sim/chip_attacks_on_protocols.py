"""Attacks on access control and on the proofs of a chip (Doc 9303-11 §4.3, §4.4, §6.1, §6.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from hardware.emrtd import tlv
from hardware.emrtd.access import EXTERNAL_AUTHENTICATE, GET_CHALLENGE
from hardware.emrtd.active_authentication import INTERNAL_AUTHENTICATE
from hardware.emrtd.apdu import OK, SHORT_NE, CommandApdu, ResponseApdu
from hardware.emrtd.files import READ_BINARY, SELECT
from hardware.emrtd.lds import FILES
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
from hardware.emrtd.secure_messaging import SM_CLASS, SecureMessaging
from hardware.sim.chip_attack import Attack, flip_last

ACCESS = frozenset({GET_CHALLENGE, EXTERNAL_AUTHENTICATE, MANAGE_SECURITY_ENVIRONMENT, GENERAL_AUTHENTICATE})
BY_SHORT_IDENTIFIER = 0x80 | FILES["EF.CardAccess"].sfi
"""P1 of READ BINARY."""
PACE_NONCE = 16
"""Octets of the nonce, and of nothing else that a chip with a group of 256 bits draws."""


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


class _Refusal(Attack):
    """Turns down, by this status, each command that is ``meant``."""

    def __init__(self, sw: int, meant: Callable[[CommandApdu], bool]) -> None:
        self._sw, self._meant = sw, meant

    def answered(self, command: CommandApdu, response: ResponseApdu) -> ResponseApdu:
        return ResponseApdu(sw=self._sw) if self._meant(command) else response


def _sets_pace(command: CommandApdu) -> bool:
    return command.ins == MANAGE_SECURITY_ENVIRONMENT and (command.p1, command.p2) == SET_MUTUAL_AUTHENTICATION


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


def _flipped(_: bytes, value: bytes) -> bytes:
    return flip_last(value)


ATTACKS_ON_PROTOCOLS: Mapping[str, Callable[[], Attack]] = MappingProxyType(
    {
        # access control
        "access_replayed": _AccessReplay,
        "bac_challenge_short": lambda: _Reply(GET_CHALLENGE, lambda _, challenge: challenge[:4]),
        "bac_challenge_long": lambda: _Reply(GET_CHALLENGE, lambda _, challenge: challenge * 2),
        "bac_cryptogram_changed": lambda: _Reply(EXTERNAL_AUTHENTICATE, lambda _, sealed: bytes([sealed[0] ^ 1]) + sealed[1:]),
        "bac_mac_changed": lambda: _Reply(EXTERNAL_AUTHENTICATE, _flipped),
        "bac_cryptogram_reflected": lambda: _Reply(EXTERNAL_AUTHENTICATE, lambda sent, _: sent),
        "bac_cryptogram_long": lambda: _Reply(EXTERNAL_AUTHENTICATE, lambda _, sealed: sealed + bytes(8)),
        "card_access_broken_off": lambda: _Refusal(0x6A82, lambda c: c.ins == READ_BINARY and c.p1 == 0 and c.p2 > 0),
        "pace_refused": lambda: _Refusal(0x6A88, _sets_pace),
        "pace_conditions": lambda: _Refusal(0x6985, _sets_pace),
        "pace_warning": lambda: _Refusal(0x6300, _sets_pace),
        "pace_nonce_short": lambda: _Pace(DO_NONCE, lambda _, value: value[:8]),
        "pace_nonce_long": lambda: _Pace(DO_NONCE, lambda _, value: value * 16),
        "pace_nonce_zero": _ZeroNonce,
        "pace_mapping_reflected": lambda: _Pace(DO_MAP_CHIP, lambda sent, _: sent),
        "pace_mapping_off_curve": lambda: _Pace(DO_MAP_CHIP, _flipped),
        "pace_mapping_infinity": lambda: _Pace(DO_MAP_CHIP, lambda _, __: b"\0"),
        "pace_mapping_unasked": lambda: _Pace(DO_MAP_CHIP, lambda _, value: value + b"\1"),
        "pace_key_reflected": lambda: _Pace(DO_KEY_CHIP, lambda sent, _: sent),
        "pace_key_off_curve": lambda: _Pace(DO_KEY_CHIP, _flipped),
        "pace_key_infinity": lambda: _Pace(DO_KEY_CHIP, lambda _, __: b"\0"),
        "pace_key_one": lambda: _Pace(DO_KEY_CHIP, lambda _, value: bytes(len(value) - 1) + b"\1"),
        "pace_own_generator": _OwnGenerator,
        "pace_wrong_token": lambda: _Pace(DO_TOKEN_CHIP, _flipped),
        "pace_token_reflected": lambda: _Pace(DO_TOKEN_CHIP, lambda sent, _: sent),
        # habits of chips that mean no harm
        "select_master_file_unknown": lambda: _Refusal(0x6A87, lambda c: c.ins == SELECT and c.p1 == 0),
        "card_access_by_selection_alone": lambda: _Refusal(
            0x6A86, lambda c: c.ins == READ_BINARY and c.p1 == BY_SHORT_IDENTIFIER
        ),
        "external_authenticate_le_00": lambda: _Refusal(0x6700, lambda c: c.ins == EXTERNAL_AUTHENTICATE and c.ne != SHORT_NE),
        # the proofs
        "chip_authentication_pretended": _SaysYes,
        "chip_authentication_old_keys": lambda: _SaysYes(goes_on=True),
        "chip_authentication_token_changed": lambda: _Pace(DO_MAP_CHIP, _flipped),  # version 2 has its token in DO'82' as well
        "active_authentication_stale": _StaleProof,
        "active_authentication_changed": lambda: _Reply(INTERNAL_AUTHENTICATE, _flipped),
        "active_authentication_empty": lambda: _Reply(INTERNAL_AUTHENTICATE, lambda _, __: b""),
        "active_authentication_mirrored": lambda: _Reply(INTERNAL_AUTHENTICATE, lambda sent, _: sent),
        "active_authentication_long": lambda: _Reply(INTERNAL_AUTHENTICATE, lambda _, signature: signature * 3),
    }
)
