"""Dates of two-digit years, whose unknown parts stay unknown (Doc 9303-3 §4.8)."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass, field
from datetime import date

EXPIRY_WINDOW_PAST = 50
"""Years. An expiry date lies from this long ago up to 49 years ahead: books live ten years, and expired ones are shown for decades."""


@dataclass(frozen=True, slots=True)
class MrzDate:
    """``raw`` is YYMMDD as printed: six characters, digits or ``<`` for a part that is unknown."""

    raw: str = field(repr=False)

    @property
    def complete(self) -> bool:
        """All six characters are digits."""
        return "<" not in self.raw

    @property
    def possible(self) -> bool:
        """Each part is wholly known or wholly unknown, and the known parts fit some day of some century."""
        if self.raw[2:] in _DAYS:
            return self.raw[:2] in _YEARS
        return self.raw[2:] == _LEAP_DAY and self.raw[:2] in _LEAP_YEARS

    def resolve(self, reference: date, *, future: bool) -> date | None:
        """The full date, None where a part is unknown or no such day exists.

        ``future`` False (birth): the latest such day up to ``reference``. True (expiry): the one in the hundred years that begin
        :data:`EXPIRY_WINDOW_PAST` years before ``reference``.
        """
        if not self.complete:
            return None
        year, month, day = int(self.raw[0:2]), int(self.raw[2:4]), int(self.raw[4:6])
        if future:
            first = reference.year - EXPIRY_WINDOW_PAST
            return _date(first + (year - first) % 100, month, day)
        latest = reference.year - (reference.year - year) % 100
        candidates = (_date(latest, month, day), _date(latest - 100, month, day))
        return next((found for found in candidates if found is not None and found <= reference), None)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


_LEAP_DAY = "0229"
_LONGEST = {"<<": 31} | {f"{month:02}": monthrange(2001, month)[1] for month in range(1, 13)}
_DAYS = frozenset(f"{month}{day}" for month, last in _LONGEST.items() for day in ["<<", *(f"{n:02}" for n in range(1, last + 1))])
"""MMDD of each day of a common year, and of each day or month that is unknown."""
_YEARS = frozenset(["<<", *(f"{year:02}" for year in range(100))])
_LEAP_YEARS = frozenset(["<<", *(f"{year:02}" for year in range(0, 100, 4))])
"""2000 was a leap year and 1900 was not, so the 2000s are the more tolerant century."""
