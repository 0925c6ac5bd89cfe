"""The verdict on a document's electronic proof. ``Authentic`` alone carries data groups: nothing else may be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pki.certificates import Certificate
from pki.errors import ReasonCode
from pki.inspection_record import InspectionRecord, Step
from pki.revocation import Revocation


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What an EF.SOD says that did not pass: for the later checks to compare with, proven by nothing."""

    hash_algorithm: str
    hashes: Mapping[int, bytes] = field(repr=False)
    issuing_country: str
    """Of the signer's certificate; empty where there is none."""
    document_types: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedHashes:
    """Steps 1 to 8 passed: a trusted State signed these hashes. Not a verdict yet; see ``bind_data_groups``.

    ``undated``: but for step 6, as the SOD does not say when it was signed and the signer is not valid at this moment, ``judged_at``;
    ``bind_data_groups`` settles it by a signed date of issue, or does not pass.
    """

    hash_algorithm: str
    hashes: Mapping[int, bytes] = field(repr=False)
    issuing_country: str
    signer: str
    csca: str
    signed_at: datetime | None
    revocation: Revocation
    document_types: tuple[str, ...] | None = None
    """What the signer may sign, by document code; None: it does not say."""
    certificate: Certificate = field(repr=False)
    judged_at: datetime
    undated: bool = False
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentic:
    """The data groups are what the issuing State signed.

    ``issuing_country`` has two letters, ``signer`` and ``csca`` are names with serial number or provenance, ``signed_at`` is
    None where the SOD does not say (then the signer had to be valid now, or on the date of issue in a signed DG12). ``lists_dg14``, ``lists_dg15``: the *signed* list
    of the document holds them, read or not.
    """

    data_groups: Mapping[int, bytes] = field(repr=False)
    issuing_country: str
    signer: str
    csca: str
    signed_at: datetime | None
    revocation: Revocation
    steps: tuple[Step, ...]
    lists_dg14: bool
    lists_dg15: bool
    certificate: Certificate = field(repr=False, compare=False)
    """The signer's."""

    @property
    def record(self) -> InspectionRecord:
        """All checks of the inspection; those that are not passive authentication's are added by whoever runs them."""
        return InspectionRecord.of(self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The proof is wrong: it contradicts itself, the trust store or the data groups. People must look."""

    code: ReasonCode
    step: str
    detail: str
    steps: tuple[Step, ...]
    claims: Claims | None = field(default=None, repr=False, compare=False)
    certificate: Certificate | None = field(default=None, repr=False, compare=False)

    @property
    def record(self) -> InspectionRecord:
        """All checks of the inspection; those that are not passive authentication's are added by whoever runs them."""
        return InspectionRecord.of(self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undetermined:
    """The proof could not be settled: something is unknown, missing or unreadable. Never a word about forgery."""

    code: ReasonCode
    step: str
    detail: str
    steps: tuple[Step, ...]
    claims: Claims | None = field(default=None, repr=False, compare=False)
    certificate: Certificate | None = field(default=None, repr=False, compare=False)

    @property
    def record(self) -> InspectionRecord:
        """All checks of the inspection; those that are not passive authentication's are added by whoever runs them."""
        return InspectionRecord.of(self.steps)


PassiveAuthResult = Authentic | Rejected | Undetermined
