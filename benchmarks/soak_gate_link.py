"""Long suites on the gate-link: two firmwares that must answer alike, and frames of nobody that must open nothing.

A case is one input into a conversation that goes on from case to case, so states are reached that no single case could reach.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.soak_cases import Case
from hardware.controller.frame import FrameDecoder, decode_frame, encode_frame
from hardware.controller.messages import Confirm, EventAck, EventReport, Hello, Message, dictionary_hash, encode
from hardware.controller.protocol import (
    Close,
    CommandResult,
    Door,
    OpenEntry,
    OpenExit,
    Outcome,
    Passage,
    Purpose,
    Renew,
    SetSignal,
    Signal,
)
from hardware.controller.session import DEVICE, HOST, Agreement, Channel, plain_frame
from hardware.sim import compiled
from hardware.sim import firmware as python
from hardware.sim.compiled import CHECKED, CompiledFirmware
from hardware.sim.controller import FirmwareKind, firmware
from hardware.sim.firmware import Firmware
from hardware.sim.interlock import Drive, Inputs, LeafSensors

KEY = bytes(range(32))
SHUT = LeafSensors(bolted=True, wide=False, clear=True)
NO_WELCOME = tuple(first for first in range(256) if first != 0x02)
"""First bytes of what a host may say. A Welcome is the controller's own word, and which of them it counts as rejected is its own business."""
VACANT = Inputs(entry=SHUT, exit=SHUT, occupancy=0, object_left=False, fire=False, mains=True)


def agreement(host_nonce: bytes, device_nonce: bytes, name: str, key: bytes = KEY) -> Agreement:
    return Agreement(key=key, host_nonce=host_nonce, device_nonce=device_nonce, dictionary=dictionary_hash(), firmware=name)


# --- two firmwares, one conversation -----------------------------------------------------------------------------------


class Pair:
    """The firmware in Python and the one in C, hearing and seeing the same. Each input must have the same answer to the byte."""

    def __init__(self, program: Path = CHECKED) -> None:
        self._nonce = bytes(16)
        self._python = Firmware(KEY, VACANT, name=compiled.NAME, nonce=lambda: self._nonce)
        self._c = CompiledFirmware(KEY, VACANT, program)
        self.now, self.inputs, self.number = 0, VACANT, 1
        self.agreed: Agreement | None = None
        self.host: Channel | None = None
        self.recorded = [b"\x00"]
        self.reported = 0
        self.answered: deque[int] = deque(maxlen=80)
        """Ids of the last commands with an outcome: some more than a controller remembers."""

    def power_on(self, key: bytes) -> None:
        """Both anew."""
        self._python = Firmware(key, VACANT, name=compiled.NAME, nonce=lambda: self._nonce)
        self._c.power_on(key, VACANT)
        self.now, self.inputs, self.agreed, self.host = 0, VACANT, None, None

    def tick(self, after_ms: int, inputs: Inputs) -> list[Message]:
        self.now, self.inputs = self.now + after_ms, replace(inputs, crossings=())
        one, other = self._python.tick(self.now, inputs), self._c.tick(self.now, inputs)
        assert one == other, f"{inputs}: {one} and {other}"
        return self._said()

    def hear(self, data: bytes, nonce: bytes) -> list[Message]:
        """``nonce`` is what chance would give them for it."""
        self._nonce = nonce
        self._c.fix_nonce(nonce)
        self.recorded = [*self.recorded[-20:], data]
        self._python.receive(data, self.now)
        self._c.receive(data, self.now)
        return self._said()

    def _said(self) -> list[Message]:
        one, other = self._python.transmit(), self._c.transmit()
        assert one == other, f"{one.hex()} and {other.hex()}"
        assert self._python.refused_hosts == self._c.refused_hosts
        assert self._python.rejected_frames == self._c.rejected_frames
        frames = FrameDecoder().feed(one)
        heard = [self.host.open(frame) for frame in frames] if self.host else []
        self.reported = next((each.number for each in heard if isinstance(each, EventReport)), self.reported)
        said = [each for each in heard if each is not None]
        self.answered += [e.command_id for e in said if isinstance(e, CommandResult) and e.command_id not in self.answered]
        return said

    def close(self) -> None:
        self._c.close()


def greet(pair: Pair, dice: random.Random) -> list[Message]:
    """A handshake: whole, or with a wrong proof, or only begun."""
    mine, theirs = dice.randbytes(16), dice.randbytes(16)
    pair.hear(plain_frame(Hello(nonce=mine, dictionary=dice.choice((dictionary_hash(), bytes(8))))), theirs)
    pair.agreed = agreement(mine, theirs, compiled.NAME)
    kind = dice.random()
    if kind < 0.1:
        return []
    if kind < 0.2:
        return pair.hear(plain_frame(Confirm(proof=dice.randbytes(16))), theirs)
    pair.host = pair.agreed.channel(sends=HOST, hears=DEVICE)
    return pair.hear(plain_frame(Confirm(proof=pair.agreed.proof(HOST))), theirs)


def command(pair: Pair, dice: random.Random) -> Message:
    pair.number += 1
    number = dice.choice(pair.answered) if pair.answered and dice.random() < 0.2 else pair.number
    lease = dice.choice((250, 250, 50, 0, 60_000))
    return dice.choice(
        (
            OpenEntry(command_id=number, purpose=dice.choice(list(Purpose)), lease_ms=lease),
            OpenExit(command_id=number, lease_ms=lease),
            Close(command_id=number, door=dice.choice(list(Door))),
            SetSignal(command_id=number, signal=dice.choice(list(Signal))),
        )
    )


def sealed(pair: Pair, dice: random.Random) -> bytes:
    """A frame that the host's key seals: mostly something it may say."""
    host = pair.host or agreement(bytes(16), bytes(16), compiled.NAME).channel(sends=HOST, hears=DEVICE)
    if dice.random() < 0.15:  # a host with a bug: any payload behind a good MAC
        payload = bytes([dice.choice(NO_WELCOME)]) + dice.randbytes(dice.choice((0, 1, 2, 4, 8, 9, 10, 11, 40)))
        return spoken(host, payload)
    other = (
        Renew(lease_ms=dice.choice((250, 250, 10, 65_535))),
        EventAck(number=max(0, pair.reported + dice.choice((0, 0, 0, -1, 1)))),
    )
    if dice.random() < 0.01:
        host._sent += dice.choice((1, 100, 0x7FFE, 0x8000))  # frames that got lost
    return host.seal(command(pair, dice) if dice.random() < 0.5 else dice.choice(other))


def spoken(channel: Channel, payload: bytes) -> bytes:
    """Any payload, sealed."""
    channel._sent += 1
    return encode_frame(channel._sent, payload + channel._mac(channel._sends, channel._sent, payload))


def spoilt(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + dice.choice((1, 1, 2)) :]


def noise(dice: random.Random) -> bytes:
    return bytes(dice.choice((0, 0, 1, 2, 3, 0xFF, dice.randrange(256))) for _ in range(dice.choice((1, 5, 40, 300))))


def foreign(dice: random.Random) -> bytes:
    """A whole frame that nobody's key sealed. (A Welcome is the controller's own word.)"""
    first = dice.choice((0x01, 0x03, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x21, 0x30, 0xFF))
    return encode_frame(
        dice.randrange(1 << 16), bytes([first]) + dice.randbytes(dice.choice((0, 2, 10, 16, 18, 19, 24, 60, 248)))
    )


def looked(inputs: Inputs, dice: random.Random) -> Inputs:
    """The pins a moment later: a few have changed."""
    calm = dice.random() < 0.5
    inputs = replace(VACANT, occupancy=dice.choice((0, 1))) if dice.random() < 0.25 else inputs
    crossings = tuple(
        Passage(door=dice.choice(list(Door)), inwards=dice.random() < 0.5) for _ in range(dice.choice((0, 0, 0, 0, 1, 2, 8)))
    )
    if calm:
        return replace(inputs, crossings=crossings[:1])
    leaf = lambda old: LeafSensors(  # noqa: E731 - named for the reader, used twice
        bolted=old.bolted ^ (dice.random() < 0.2), wide=old.wide ^ (dice.random() < 0.2), clear=old.clear ^ (dice.random() < 0.2)
    )
    return Inputs(
        entry=leaf(inputs.entry),
        exit=leaf(inputs.exit),
        occupancy=dice.choice((inputs.occupancy, inputs.occupancy, 0, 1, 2, None)),
        object_left=dice.random() < 0.1,
        fire=dice.random() < 0.05,
        mains=dice.random() < 0.95,
        crossings=crossings,
    )


KINDS = ("tick", "sealed", "greeting", "spoilt", "noise", "foreign", "repeated", "quiet")


def agrees(pair: Pair, dice: random.Random) -> str:
    """One input to both. What kind it was, and the outcome if it was a command."""
    nonce = dice.randbytes(16)
    match dice.choices(KINDS, (34, 34, 6, 8, 5, 5, 4, 4))[0]:
        case "tick":
            said, word = (
                pair.tick(dice.choice((*[10] * 20, 50, 50, 300, 300, 900, 1100, 4500, 6000)), looked(pair.inputs, dice)),
                "tick",
            )
        case "quiet":  # nobody says anything, nothing moves: what is due by time alone
            said, word = [each for _ in range(dice.choice((5, 30, 60))) for each in pair.tick(10, pair.inputs)], "quiet"
        case "sealed":
            said, word = pair.hear(sealed(pair, dice), nonce), "sealed"
        case "greeting":
            said, word = greet(pair, dice), "greeting"
        case "spoilt":
            said, word = pair.hear(spoilt(sealed(pair, dice), dice), nonce), "spoilt"
        case "noise":
            said, word = pair.hear(noise(dice), nonce), "noise"
        case "foreign":
            said, word = pair.hear(foreign(dice), nonce), "foreign"
        case _:
            said, word = pair.hear(b"".join(dice.sample(pair.recorded, min(3, len(pair.recorded)))), nonce), "repeated"
    outcomes = {each.outcome.name for each in said if isinstance(each, CommandResult)}
    return ", ".join((word, *sorted(outcomes)))


AGREEMENT_SEES = frozenset({*KINDS, *(f"sealed, {outcome.name}" for outcome in Outcome)})


@contextmanager
def firmware_agreement() -> Iterator[Case]:
    """Any bytes, any pins: the firmware in C (under sanitizers) answers as the one in Python does, to the byte."""
    pair = Pair()
    try:
        yield lambda dice: agrees(pair, dice)
    finally:
        pair.close()


# --- frames of nobody ----------------------------------------------------------------------------------------------------


class Intruder:
    """Somebody at the line between a host and a controller: hears every frame, sends whatever he likes, and has no key."""

    def __init__(self, kind: FirmwareKind) -> None:
        self.device = firmware(kind, KEY, VACANT)
        self._name = compiled.NAME if kind == "c" else python.NAME
        self.now = self._number = 0
        self.past: list[bytes] = []
        """Frames of former sessions, confirmations among them."""
        self.connect()

    def connect(self) -> None:
        """The true host begins a session anew."""
        self.past = [*self.past, *getattr(self, "present", [])][-200:]
        mine = random.Random(self.now).randbytes(16)
        self.device.receive(plain_frame(Hello(nonce=mine, dictionary=dictionary_hash())), self.now)
        welcome = FrameDecoder().feed(self.device.transmit())[-1].payload
        agreed = agreement(mine, welcome[1:17], self._name)
        self.host = agreed.channel(sends=HOST, hears=DEVICE)
        confirm = plain_frame(Confirm(proof=agreed.proof(HOST)))
        self.device.receive(confirm, self.now)
        self.present = [confirm]
        self.said: list[bytes] = []
        self._listen()

    def _listen(self) -> list[Message]:
        """What the controller says, as the true host understands it."""
        data = self.device.transmit()
        self.said = [*self.said, *(part + b"\x00" for part in data.split(b"\x00") if part)][-20:]
        heard = [self.host.open(frame) for frame in FrameDecoder().feed(data)]
        return [each for each in heard if each is not None]

    def say(self, message: Message) -> list[Message]:
        """The true host says something."""
        frame = self.host.seal(message)
        if not isinstance(message, Renew):
            self.present.append(frame)
        self.device.receive(frame, self.now)
        return self._listen()

    def ready(self, door: Door) -> Inputs:
        """The plant as it must be for that door to open, and a host that is there."""
        inputs = replace(VACANT, occupancy=0 if door is Door.ENTRY else 1)
        for _ in range(2):  # a bolt counts in the second tick after an order to shut
            self.now += 10
            self.device.tick(self.now, inputs)
        self.say(Renew())
        return inputs

    def opening(self, door: Door) -> Message:
        self._number += 1
        return (
            OpenEntry(command_id=self._number, purpose=Purpose.ADMIT) if door is Door.ENTRY else OpenExit(command_id=self._number)
        )

    def obeyed(self, door: Door, message: Message) -> bool:
        """Whether the true host's own opening, sent now, is obeyed; the door is shut again."""
        inputs = self.ready(door)
        (result,) = [each for each in self.say(message) if isinstance(each, CommandResult)]
        self.now += 10
        outputs = self.device.tick(self.now, inputs)
        self._number += 1
        self.say(Close(command_id=self._number, door=door))
        return result.outcome is Outcome.EXECUTED and Drive.OPEN in (outputs.entry, outputs.exit)

    def attack(self, door: Door, frames: bytes) -> None:
        """Raises AssertionError where the controller acts on ``frames``, or answers as if it had."""
        inputs = self.ready(door)
        self.device.receive(frames, self.now)
        self.now += 10
        outputs = self.device.tick(self.now, inputs)
        answers = [each for each in self._listen() if isinstance(each, CommandResult)]
        assert (outputs.entry, outputs.exit, answers) == (Drive.SHUT, Drive.SHUT, []), frames.hex()


def forged(intruder: Intruder, door: Door, dice: random.Random) -> tuple[str, bytes]:
    """An opening that the host did not send: what is wrong with it, and the bytes."""
    frames = (decode_frame(frame[:-1]) for frame in reversed(intruder.present))
    old = next(frame for frame in frames if frame.payload[0] in (0x10, 0x11))
    wanted = encode(intruder.opening(door))
    ahead = intruder.host._sent + dice.choice((1, 1, 1, 2, 100, 0x7FFF, 0x8000, 0xFFFF))
    ways: dict[str, Callable[[], bytes]] = {
        "repeated": lambda: dice.choice(intruder.present),
        "repeated, all": lambda: b"".join(intruder.present),
        "of a former session": lambda: dice.choice(intruder.past or intruder.present),
        "former sessions, all": lambda: b"".join(intruder.past),
        "renumbered": lambda: encode_frame(ahead, old.payload),
        "unsealed": lambda: encode_frame(ahead, wanted),
        "random MAC": lambda: encode_frame(ahead, wanted + dice.randbytes(8)),
        "another frame's MAC": lambda: encode_frame(ahead, wanted + old.payload[-8:]),
        "another key": lambda: encode_frame(
            ahead, wanted + Channel(dice.randbytes(32), sends=HOST, hears=DEVICE)._mac(HOST, ahead, wanted)
        ),
        "the device's own words": lambda: b"".join(intruder.said),
        "bits flipped on the line": lambda: _flipped(dice.choice(intruder.present), dice),
        "bits flipped and the CRC mended": lambda: encode_frame(dice.choice((ahead, old.sequence)), _flipped(old.payload, dice)),
        "handshake with another key": lambda: _greeting(dice) + _opening_of(wanted, dice),
    }
    word = dice.choice(list(ways))
    return word, b"\x00" + ways[word]() + b"\x00"


def _flipped(data: bytes, dice: random.Random) -> bytes:
    number = int.from_bytes(data, "big")
    for _ in range(dice.choice((1, 1, 2, 3, 8))):
        number ^= 1 << dice.randrange(len(data) * 8)
    spoiled = number.to_bytes(len(data), "big")
    return spoiled if spoiled != data else bytes(len(data))


def _greeting(dice: random.Random) -> bytes:
    wrong = agreement(bytes(16), dice.randbytes(16), compiled.NAME, key=dice.randbytes(32))
    return plain_frame(Hello(nonce=bytes(16), dictionary=dictionary_hash())) + plain_frame(Confirm(proof=wrong.proof(HOST)))


def _opening_of(wanted: bytes, dice: random.Random) -> bytes:
    return encode_frame(1, wanted + Channel(dice.randbytes(32), sends=HOST, hears=DEVICE)._mac(HOST, 1, wanted))


OWN = "the host's own, obeyed"
INJECTION_SEES = frozenset(
    {OWN, "repeated", "of a former session", "renumbered", "random MAC", "bits flipped and the CRC mended"}
)


def intrusion(intruder: Intruder, dice: random.Random) -> str:
    """One attack at a moment at which the same opening of the true host would be obeyed; seldom that opening itself."""
    door = dice.choice(list(Door))
    if dice.random() < 0.02:
        intruder.connect()
    if dice.random() < 0.02 or len(intruder.present) < 3:
        assert intruder.obeyed(door, intruder.opening(door)), "the host itself is not obeyed: the attack would prove nothing"
        return OWN
    word, frames = forged(intruder, door, dice)
    intruder.attack(door, frames)
    return word


def injections(kind: FirmwareKind) -> Callable[[], AbstractContextManager[Case]]:
    """Openings that nobody with the key has sent are never obeyed."""

    @contextmanager
    def suite() -> Iterator[Case]:
        intruder = Intruder(kind)
        try:
            yield lambda dice: intrusion(intruder, dice)
        finally:
            if isinstance(intruder.device, CompiledFirmware):
                intruder.device.close()

    return suite
