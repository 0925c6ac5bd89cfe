"""Deviation lists (Doc 9303-12 §10): faults that a State knows in documents of its own, signed by that State; read from CMS."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pki import der
from pki.certificates import parse_name
from pki.errors import PkiError, ReasonCode
from pki.known_defects import Defect, DeviationList, Entry, KnownDefect, signer_named
from pki.signatures import hash_of
from pki.signed_list import MAX_LIST, ListKind, open_signed_list
from pki.trust import TrustStore

DEVIATION_LIST = ListKind(content_type="2.23.136.1.1.7", purpose="2.23.136.1.1.8")
MAX_ENTRIES, MAX_DESCRIPTIONS, MAX_NUMBERS = 5_000, 64, 500_000
"""Of one list; numbers of all entries together. The longest list known has one entry with 169,422 numbers."""
MAX_NUMBER, MAX_DESCRIPTION = 32, 200
"""Characters of a document number (TD1 with overflow has up to 22) and of a description as it is shown."""


_DEFECTS = {
    "1": Defect.CERTIFICATE_OR_KEY,
    "1.1": Defect.SIGNER_CERTIFICATE_SIGNATURE_WRONG,
    "1.2": Defect.SIGNER_CERTIFICATE_ENCODING,
    "1.3": Defect.CSCA_CERTIFICATE_ENCODING,
    "1.4": Defect.ACTIVE_AUTHENTICATION_KEY_COMPROMISED,
    "2": Defect.LOGICAL_DATA_STRUCTURE,
    "2.1": Defect.DATA_GROUP_MALFORMED,
    "2.2": Defect.DATA_GROUP_HASH_WRONG,
    "2.3": Defect.SOD_SIGNATURE_WRONG,
    "2.4": Defect.COM_INCONSISTENT,
    "3": Defect.MRZ,
    "3.1": Defect.MRZ_WRONG_DATA,
    "3.2": Defect.MRZ_WRONG_CHECK_DIGIT,
    "4": Defect.CHIP,
    "5": Defect.NATIONAL_USE,
}
_ARC = DEVIATION_LIST.content_type + "."
_OF_DATA_GROUP = frozenset({Defect.DATA_GROUP_MALFORMED, Defect.DATA_GROUP_HASH_WRONG})


def open_deviation_list(encoded: bytes, anchors: TrustStore, now: datetime) -> DeviationList:
    """Verify a CMS deviation list and read it. See :func:`pki.signed_list.open_signed_list`. Raises PkiError, nothing else."""
    found = open_signed_list(encoded, DEVIATION_LIST, anchors, now)
    source = f"deviation list of {found.country}" + (f", {found.signed_at:%Y-%m-%d}" if found.signed_at else "")
    fields = der.read(found.content, limit=MAX_LIST).fields()
    version = fields.take(der.INTEGER)
    if version.integer() != 0:
        raise version.error("deviation list of unknown version")
    algorithm = fields.optional(der.SEQUENCE)
    entries = fields.take(der.SET).children(MAX_ENTRIES)
    if not entries:  # an empty SET is met where the algorithm should stand
        entries = [entry for further in fields.rest() for entry in further.expect(der.SET).children(MAX_ENTRIES)]
    fields.end()
    budget = _Budget(MAX_NUMBERS)
    return DeviationList(
        country=found.country,
        signer=found.signer,
        anchor=found.anchor,
        signed_at=found.signed_at,
        entries=tuple(_entry(element, source, budget) for element in entries),
        digest_algorithm=hash_of(algorithm).name if algorithm and algorithm.content else "",
    )


def read_deviation_lists(folder: Path, anchors: TrustStore, now: datetime) -> tuple[DeviationList, ...]:
    """Every list in ``folder``; each is proven by the key of its State, so that nobody else need sign for the folder.

    Raises PkiError naming the file where one is not proven: a gate that passed it over would not know what it was told.
    """
    try:
        files = [path for path in sorted(folder.iterdir()) if not path.name.startswith((".", "README"))]
        return tuple(_open_file(path, anchors, now) for path in files)
    except OSError as error:
        raise PkiError(ReasonCode.MALFORMED, f"{folder}: cannot be read ({error.strerror})") from None


def _open_file(path: Path, anchors: TrustStore, now: datetime) -> DeviationList:
    with path.open("rb") as file:
        content = file.read(MAX_LIST + 1)
    try:
        return open_deviation_list(content, anchors, now)
    except PkiError as error:
        raise PkiError(error.code, f"{path}: {error.detail}") from None


class _Budget:
    """How many document numbers may still be read."""

    def __init__(self, numbers: int) -> None:
        self._left = numbers

    def numbers(self, element: der.Element) -> frozenset[str]:
        children = element.children(self._left)
        self._left -= len(children)
        if any(child.end - child.body > MAX_NUMBER for child in children):
            raise element.error(f"document number of more than {MAX_NUMBER} characters")
        return frozenset(child.text() for child in children)


def _entry(element: der.Element, source: str, budget: _Budget) -> Entry:
    fields = element.fields()
    documents, descriptions = fields.take(der.SEQUENCE).fields(), fields.take(der.SET).children(MAX_DESCRIPTIONS)
    fields.end()
    kind, signer = documents.optional(_TYPE), documents.optional(_ISSUER_AND_SERIAL, _KEY_IDENTIFIER, _DIGEST)
    period, numbers = documents.optional(_PERIOD), documents.optional(_NUMBERS)
    documents.end()
    first, last = (part.expect(der.GENERALIZED_TIME).time().date() for part in _two(period)) if period else (None, None)
    return Entry(
        document_type=kind.text()[:2] if kind else None,
        signer=_signer(signer) if signer else None,
        first_issued=first,
        last_issued=last,
        numbers=budget.numbers(numbers) if numbers else None,
        defects=tuple(_defect(description, source) for description in descriptions),
    )


_TYPE, _ISSUER_AND_SERIAL, _KEY_IDENTIFIER, _DIGEST, _PERIOD, _NUMBERS = 0x80, 0xA1, 0x82, 0x83, 0xA4, 0xA5
"""Tags of DeviationDocuments."""


def _two(element: der.Element) -> list[der.Element]:
    children = element.children()
    if len(children) != 2:
        raise element.error("not two elements")
    return children


def _signer(element: der.Element) -> str:
    match element.tag:
        case 0xA1:
            issuer, serial = _two(element)
            return signer_named(parse_name(issuer), serial.number())
        case 0x82:
            return f"key {element.content.hex()}"
        case _:
            return f"digest {element.content.hex()}"


def _defect(element: der.Element, source: str) -> KnownDefect:
    """DeviationDescription. National use is not read."""
    fields = element.fields()
    first = fields.take()
    text, kind = ("", first) if first.tag == der.OID else (first.text(), fields.take(der.OID))
    oid, parameters = kind.oid(), fields.optional(0xA0)
    fields.optional(0xA1)
    fields.end()
    defect = _DEFECTS.get(oid.removeprefix(_ARC), Defect.UNKNOWN) if oid.startswith(_ARC) else Defect.UNKNOWN
    number = parameters.only_child().integer() if parameters and defect in _OF_DATA_GROUP else None
    shown = "".join(letter if letter.isprintable() else "?" for letter in text[:MAX_DESCRIPTION])
    return KnownDefect(defect=defect, data_group=number, description=shown, source=source)
