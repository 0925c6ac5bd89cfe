"""Long suites on the gate itself: its line, its table, its rules, its local socket."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count

import msgspec

from benchmarks.policy_oracle import Oracle
from benchmarks.soak_cases import NOW, Case, spoil
from benchmarks.virtual_lane import VirtualLane
from gate import lane
from gate.decision import Outcome
from gate.evidence import IN_SNAPSHOT, NOT_PERFORMED, VOCABULARY, CheckResult, Direction, Evidence, Fact, Stage, successful
from gate.policy.engine import decide
from gate.policy.schema import PACKAGED, RuleSet, load_rules
from gate.policy.survey.regions import survey
from gate.policy.survey.samples import satisfying
from gate.processes import messages as m
from gate.processes.channel import Channel, ChannelClosed
from hardware.controller.link import LinkUp
from hardware.controller.protocol import (
    Close,
    CommandResult,
    Door,
    Fault,
    GateCommand,
    LaneKind,
    Leaf,
    LeaseLapsed,
    OpenEntry,
    OpenExit,
    Passage,
    Purpose,
    SetSignal,
    Signal,
    Telemetry,
)
from hardware.controller.protocol import Outcome as ControllerOutcome


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
        here, view, table = lane.Lane(), _view(dice, tame=True), dice.choice(tuple(lane.TABLES.values()))
        admitted = passes = exits = 0
        for _ in range(STEPS):
            event = dice.choice(list(E))
            if dice.random() < 0.6:  # whatever changes is told by telemetry, which is an event of its own
                view, event = _view(dice, tame=dice.random() < 0.8), E.PLANT
            after, actions = lane.step(here, event, view, table)
            _allowed(here, event, view, after, actions)
            admitted += bool({A.ADMIT, A.VERDICT} & set(actions)) and event is E.ENTRY_GRANTED
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
        assert view.exit is Leaf.LOCKED and sound and view.supervised, told  # noqa: PT018
        assert view.occupancy == 0 and not view.object_left, told  # noqa: PT018
        granted = event is E.ENTRY_GRANTED and before.state is S.DOCUMENT and shut
        again = event is E.LEASE_LAPSED and before.state is S.ENTRY_OPEN and before.live
        assert granted or again, told
    if A.EJECT in actions:
        assert view.exit is Leaf.LOCKED and sound, told  # noqa: PT018
    assert len({A.OPEN_EXIT, A.ADMIT, A.EJECT} & set(actions)) <= 1, told
    assert not view.emergency or after.state is S.EMERGENCY, told
    assert after.open or not after.live, told
    assert (A.BEGIN in actions) <= (not before.open), told


COMMAND: dict[lane.Action, Callable[[int], GateCommand]] = {
    A.ADMIT: lambda number: OpenEntry(command_id=number, purpose=Purpose.ADMIT),
    A.EJECT: lambda number: OpenEntry(command_id=number, purpose=Purpose.EJECT),
    A.OPEN_EXIT: lambda number: OpenExit(command_id=number),
    A.CLOSE_ENTRY: lambda number: Close(command_id=number, door=Door.ENTRY),
    A.CLOSE_EXIT: lambda number: Close(command_id=number, door=Door.EXIT),
}
LIKELY = (E.DOCUMENT_PLACED, E.ENTRY_GRANTED, E.FACE_CHECKED, E.EXIT_GRANTED)
"""A traveller whose way is smooth; everything else comes now and then."""
UNLIKELY = tuple(set(E) - {E.PLANT, E.LINK_BACK, E.LINK_LOST, E.SUPERVISION_LOST, E.SUPERVISION_BACK})


@contextmanager
def lane_on_a_line(kind: LaneKind = "mantrap") -> Iterator[Case]:
    """The real table of ``kind``, session, firmware and safety logic over a bad line, with people: the plant never does what it must not."""

    def case(dice: random.Random) -> str:
        virtual, here, view, numbers = VirtualLane(dice, kind), lane.Lane(), lane.View(supervised=True), count(1)
        table, leased, permits = lane.TABLES[kind], lane.LEASED[kind], 0
        for _ in range(STEPS):
            virtual.renewing = here.state in leased and dice.random() < 0.99
            virtual.run(0.05)
            if virtual.plant.fire or dice.random() < 0.002:
                virtual.plant.fire = not virtual.plant.fire
            if dice.random() < 0.05:
                virtual.arrive(dice)
            if kind == "single_door" and dice.random() < 0.05:
                virtual.plant.give_up()
            told, virtual.heard = virtual.heard, []
            for heard in (*told, dice.choice(LIKELY if dice.random() < 0.95 else UNLIKELY)):
                view, event = (view, heard) if isinstance(heard, lane.Event) else _heard(view, heard)
                here, actions = lane.step(here, event, view, table)
                permits += bool({A.ADMIT, A.VERDICT} & set(actions)) or (A.OPEN_EXIT in actions and event is E.OFFICER_PASS)
                for action in filter(COMMAND.__contains__, actions):
                    virtual.submit(COMMAND[action](next(numbers)))
        exits = sum(line["what"] == "exit opening" for line in virtual.plant.log)
        assert virtual.plant.violations == [], virtual.plant.violations
        assert exits <= permits, (exits, permits)
        return "an exit opened" if exits else "nothing opened"

    yield case


def _heard(view: lane.View, heard: object) -> tuple[lane.View, lane.Event]:
    match heard:
        case None:
            return lane.View(supervised=True), E.LINK_LOST
        case LinkUp():
            return lane.View(supervised=True), E.LINK_BACK
        case Telemetry():
            seen = {name: getattr(heard, name) for name in lane.View.__slots__ if hasattr(heard, name)}
            return lane.View(**seen, linked=True, supervised=True), E.PLANT
        case LeaseLapsed():
            return view, E.LEASE_LAPSED
        case Fault():
            return view, E.DEVICE_FAULT
        case CommandResult() if heard.outcome is not ControllerOutcome.EXECUTED:
            return view, E.COMMAND_REFUSED
        case Passage() if heard.door is Door.EXIT:
            return view, E.WRONG_WAY if heard.inwards else E.PASSED
        case _:
            return view, E.PASSED


ALWAYS = {
    "nationality": {"citizen", "foreigner"},
    "age": {"adult", "from_14_to_17", "from_6_to_13"},
    "enablement": {"enabled"},
    "mrz": {"read"},
    "infrared": {"present", "not_offered"},
    "access": {"pace", "bac", "bac_where_pace_failed"},
    "card_access": {"agrees", "not_offered"},
    "chip": {"read"},
    "dg1_mrz": {"equal"},
    "passive_authentication": {"authentic"},
    "revocation": {"good", "no_crl"},
    "chip_authenticity": {"genuine"},
    "wanted": {"clear", "clear_in_snapshot"},
    "sltd": {"clear", "clear_in_snapshot"},
    "controller": {"ready"},
    "supervision": {"present"},
    "clock": {"trusted"},
    "expiry": {"valid", "under_6_months"},
    "document_class": {"ordinary", "service", "diplomatic"},
    "profile": {"demo", "training", "trial"},
}
AT_THE_EXIT = {"occupancy": {"one"}, "face": {"match"}, "pad": {"bona_fide", "not_available"}}
LEAVING = {"pencegahan": {"clear", "clear_in_snapshot"}}
ARRIVING = {"declaration": {"declared", "declared_in_snapshot"}}
CITIZENS = {"issuance": {"active", "active_in_snapshot"}}
FOREIGNERS = {"stay_permit": {"valid", "valid_in_snapshot"}, "age": {"adult"}, "document_class": {"ordinary"}}
COMING_HOME = {"penangkalan": {"clear", "clear_in_snapshot", "unavailable", "possible", "hit"}}
ENTERING = {"penangkalan": {"clear", "clear_in_snapshot"}, "expiry": {"valid"}}
OFFICIAL = {"biometric_record": {"recorded", "recorded_in_snapshot"}, "issuer_portrait": {"same", "not_given"}}
"""Without one of these words nothing may open, whatever the rule files say. Written down apart from them."""
DEMONSTRATED = {"no_crl", "not_available", "bac_where_pace_failed"}
"""Non-successes that the demonstration alone lets pass by name."""
UNSETTLED = DEMONSTRATED | {"unavailable", "possible", "hit"}
"""Words behind which no check ended successfully, and which a tolerance may let pass all the same."""
OLDEST_S = 72 * 3600
"""No copy of a registry's data may be older than this."""


@contextmanager
def policy() -> Iterator[Case]:
    """Random evidence near a grant: engine, survey and a second reader of the files agree; never OPEN with a required fact bad."""
    rules = load_rules()

    oracle, surveyed = Oracle(PACKAGED), survey(rules, NOW)

    def case(dice: random.Random) -> str:
        evidence, stage = near_a_grant(rules, dice)
        decision = decide(evidence, rules, NOW, stage)
        assert oracle.outcome(as_case(evidence), (evidence.direction, stage), NOW) == decision.outcome
        if all(fact.as_of == NOW for fact in evidence.facts.values()):
            assert surveyed.outcome(surveyed.case(evidence, stage)) == decision.outcome
        if decision.outcome is Outcome.OPEN:
            _may_open(evidence, stage, decision.grant)
        return decision.outcome

    yield case


def as_case(evidence: Evidence) -> dict[str, tuple[str, bool, datetime | None]]:
    """``evidence`` as the second reader of the files takes it."""
    return {
        name: (evidence.value(name), fact.result is CheckResult.SUCCESSFUL, fact.as_of) for name, fact in evidence.facts.items()
    }


def near_a_grant(rules: RuleSet, dice: random.Random) -> tuple[Evidence, Stage]:
    """Evidence that just satisfies some grant, with a few of its facts changed to anything, or all of them; data of now or of any age."""
    grant = dice.choice(rules.grants)
    evidence = satisfying(grant, NOW, dice.choice(VOCABULARY["profile"]))
    facts = evidence.facts | {"document_class": successful(grant.entry.document_class)}
    for name in dice.sample(list(VOCABULARY), dice.choice((0, 1, 2, 3, len(VOCABULARY)))):
        ended = dice.choice(list(CheckResult)) if dice.random() < 0.3 else CheckResult.SUCCESSFUL
        facts[name] = Fact(value=dice.choice((*VOCABULARY[name], NOT_PERFORMED, "no such word")), result=ended)
    aged = dice.random() < 0.5
    of = {name: _as_of(dice) if aged else NOW for name in facts}
    facts = {name: msgspec.structs.replace(fact, as_of=of[name]) for name, fact in facts.items()}
    stage = grant.entry.stage if dice.random() < 0.8 else dice.choice(list(Stage))
    return msgspec.structs.replace(evidence, facts=facts), stage


def _as_of(dice: random.Random) -> datetime | None:
    hours = dice.choice((0, 0, 6, 12, 24, 72, 200))
    return None if dice.random() < 0.05 else NOW - timedelta(hours=hours, seconds=dice.choice((-61, -60, -1, 0, 1)))


def _may_open(evidence: Evidence, stage: Stage, grant: str | None) -> None:
    citizen = evidence.value("nationality") == "citizen"
    official = evidence.value("document_class") != "ordinary"
    departing = evidence.direction is Direction.DEPARTURE
    needed = ALWAYS | (AT_THE_EXIT if stage is Stage.EXIT else {}) | (CITIZENS if citizen else FOREIGNERS)
    needed |= LEAVING if departing else ARRIVING | (COMING_HOME if citizen else ENTERING)
    needed |= (OFFICIAL if official else {}) | ({"exit_permit": {"valid", "valid_in_snapshot"}} if official and departing else {})
    needed |= {"expiry": {"valid"}} if departing and citizen else {}
    needed |= {"guardian": {"present"}} if evidence.value("age") != "adult" else {}
    bad = {name: evidence.value(name) for name, words in needed.items() if evidence.value(name) not in words}
    assert not bad, bad
    for name in needed.keys() - {"document_class"}:
        word, fact = evidence.value(name), evidence.facts[name]
        assert word in UNSETTLED or word.endswith(IN_SNAPSHOT) or fact.result is CheckResult.SUCCESSFUL, name
        assert word not in DEMONSTRATED or evidence.value("profile") == "demo", name
        if word.endswith(IN_SNAPSHOT):
            assert fact.as_of is not None
            assert -60 <= (NOW - fact.as_of).total_seconds() <= OLDEST_S
    assert grant is not None


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
