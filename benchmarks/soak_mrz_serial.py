"""The long suite on serial readers of the machine readable zone: damaged messages between whole ones, of every kind of reader.

Within one message bytes are cut away, put in or overwritten. Where a device marks neither the beginning nor the end of a message, and says the
next one at once, the head of the one can make up a line with the next: such a zone must fail its check digits. What a device without block check lets pass by its nature (one character of
a zone for another) is the business of check digits, and not tried here; where there is a block check, any byte may be changed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.soak_cases import METER, Case
from hardware.mrz_frames import Framer, Refused, ZoneText
from hardware.mrz_serial import PROFILES
from hardware.sim.mrz_readers import ElyctisReader, HoneywellReader, MrzDevice, RteReader, SwipeReader
from mrz import FORMATS, MrzError, parse
from mrz.emit import compose
from mrz.sim import pretend_fields

ZONE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<"
FOREIGN = bytes(sorted(set(range(256)) - set(ZONE + b"_ ")))
DAMAGES = ("whole", "cut", "taken out", "put in", "overwritten")


def _elyctis() -> MrzDevice:
    device = ElyctisReader()
    device.hear(b"C\x00\x01\x01")
    return device


def _honeywell(separator: str) -> MrzDevice:
    device = HoneywellReader(separator=separator)
    device.hear(b"\x16M\rocrena1!\x16T\r")
    return device


KINDS: dict[str, tuple[str, Callable[[], MrzDevice]]] = {
    "rte": ("rte", RteReader),
    "rte_unchecked": ("rte_unchecked", lambda: RteReader(block_check=False)),
    "elyctis": ("elyctis", _elyctis),
    "honeywell": ("honeywell", lambda: _honeywell("\r")),
    "honeywell in one": ("honeywell", lambda: _honeywell("")),
    "framed": ("framed", lambda: SwipeReader(before="\x02", separator="\r\n", after="\x03")),
    "framed in one": ("framed", lambda: SwipeReader(before="\x02", separator="", after="\x03")),
    "lines": ("lines", SwipeReader),
    "lines CR LF": ("lines", lambda: SwipeReader(separator="\r\n", after="\r\n")),
    "lines in one": ("lines", lambda: SwipeReader(separator="")),
}
"""Each with the profile that it is read with."""
MUST_SEE = frozenset({"whole: read", "cut: lost", "taken out: lost", "put in: read", "put in: lost", "overwritten: lost"})


@contextmanager
def serial_readers() -> Iterator[Case]:
    """One damaged message and two whole ones behind it: nothing comes out that was not sent, and one whole message is lost at most."""
    yield _serial_readers


def _serial_readers(dice: random.Random) -> str:
    kind = dice.choice(sorted(KINDS))
    profile, device = KINDS[kind]
    first, second = _document(dice), _document(dice)
    damage = dice.choice(DAMAGES)
    sent, following = damaged(device().swipe(first), damage, dice, checked=kind == "rte"), device().swipe(second)
    needs_silence = profile == "honeywell"
    silence = [None] if needs_silence or dice.random() < 0.5 else []
    noise = [dice.randbytes(dice.randrange(60)), None] if dice.random() < 0.3 else []
    parts = [*noise, sent, *silence, following, *([None] if needs_silence else []), following, None]
    with METER.now_and_then(dice):
        read = [one.lines for one in _heard(Framer(PROFILES[profile].wire), parts, dice) if isinstance(one, ZoneText)]
    strange = set(read) - {first, second}
    if profile == "lines" and not silence:  # nothing parts a message that broke off from the next but the check digits
        strange = {lines for lines in strange if _accepted(lines)}
    assert not strange, f"{kind}, {damage}: {sent!r} was read as {strange}"
    assert read[-1:] == [second], f"{kind}, {damage}: the message behind was lost"
    assert not silence or read[-2:] == [second] * 2, f"{kind}, {damage}: the message behind the silence was lost"
    assert damage != "whole" or first in read, f"{kind}: a whole message was not read"
    return f"{damage}: {'read' if first in read else 'lost'}"


def _accepted(lines: tuple[str, ...]) -> bool:
    """Whether a gate would go on with such a zone."""
    try:
        return parse(lines).check_digits_ok
    except MrzError:
        return False


def _document(dice: random.Random) -> tuple[str, ...]:
    name = dice.choice(sorted(FORMATS))
    return tuple(compose(name, **pretend_fields(dice, name)))


def damaged(sent: bytes, damage: str, dice: random.Random, *, checked: bool) -> bytes:
    """``sent`` with one damage. ``checked``: a block check will find whatever single byte is overwritten."""
    at, some = dice.randrange(len(sent)), dice.randint(1, 8)
    match damage:
        case "cut":
            return sent[:at] if dice.random() < 0.5 else sent[at:]
        case "taken out":
            return sent[:at] + sent[at + some :]
        case "put in":
            return sent[:at] + dice.randbytes(some) + sent[at:]
        case "overwritten":
            octets = dice.choice((ZONE, FOREIGN)) if checked else FOREIGN
            return sent[:at] + bytes((dice.choice(octets.replace(sent[at : at + 1], b"")),)) + sent[at + 1 :]
        case _:
            return sent


def _heard(framer: Framer, parts: list[bytes | None], dice: random.Random) -> Iterator[ZoneText | Refused]:
    """All that comes out of ``parts`` in pieces of any size, None being silence."""
    for part in parts:
        METER.start()
        if part is None:
            yield from framer.quiet()
        else:
            step = dice.randint(1, 200)
            for at in range(0, len(part), step):
                yield from framer.feed(part[at : at + step])
        METER.stop()
