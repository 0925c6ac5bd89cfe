"""What the console's page draws: every lane in words and tones, and the case that an officer opened, as JSON. The page's script only places it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from gate.console.acts import Refused, actions, reason_words, roles
from gate.console.lanes import Shown
from gate.outcome import Outcome
from gate.processes.officer_messages import (
    CaseShown,
    ConsoleView,
)
from gate.ui import words
from gate.ui.officer.present import OUTCOME_TONES, check_tree, inspection
from gate.ui.reasons import reason

Json = dict[str, Any]

PERMITS: dict[str, words.Words] = {
    "valid": ("berlaku", "valid"),
    "none": ("tidak ada", "none"),
    "expired": ("kedaluwarsa", "expired"),
    "used": ("sudah dipakai", "used already"),
    "not_performed": ("tidak ditanyakan", "not asked"),
}
ZONE: dict[str, words.Words] = {
    "primary_identifier": ("Nama utama", "Primary identifier"),
    "secondary_identifier": ("Nama lain", "Secondary identifier"),
    "document_number": ("Nomor dokumen", "Document number"),
    "document_code": ("Kode dokumen", "Document code"),
    "issuing_state": ("Negara penerbit", "Issuing State"),
    "date_of_birth": ("Tanggal lahir (TT-BB-HH)", "Date of birth (YY-MM-DD)"),
    "sex": ("Jenis kelamin", "Sex"),
}
REFUSALS: dict[str, words.Words] = {
    Refused.TOO_LATE: ("Terlambat: lajur sudah berubah", "Too late: the lane has moved on"),
    Refused.NOT_NOW: ("Tidak berlaku pada keadaan ini", "Of no effect in this state"),
    Refused.SAME_OFFICER: ("Perlu petugas kedua", "It takes a second officer"),
    Refused.ROLE_MAY_NOT: ("Bukan wewenang Anda", "Not within your role"),
    Refused.NOT_PASSABLE: ("Tidak tepat satu orang di dalam", "Not exactly one person inside"),
    Refused.NOT_DURABLE: ("Tidak dapat dicatat", "Could not be written down"),
    Refused.OFFICER_NOT_VALID: ("Di luar masa tugas atau giliran Anda", "You are not on duty now"),
    Refused.UNKNOWN_AUTHENTICATOR: ("Kunci ini tidak ada pada daftar petugas", "This key is on no roster"),
    Refused.NONCE_EXPIRED: ("Terlalu lama", "Took too long"),
    Refused.BUSY: ("Sibuk, ulangi", "Busy, try again"),
    Refused.NOT_VERIFIABLE: ("Tanda tangan tidak dapat diperiksa", "Signatures cannot be proven now"),
    Refused.HELD_LONG_ENOUGH: ("Sudah cukup lama ditahan", "Held long enough"),
    Refused.NOT_ON_WATCH: ("Anda tidak berjaga di lajur ini", "You are not on watch at this lane"),
    Refused.VIEW_ONLY: ("Dengan kata sandi hanya dapat melihat", "With a password one may only look"),
    Refused.WRONG_PASSWORD: ("Nama atau kata sandi salah", "Wrong name or password"),
}
URGENT_STATES = {"emergency": 0, "fault": 1}
URGENT_OUTCOMES = {Outcome.HOLD: 2, Outcome.SECONDARY: 4}
NOT_ALONE, WAITS = 3, 5
"""How urgent whoever waits is, where neither state nor outcome says: not exactly one person inside, and all others."""


class Encoder:
    """Bank in, a part for each lane out. ``case``: whether these readers may see who was referred and why."""

    def __init__(self, *, case: bool) -> None:
        self._case = case
        self._known: dict[int, tuple[Shown, bytes]] = {}

    def __call__(self, bank: tuple[Shown, ...] | None) -> Mapping[str, bytes]:
        """``lanes``: how many there are; ``lane0`` and so on: each. What did not change is encoded once."""
        lanes = bank or ()
        return {"lanes": str(len(lanes)).encode()} | {
            f"lane{number}": self._encoded(number, lane) for number, lane in enumerate(lanes)
        }

    def _encoded(self, number: int, shown: Shown) -> bytes:
        known = self._known.get(number)
        if known is None or known[0] is not shown:
            known = self._known[number] = (shown, msgspec.json.encode(_lane(shown, case=self._case)))
        return known[1]


def catalogue() -> list[Json]:
    """The actions with their reasons, in words."""
    return [
        {
            "id": rule.id,
            "key": rule.key,
            "words": rule.words,
            "about": rule.about,
            "roles": rule.roles,
            "reasons": [{"code": code, "words": reason_words(code)} for code in rule.reasons],
        }
        for rule in actions().values()
    ]


def role(name: str) -> words.Words:
    """A role in words."""
    return roles()[name].words if name in roles() else (name, name)


def refusal(code: str) -> words.Words:
    """Why an order was refused, in words; the code where there are none."""
    return REFUSALS.get(code, (code, code))


def case(told: CaseShown) -> Json:
    """The case that an officer opened."""
    zone = dict(told.zone)
    born = zone.get("date_of_birth", "")
    zone["date_of_birth"] = "-".join((born[:2], born[2:4], born[4:])) if len(born) == 6 else born
    return {
        "transaction": told.transaction,
        "zone": [{"name": ZONE[name], "value": zone[name]} for name in ZONE if name in zone],
        "checks": [*check_tree(told.facts), *inspection(told.inspection)],
        "pictures": told.pictures,
    }


def _lane(shown: Shown, *, case: bool) -> Json:
    view = shown.view
    if view is None:
        return {"name": shown.name, "reachable": False, "came": round(shown.came, 1)}
    state = view.state.lower()
    return {
        "name": shown.name,
        "reachable": True,
        "checkpoint": view.checkpoint,
        "direction": words.DIRECTIONS.get(view.direction, (view.direction, view.direction)),
        "profile": view.profile,
        "state": state,
        "words": words.STATES.get(state, (state, state)),
        "tone": words.STATE_TONES.get(state, "busy"),
        "came": round(shown.came, 1),
        "troubles": [words.warning(text) for text in view.troubles],
        "offers": view.offers,
        "urgency": _urgency(state, view),
        "supervised": view.supervised,
        "watching": _watching(view),
        "first_emergency": view.first_emergency,
        "case": _case(view) if view.transaction and case else None,
    }


def _watching(view: ConsoleView) -> Json:
    """Officers on watch, and when each one's watch ends (seconds of the wall clock)."""
    ahead = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return {officer: round(until + ahead) for officer, until in view.watching.items()}


def _urgency(state: str, view: ConsoleView) -> int | None:
    """The less, the sooner; None: nobody needs an officer."""
    if state in URGENT_STATES:
        return URGENT_STATES[state]
    if state != "hold":
        return None
    urgent = URGENT_OUTCOMES.get(view.outcome, WAITS) if view.outcome else WAITS
    return min(urgent, WAITS if view.occupancy == "1" else NOT_ALONE)


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
        "viewers": view.viewers,
    }
