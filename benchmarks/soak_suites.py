"""The long suites. Each prepares itself once and then judges single cases, drawn from the dice it is handed.

A case returns a word for what came out, or raises: AssertionError where a property does not hold, anything else where the product let
through an exception that it should not. ``must_see`` are words without which a suite proves nothing. Keys of pretend States are fresh in
each run, so a case repeats by its number in everything but those.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import numpy as np

import mrz
from benchmarks.passports import Book, issue
from benchmarks.virtual_lane import VirtualLane
from faceverify.confined import ConfinedDecoder
from faceverify.image import ImageError, decode
from gate import lane
from gate.decision import Outcome
from gate.evidence import NOT_PERFORMED, VOCABULARY, CheckResult, Direction, Evidence, Fact, Stage, successful
from gate.policy.check import satisfying
from gate.policy.engine import decide
from gate.policy.schema import load_rules
from gate.processes import messages as m
from gate.processes.channel import Channel, ChannelClosed
from hardware.controller.protocol import Close, Door, Leaf, OpenEntry, OpenExit, Purpose, SetSignal, Signal
from hardware.emrtd.apdu import CommandApdu, ResponseApdu
from hardware.emrtd.errors import ChipError
from hardware.sim.chip import VirtualPassport
from pki import sim
from pki.passive_authentication import authenticate_sod, passive_authentication
from pki.results import Authentic, Rejected, SignedHashes, Undetermined

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)

Case = Callable[[random.Random], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """``prepare`` gives the case; ``cases`` is the full count."""

    cases: int
    prepare: Callable[[], AbstractContextManager[Case]]
    must_see: frozenset[str]


def spoil(data: bytes, dice: random.Random) -> bytes:
    """One to three changes: octets overwritten (half of the time nothing else, which leaves all lengths right), cut out or put in."""
    spoilt = bytearray(data)
    kinds = dice.choice((3, 6))
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(spoilt) + 1)
        match dice.randrange(kinds) + 6 - kinds:
            case 0:
                del spoilt[at : at + dice.randint(1, 8)]
            case 1:
                spoilt[at:at] = dice.randbytes(dice.randint(1, 8))
            case 2:
                del spoilt[at:]
            case _:
                spoilt[at : at + 1] = dice.randbytes(1)
    return bytes(spoilt)


# --- documents ---------------------------------------------------------------------------------------------------------------

STATED = ("hash_algorithm", "hashes", "issuing_country", "csca", "signed_at", "revocation")


@contextmanager
def sod_mutations() -> Iterator[Case]:
    """A changed EF.SOD says what the genuine one says, or nothing."""
    groups = {1: b"data group 1", 2: bytes(500)}
    genuine = []
    for kind in ("ec:P-256", "ec:brainpoolP256r1", "rsa:2048"):
        state = sim.PretendState.create(country="ID", name="Pretendia", now=NOW, key=kind)
        sod, trust = state.sign_sod(groups), state.trust_store(crls=[state.crl()])
        genuine.append((sod, trust, authenticate_sod(sod, trust, NOW)))

    def case(dice: random.Random) -> str:
        sod, trust, honest = dice.choice(genuine)
        spoilt = spoil(sod, dice)
        match authenticate_sod(spoilt, trust, NOW):
            case Rejected() | Undetermined() as verdict:
                return verdict.code
            case SignedHashes() as signed:
                assert all(getattr(signed, name) == getattr(honest, name) for name in STATED), spoilt.hex()
                return "the same statement"

    yield case


class Noise:
    """Raw responses of a true chip, some of them replaced or changed."""

    def __init__(self, chip: VirtualPassport, dice: random.Random, rate: float) -> None:
        self._chip, self._dice, self._rate = chip, dice, rate
        self.commands = 0

    def transceive(self, command: bytes) -> bytes:
        self.commands += 1
        response = self._chip.transceive(command)
        if self._dice.random() >= self._rate:
            return response
        return self._dice.randbytes(self._dice.randrange(300)) if self._dice.random() < 0.3 else spoil(response, self._dice)


class Hostile(VirtualPassport):
    """A chip that passed access control and says, properly protected, what it likes."""

    dice: random.Random

    def _read_binary(self, command: CommandApdu) -> ResponseApdu:
        true, dice = super()._read_binary(command), self.dice
        match dice.randrange(40):
            case 0:
                return ResponseApdu(data=dice.randbytes(dice.randrange(230)), sw=0x9000)
            case 1:
                return ResponseApdu(sw=dice.choice((0x6700, 0x6B00, 0x6A82, 0x6C00, 0x6C11, 0x6282, 0x6F00)))
            case 2:
                return ResponseApdu(data=true.data[: dice.randrange(230)], sw=0x6282)
            case 3:
                return ResponseApdu(data=spoil(true.data, dice)[:230], sw=0x9000)
            case _:
                return true


MOST_COMMANDS = 4000
"""For a portrait of 3 kB and a chip that haggles; an honest one needs about thirty."""


@contextmanager
def chip_responses() -> Iterator[Case]:
    """Whatever a chip answers: a value or ChipError, in a bounded number of commands; and authentic is only what the State signed."""
    book = issue(portrait=b"\xff\xd8\xff" + bytes(3000))

    def case(dice: random.Random) -> str:
        chip = book.chip(Hostile if dice.random() < 0.5 else VirtualPassport)
        if isinstance(chip, Hostile):
            chip.dice = dice
        line = Noise(chip, dice, rate=0.0 if isinstance(chip, Hostile) else dice.choice((0.005, 0.02, 0.2)))
        try:
            data = book.read(line)
        except ChipError as error:
            return error.code
        finally:
            assert line.commands < MOST_COMMANDS, line.commands
        assert not data.files.keys() & data.missing.keys()
        return _proven(book, data.files)

    yield case


def _proven(book: Book, files: Mapping[str, bytes]) -> str:
    groups = {int(name[2:]): content for name, content in files.items() if name.startswith("DG")}
    if "EF.SOD" not in files:
        return "no SOD"
    verdict = passive_authentication(files["EF.SOD"], groups, book.trust, book.now, mrz_issuing_state="IDN")
    if isinstance(verdict, Authentic):
        assert all(content == book.data_groups[number] for number, content in verdict.data_groups.items())
        return "authentic"
    return f"read, {verdict.code}"


UPPER = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<"
LOWER = "L898902C36UTO7408122F1204159ZE184226B<<<<<10"
"""Doc 9303-4, Appendix A."""
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<"


@contextmanager
def mrz_text() -> Iterator[Case]:
    """Any text is a record of exactly these lines or MrzError, and check digits are right only by an own calculation too."""

    def case(dice: random.Random) -> str:
        lines = [list(UPPER), list(LOWER)]
        for _ in range(dice.randint(1, 4)):
            line = dice.choice(lines)
            at = dice.randrange(len(line) + 1)
            match dice.randrange(8):
                case 0:
                    line[at : at + 1] = []
                case 1:
                    line.insert(at, chr(dice.randrange(0x250)))
                case _:
                    line[at : at + 1] = [dice.choice(ALPHABET)]
        text = ("".join(lines[0]), "".join(lines[1]))
        try:
            record = mrz.parse(text)
        except mrz.MrzError:
            return "malformed"
        assert record.lines == text
        assert record.check_digits_ok == _digits_right(text[1]), text
        return "check digits right" if record.check_digits_ok else "check digits wrong"

    yield case


def _digits_right(line: str) -> bool:
    """Doc 9303-3 §4.9: weights 7, 3, 1; letters from A = 10; a filler is 0."""
    spans = ((0, 9, 9), (13, 19, 19), (21, 27, 27), (28, 42, 42))
    parts = [(line[start:end], line[digit]) for start, end, digit in spans]
    parts.append((line[0:10] + line[13:20] + line[21:43], line[43]))
    return all(_sum(part) == (0 if digit == "<" and not part.strip("<") else _value(digit)) for part, digit in parts)


def _sum(part: str) -> int:
    return sum(max(0, _value(character)) * (7, 3, 1)[index % 3] for index, character in enumerate(part)) % 10


def _value(character: str) -> int:
    return -1 if character == "<" else int(character, 36)


@contextmanager
def images() -> Iterator[Case]:
    """Changed JPEG 2000 and JPEG through the confined decoder: pixels as large as promised or ImageError; the next good one decodes."""
    import cv2

    y, x = np.mgrid[0:160, 0:120]
    picture = np.stack([x * 2 % 256, y % 256, (x * y) % 256], axis=2).astype(np.uint8)
    good = [cv2.imencode(kind, picture)[1].tobytes() for kind in (".jp2", ".jpg")]
    pixels = [decode(image) for image in good]

    with ConfinedDecoder(max_pixels=200_000, timeout_s=1.0) as decoder:

        def case(dice: random.Random) -> str:
            which = dice.randrange(len(good))
            if dice.random() < 0.02:
                assert (decoder.decode(good[which]) == pixels[which]).all()
                return "good"
            head = dice.choice((60, 300, len(good[which])))
            try:
                seen = decoder.decode(spoil(good[which][:head], dice) + good[which][head:])
            except ImageError as error:
                return error.code
            assert seen.dtype == np.uint8
            assert seen.size <= 3 * 200_000
            return "decoded"

        yield case


# --- the gate ----------------------------------------------------------------------------------------------------------------


@contextmanager
def gate_link() -> Iterator[Case]:
    """A bad line: each command is answered at most once, executed at most once, and the plant never does what it must not."""

    def case(dice: random.Random) -> str:
        virtual = VirtualLane(dice)
        virtual.connect()
        virtual.run(0.4)
        sent: dict[int, type] = {}
        for number in range(1, 9):
            if dice.random() < 0.3:
                virtual.arrive(dice)
            command = dice.choice(
                (
                    OpenEntry(command_id=number, purpose=Purpose.ADMIT),
                    OpenExit(command_id=number),
                    Close(command_id=number, door=dice.choice(list(Door))),
                    SetSignal(command_id=number, signal=Signal.GREEN_ARROW),
                )
            )
            if virtual.submit(command):
                sent[number] = type(command)
            virtual.run(dice.choice((0.05, 0.3, 0.8)))
        virtual.run(1.0)
        return _kept_its_word(virtual, sent)

    yield case


def _kept_its_word(virtual: VirtualLane, sent: Mapping[int, type]) -> str:
    assert virtual.plant.violations == [], virtual.plant.violations
    assert virtual.outcomes.keys() <= sent.keys()
    assert all(len(told) == 1 for told in virtual.outcomes.values()), virtual.outcomes
    for what, kind in (("exit opening", OpenExit), ("entry opening", OpenEntry)):
        opened = sum(line["what"] == what for line in virtual.plant.log)
        asked = sum(each is kind for each in sent.values())
        # a person in the entry makes a closing leaf open again without a new command
        assert opened <= asked or kind is OpenEntry, (what, opened, asked)
    if virtual.breaks:
        return "link lost and found"
    assert virtual.outcomes.keys() == sent.keys(), (virtual.outcomes, sent)
    return "every command answered, line damaged" if virtual.damaged else "every command answered"


S, E, A = lane.State, lane.Event, lane.Action
STEPS = 200


@contextmanager
def lane_walks() -> Iterator[Case]:
    """Random events under views that jump about: no step raises, and none opens against the invariants."""

    def case(dice: random.Random) -> str:
        here, view = lane.Lane(), _view(dice, tame=True)
        admitted = passes = exits = 0
        for _ in range(STEPS):
            event = dice.choice(list(E))
            if dice.random() < 0.6:  # whatever changes is told by telemetry, which is an event of its own
                view, event = _view(dice, tame=dice.random() < 0.8), E.PLANT
            after, actions = lane.step(here, event, view)
            _allowed(here, event, view, after, actions)
            admitted += A.ADMIT in actions
            passes += A.OPEN_EXIT in actions and event is E.OFFICER_PASS
            exits += A.OPEN_EXIT in actions
            assert exits <= admitted + passes
            here = after
        return "an exit opened" if exits else "an entry opened" if admitted else "nothing opened"

    yield case


def _view(dice: random.Random, *, tame: bool) -> lane.View:
    """What sensors may say; ``tame``: locked, linked, supervised, no emergency."""
    return lane.View(
        entry=Leaf.LOCKED if tame else dice.choice(list(Leaf)),
        exit=Leaf.LOCKED if tame else dice.choice(list(Leaf)),
        occupancy=dice.choice((0, 0, 1, 1, 2, None)),
        object_left=dice.random() < 0.1,
        entry_clear=dice.random() < 0.8,
        exit_clear=dice.random() < 0.8,
        emergency=not tame and dice.random() < 0.1,
        mains=tame or dice.random() < 0.9,
        linked=tame or dice.random() < 0.8,
        supervised=tame or dice.random() < 0.8,
    )


def _allowed(before: lane.Lane, event: lane.Event, view: lane.View, after: lane.Lane, actions: tuple[lane.Action, ...]) -> None:
    """What every opening needs, said again without the table's guards."""
    shut = view.entry is Leaf.LOCKED and view.exit is Leaf.LOCKED
    sound = view.linked and view.mains and not view.emergency
    told = (before, event, view, actions)
    if A.OPEN_EXIT in actions:
        assert shut and sound and view.supervised and view.occupancy == 1 and not view.object_left, told  # noqa: PT018
        assert event is E.OFFICER_PASS or (event is E.EXIT_GRANTED and before.live and before.state is S.DECIDE), told
        assert not after.live, told
    if A.ADMIT in actions:
        assert shut and sound and view.supervised and view.occupancy == 0 and not view.object_left, told  # noqa: PT018
        assert event is E.ENTRY_GRANTED, told
        assert before.state is S.DOCUMENT, told
    if A.EJECT in actions:
        assert view.exit is Leaf.LOCKED and sound, told  # noqa: PT018
    assert len({A.OPEN_EXIT, A.ADMIT, A.EJECT} & set(actions)) <= 1, told
    assert not view.emergency or after.state is S.EMERGENCY, told
    assert after.open or not after.live, told
    assert (A.BEGIN in actions) <= (not before.open), told


ALWAYS = {
    "nationality": {"citizen"},
    "age": {"adult"},
    "mrz": {"read"},
    "access": {"bac", "pace"},
    "chip": {"read"},
    "dg1_mrz": {"equal"},
    "passive_authentication": {"authentic"},
    "revocation": {"good", "no_crl"},
    "chip_authenticity": {"genuine"},
    "issuance": {"active"},
    "watchlist": {"clear"},
    "controller": {"ready"},
    "supervision": {"present"},
    "clock": {"trusted"},
    "expiry": {"valid", "under_6_months"},
    "document_class": {"ordinary", "service", "diplomatic"},
    "profile": {"demo", "training", "trial"},
}
AT_THE_EXIT = {"occupancy": {"one"}, "face": {"match"}, "pad": {"bona_fide", "not_available"}}
"""Without one of these words nothing may open, whatever the rule files say. Written down apart from them."""
TOLERATED = {"no_crl", "not_available"}
"""Non-successes that the demonstration lets pass by name."""


@contextmanager
def policy() -> Iterator[Case]:
    """Random evidence, mostly near a grant: never OPEN with a required fact bad, never an OPEN without its grant."""
    rules = load_rules()

    def case(dice: random.Random) -> str:
        grant = dice.choice(rules.grants)
        profile = dice.choice(VOCABULARY["profile"])
        evidence = satisfying(grant, NOW, profile)
        facts = evidence.facts | {"document_class": successful(grant.entry.document_class)}
        for name in dice.sample(list(VOCABULARY), dice.choice((0, 1, 2, 3, len(VOCABULARY)))):
            ended = dice.choice(list(CheckResult)) if dice.random() < 0.3 else CheckResult.SUCCESSFUL
            facts[name] = Fact(value=dice.choice((*VOCABULARY[name], NOT_PERFORMED, "no such word")), result=ended)
        evidence = msgspec.structs.replace(evidence, facts=facts, checkpoint=dice.choice(("CGK", "DPS", "XXX")))
        stage = dice.choice(list(Stage))
        decision = decide(evidence, rules, NOW, stage)
        if decision.outcome is Outcome.OPEN:
            _may_open(evidence, stage, decision.grant)
        return decision.outcome

    yield case


def _succeeded(evidence: Evidence, name: str) -> bool:
    return name == "document_class" or evidence.facts[name].result is CheckResult.SUCCESSFUL


def _may_open(evidence: Evidence, stage: Stage, grant: str | None) -> None:
    needed = ALWAYS | (AT_THE_EXIT if stage is Stage.EXIT else {})
    bad = {name: evidence.value(name) for name, words in needed.items() if evidence.value(name) not in words}
    assert not bad, bad
    doubtful = [name for name in needed if evidence.value(name) not in TOLERATED and not _succeeded(evidence, name)]
    assert not doubtful, doubtful
    assert grant is not None
    tolerated = TOLERATED & {evidence.value("revocation"), evidence.value("pad") if stage is Stage.EXIT else ""}
    assert not tolerated or evidence.value("profile") == "demo", tolerated
    official = evidence.value("document_class") != "ordinary"
    if evidence.direction is Direction.DEPARTURE:
        assert evidence.value("expiry") == "valid"
        assert not official or evidence.value("exit_permit") == "valid"
    assert not official or evidence.checkpoint in {"CGK", "DPS"}


@contextmanager
def channel_messages() -> Iterator[Case]:
    """Any bytes on the local socket: a message or ChannelClosed."""
    loop = asyncio.new_event_loop()
    encoded = [_framed(message) for message in _messages()]

    async def receive(data: bytes) -> m.AnyMessage:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        return await Channel(reader, None).receive()  # type: ignore[arg-type]  # nothing is sent

    def case(dice: random.Random) -> str:
        data = dice.choice(encoded)
        if dice.random() < 0.9:
            body = spoil(data[4:], dice)
            data = (len(body).to_bytes(4, "big") if dice.random() < 0.9 else dice.randbytes(4)) + body
        try:
            message = loop.run_until_complete(receive(data))
        except ChannelClosed:
            return "hung up"
        assert isinstance(message, m.Message)
        return type(message).__name__

    yield case
    loop.close()


def _framed(message: m.AnyMessage) -> bytes:
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(4, "big") + body


def _messages() -> tuple[m.AnyMessage, ...]:
    facts = {"face": Fact(value="match", score=0.5, threshold=0.4, as_of=NOW)}
    return (
        m.Join(role="reader", secret="s", backends={"chip": "virtual"}),
        m.DocumentChecked(transaction="t", facts=facts, stages=(), portrait=bytes(64), last_byte_boot=1.0),
        m.FaceChecked(transaction="t", facts=facts, stages=(), chosen_frame_boot=None),
        m.TravellerView(screen="wait"),
        m.Forget(transaction="t"),
    )


SUITES: dict[str, Suite] = {
    "sod_mutations": Suite(cases=100_000, prepare=sod_mutations, must_see=frozenset({"SIGNATURE_INVALID", "MALFORMED"})),
    "chip_responses": Suite(cases=10_000, prepare=chip_responses, must_see=frozenset({"authentic"})),
    "mrz_text": Suite(
        cases=500_000, prepare=mrz_text, must_see=frozenset({"malformed", "check digits right", "check digits wrong"})
    ),
    "images": Suite(cases=20_000, prepare=images, must_see=frozenset({"good", "decoded", "undecodable"})),
    "gate_link": Suite(cases=5_000, prepare=gate_link, must_see=frozenset({"every command answered, line damaged"})),
    "lane_walks": Suite(cases=20_000, prepare=lane_walks, must_see=frozenset({"an exit opened", "nothing opened"})),
    "policy": Suite(cases=500_000, prepare=policy, must_see=frozenset({"OPEN", "COUNTER", "HOLD"})),
    "channel_messages": Suite(cases=300_000, prepare=channel_messages, must_see=frozenset({"hung up", "DocumentChecked"})),
}
