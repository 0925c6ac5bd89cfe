"""The verdict on a document's electronic proof. ``Authentic`` alone carries data groups: nothing else may be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pki.errors import ReasonCode
from pki.revocation import Revocation


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the proof: its number in :mod:`pki.passive_authentication`, how it ended, and what was met."""

    number: int
    name: str
    result: Literal["successful", "failed", "undetermined"]
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedHashes:
    """Steps 1 to 8 passed: a trusted State signed these hashes. Not a verdict yet; see ``bind_data_groups``."""

    hash_algorithm: str
    hashes: Mapping[int, bytes] = field(repr=False)
    issuing_country: str
    signer: str
    csca: str
    signed_at: datetime | None
    revocation: Revocation
    document_types: tuple[str, ...] | None = None
    """What the signer may sign, by document code; None: it does not say."""
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentic:
    """The data groups are what the issuing State signed.

    ``issuing_country`` has two letters, ``signer`` and ``csca`` are names with serial number or provenance, ``signed_at`` is
    None where the SOD does not say (then the signer had to be valid *now*). ``lists_dg14``, ``lists_dg15``: the *signed* list
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The proof is wrong: it contradicts itself, the trust store or the data groups. People must look."""

    code: ReasonCode
    step: str
    detail: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Undetermined:
    """The proof could not be settled: something is unknown, missing or unreadable. Never a word about forgery."""

    code: ReasonCode
    step: str
    detail: str
    steps: tuple[Step, ...]


PassiveAuthResult = Authentic | Rejected | Undetermined
