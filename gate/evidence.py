"""What was found out about one traveller, and nothing else: the only thing the two decisions may read.

Each input is a :class:`Fact`: a word from a closed vocabulary, how the check behind it ended (BSI TR-03135 §3.5), a code and its
source. An :class:`Evidence` holds each input once. An input nobody delivered is ``not_performed`` with a reason, which no grant accepts.

There are no names, numbers or images in here: what replays from the audit record is enough to judge again, and holds no identity.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum, unique

import msgspec


@unique
class Direction(StrEnum):
    ARRIVAL = "arrival"
    DEPARTURE = "departure"


@unique
class Stage(StrEnum):
    """Which of the two decisions: into the mantrap, or out of it into (or out of) the country."""

    ENTRY = "entry"
    EXIT = "exit"


@unique
class CheckResult(StrEnum):
    """How a check ended (TR-03135 §3.5.1), plus ``not_performed`` (house word: it never started)."""

    SUCCESSFUL = "successful"
    FAILED = "failed"
    UNDETERMINED = "undetermined"
    NOT_SUPPORTED = "not_supported"
    ABORTED = "aborted"
    NOT_PERFORMED = "not_performed"


NOT_PERFORMED = "not_performed"
"""The value of every fact that nobody delivered. No vocabulary word means less."""

VOCABULARY: dict[str, tuple[str, ...]] = {
    # who and what
    "nationality": ("citizen", "foreigner", "unknown"),
    "document_class": ("ordinary", "service", "diplomatic", "other"),
    "age": ("adult", "from_14_to_17", "from_6_to_13", "under_6", "unknown"),
    "guardian": ("present", "absent", "unknown"),
    "expiry": ("valid", "under_6_months", "expired", "unknown"),
    "enablement": ("enabled", "not_enabled"),
    # document
    "mrz": ("read", "check_digit_failed", "malformed", "unreadable"),
    "infrared": ("present", "not_offered", "missing", "unread"),
    "access": ("pace", "bac", "bac_where_pace_failed", "failed"),
    "card_access": ("agrees", "not_offered", "unsigned", "differs"),
    "chip": ("read", "unreadable", "tag_lost", "changed"),
    "dg1_mrz": ("equal", "different", "doubtful"),
    "passive_authentication": ("authentic", "rejected", "signer_revoked", "no_trust_anchor", "undetermined"),
    "revocation": ("good", "revoked", "no_crl", "stale_crl"),
    "chip_authenticity": ("genuine", "not_genuine", "not_supported", "undetermined"),
    # registries
    "issuance": ("active", "active_in_snapshot", "not_found", "revoked", "lost", "replaced", "class_mismatch", "unavailable"),
    "document_model": ("chip_expected", "chipless", "unknown"),
    "biometric_record": ("recorded", "recorded_in_snapshot", "none", "unavailable"),
    "issuer_portrait": ("same", "not_given", "different"),
    "exit_permit": ("valid", "valid_in_snapshot", "none", "expired", "used", "mismatch", "unavailable"),
    "pencegahan": ("clear", "clear_in_snapshot", "possible", "hit", "unavailable"),
    "penangkalan": ("clear", "clear_in_snapshot", "possible", "hit", "unavailable"),
    "wanted": ("clear", "clear_in_snapshot", "possible", "hit", "unavailable"),
    "sltd": ("clear", "clear_in_snapshot", "hit", "unavailable"),
    "stay_permit": ("valid", "valid_in_snapshot", "none", "no_reentry", "overstay", "abtc", "unavailable"),
    "declaration": ("declared", "declared_in_snapshot", "missing", "unavailable"),
    # inside the mantrap
    "occupancy": ("one", "none", "many", "uncertain"),
    "face": ("match", "no_match", "no_reference", "no_probe", "poor_quality"),
    "pad": ("bona_fide", "attack", "not_available"),
    # the gate itself
    "controller": ("ready", "lost", "fault", "emergency"),
    "supervision": ("present", "absent"),
    "clock": ("trusted", "doubtful"),
    "profile": ("demo", "training", "trial"),
}
"""Every fact and its allowed words, the clean one first; ``not_performed`` is allowed everywhere besides.
``unknown``, ``undetermined`` and ``uncertain`` mean *looked at, could not be settled*; ``…_in_snapshot``: good news, from a copy of the
registry's data that is as old as ``Fact.as_of`` says. What a copy says against somebody is said as gravely as by the registry itself."""

IN_SNAPSHOT = "_in_snapshot"


class Fact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One input: ``value`` from :data:`VOCABULARY`, how the check ended, a code that says why, and who said so."""

    value: str = NOT_PERFORMED
    result: CheckResult = CheckResult.NOT_PERFORMED
    code: str = ""
    source: str = ""
    as_of: datetime | None = None
    score: float | None = None
    threshold: float | None = None


def successful(value: str, source: str = "", code: str = "") -> Fact:
    """The fact of a check that ended and passed."""
    return Fact(value=value, result=CheckResult.SUCCESSFUL, source=source, code=code)


def found(value: str, result: CheckResult = CheckResult.SUCCESSFUL, *, code: str = "", source: str) -> Fact:
    """The fact of a check that ended with ``result``."""
    return Fact(value=value, result=result, code=code, source=source)


def not_performed(reason: str, source: str = "") -> Fact:
    """The fact of a check that never ran, with the reason (``timeout``, ``no_chip``, ``reader_dead``, …)."""
    return Fact(code=reason, source=source)


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one traveller at one moment. A later moment is a new value, never a change of this one."""

    transaction: str
    lane: str
    checkpoint: str
    """Checkpoint code, e.g. ``CGK``."""
    direction: Direction
    civil_date: date
    """The date at the checkpoint (its zone, not UTC)."""
    facts: dict[str, Fact]

    def value(self, name: str) -> str:
        """The word for ``name``; ``not_performed`` where it is missing or not in the vocabulary (fail closed)."""
        fact = self.facts.get(name)
        if fact is None or fact.value not in VOCABULARY[name]:
            return NOT_PERFORMED
        return fact.value

    def with_facts(self, **facts: Fact) -> Evidence:
        """A new Evidence in which ``facts`` are added or replaced."""
        return msgspec.structs.replace(self, facts={**self.facts, **facts})
