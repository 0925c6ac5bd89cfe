"""What lane, officers' console and verifier say to each other: lane and console below, then lane and verifier. The console is believed in nothing."""

from __future__ import annotations

from datetime import date

import msgspec

from gate.evidence import Fact
from gate.outcome import Outcome
from gate.processes.message import Message
from gate.records import InspectionCheck


class ConsoleView(Message, frozen=True, kw_only=True):
    """What officers see of a lane from their place, and nothing of who the traveller is."""

    lane: str
    checkpoint: str
    direction: str
    profile: str
    state: str
    since: float
    """Boot seconds in which the lane came into it."""
    troubles: tuple[str, ...] = ()
    transaction: str = ""
    document_class: str = ""
    exit_permit: str = ""
    occupancy: str = ""
    outcome: Outcome | None = None
    reasons: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    """Actions that can have an effect now."""
    first_pass: str = ""
    """Who let the traveller pass already, where it takes two."""
    first_emergency: str = ""
    """Who wants the lane opened in an emergency; it takes a second one."""
    watching: dict[str, float] = msgspec.field(default_factory=dict)
    """Officers on watch, and the boot seconds at which each one's watch ends."""
    supervised: bool = False
    viewers: tuple[str, ...] = ()
    """Who opened the case of the traveller who waits."""


class AskNonce(Message, frozen=True, kw_only=True):
    """Console → lane: an officer is about to sign."""

    request: int


class NonceGiven(Message, frozen=True, kw_only=True):
    """Lane → console. ``transaction``: of whoever stands there; empty where nobody does."""

    request: int
    nonce: bytes
    transaction: str


class OfficerAct(Message, frozen=True, kw_only=True):
    """Console → lane: an order, and what the officer's authenticator signed over it (:func:`gate.console.acts.challenge`)."""

    action: str
    transaction: str
    lane: str
    reason: str
    nonce: bytes
    credential: str
    authenticator_data: bytes
    client_data: bytes
    signature: bytes


class ActAnswered(Message, frozen=True, kw_only=True):
    """Lane → console: what came of it. ``refused`` as :class:`gate.console.acts.Refused`; empty: it is carried out."""

    nonce: bytes
    refused: str
    detail: str
    awaits_second: bool
    officer: str
    before: str
    after: str


class OfficerWatch(Message, frozen=True, kw_only=True):
    """Console → lane: an officer signed in, or signed anew, and goes on watch (:func:`gate.console.acts.watch_challenge`).

    ``nonce`` is this lane's; ``parts`` are those of all lanes that the same signature is for, this one's among them.
    """

    nonce: bytes
    parts: tuple[bytes, ...]
    credential: str
    authenticator_data: bytes
    client_data: bytes
    signature: bytes


class WatchAnswered(Message, frozen=True, kw_only=True):
    """Lane → console: for how many seconds the officer is on watch; or why not."""

    nonce: bytes
    refused: str = ""
    officer: str = ""
    seconds: float = 0.0


class WatchOver(Message, frozen=True, kw_only=True):
    """Console → lane: the officer signed out, or has touched nothing for a while."""

    officer: str


class ConsoleRefused(Message, frozen=True, kw_only=True):
    """Console → lane: it refused somebody by itself, for the log of this lane."""

    path: str
    why: str


class AskCase(Message, frozen=True, kw_only=True):
    """Console → lane: ``officer`` opens the case of whoever waits."""

    request: int
    transaction: str
    officer: str


class CaseShown(Message, frozen=True, kw_only=True):
    """Lane → console: who it is and what was found; or why that is not shown. It is written down first that the officer looks."""

    request: int
    refused: str = ""
    transaction: str = ""
    zone: tuple[tuple[str, str], ...] = ()
    """Fields of the machine readable zone as printed: name, text."""
    facts: dict[str, Fact] = msgspec.field(default_factory=dict)
    inspection: tuple[InspectionCheck, ...] = ()
    pictures: str = ""
    """Where the two pictures are handed out (``/chip``, ``/live``); empty where there are none."""


class VerifyAct(Message, frozen=True, kw_only=True):
    """Lane → verifier: does an authenticator of the roster's sign ``challenge`` with this?"""

    nonce: bytes
    challenge: bytes
    credential: str
    authenticator_data: bytes
    client_data: bytes
    signature: bytes


class ActVerified(Message, frozen=True, kw_only=True):
    """Verifier → lane: whose it is, in which role, and on which days and hours that counts; or why it is nobody's."""

    nonce: bytes
    refused: str = ""
    detail: str = ""
    officer: str = ""
    role: str = ""
    since: date | None = None
    until: date | None = None
    shift: str = ""
