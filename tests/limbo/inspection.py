"""What a case is: the material of one inspection, what is to be answered and which clause says so."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from forge import DATA_GROUPS, NOW, State, pretend

from pki.active_authentication import ActiveAuthenticationEvidence
from pki.card_access import card_access_agrees
from pki.card_security import authenticate_card_security
from pki.chip_authenticity import ChipAuthenticationEvidence, PaceCamEvidence, chip_authenticity
from pki.errors import PkiError
from pki.inspection_record import InspectionRecord
from pki.passive_authentication import passive_authentication, with_chip
from pki.results import Authentic, PassiveAuthResult, Rejected, Undetermined
from pki.trust import Csca, TrustStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """Everything that an inspection system has at hand. ``data_groups`` as read from the chip, header included.

    ``issuing_state`` is that of the printed MRZ, None where the one in DG1 is to be taken; ``card_access`` and ``card_security``
    are files as read, None where the chip has none; ``active``, ``chip`` and ``cam`` are the terminal's notes about active
    authentication, chip authentication and PACE with chip authentication mapping, None where they were not run.
    """

    sod: bytes = field(repr=False)
    data_groups: Mapping[int, bytes] = field(repr=False, default_factory=lambda: dict(DATA_GROUPS))
    anchors: tuple[bytes, ...] = field(repr=False)
    crls: tuple[bytes, ...] = field(repr=False, default=())
    at: datetime = NOW
    issuing_state: str | None = None
    active: ActiveAuthenticationEvidence | None = None
    chip: ChipAuthenticationEvidence | None = None
    cam: PaceCamEvidence | None = None
    card_access: bytes | None = field(repr=False, default=None)
    card_security: bytes | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``document`` is ``Authentic``, ``Rejected/CODE`` or ``Undetermined/CODE``; the others are empty where it is not authentic.

    ``revocation``: ``good``, ``no_crl`` or ``stale_crl``. ``chip``: ``genuine``, ``not_supported``, ``not_genuine/CODE`` or
    ``undetermined/CODE``. ``access``: ``agrees``, ``not_offered``, ``differs/CODE`` or ``unsigned/CODE``. ``failed``: all checks of
    the record that failed, by name, whatever decided.
    """

    document: str
    revocation: str = ""
    chip: str = ""
    access: str = ""
    failed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """``expect`` has only those parts that the clause speaks of; ``pending`` says why today's answer is another one."""

    id: str
    theme: str
    clause: str
    words: str
    expect: Answer
    pending: str
    build: Callable[[], Inspection] = field(repr=False)


CASES: dict[str, Case] = {}


def case(*, clause: str, expect: str = "Authentic", pending: str = "", over=(None,), **more: str):
    """Register a function from a pretend State to an Inspection; ``over`` gives it a second argument, a case for each.

    ``more`` are the other parts of the expected :class:`Answer`.
    """

    def register(function):
        theme = function.__module__.removeprefix("cases_")
        for value in over:
            _add(function, theme, value)
        return function

    def _add(function, theme: str, value) -> None:
        label = function.__name__ if value is None else f"{function.__name__}[{_label(value)}]"
        if label in CASES:
            raise ValueError(f"two cases are called {label}")
        arguments = (pretend(),) if value is None else (pretend(), value)
        CASES[label] = Case(
            id=label,
            theme=theme,
            clause=clause,
            words=inspect.cleandoc(function.__doc__),
            expect=Answer(document=expect, **more),
            pending=pending,
            build=cache(lambda: function(*arguments)),
        )

    return register


def _label(value: object) -> str:
    """A short word for what a case varies."""
    if isinstance(value, tuple):
        return " ".join(map(_label, value)) or "none"
    if isinstance(value, int) and abs(value) > 1 << 32:
        return f"{value:#x}"[:24]
    return str(value.decode() if isinstance(value, bytes) else value)[:24] or "empty"


def inspection(state: State, sod: bytes | None = None, **changes) -> Inspection:
    """The honest inspection of a document of ``state``, but for ``sod`` and ``changes``."""
    return Inspection(**{"sod": state.sod() if sod is None else sod, "anchors": (state.csca,)} | changes)


def answer(made: Inspection) -> Answer:
    """What this repository answers."""
    trust = TrustStore(anchors=tuple(_anchors(made)), crls=made.crls, demo=True)
    result = passive_authentication(made.sod, made.data_groups, trust, made.at, mrz_issuing_state=made.issuing_state)
    if not isinstance(result, Authentic):
        return Answer(document=_document(result), failed=_failed(result.record))
    security = authenticate_card_security(made.card_security, trust, made.at) if made.card_security is not None else None
    access = card_access_agrees(made.card_access, result, card_security=security)
    chip = chip_authenticity(result, active=made.active, chip=made.chip, cam=made.cam, card_security=security, card_access=access)
    return Answer(
        document="Authentic",
        revocation=result.revocation.value,
        chip=_coded(chip.verdict, chip.code, {"not_genuine", "undetermined"}),
        access=_coded(access.verdict, access.code, {"differs", "unsigned"}),
        failed=_failed(with_chip(result.record, chip, access)),
    )


def _failed(record: InspectionRecord) -> str:
    return ", ".join(step.name for step in record.steps if step.result == "failed")


def _coded(verdict: str, code: str, kinds: set[str]) -> str:
    return f"{verdict}/{code}" if verdict in kinds else verdict


def _document(result: PassiveAuthResult) -> str:
    match result:
        case Rejected() | Undetermined():
            return f"{type(result).__name__}/{result.code.value}"
        case Authentic():
            return "Authentic"


def _anchors(made: Inspection):
    """An anchor that cannot be read is not in a trust store."""
    for number, certificate in enumerate(made.anchors):
        try:
            yield Csca.of(certificate, provenance=f"anchor {number}")
        except PkiError:
            continue


def fits(expected: Answer, found: Answer) -> bool:
    """Whether all that the case speaks of was answered as it says."""
    return (
        expected.document == found.document
        and expected.revocation in ("", found.revocation)
        and expected.chip in ("", found.chip)
        and expected.access in ("", found.access)
        and expected.failed in ("", found.failed)
    )
