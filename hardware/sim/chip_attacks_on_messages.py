"""Attacks on secure messaging and on responses as such (Doc 9303-11 §9.8, ISO/IEC 7816-3 §12.1).

Those that seal hold the session keys, as only the chip itself does, or who authenticated to it; those on the air do without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from hardware.emrtd import tlv
from hardware.emrtd.apdu import ResponseApdu
from hardware.emrtd.secure_messaging import DO_CRYPTOGRAM, DO_MAC, DO_STATUS, MAC_LENGTH, SM_CLASS, SecureMessaging, pad
from hardware.sim.chip_attack import Attack, flip_last

GIANT = 65_537
"""Data bytes in a response one longer than any may be (ISO/IEC 7816-3 §12.1)."""


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
        return _joined([(t, flip_last(v) if t == tag else v) for t, v in _objects(raw)], raw[-2:])

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


ATTACKS_ON_MESSAGES: Mapping[str, Callable[[], Attack]] = MappingProxyType(
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
    }
)
