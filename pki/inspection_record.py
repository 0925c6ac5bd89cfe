"""The machine-readable record of an inspection: every check, how it ended, and why.

Results are the five of BSI TR-03135-1 §3.5.1, and the groups those of its check tree (§5.6, §5.7). TR-03135 lets *failed* and *aborted*
both hold of a whole and gives no order; here the first word of :data:`PRECEDENCE` that any check has is the result of the whole.

The numbers are those of :mod:`pki.passive_authentication`, which says what each check is. A record always holds all of them: one that
was not reached, or for which something is not at hand, is *aborted* and says why. There is nothing in it of whom the document names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pki.errors import ReasonCode

Result = Literal["successful", "failed", "undetermined", "not_supported", "aborted"]

PRECEDENCE: tuple[Result, ...] = ("failed", "aborted", "undetermined", "not_supported", "successful")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A check as it is defined: ``group`` is its place in TR-03135's tree, ``clause`` the rule that asks for it.

    ``needs``: the check without whose success it cannot be judged, 0 for none; the last of the verdict's stands for all of them.
    """

    number: int
    name: str
    group: str
    clause: str
    needs: int


CHECKS: dict[int, Check] = {
    number: Check(number=number, name=name, group=group, clause=clause, needs=needs)
    for number, name, group, clause, needs in (
        (1, "decode", "electronic.security_object", "Doc 9303-10 §4.6.2", 0),
        (2, "signer", "electronic.security_object", "RFC 5652 §5.3", 1),
        (3, "attributes", "electronic.security_object", "RFC 5652 §5.4", 1),
        (4, "signature", "electronic.security_object", "Doc 9303-11 §5.1", 2),
        (5, "chain", "electronic.issuer_chain", "Doc 9303-12 §7.1", 2),
        (6, "validity", "electronic.issuer_chain", "Doc 9303-12 §7.1", 2),
        (7, "country", "electronic.issuer_chain", "Doc 9303-12 §7.1.1", 5),
        (8, "revocation", "electronic.issuer_chain", "Doc 9303-12 §7.1.4", 2),
        (9, "hashes", "electronic.data_group_integrity", "Doc 9303-11 §5.1", 1),
        (10, "issuing state", "electronic.data_group_1_issuer", "Doc 9303-12 §7.1.1", 2),
        (11, "document type", "electronic.data_group_1_issuer", "Doc 9303-12 §7.1.1", 2),
        (12, "common data", "electronic.security_object_common_data", "Doc 9303-10 §4.6.1", 1),
        (13, "printed mrz", "combined.mrz_data_group_1", "TR-03135-1 §5.7", 0),
        (14, "chip authenticity", "electronic.chip_authenticity", "Doc 9303-11 §6", 11),
        (15, "card access", "electronic.access_control", "Doc 9303-11 §4.2", 11),
    )
}
PRINTED_MRZ, CHIP_AUTHENTICITY, CARD_ACCESS = 13, 14, 15
OF_THE_VERDICT = 11
"""The last check that passive authentication's verdict rests on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One check as it ended. ``code`` says why it did not pass, ``detail`` what was met."""

    number: int
    result: Result
    code: str = ""
    detail: str = ""

    @property
    def name(self) -> str:
        return CHECKS[self.number].name

    @property
    def finding(self) -> ReasonCode | None:
        """The reason code by which this step decides the verdict; None where it does not."""
        return self.code if isinstance(self.code, ReasonCode) and self.number <= OF_THE_VERDICT else None


def deciding(steps: Iterable[Step]) -> Step | None:
    """The step that the verdict is taken from: the first by number with a finding; None where the proof stands."""
    return min((step for step in steps if step.code and step.finding), key=lambda step: step.number, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionRecord:
    """All checks, in the order of their numbers."""

    steps: tuple[Step, ...]

    @classmethod
    def of(cls, steps: Iterable[Step]) -> InspectionRecord:
        """Complete a trail: what is not in it was aborted."""
        known = {step.number: step for step in steps}
        return cls(steps=tuple(known.get(number) or _aborted(number, known) for number in CHECKS))

    def adding(self, *steps: Step) -> InspectionRecord:
        """With ``steps`` in place of those of their numbers."""
        return self.of((*self.steps, *steps))

    def __getitem__(self, number: int) -> Step:
        return self.steps[number - 1]

    @property
    def result(self) -> Result:
        """The whole, by :data:`PRECEDENCE`."""
        return overall(step.result for step in self.steps)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: ``result`` and ``checks``."""
        return {"result": self.result, "checks": [_as_dict(step) for step in self.steps]}


def _aborted(number: int, known: dict[int, Step]) -> Step:
    cause = _cause(number, known)
    why = f"after step {cause.number}, {cause.name}: {cause.code}" if cause else "not at hand"
    return Step(number=number, result="aborted", detail=why)


def _cause(number: int, known: dict[int, Step]) -> Step | None:
    """The step in whose way it is that this one was not reached; None where something is not at hand."""
    needs = CHECKS[number].needs
    if needs == OF_THE_VERDICT:
        return deciding(known.values())
    step = known.get(needs)
    if step is None:
        return _cause(needs, known) if needs else None
    return step if step.finding else None


def overall(results: Iterable[Result]) -> Result:
    """The first of :data:`PRECEDENCE` that is among ``results``; *aborted* where there are none."""
    return min(results, key=PRECEDENCE.index, default="aborted")


def _as_dict(step: Step) -> dict[str, Any]:
    check = CHECKS[step.number]
    return {
        "number": step.number,
        "name": check.name,
        "group": check.group,
        "clause": check.clause,
        "result": step.result,
        "code": str(step.code),
        "detail": step.detail,
    }
