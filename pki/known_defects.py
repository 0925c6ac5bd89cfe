"""Known defects of documents (Doc 9303-12 §10): what a deviation list says about a document, and how that reads beside a verdict.

A known defect changes how people read a check that did not pass. It never turns that check into one that passed: the verdict of
passive authentication stays as it is, and the defect stands beside it (:class:`Reading`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum, unique
from typing import TypeVar, assert_never

from pki.certificates import Certificate, Name
from pki.countries import countries_of
from pki.errors import ReasonCode
from pki.inspection_record import InspectionRecord, deciding
from pki.results import Authentic, PassiveAuthResult, Rejected, Undetermined
from pki.signatures import HASH_NAMED, digest


@unique
class Defect(StrEnum):
    """What is wrong, by the object identifiers of Doc 9303-12 §10.2."""

    CERTIFICATE_OR_KEY = "CERTIFICATE_OR_KEY"
    SIGNER_CERTIFICATE_SIGNATURE_WRONG = "SIGNER_CERTIFICATE_SIGNATURE_WRONG"
    SIGNER_CERTIFICATE_ENCODING = "SIGNER_CERTIFICATE_ENCODING"
    CSCA_CERTIFICATE_ENCODING = "CSCA_CERTIFICATE_ENCODING"
    ACTIVE_AUTHENTICATION_KEY_COMPROMISED = "ACTIVE_AUTHENTICATION_KEY_COMPROMISED"
    LOGICAL_DATA_STRUCTURE = "LOGICAL_DATA_STRUCTURE"
    DATA_GROUP_MALFORMED = "DATA_GROUP_MALFORMED"
    DATA_GROUP_HASH_WRONG = "DATA_GROUP_HASH_WRONG"
    SOD_SIGNATURE_WRONG = "SOD_SIGNATURE_WRONG"
    COM_INCONSISTENT = "COM_INCONSISTENT"
    MRZ = "MRZ"
    MRZ_WRONG_DATA = "MRZ_WRONG_DATA"
    MRZ_WRONG_CHECK_DIGIT = "MRZ_WRONG_CHECK_DIGIT"
    CHIP = "CHIP"
    NATIONAL_USE = "NATIONAL_USE"
    UNKNOWN = "UNKNOWN"
    """An identifier that is not known here: a defect all the same."""


EXPLAINS: Mapping[Defect, frozenset[ReasonCode]] = {
    Defect.SIGNER_CERTIFICATE_SIGNATURE_WRONG: frozenset({ReasonCode.SIGNER_CERTIFICATE_FORGED, ReasonCode.NO_TRUST_ANCHOR}),
    Defect.SIGNER_CERTIFICATE_ENCODING: frozenset({ReasonCode.MALFORMED, ReasonCode.SIGNER_NOT_FOUND}),
    Defect.DATA_GROUP_MALFORMED: frozenset({ReasonCode.MALFORMED}),
    Defect.DATA_GROUP_HASH_WRONG: frozenset({ReasonCode.DATA_GROUP_HASH_MISMATCH}),
    Defect.SOD_SIGNATURE_WRONG: frozenset({ReasonCode.SIGNATURE_INVALID, ReasonCode.MESSAGE_DIGEST_MISMATCH}),
}
"""Which finding a defect is the State's own account of. All others explain none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDefect:
    """``data_group``: the number that the defect is about (20 is EF.SOD, 21 EF.COM), None for most kinds.

    ``certain``: False where the list names a date, type, number or signer that is not known of the document at hand.
    """

    defect: Defect
    data_group: int | None
    description: str
    source: str
    certain: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFacts:
    """What is known of a document: ``country`` has two letters, ``document_number`` no fillers; None, where something is not known."""

    country: str
    document_number: str | None = field(default=None, repr=False)
    document_type: str | None = None
    signer: Certificate | None = field(default=None, repr=False)
    issued: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Documents and what is wrong with them. A document must meet each criterion that is given (not None)."""

    document_type: str | None
    signer: str | None
    """As :func:`signer_keys` names it."""
    first_issued: date | None
    last_issued: date | None
    numbers: frozenset[str] | None = field(repr=False)
    defects: tuple[KnownDefect, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviationList:
    """A verified list. Its word counts for documents of its ``country`` alone."""

    country: str
    signer: str
    anchor: str
    signed_at: datetime | None
    entries: tuple[Entry, ...] = field(repr=False)
    digest_algorithm: str
    """Of the signer certificates' digests, empty if none is named."""

    def known_defects(self, facts: DocumentFacts) -> tuple[KnownDefect, ...]:
        """What the list says about a document, in a time that does not grow with the document numbers it names."""
        if facts.country != self.country:
            return ()
        signer = signer_keys(facts.signer, self.digest_algorithm) if facts.signer else None
        found: list[KnownDefect] = []
        for entry in self.entries:
            certain = _applies(entry, facts, signer)
            if certain is not None:
                found += (replace(defect, certain=certain) for defect in entry.defects)
        return tuple(found)


def _applies(entry: Entry, facts: DocumentFacts, signer: frozenset[str] | None) -> bool | None:
    """True: every criterion is met. False: none is contradicted, but one cannot be told. None: the entry is about others."""
    met = (
        _meets(entry.numbers, facts.document_number, lambda numbers, number: number in numbers),
        _meets(entry.signer, signer, lambda key, keys: key in keys),
        _meets(entry.document_type, facts.document_type, lambda kind, ours: kind.rstrip("<") == ours.rstrip("<")),
        _meets(entry.first_issued, facts.issued, lambda first, issued: first <= issued),
        _meets(entry.last_issued, facts.issued, lambda last, issued: issued <= last),
    )
    return None if False in met else None not in met


_Criterion = TypeVar("_Criterion")
_Fact = TypeVar("_Fact")


def _meets(criterion: _Criterion | None, fact: _Fact | None, test: Callable[[_Criterion, _Fact], bool]) -> bool | None:
    """True where nothing is asked; None where the fact is not known."""
    if criterion is None:
        return True
    return None if fact is None else test(criterion, fact)


def signer_keys(signer: Certificate, algorithm: str) -> frozenset[str]:
    """The names under which a list may speak of a document signer."""
    identifier = signer.extensions.subject_key_identifier
    names = {signer_named(signer.issuer, signer.serial)}
    if identifier is not None:
        names.add(f"key {identifier.hex()}")
    digests = [HASH_NAMED[algorithm]] if algorithm else HASH_NAMED.values()
    return frozenset(names | {f"digest {digest(one, signer.encoded).hex()}" for one in digests})


def signer_named(issuer: Name, serial: int) -> str:
    """One of :func:`signer_keys`."""
    return f"serial {serial:x} of {issuer.folded}"


# --- beside a verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A verdict, untouched, and the known defects of that document beside it.

    ``explained``: the State itself certainly names the fault that the verdict found. People may read it so; no gate opens for it.
    ``active_authentication_compromised`` counts even where it is not certain: such a key proves nothing.
    """

    verdict: PassiveAuthResult
    defects: tuple[KnownDefect, ...]
    explained: bool
    active_authentication_compromised: bool

    @property
    def record(self) -> InspectionRecord:
        """The verdict's, its results untouched; the step that decided tells of the defects, if they explain it."""
        record, step = self.verdict.record, deciding(self.verdict.steps)
        if not (self.explained and step):
            return record
        return record.adding(replace(step, detail=f"known defect {self.named}: {step.detail}"))

    @property
    def named(self) -> str:
        """The kinds of defects, each once, those that may be of other documents with a question mark; empty where none is known."""
        return " ".join(dict.fromkeys(defect.defect.value + ("" if defect.certain else "?") for defect in self.defects))


def read_with(verdict: PassiveAuthResult, defects: Iterable[KnownDefect]) -> Reading:
    """Put known defects beside a verdict."""
    known = tuple(defects)
    compromised = Defect.ACTIVE_AUTHENTICATION_KEY_COMPROMISED
    return Reading(
        verdict=verdict,
        defects=known,
        explained=any(defect.certain and _explains(defect, verdict) for defect in known),
        active_authentication_compromised=any(defect.defect is compromised for defect in known),
    )


def read_by_lists(
    verdict: PassiveAuthResult,
    lists: Iterable[DeviationList],
    *,
    issuing_state: str,
    document_number: str,
    document_type: str,
) -> Reading:
    """Put beside a verdict what the lists say of its document; the last three are as printed in its MRZ.

    The State is the signer's, or the printed one where no certificate says it: a list explains, it opens nothing.
    """
    certificate = verdict.certificate
    countries = frozenset({certificate.subject.country}) if certificate else countries_of(issuing_state)
    defects = (
        defect
        for country in sorted(countries)
        for one in lists
        for defect in one.known_defects(
            DocumentFacts(
                country=country,
                document_number=document_number.rstrip("<"),
                document_type=document_type,
                signer=certificate,
            )
        )
    )
    return read_with(verdict, defects)


def _explains(defect: KnownDefect, verdict: PassiveAuthResult) -> bool:
    match verdict:
        case Authentic():
            return False
        case Rejected() | Undetermined():
            about = defect.data_group is None or verdict.detail.startswith(f"DG{defect.data_group} ")
            return about and verdict.code in EXPLAINS.get(defect.defect, ())
    assert_never(verdict)
