"""The machine readable zone of travel documents (ICAO Doc 9303-3 and -4): text in, :class:`MrzRecord` out.

Three layers that are never mixed: text that is malformed raises :class:`MrzError`; check digits are results in the record;
oddities of meaning (an unknown State, an impossible date) are findings in the record. Nothing is ever corrected.
"""

from __future__ import annotations

from mrz.checkdigit import check_digit
from mrz.codes import is_known_state
from mrz.dates import MrzDate
from mrz.parse import parse
from mrz.record import CheckDigit, Finding, MrzError, MrzRecord

__all__ = ["CheckDigit", "Finding", "MrzDate", "MrzError", "MrzRecord", "check_digit", "is_known_state", "parse"]
