"""When an officer is on duty: days of the roster, and hours of the shift, by the checkpoint's clock. Loaded by the lane."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta

WHOLE_DAY = "00:00-24:00"
SHIFT = r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]-(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)\Z"
"""``HH:MM-HH:MM``; one that ends before it begins runs over midnight, and belongs to the day on which it began."""
DAY = timedelta(days=1)


def duty_left_s(at: datetime, *, since: date, until: date, shift: str = WHOLE_DAY) -> float:
    """Seconds that the shift has left at ``at``, a time of the checkpoint's calendar without zone; 0 for who is not on duty.

    ``since`` and ``until`` are the first and the last day on which a shift begins. A shift that cannot be read is none.
    """
    if not re.match(SHIFT, shift):
        return 0.0
    first, last = shift.split("-")
    for day in (at.date(), at.date() - DAY):
        midnight = datetime.combine(day, time())
        begin, end = midnight + _of_day(first), midnight + _of_day(last)
        if end <= begin:
            end += DAY
        if since <= day <= until and begin <= at < end:
            return (end - at).total_seconds()
    return 0.0


def _of_day(text: str) -> timedelta:
    return timedelta(hours=int(text[:2]), minutes=int(text[3:]))
