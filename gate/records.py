"""What lasts of a transaction: stage timings, decisions, the record that the audit keeps and the screens and reports read."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import msgspec

from gate.evidence import CheckResult, Direction, Evidence
from gate.outcome import Outcome, PolicyDecision
from hardware.controller.protocol import LaneKind


class StageTiming(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of a transaction. ``start_ms`` counts from the document's arrival; ``room`` is the process that did it."""

    name: str
    start_ms: float
    duration_ms: float
    result: str
    room: str = "lane"


def stage_of(name: str, start: float, end: float, result: str, *, zero: float, room: str) -> StageTiming:
    """A stage from ``start`` to ``end``, all in boot seconds, counted from ``zero``."""
    return StageTiming(
        name=name,
        start_ms=round((start - zero) * 1000, 2),
        duration_ms=round(max(0.0, end - start) * 1000, 2),
        result=result,
        room=room,
    )


class InspectionCheck(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One check of a document's electronic proof, as :mod:`pki.inspection_record` numbers (``step``), names and groups it."""

    step: int
    name: str
    group: str
    result: CheckResult
    code: str = ""
    detail: str = ""


class DecisionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A decision with the evidence it was made on: what ``autogate replay`` judges again."""

    at: datetime
    evidence: Evidence
    decision: PolicyDecision


class LaneEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The lane came into, or out of, a state that is not a traveller's ordinary way: somebody was held, let back out, or nobody may pass."""

    before: str
    after: str
    event: str
    entry: str
    exit: str
    occupancy: int | None


class LinkWaived(msgspec.Struct, frozen=True, kw_only=True):
    """The lane began to order its controller about over a link that proves nothing, because somebody signed that it may."""

    link: str
    granted_by: str
    reason: str
    until: date
    signature: str


class RulesInForce(msgspec.Struct, frozen=True, kw_only=True):
    """From the next traveller on, this signed rule set judges, by statement number ``statement``. ``before``: the one until then, empty at a start."""

    rules_version: str
    before: str
    statement: int
    people: tuple[str, ...]
    begins: datetime


class KeysDestroyed(msgspec.Struct, frozen=True, kw_only=True):
    """Personal fields of this log can be read no more: their keys were destroyed, ``keys`` of a ``field_kind``.

    ``until``: those of all days up to this one; empty: single ones. ``number`` counts the destructions of a gate: told twice, it is one.
    """

    number: int
    field_kind: str
    until: str
    keys: int
    at: str
    why: str
    signed_by: tuple[str, ...]
    """Who ordered it; nobody: the periods did."""


class PanelEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something came from the reader's panel: ``assistance`` (its button), ``opened`` or ``shut`` (its enclosure), ``fault``, ``obeys``.

    ``left_out``: how many before this one were not written, because it says more than can be.
    """

    what: str
    detail: str = ""
    left_out: int = 0


class OfficerActed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An officer ordered something. ``refused`` says why it was not carried out; empty: it was, or waits for a second officer.

    ``proof``: authenticator data, client data and signature in base64, of what was carried out: anybody who has the roster can check it.
    ``role`` ``command``: it came from the gate's own machine, in a demonstration, and ``officer`` is what its user called himself.
    """

    officer: str
    """Empty where nobody's signature was proven."""
    role: str
    action: str
    reason: str = ""
    transaction: str = ""
    refused: str = ""
    detail: str = ""
    first_officer: str = ""
    """Who signed before, where it takes two."""
    awaits_second: bool = False
    authenticator: str = ""
    nonce: str = ""
    proof: tuple[str, ...] = ()
    left_out: int = 0
    """How many refused ones before this were not written, because it were more than can be."""


class OfficerWatched(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An officer went on watch, which is what counts as supervision, or their watch ended.

    ``beside``: the other parts of what was signed, in order, None in this lane's own place; with ``nonce`` and ``proof`` they prove whose it was.
    """

    officer: str
    role: str = ""
    event: str
    """``signed``, ``refused``, ``signed_out``, ``ended``, ``console_gone``; ``console``: what the console says that it refused by itself."""
    refused: str = ""
    detail: str = ""
    seconds: float = 0.0
    authenticator: str = ""
    nonce: str = ""
    beside: tuple[str | None, ...] = ()
    proof: tuple[str, ...] = ()


class CaseViewed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody opened the case of a traveller who waited: who it is, what was found. Written down before it is shown.

    ``officer`` is who the console says; ``on_watch``: that officer had put a key on watch there, and it is their word that nobody else looked.
    """

    officer: str
    on_watch: bool
    transaction: str
    refused: str = ""


class PicturesShown(msgspec.Struct, frozen=True, kw_only=True):
    """Pictures of whoever waited for an officer were asked for, and then handed out. What the console said of who looked stands apart."""

    transaction: str


class SopStage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One stage of issuing a book, as its issuer logged it. ``at`` carries the office's zone; None where the log has no time."""

    name: str
    at: Annotated[datetime, msgspec.Meta(tz=True)] | None
    office: str = ""


class SopTrail(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a book was issued: the standard procedure it was issued under and its stages in the order of the issuer's log.

    ``distinct_approver``: somebody else approved than entered the data; None where the log does not say. ``flags``: what departs from
    the procedure (:mod:`gate.sop`). For audits alone: no decision reads any of it.
    """

    sop_version: str
    issuing_office: str
    capturing_office: str = ""
    stages: tuple[SopStage, ...]
    distinct_approver: bool | None = None
    flags: tuple[str, ...] = ()


class TransactionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction that ended."""

    transaction: str
    lane: str
    checkpoint: str
    direction: Direction
    started: datetime
    ended: datetime
    document_class: str
    document_key: str
    """Keyed hash of issuing State and document number: tells the same book again without naming it."""
    outcome: Outcome
    reasons: tuple[str, ...]
    stages: tuple[StageTiming, ...]
    decisions: tuple[DecisionRecord, ...]
    backends: dict[str, str]
    """Which implementation served: ``{"chip": "virtual", "face": "demo pack …", "controller": "…", …}``."""
    demonstration: bool
    inspection: tuple[InspectionCheck, ...] = ()
    """Every check of the electronic proof, also those that decided nothing; empty where no chip was read."""
    kind: LaneKind = "mantrap"
    """Of the lane. Before a single door only the exit's decision moves a door."""
    trail: SopTrail | None = None
    """How the book was issued, where its issuer says; None for books without one, and in older logs."""
    ruled: tuple[OfficerActed, ...] = ()
    """What officers ordered meanwhile. ``outcome`` stays what the rules said."""


class TallyCount(msgspec.Struct, frozen=True, kw_only=True):
    """``count`` travellers who went one way, from the day ``since`` to the tally's own: ``passed`` by the gate or not, in ``direction``.

    With ``document_class``: those of them with such a book, who did not pass for ``cause`` (:data:`gate.report.causes.OFFICIAL`; empty for who passed).
    """

    direction: Direction
    passed: bool
    since: date
    document_class: str
    cause: str
    count: int


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """With how many official books travellers came to the gate up to the checkpoint's civil day ``day``: numbers alone (:mod:`gate.audit.tally`).

    ``demonstration``: those of one. ``unread``: travellers of that day whose class and reasons could not be opened to count them.
    """

    day: date
    demonstration: bool
    unread: int
    counts: tuple[TallyCount, ...]
