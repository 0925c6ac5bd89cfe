"""What the processes of a lane say to each other over the local socket (``channel.py``). The lane believes none of it blindly:
a message for another transaction is dropped, a malformed one ends the connection, a silent peer becomes ``not_performed``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from gate.audit.fields import Box
from gate.evidence import Direction, Fact
from gate.outcome import Outcome
from gate.processes.message import Message
from gate.processes.officer_messages import (
    ActAnswered,
    ActVerified,
    AskCase,
    AskNonce,
    CaseShown,
    ConsoleRefused,
    ConsoleView,
    NonceGiven,
    OfficerAct,
    OfficerWatch,
    VerifyAct,
    WatchAnswered,
    WatchOver,
)
from gate.records import InspectionCheck, KeysDestroyed, StageTiming, Tally, TransactionRecord
from gate.registries.answers import Answers
from gate.registries.crossing_record import Crossing, End

Role = Literal[
    "reader",
    "vision",
    "registries",
    "panel",
    "audit",
    "traveller_screen",
    "officer_screen",
    "director",
    "console",
    "verifier",
    "pictures",
    "command",
    "service",
    "health",
    "fleet",
]
TravellerScreen = Literal["closed", "wait", "enter", "scan", "reading", "lift", "face", "retry", "counter", "open", "emergency"]

Guidance = Literal[
    "",
    "step_closer",
    "step_back",
    "stand_on_the_mark",
    "face_the_screen",
    "hold_still",
    "more_light",
    "remove_occlusion",
    "one_person",
]
"""What the traveller is asked to do while the face is looked at; empty: what the screen says anyway."""
PanelWord = Literal["", "ready", "fault", "tamper"]
"""How the reader's panel stands, for officers; empty where there is none."""
LAST_SECOND = 253_402_300_799
Seconds = Annotated[int, msgspec.Meta(ge=0, le=LAST_SECOND)]
"""POSIX time in whole seconds, up to the end of the year 9999."""

ENDED_KEPT = 12
"""Transactions that the officer's page lists."""


# --- any peer → lane ---------------------------------------------------------------------------------------------------


class Join(Message, frozen=True, kw_only=True):
    """First message on a connection: who I am, and the secret of that role."""

    role: Role
    secret: str = ""
    backends: dict[str, str] = msgspec.field(default_factory=dict)


# --- reader → lane -----------------------------------------------------------------------------------------------------


class DocumentPlaced(Message, frozen=True, kw_only=True):
    """A document lies on the scanner. ``boot`` is the moment it was seen (boot seconds). Nothing is read before the lane says so."""

    boot: float


class ReadDocument(Message, frozen=True, kw_only=True):
    """Lane → reader: read the document that lies there, as this transaction. ``zero``: boot seconds that its stages count from."""

    transaction: str
    zero: float


class ReaderProgress(Message, frozen=True, kw_only=True):
    """How far the chip is (0…1), for the traveller's screen."""

    transaction: str
    fraction: float


class MrzRead(Message, frozen=True, kw_only=True):
    """The optical MRZ is parsed: what the registries need, long before the chip is done."""

    transaction: str
    facts: dict[str, Fact]
    issuing_state: str
    document_code: str
    document_number: str
    primary_identifier: str
    secondary_identifier: str
    date_of_birth: str
    """YYMMDD as printed; unknown parts are ``<``."""
    sex: str


class DocumentChecked(Message, frozen=True, kw_only=True):
    """All facts of the document. ``portrait`` is the encoded face image of the *verified* DG2, empty unless passive
    authentication was ``authentic``; ``last_byte_boot`` is when the chip's last byte came (boot seconds). ``inspection`` is for the
    record and for people: no decision reads it.
    """

    transaction: str
    facts: dict[str, Fact]
    stages: tuple[StageTiming, ...]
    inspection: tuple[InspectionCheck, ...] = ()
    portrait: bytes = b""
    dg2_sha256: str = ""
    """Of the verified DG2, in hex: whether it is the one that the issuer recorded. It lasts as long as the transaction and is not written down."""
    trust: str = ""
    """The trust store that judged, as ``trust`` names it when the reader joins: this one throughout."""
    last_byte_boot: float


class DocumentRemoved(Message, frozen=True, kw_only=True):
    """The glass is empty again."""


class TrustReport(Message, frozen=True, kw_only=True):
    """By which trust store documents are judged from the next one on; ``problem`` is for officers: why the newest is not gone by, empty where it is."""

    trust: str
    problem: str = ""


# --- lane → registries, registries → lane --------------------------------------------------------------------------------


class AskRegistries(Message, frozen=True, kw_only=True):
    """Lane → registries: ask all that concern this traveller, at once. ``read`` is what the page says; the transaction is its."""

    read: MrzRead
    document_class: str
    direction: Direction


class RegistryAnswered(Message, frozen=True, kw_only=True):
    """What one registry said, or that it did not."""

    transaction: str
    registry: str
    answers: Answers


class CrossingPermitted(Message, frozen=True, kw_only=True):
    """Lane → registries: write down who may cross, before the exit opens."""

    crossing: Crossing


class CrossingDurable(Message, frozen=True, kw_only=True):
    """It is written down, or the disk refused."""

    transaction: str
    durable: bool


class CrossingEnded(Message, frozen=True, kw_only=True):
    """Lane → registries: what became of the permit, at an aware moment."""

    transaction: str
    end: End
    at: datetime


class ListsReport(Message, frozen=True, kw_only=True):
    """Registries → lane: what they keep for a registry that is silent, of that what may speak: by registry its version, and as of when."""

    lists: dict[str, tuple[int, Seconds]]


# --- lane → vision, vision → lane ----------------------------------------------------------------------------------------


class PrepareReference(Message, frozen=True, kw_only=True):
    """Lane → vision: turn this chip portrait into reference features, in the confined child."""

    transaction: str
    portrait: bytes
    zero: float
    """Boot seconds from which this transaction counts its stages."""


class ReferenceReady(Message, frozen=True, kw_only=True):
    """The features stay in the vision process; the lane learns how long it took and how it ended."""

    transaction: str
    stages: tuple[StageTiming, ...]


class StartCapture(Message, frozen=True, kw_only=True):
    """Lane → vision: somebody is inside; look until a decision is possible or ``deadline_s`` passed."""

    transaction: str
    deadline_s: float
    zero: float


class LookLonger(Message, frozen=True, kw_only=True):
    """Lane → vision: the traveller asked for more time; the look that has begun may take ``deadline_s`` in all."""

    transaction: str
    deadline_s: float


class FaceGuidance(Message, frozen=True, kw_only=True):
    """What would make the picture of the face better, for the traveller's screen. No decision reads it."""

    transaction: str
    instruction: Guidance


class FaceChecked(Message, frozen=True, kw_only=True):
    """``chosen_frame_boot`` is the capture time of the frame that decided (boot seconds)."""

    transaction: str
    facts: dict[str, Fact]
    stages: tuple[StageTiming, ...]
    chosen_frame_boot: float | None


class Forget(Message, frozen=True, kw_only=True):
    """Lane → vision: the verdict is void or the transaction over; wipe all that belongs to it. (The reader keeps nothing.)

    ``for_officer``: the traveller waits for one, who may look at the chip's portrait; it alone stays until the next one.
    """

    transaction: str
    for_officer: bool = False


# --- pictures of a traveller who waits for an officer: lane ↔ pictures, lane → vision → pictures --------------------------


class PicturesListen(Message, frozen=True, kw_only=True):
    """Pictures → lane: where, on loopback, pictures are handed out."""

    port: int


class OfferPictures(Message, frozen=True, kw_only=True):
    """Lane → pictures: hand them out to whoever knows ``token``; said again and again while it holds. Empty: no longer."""

    transaction: str = ""
    token: str = ""


class PicturesAsked(Message, frozen=True, kw_only=True):
    """Pictures → lane: somebody who knows the token wants to see them."""

    transaction: str


class ShowPictures(Message, frozen=True, kw_only=True):
    """Lane → vision: it is written down that somebody looks; send the pictures until :class:`Forget`."""

    transaction: str


class Picture(Message, frozen=True, kw_only=True):
    """Vision → pictures, past the lane: one of the two, as JPEG; empty: there is none."""

    transaction: str
    which: Literal["chip", "live"]
    jpeg: bytes


# --- lane → panel, panel → lane ------------------------------------------------------------------------------------------


class PanelView(Message, frozen=True, kw_only=True):
    """All that the reader's lamp and buzzer may tell of: the word on the traveller's screen."""

    screen: TravellerScreen


class PanelReport(Message, frozen=True, kw_only=True):
    """How the panel stands (``hardware.ports.PanelStatus``). No decision reads it, and no door."""

    fault: str = ""
    assistance: bool = False
    tamper: bool | None = None


# --- audit → lane ----------------------------------------------------------------------------------------------------------


class AuditReport(Message, frozen=True, kw_only=True):
    """How the log stands with who signs and witnesses it; ``problem`` is for officers, empty for none. ``bent``: somebody changed it."""

    problem: str = ""
    bent: bool = False


# --- fleet → lane ----------------------------------------------------------------------------------------------------------


class FleetReport(Message, frozen=True, kw_only=True):
    """How it stands with the centre, for officers to know; empty: it holds all that it should. No door and no decision asks it."""

    problem: str = ""


# --- audit → lane, lane → audit ----------------------------------------------------------------------------------------------


class SealFields(Message, frozen=True, kw_only=True):
    """Lane → audit: seal the personal fields of a record that waits to be written, each kind of them by itself."""

    number: int
    transaction: str
    record: str
    parts: dict[str, bytes]


class FieldsSealed(Message, frozen=True, kw_only=True):
    """Audit → lane: the boxes; their keys are on the disk. None at all: they could not be sealed."""

    number: int
    parts: dict[str, Box]


class TellDestroyed(Message, frozen=True, kw_only=True):
    """Audit → lane: keys were destroyed; put it into the log."""

    destroyed: KeysDestroyed


class DestroyedTold(Message, frozen=True, kw_only=True):
    """Lane → audit: it stands there."""

    number: int


class TellTally(Message, frozen=True, kw_only=True):
    """Audit → lane: a day is over; put its tally into the log. Told again until it stands there."""

    tally: Tally


# --- traveller's screen → lane --------------------------------------------------------------------------------------------


class MoreTime(Message, frozen=True, kw_only=True):
    """Whoever stands there asks to be waited for longer. It moves nothing, and no decision and no record tells of it."""


# --- lane → screens ----------------------------------------------------------------------------------------------------


class TravellerView(Message, frozen=True, kw_only=True):
    """All that a traveller may ever see: a screen word, the progress of the chip, what to do before the camera, and whether the lane
    waits longer for them. No reason, no score.
    """

    screen: TravellerScreen
    progress: float = 0.0
    guidance: Guidance = ""
    more_time: bool = False


class OfficerView(Message, frozen=True, kw_only=True):
    """What the officer page shows: the lane, the transaction that runs, and those that ended (newest first).

    The lane sends each of ``ended`` by itself (:class:`EndedTransaction`); the page's feed puts them in.
    """

    lane: str
    checkpoint: str
    direction: str
    profile: str
    state: str
    controller: str
    entry: str
    exit: str
    occupancy: str
    transaction: str = ""
    stages: tuple[StageTiming, ...] = ()
    outcome: Outcome | None = None
    """Of the running transaction, once decided."""
    reasons: tuple[str, ...] = ()
    ended: tuple[TransactionRecord, ...] = ()
    warnings: tuple[str, ...] = ()
    """Standing warnings: ``UnsafeNoPad``, demonstration recogniser, rules not law, …"""
    panel: PanelWord = ""
    assistance: bool = False
    """A traveller pressed the button by which one calls for help."""


class EndedTransaction(Message, frozen=True, kw_only=True):
    """One that the officer page lists. Apart from its view, which changes twenty times as often, and from the others: twelve that were
    blown up by a worker would be more than a message may be.
    """

    record: TransactionRecord


# --- command (of the gate's own user, ``autogate lane``; demonstrations alone) → lane, and back --------------------------------

Order = Literal["reset", "eject"]
"""``reset``: leave FAULT or EMERGENCY for RECOVER, which proves both doors locked and the trap empty. ``eject``: open the entry for
whoever, or for the officer to fetch what, is inside. Neither opens an exit: that takes an officer's own signature."""


class OfficerOrder(Message, frozen=True, kw_only=True):
    """``name``: what whoever gives it calls himself; nothing proves it."""

    order: Order
    name: str = ""


class OrderTaken(Message, frozen=True, kw_only=True):
    """The lane's state before and after it, and why it was refused."""

    before: str
    after: str
    refused: str = ""


# --- service (who starts the processes) → lane -------------------------------------------------------------------------------


class ProcessEnded(Message, frozen=True, kw_only=True):
    """A process of the gate ended; ``why`` is its last line, and whether it is started again. For people: the lane saw it go itself."""

    process: str
    why: str


# --- lane → health, lane → fleet -----------------------------------------------------------------------------------------------------------


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """``counts`` by class, not cumulated, the last one above the last of ``bounds``; all in seconds."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float


class LaneHealth(Message, frozen=True, kw_only=True):
    """How the lane does, once a second. Numbers by fixed words; nothing of a traveller."""

    state: str
    in_service: bool
    causes: tuple[str, ...]
    """Why nobody is taken, as ``cause: why``."""
    stuck: str
    """Which part hangs; empty while all work."""
    outcomes: dict[str, int]
    stages: dict[str, Histogram]
    link_losses: dict[str, int]
    damaged_frames: int
    loop_lag: Histogram
    queue: int
    clock_trusted: bool
    devices: dict[str, bool]
    joins: dict[str, int]
    uptime_s: float
    rules_problem: str = ""
    """Why the newest rule set is not gone by; empty where it is."""
    trust_problem: str = ""
    """Why the newest trust store is not gone by; empty where it is."""
    audit_problem: str = ""
    """Why the log is not signed or witnessed up to now; empty where it is."""
    fleet_problem: str = ""
    """What the centre of the fleet lacks of this gate; empty where it lacks nothing, or there is none."""
    waiting_s: float = 0.0
    """How long somebody inside waits for an officer."""
    versions: dict[str, str] = msgspec.field(default_factory=dict)
    """What is in force: ``rules``, and what the workers name (``trust``, ``face``, …)."""
    freshness: dict[str, Seconds] = msgspec.field(default_factory=dict)
    """Registry → as of when the list speaks that is kept for it."""


# --- lane → director (the demo's terminal) -----------------------------------------------------------------------------


class StageEnded(Message, frozen=True, kw_only=True):
    transaction: str
    stage: StageTiming


class TransactionEnded(Message, frozen=True, kw_only=True):
    record: TransactionRecord


class LaneReady(Message, frozen=True, kw_only=True):
    """The lane is idle and every worker is warm."""

    state: str


AnyMessage = (
    Join
    | DocumentPlaced
    | ReadDocument
    | ReaderProgress
    | MrzRead
    | DocumentChecked
    | DocumentRemoved
    | TrustReport
    | AskRegistries
    | RegistryAnswered
    | CrossingPermitted
    | CrossingDurable
    | CrossingEnded
    | ListsReport
    | PrepareReference
    | ReferenceReady
    | StartCapture
    | LookLonger
    | FaceGuidance
    | FaceChecked
    | Forget
    | PicturesListen
    | OfferPictures
    | PicturesAsked
    | ShowPictures
    | Picture
    | PanelView
    | PanelReport
    | ConsoleView
    | AskNonce
    | NonceGiven
    | OfficerAct
    | ActAnswered
    | OfficerWatch
    | WatchAnswered
    | WatchOver
    | AskCase
    | ConsoleRefused
    | CaseShown
    | VerifyAct
    | ActVerified
    | AuditReport
    | FleetReport
    | SealFields
    | FieldsSealed
    | TellDestroyed
    | DestroyedTold
    | TellTally
    | OfficerOrder
    | OrderTaken
    | ProcessEnded
    | LaneHealth
    | MoreTime
    | TravellerView
    | OfficerView
    | EndedTransaction
    | StageEnded
    | TransactionEnded
    | LaneReady
)
