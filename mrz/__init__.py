"""The machine readable zone of travel documents (ICAO Doc 9303-3 to -7): text in, :class:`MrzRecord` out, and back.

Three layers that are never mixed: text that is malformed raises :class:`MrzError`; check digits are results in the record;
oddities of fillers and meaning (an unknown State, an impossible date) are findings in the record. Nothing is ever corrected here.
"""

from __future__ import annotations

from mrz.checkdigit import check_digit
from mrz.codes import is_known_state
from mrz.dates import MrzDate
from mrz.emit import compose, emit
from mrz.formats import FORMATS
from mrz.parse import parse
from mrz.record import CheckDigit, Correction, Finding, MrzError, MrzRecord

__all__ = [
    "FORMATS",
    "CheckDigit",
    "Correction",
    "Finding",
    "MrzDate",
    "MrzError",
    "MrzRecord",
    "check_digit",
    "compose",
    "emit",
    "is_known_state",
    "parse",
]
