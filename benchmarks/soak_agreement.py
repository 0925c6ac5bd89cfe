"""PACE, chip authentication and the reading of files as targets: the terminal against a chip one of whose answers is changed.

Dice of both sides are fixed, so an honest chip's answers are those of the record, and the changed one takes the place of its original.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from benchmarks import soak_seeds as seeds
from benchmarks.soak_cases import METER
from benchmarks.soak_targets import Target
from benchmarks.soak_trees import framed, mutate
from hardware.emrtd import chip_authentication, pace
from hardware.emrtd.access_key import AccessKey
from hardware.emrtd.apdu import CommandApdu, ResponseApdu
from hardware.emrtd.card_security import security_infos_of
from hardware.emrtd.channel import Channel
from hardware.emrtd.chip_authentication import Choice
from hardware.emrtd.errors import AccessError, ApduError
from hardware.emrtd.files import SELECT, Download, FileReader
from hardware.emrtd.lds import FILES
from hardware.emrtd.pace import PaceOffer, PaceSession
from hardware.emrtd.secure_messaging import SecureMessaging
from hardware.emrtd.security_infos import ID_PACE, PaceInfo, parse_security_infos
from hardware.sim.chip_files import FileSystem
from hardware.sim.chip_pace import PaceChip
from hardware.sim.chip_protocols import ChipAuthentication

CAN = "123456"
PROBE = CommandApdu(ins=0xB0, ne=4)


@dataclass(slots=True)
class Script:
    """A chip that says what stands here, one answer after another, and 6F00 at the end."""

    answers: list[bytes]
    asked: int = 0
    sent: list[CommandApdu] = field(default_factory=list)

    def exchange(self, command: CommandApdu) -> ResponseApdu:
        self.sent.append(command)
        return ResponseApdu.decode(self.transceive(command.encode()))

    def transceive(self, _command: bytes) -> bytes:
        METER.stop()
        self.asked += 1
        answer = self.answers[self.asked - 1] if self.asked <= len(self.answers) else b"\x6f\x00"
        METER.start()
        return answer

    def reconnect(self, timeout: float) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Record:
    """An honest run: the chip's answers, and the first command protected under the keys that came of it."""

    answers: tuple[bytes, ...]
    proof: CommandApdu

    def changed(self, step: int, answer: bytes) -> Script:
        answers = list(self.answers)
        answers[step % len(answers)] = answer
        return Script(answers)

    def seeds(self, which: int) -> list[bytes]:
        """Which run, which step, the answer as it is."""
        return [bytes([which, step]) + answer for step, answer in enumerate(self.answers)]


def _recorded(chip: Callable[[CommandApdu], bytes], run: Callable[[pace.Exchange], SecureMessaging]) -> Record:
    answers: list[bytes] = []

    def exchange(command: CommandApdu) -> ResponseApdu:
        answers.append(chip(command) + b"\x90\x00")
        return ResponseApdu.decode(answers[-1])

    session = run(exchange)
    return Record(tuple(answers), session.protect(PROBE))


# --- PACE


OFFERS = tuple(PaceOffer(oid=f"{ID_PACE}{protocol}", parameter_id=number) for protocol, number in seeds.OFFERS)
KEY = AccessKey.from_can(CAN)


def _establish(exchange: pace.Exchange, offer: PaceOffer) -> PaceSession:
    return pace.establish(exchange, offer, KEY, random=seeds.dice_of("terminal"))


def _honest_pace(offer: PaceOffer) -> Record:
    infos = [PaceInfo(oid=offer.oid, version=2, parameter_id=offer.parameter_id)]
    cam = seeds.chip_key(offer.parameter_id) if offer.protocol.mapping == "CAM" else None
    chip = PaceChip(infos, {2: KEY.pace_secret()}, cam, seeds.dice_of("chip"))  # type: ignore[arg-type]  # a key of a curve

    def answer(command: CommandApdu) -> bytes:
        if command.ins == pace.MANAGE_SECURITY_ENVIRONMENT:
            chip.set_authentication(command.data)
            return b""
        return chip.general_authenticate(command.data, last=not command.cla & pace.CHAINED)[0]

    return _recorded(answer, lambda exchange: _establish(exchange, offer).session)


def pace_answers(offers: tuple[PaceOffer, ...] = OFFERS) -> Target:
    """First octet: offer; second: the answer that is replaced; then that answer. A session that comes of it has the honest keys."""
    records = [_honest_pace(offer) for offer in offers]

    def parse(data: bytes) -> str:
        if len(data) < 2:
            return "nothing"
        which = data[0] % len(offers)
        session = _establish(records[which].changed(data[1], data[2:]).exchange, offers[which]).session
        assert session.protect(PROBE) == records[which].proof, "keys that the chip did not agree to"
        return "established"

    everything = tuple(seed for which, record in enumerate(records) for seed in record.seeds(which))
    return Target(seeds=everything, parse=parse, change=framed(2, 2), errors=(AccessError, ApduError))


def quick_pace_answers() -> Target:
    """As :func:`pace_answers`, over P-256 and the group of 1024 bits alone; every mapping is among them."""
    quick = {seeds.P256, seeds.RFC5114_1024}
    return pace_answers(tuple(offer for offer in OFFERS if offer.parameter_id in quick))


def card_security() -> Target:
    """EF.CardSecurity after PACE with chip authentication mapping: a key that fits, or none, or ChipError."""
    offer = next(offer for offer in OFFERS if offer.protocol.mapping == "CAM")
    session = _establish(Script(list(_honest_pace(offer).answers)).exchange, offer)
    honest = seeds.spki(seeds.chip_key(seeds.P256))

    def parse(data: bytes) -> str:
        infos = parse_security_infos(security_infos_of(data), "EF.CardSecurity")
        key = pace.cam_public_key(session, infos, offer)
        assert key is None or seeds.chip_key(seeds.P256).public in key
        return "a key fits" if key else "no key fits"

    files = [seeds.card_security(key) for key in (honest, seeds.explicit_spki(offer.group), *seeds.hostile_keys())]  # type: ignore[arg-type]  # a curve
    return Target(seeds=tuple(files), parse=parse)


# --- chip authentication


def _run(exchange: pace.Exchange, choice: Choice) -> SecureMessaging:
    return chip_authentication.run(exchange, choice, seeds.dice_of("terminal"))


def _honest_chip(choice: Choice, number: int) -> Record:
    chip = ChipAuthentication(seeds.chip_key(number), version=choice.version, random=seeds.dice_of("chip"))

    def answer(command: CommandApdu) -> bytes:
        if command.ins == chip_authentication.GENERAL_AUTHENTICATE:
            return chip.authenticate(command.data)[0]
        if (command.p1, command.p2) == chip_authentication.SET_KEY_AGREEMENT:
            chip.set_key_agreement(command.data)
        else:
            chip.set_authentication(command.data)
        return b""

    return _recorded(answer, lambda exchange: _run(exchange, choice))


def chip_answers() -> Target:
    """As :func:`pace_answers`, for chip authentication of every kind."""
    choices = [
        choice for file in seeds.dg14s()[: len(seeds.CHIP_AUTHENTICATIONS)] if (choice := chip_authentication.choose(file))
    ]
    records = [_honest_chip(choice, of[2]) for choice, of in zip(choices, seeds.CHIP_AUTHENTICATIONS, strict=True)]

    def parse(data: bytes) -> str:
        if len(data) < 2:
            return "nothing"
        which = data[0] % len(choices)
        session = _run(records[which].changed(data[1], data[2:]).exchange, choices[which])
        assert session.protect(PROBE) == records[which].proof, "keys that the chip did not agree to"
        return "agreed"

    everything = tuple(seed for which, record in enumerate(records) for seed in record.seeds(which))
    return Target(seeds=everything, parse=parse, change=framed(2, 2))


def dg14() -> Target:
    """DG14 itself, and what its key makes us compute."""

    def parse(data: bytes) -> str:
        choice = chip_authentication.choose(data)
        if choice is None:
            return "nothing offered"
        _run(Script([b"\x90\x00"] * 2).exchange, choice)
        return "agreed"

    return Target(seeds=seeds.dg14s(), parse=parse)


# --- files


PORTRAIT = 5000
"""Two parts with extended length."""
NAMES = ("DG2", "EF.SOD", "EF.CardAccess", "EF.COM")
MOST_COMMANDS = 65_536 // 16 + 40
"""The largest file in the smallest steps that are taken, and some haggling."""


def file_parts() -> Target:
    """What a chip says while a file is read. First octet: the file; then answers, each behind its length in two octets."""

    def parse(data: bytes) -> str:
        name = NAMES[data[0] % len(NAMES)] if data else NAMES[0]
        chip = Script(split(data[1:]))
        reader = FileReader(Channel(chip))
        try:
            reader.learn_length()
            download = Download(name=name)
            reader.read(download)
        finally:
            assert chip.asked <= MOST_COMMANDS, chip.asked
        assert len(download.content) == download.got <= FILES[name].cap
        return "read"

    everything = [
        bytes([which]) + joined(_read_honestly(name, extended_length=extended))
        for which, name in enumerate(NAMES)
        for extended in (False, True)
    ]
    return Target(seeds=tuple(everything), parse=parse, change=change_answers)


class _OpenChip(FileSystem):
    """A chip without access control, which writes down what it says."""

    def __init__(self, *, extended_length: bool) -> None:
        super().__init__(
            seeds.passport_files(PORTRAIT) | {"EF.CardAccess": seeds.card_access()}, extended_length=extended_length, bac=True
        )
        self.said: list[bytes] = []

    def _may_read(self, name: str) -> bool:
        return True

    def transceive(self, raw: bytes) -> bytes:
        command = CommandApdu.decode(raw)
        response = self._select(command) if command.ins == SELECT else self._read_binary(command)
        self.said.append(response.encode())
        return self.said[-1]

    def reconnect(self, timeout: float) -> bool:
        return False


def _read_honestly(name: str, *, extended_length: bool) -> list[bytes]:
    """A chip's answers while ``name`` is read."""
    chip = _OpenChip(extended_length=extended_length)
    reader = FileReader(Channel(chip))
    reader.learn_length()
    if not FILES[name].master:
        chip._enter(application=True)
    reader.read(Download(name=name))
    return chip.said


def change_answers(data: bytes, dice: Random) -> bytes:
    """Some answers spoilt, dropped, said twice or replaced by a status; the first octet stays."""
    parts = split(data[1:])
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(parts) or 1)
        match dice.randrange(6):
            case 0:
                del parts[at : at + 1]
            case 1:
                parts[at:at] = parts[at : at + 1] * dice.choice((1, 1, 100))
            case 2:
                parts[at : at + 1] = [dice.choice((0x6C00, 0x6C10, 0x6700, 0x6B00, 0x6282, 0x9000, 0x6982)).to_bytes(2)]
            case 3:
                parts[at : at + 1] = [dice.randbytes(dice.choice((2, 18, 225, 5000)))]
            case _:
                parts[at : at + 1] = [mutate(part, dice) for part in parts[at : at + 1]]
    return data[:1] + joined(parts)


def split(data: bytes) -> list[bytes]:
    """Answers, each behind its length in two octets."""
    answers, at = [], 0
    while at + 2 < len(data):
        start = at + 2
        at = start + int.from_bytes(data[at:start])
        answers.append(data[start:at])
    return answers


def joined(answers: list[bytes]) -> bytes:
    """Inverse of :func:`split`."""
    return b"".join(len(answer[:0xFFFF]).to_bytes(2) + answer[:0xFFFF] for answer in answers)
