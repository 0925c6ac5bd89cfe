"""Document codes: what the first two letters of a zone say of the document, and how far that can be relied on.

Up to the 8th edition (2021) of Doc 9303 only the first letter is fixed; the second is the issuing State's own business. A later text of
Doc 9303-4 §4.4 fixes the second letter for passports, too. Both kinds are met side by side for ten years and more, and a letter of the
old kind may mean anything: what a code *permits* is for a policy to say, by State and code.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from mrz.formats import FORMATS

_PART_4 = "Doc 9303-4 §4.4, text after the 8th edition"
_FIRST_LETTER = "first letter: Doc 9303, 8th edition 2021"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentCode:
    """``meaning`` in words of the standard, ``source`` where it says so. ``State``: empty unless the code is one State's oddity."""

    formats: tuple[str, ...]
    code: str
    meaning: str
    source: str
    state: str = ""


def _passport(code: str, meaning: str, source: str = _PART_4) -> DocumentCode:
    return DocumentCode(formats=("TD3",), code=code, meaning=meaning, source=source)


CODES = (
    _passport("P", "passport, kind not said", f"{_FIRST_LETTER} (Part 4 §4.2.2.1)"),
    _passport("PP", "national passport"),
    _passport("PE", "emergency passport"),
    _passport("PD", "diplomatic passport"),
    _passport("PO", "official or service passport"),
    _passport("PR", "refugee travel document"),
    _passport("PT", "alien's passport"),
    _passport("PS", "stateless person's travel document"),
    _passport("PL", "laissez-passer"),
    _passport("PM", "military passport"),
    _passport("PU", "single-sheet emergency document"),
    DocumentCode(formats=("TD1",), code="AC", meaning="crew member certificate", source="Doc 9303-5 note k and Appendix C"),
)

DEVIATIONS = (
    DocumentCode(
        formats=("TD1",), state="GEO", code="TR", meaning="residence permit", source="seen since August 2025, bettse/passy#63"
    ),
    DocumentCode(formats=("TD1",), state="EST", code="RP", meaning="residence permit", source="seen in 2020, Arg0s1080/mrz#27"),
    DocumentCode(formats=("TD2",), state="D", code="ME", meaning="proof of arrival", source="seen in 2016, ZsBT/mrz-java#3"),
    DocumentCode(formats=("TD3",), state="MDV", code="PR", meaning="passport, kind not known", source="seen, cheminfo/mrz#63"),
)
"""Codes that States print although the standard gives them another meaning, or none: warned about, never refused."""

_NEVER = {"TD1": ("AI", "AV", "CV", "IV"), "TD2": ("AC", "AV", "CV", "IV")}
"""Note k of Doc 9303-5 and -6."""


def describe(format_name: str, document_code: str, issuing_state: str = "") -> DocumentCode | None:
    """What is known of the code (without fillers) in that format; None: nothing, or no more than its first letter says."""
    for known in (*DEVIATIONS, *CODES):
        if format_name in known.formats and known.code == document_code and known.state in ("", issuing_state):
            return known
    return None


@lru_cache(maxsize=4096)
def oddity(format_name: str, document_code: str, issuing_state: str) -> tuple[str, str] | None:
    """What is odd about a code (without fillers), and what was expected; None for a usual one."""
    known = describe(format_name, document_code, issuing_state)
    if known and known.state:
        return "document_code_deviation", f"another code; {known.meaning} of {known.state} ({known.source})"
    first_letters = FORMATS[format_name].first_letters
    if document_code[:1] not in tuple(first_letters):
        return "document_code_unusual", f"{', '.join(first_letters)} as first letter"
    if document_code in _NEVER.get(format_name, ()):
        return "document_code_reserved", "another second letter (note k of Doc 9303-5 and -6)"
    if format_name == "TD3" and known is None:
        return "document_code_unlisted", "P or a code of Doc 9303-4 §4.4; other letters are the State's own"
    return None
