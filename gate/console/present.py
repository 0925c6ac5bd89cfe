"""What the console's page draws: every lane in words and tones, as JSON. The page's script only places it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from gate.console.acts import Refused, actions, reason_words
from gate.processes.messages import ConsoleView
from gate.ui import words
from gate.ui.officer.present import OUTCOME_TONES
from gate.ui.reasons import reason

Json = dict[str, Any]

PERMITS: dict[str, words.Words] = {
    "valid": ("berlaku", "valid"),
    "none": ("tidak ada", "none"),
    "expired": ("kedaluwarsa", "expired"),
    "used": ("sudah dipakai", "used already"),
    "not_performed": ("tidak ditanyakan", "not asked"),
}
REFUSALS: dict[str, words.Words] = {
    Refused.TOO_LATE: ("Terlambat: lajur sudah berubah", "Too late: the lane has moved on"),
    Refused.NOT_NOW: ("Tidak berlaku pada keadaan ini", "Of no effect in this state"),
    Refused.SAME_OFFICER: ("Perlu petugas kedua", "It takes a second officer"),
    Refused.ROLE_MAY_NOT: ("Bukan wewenang Anda", "Not within your role"),
    Refused.NOT_PASSABLE: ("Tidak tepat satu orang di dalam", "Not exactly one person inside"),
    Refused.NOT_DURABLE: ("Tidak dapat dicatat", "Could not be written down"),
    Refused.OFFICER_NOT_VALID: ("Di luar masa berlaku Anda", "You are not valid today"),
    Refused.UNKNOWN_AUTHENTICATOR: ("Kunci ini tidak ada pada daftar petugas", "This key is on no roster"),
    Refused.NONCE_EXPIRED: ("Terlalu lama", "Took too long"),
    Refused.BUSY: ("Sibuk, ulangi", "Busy, try again"),
    Refused.NOT_VERIFIABLE: ("Tanda tangan tidak dapat diperiksa", "Signatures cannot be proven now"),
    Refused.HELD_LONG_ENOUGH: ("Sudah cukup lama ditahan", "Held long enough"),
}


def encode(bank: tuple[tuple[str, ConsoleView | None], ...] | None) -> Mapping[str, bytes]:
    """One part: ``bank``, the lanes in order."""
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    return {"bank": msgspec.json.encode([_lane(name, view, now) for name, view in bank or ()])}


def catalogue() -> list[Json]:
    """The actions with their reasons, in words."""
    return [
        {
            "id": rule.id,
            "words": rule.words,
            "about": rule.about,
            "roles": rule.roles,
            "reasons": [{"code": code, "words": reason_words(code)} for code in rule.reasons],
        }
        for rule in actions().values()
    ]


def refusal(code: str) -> words.Words:
    """Why an order was refused, in words; the code where there are none."""
    return REFUSALS.get(code, (code, code))


def _lane(name: str, view: ConsoleView | None, now: float) -> Json:
    if view is None:
        return {"name": name, "reachable": False}
    state = view.state.lower()
    return {
        "name": name,
        "reachable": True,
        "checkpoint": view.checkpoint,
        "direction": words.DIRECTIONS.get(view.direction, (view.direction, view.direction)),
        "profile": view.profile,
        "state": state,
        "words": words.STATES.get(state, (state, state)),
        "tone": words.STATE_TONES.get(state, "busy"),
        "waited": max(0.0, round(now - view.since, 1)),
        "troubles": [words.warning(text) for text in view.troubles],
        "offers": view.offers,
        "case": _case(view) if view.transaction else None,
    }


def _case(view: ConsoleView) -> Json:
    outcome = view.outcome
    return {
        "transaction": view.transaction,
        "class": words.CLASSES.get(view.document_class, (view.document_class, view.document_class)),
        "permit": PERMITS.get(view.exit_permit, (view.exit_permit, view.exit_permit)),
        "inside": view.occupancy,
        "outcome": None
        if outcome is None
        else {"code": outcome, "words": words.OUTCOMES[outcome], "tone": OUTCOME_TONES[outcome]},
        "reasons": [{"code": code, "words": reason(code).words, "checks": reason(code).checks} for code in view.reasons],
        "first_pass": view.first_pass,
    }
