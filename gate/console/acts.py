"""Who may see and do what at the console, and what exactly their authenticators sign. Loaded by the lane: no cryptography but a hash."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Sequence
from enum import StrEnum, auto, unique
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec

CONTEXT = b"autogate officer act 1\n"
"""Goes before the octets that are hashed, so that no challenge is good for anything else."""
WATCH_CONTEXT = b"autogate officer watch 1\n"
NONCE_BYTES = 32
MOST_LANES = 32
"""That one signature can put its officer on watch at."""
WATCH, ON_WATCH = "watch", "ON_WATCH"
"""Action and reason of a watch; no officer orders it, they sign in."""
RP_ID = "localhost"
"""Whose authenticators these are, in the sense of WebAuthn: a console is served on the machine that shows it."""
FILE = Path(__file__).with_name("actions.toml")

Words = tuple[str, str]
Role = Literal["officer", "supervisor", "trial_operator", "engineer", "auditor"]
Sight = Literal["case", "mrz"]


@unique
class Refused(StrEnum):
    """Why an order is not carried out; empty strings elsewhere mean that it is."""

    MALFORMED = auto()
    UNKNOWN_ACTION = auto()
    UNKNOWN_REASON = auto()
    OTHER_LANE = auto()
    NONCE_UNKNOWN = auto()
    """Never given by this lane, used, or too old to be remembered."""
    NONCE_EXPIRED = auto()
    OTHER_TRANSACTION = auto()
    BUSY = auto()
    """Another order is being proven."""
    NOT_VERIFIABLE = auto()
    """The process that proves signatures, or the roster, is not to be had."""
    UNKNOWN_AUTHENTICATOR = auto()
    WRONG_TYPE = auto()
    WRONG_CHALLENGE = auto()
    """Signed, but for something else: another action, reason, transaction, lane or nonce."""
    WRONG_ORIGIN = auto()
    WRONG_RELYING_PARTY = auto()
    USER_NOT_PRESENT = auto()
    USER_NOT_VERIFIED = auto()
    KEY_LEAVES_DEVICE = auto()
    """The authenticator says that its key can be backed up: then it is not one thing in one hand."""
    SIGNATURE_BAD = auto()
    COUNTER_WENT_BACK = auto()
    """There may be two of this authenticator."""
    OFFICER_NOT_VALID = auto()
    """Out of their days, or out of their shift."""
    ROLE_MAY_NOT = auto()
    TOO_LATE = auto()
    """The lane moved on, or another officer was first."""
    NOT_NOW = auto()
    CLOCK_DOUBTFUL = auto()
    NOT_PASSABLE = auto()
    """Not exactly one person between locked doors, or nothing known about who it is."""
    SAME_OFFICER = auto()
    """The second of two must be somebody else."""
    HELD_LONG_ENOUGH = auto()
    NOT_DURABLE = auto()
    """The log, or the outbox of crossings, did not take it."""
    NOT_ON_WATCH = auto()
    """Who a traveller is the lane shows to officers on watch alone."""
    VIEW_ONLY = auto()
    """Signed in with a password."""
    WRONG_PASSWORD = auto()
    DEMONSTRATION_ONLY = auto()


class RoleRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a role sees; whether its signature at signing in counts as supervision."""

    id: Role
    words: Words
    sees: tuple[Sight, ...]
    watches: bool


class ActionRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of ``actions.toml``; no ``states``: any."""

    id: str
    key: Annotated[str, msgspec.Meta(pattern="^[a-z]$")]
    words: Words
    about: Literal["traveller", "lane"]
    roles: tuple[Role, ...]
    states: tuple[str, ...]
    reasons: tuple[str, ...]
    two: bool = False
    """It always takes two officers."""


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    role: tuple[RoleRule, ...]
    action: tuple[ActionRule, ...]
    reasons: dict[str, Words]


@cache
def _file() -> _File:
    return msgspec.convert(tomllib.loads(FILE.read_text(encoding="utf-8")), _File)


@cache
def actions() -> dict[str, ActionRule]:
    """By id."""
    return {rule.id: rule for rule in _file().action}


@cache
def roles() -> dict[str, RoleRule]:
    """By id."""
    return {rule.id: rule for rule in _file().role}


def sees(role: str, what: Sight) -> bool:
    """Whether ``role`` may; what is no role sees nothing."""
    return role in roles() and what in roles()[role].sees


def watches(role: str) -> bool:
    """Whether an officer of ``role`` supervises."""
    return role in roles() and roles()[role].watches


def reason_words(code: str) -> Words:
    """The words of a reason; its code where it has none."""
    return _file().reasons.get(code, (code, code))


def offered(state: str) -> tuple[str, ...]:
    """The actions that can have an effect while the lane is in ``state``."""
    return tuple(rule.id for rule in _file().action if not rule.states or state in rule.states)


def challenge(*, action: str, transaction: str, lane: str, reason: str, nonce: bytes) -> bytes:
    """SHA-256 over the canonical octets of an order: what the officer's authenticator is asked to sign.

    One line of JSON, ASCII, in this order, so that no two orders have the same octets.
    """
    said = json.dumps([action, transaction, lane, reason, nonce.hex()], separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(CONTEXT + said.encode("ascii")).digest()


def watch_part(lane: str, nonce: bytes) -> bytes:
    """What one lane looks for in the signature by which an officer goes on watch at several."""
    return challenge(action=WATCH, transaction="", lane=lane, reason=ON_WATCH, nonce=nonce)


def watch_challenge(parts: Sequence[bytes]) -> bytes:
    """SHA-256 over the parts of all lanes, in order: signing in is one touch of a key, however many lanes there are. Each is 32 octets."""
    return hashlib.sha256(WATCH_CONTEXT + b"".join(parts)).digest()
