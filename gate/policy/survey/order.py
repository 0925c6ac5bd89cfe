"""Which word for a fact is better news than which: what "a better fact never worsens the outcome" is proven against.

Levels from best to worst; words of one level are not compared, nor is ``age``, as years are no fault. What was not performed stands
behind what is fine and before what was found to be wrong: to learn of a fault is worse than to know nothing. Facts that say who
somebody is, which book it is, or under which profile the gate runs, are better or worse for nobody and have no order.
"""

from __future__ import annotations

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
    "issuance": (("active",), ("unavailable", NOT_PERFORMED), ("not_found", "class_mismatch"), ("revoked", "lost")),
    "exit_permit": (("valid",), ("unavailable", NOT_PERFORMED), ("none", "expired", "mismatch")),
    "watchlist": (("clear",), ("unavailable", NOT_PERFORMED), ("possible",), ("hit",)),
    "occupancy": (("one",), ("none", "many", "uncertain", NOT_PERFORMED)),
    "face": (("match",), ("no_match", "no_reference", "no_probe", "poor_quality", NOT_PERFORMED)),
    "pad": (("bona_fide",), ("not_available", NOT_PERFORMED), ("attack",)),
    "controller": (("ready",), ("lost", "fault", NOT_PERFORMED), ("emergency",)),
    "supervision": (("present",), ("absent", NOT_PERFORMED)),
    "clock": (("trusted",), ("doubtful", NOT_PERFORMED)),
}
UNORDERED = frozenset({"nationality", "document_class", "age", "profile"})

RANK = {Outcome.OPEN: 0, Outcome.RETRY: 1, Outcome.COUNTER: 1, Outcome.SECONDARY: 2, Outcome.HOLD: 3}
"""How bad an outcome is. RETRY and COUNTER weigh the same here: a retry asks for one thing, and what else was missing shows after it."""


def better(fact: str) -> list[tuple[str, str]]:
    """Pairs of words for ``fact``: the worse, and the better."""
    levels = LEVELS.get(fact, ())
    return [(bad, good) for best, worse in combinations(levels, 2) for good, bad in product(best, worse)]
