"""Which word for a fact is better news than which: what "a better fact never worsens the outcome" is proven against.

Levels from best to worst; words of one level are not compared, nor is ``age``, as years are no fault. What was not performed stands
behind what is fine and before what was found to be wrong: to learn of a fault is worse than to know nothing. Facts that say who
somebody is, which book it is, or under which profile the gate runs, are better or worse for nobody and have no order.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product

from gate.evidence import NOT_PERFORMED
from gate.outcome import Outcome

LEVELS: dict[str, tuple[tuple[str, ...], ...]] = {
    "expiry": (("valid",), ("under_6_months", "unknown", NOT_PERFORMED), ("expired",)),
    "mrz": (("read",), ("check_digit_failed", "malformed", "unreadable", NOT_PERFORMED)),
    "infrared": (("present",), ("not_offered",), ("unread", NOT_PERFORMED), ("missing",)),
    "access": (("pace",), ("bac",), ("bac_where_pace_failed",), ("failed", NOT_PERFORMED)),
    "card_access": (("agrees",), ("not_offered",), ("unsigned", NOT_PERFORMED), ("differs",)),
    "chip": (("read",), ("unreadable", "tag_lost", NOT_PERFORMED), ("changed",)),
    "dg1_mrz": (("equal",), ("doubtful", NOT_PERFORMED), ("different",)),
    "passive_authentication": (
        ("authentic",),
        ("no_trust_anchor", "undetermined", NOT_PERFORMED),
        ("rejected", "signer_revoked"),
    ),
    "revocation": (("good",), ("no_crl", "stale_crl", NOT_PERFORMED), ("revoked",)),
    "chip_authenticity": (("genuine",), ("not_supported", "undetermined", NOT_PERFORMED), ("not_genuine",)),
    "guardian": (("present",), ("absent", "unknown", NOT_PERFORMED)),
    "enablement": (("enabled",), ("not_enabled", NOT_PERFORMED)),
    "issuance": (
        ("active",),
        ("active_in_snapshot",),
        ("unavailable", NOT_PERFORMED),
        ("not_found", "class_mismatch", "replaced"),
        ("revoked", "lost"),
    ),
    "biometric_record": (("recorded",), ("recorded_in_snapshot",), ("unavailable", NOT_PERFORMED), ("none",)),
    "issuer_portrait": (("same",), ("not_given",), (NOT_PERFORMED,), ("different",)),
    "exit_permit": (
        ("valid",),
        ("valid_in_snapshot",),
        ("unavailable", NOT_PERFORMED),
        ("none", "expired", "used", "mismatch"),
    ),
    **dict.fromkeys(
        ("pencegahan", "penangkalan", "wanted"),
        (("clear",), ("clear_in_snapshot",), ("unavailable", NOT_PERFORMED), ("possible",), ("hit",)),
    ),
    "sltd": (("clear",), ("clear_in_snapshot",), ("unavailable", NOT_PERFORMED), ("hit",)),
    "stay_permit": (
        ("valid",),
        ("valid_in_snapshot",),
        ("unavailable", NOT_PERFORMED),
        ("none", "no_reentry", "abtc"),
        ("overstay",),
    ),
    "declaration": (("declared",), ("declared_in_snapshot",), ("unavailable", NOT_PERFORMED), ("missing",)),
    "occupancy": (("one",), ("none", "many", "uncertain", NOT_PERFORMED)),
    "face": (("match",), ("no_match", "no_reference", "no_probe", "poor_quality", NOT_PERFORMED)),
    "pad": (("bona_fide",), ("not_available", NOT_PERFORMED), ("attack",)),
    "controller": (("ready",), ("lost", "fault", NOT_PERFORMED), ("emergency",)),
    "supervision": (("present",), ("absent", NOT_PERFORMED)),
    "clock": (("trusted",), ("doubtful", NOT_PERFORMED)),
}
UNORDERED = frozenset({"nationality", "document_class", "document_model", "age", "profile"})

RANK = {Outcome.OPEN: 0, Outcome.RETRY: 1, Outcome.COUNTER: 1, Outcome.SECONDARY: 2, Outcome.HOLD: 3}
"""How bad an outcome is. RETRY and COUNTER weigh the same here: a retry asks for one thing, and what else was missing shows after it."""


def better(fact: str) -> list[tuple[str, str]]:
    """Pairs of words for ``fact``: the worse, and the better."""
    levels = LEVELS.get(fact, ())
    return [(bad, good) for best, worse in combinations(levels, 2) for good, bad in product(best, worse)]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedException:
    """Where better news may worsen the outcome, and why: ``fact`` from one of ``worse`` to one of ``better``, by that rule (empty: no grant)."""

    fact: str
    worse: frozenset[str]
    better: frozenset[str]
    by: str
    why: str


EXCEPTIONS = (
    NamedException(
        fact="penangkalan",
        worse=frozenset({"possible", "hit"}),
        better=frozenset({NOT_PERFORMED}),
        by="",
        why="UU 6/2011 art. 14: a citizen who is listed comes in; but the list must have been asked",
    ),
    NamedException(
        fact="chip",
        worse=frozenset({"unreadable", "tag_lost", NOT_PERFORMED}),
        better=frozenset({"read"}),
        by="DOC-028",
        why="a chip in a book that its issuer made without one is a finding of its own",
    ),
)


def exception(fact: str, worse: str, better_word: str, by: str) -> NamedException | None:
    """The exception that covers this, if one does."""
    return next(
        (
            each
            for each in EXCEPTIONS
            if (each.fact, each.by) == (fact, by) and worse in each.worse and better_word in each.better
        ),
        None,
    )
