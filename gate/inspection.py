"""From what the rooms `mrz`, `hardware.emrtd` and `pki` found to the facts that policy reads. Runs in the reader process.

The order is the one of Doc 9303-11 §4 and -12 §5: optical MRZ, access, files, passive authentication, then everything that only
counts because passive authentication bound it: DG1 against the optical MRZ, revocation, chip authenticity, the portrait.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from typing import assert_never, cast

import mrz
from gate.evidence import CheckResult, Fact, not_performed
from gate.records import StageTiming, stage_of
from hardware.emrtd.errors import LdsError
from hardware.emrtd.lds import dg1_mrz, dg2_image
from hardware.emrtd.reader import AccessEvidence, AccessKey, ChipData, ChipError, read_chip
from hardware.ports import Clock, ScannedDocument, TagLost, Transceiver
from mrz import MrzError, MrzRecord
from pki.active_authentication import ActiveAuthenticationEvidence
from pki.chip_authenticity import ChipAuthenticationEvidence, chip_authenticity
from pki.errors import ReasonCode
from pki.passive_authentication import authenticate_sod, bind_data_groups
from pki.results import Authentic, PassiveAuthResult, Rejected, SignedHashes, Undetermined
from pki.trust import TrustStore

HOME_STATE = "IDN"
"""The State whose citizens these gates serve."""
ADULT_YEARS, GATE_MINIMUM_YEARS = 18, 6
"""Age bands of the policy: 6 is the limit of the directorate general's notice of 26-08-2024."""
SIX_MONTHS = 183
"""Days: UU 6/2011 art. 8(1) speaks of six months; 183 is the longest half-year, so nobody is called valid who is not."""


def _found(value: str, result: CheckResult = CheckResult.SUCCESSFUL, *, code: str = "", source: str) -> Fact:
    return Fact(value=value, result=result, code=code, source=source)


# --- the optical MRZ -----------------------------------------------------------------------------------------------------


def inspect_mrz(lines: tuple[str, ...], today: date) -> tuple[MrzRecord | None, dict[str, Fact]]:
    """Parse the optical lines; the record is None unless they were well formed."""
    try:
        record = mrz.parse(lines)
    except MrzError as error:
        return None, {"mrz": _found("malformed", CheckResult.FAILED, code=str(error)[:120], source="mrz")}
    if not record.check_digits_ok:
        wrong = ",".join(digit.field for digit in record.check_digits if not digit.ok)
        return record, {"mrz": _found("check_digit_failed", CheckResult.FAILED, code=wrong, source="mrz")}
    return record, {
        "mrz": _found("read", code=",".join(finding.what for finding in record.findings), source="mrz"),
        "nationality": _nationality(record.nationality),
        "age": _age(record.date_of_birth.resolve(today, future=False), today),
        "expiry": _expiry(record.date_of_expiry.resolve(today, future=True), today),
    }


def _nationality(code: str) -> Fact:
    if code == HOME_STATE:
        return _found("citizen", source="mrz")
    if mrz.is_known_state(code):
        return _found("foreigner", source="mrz")
    return _found("unknown", CheckResult.UNDETERMINED, code=code, source="mrz")


def _age(born: date | None, today: date) -> Fact:
    if born is None or born > today:
        return _found("unknown", CheckResult.UNDETERMINED, code="DATE_OF_BIRTH_UNKNOWN", source="mrz")
    years = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    band = "adult" if years >= ADULT_YEARS else "from_6_to_17" if years >= GATE_MINIMUM_YEARS else "under_6"
    return _found(band, source="mrz")


def _expiry(expires: date | None, today: date) -> Fact:
    if expires is None:
        return _found("unknown", CheckResult.UNDETERMINED, code="DATE_OF_EXPIRY_UNKNOWN", source="mrz")
    if expires < today:
        return _found("expired", CheckResult.FAILED, source="mrz")
    short = (expires - today).days < SIX_MONTHS
    return _found("under_6_months" if short else "valid", source="mrz")


# --- the chip ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipInspection:
    """Facts and timings of the chip. ``portrait`` is the encoded image out of the *verified* DG2, else empty."""

    facts: dict[str, Fact]
    stages: tuple[StageTiming, ...]
    portrait: bytes = field(default=b"", repr=False)
    last_byte_boot: float


class ChipInspector:
    """Reads one chip and proves what it says. The signature of EF.SOD is verified while DG2 is still on the line."""

    def __init__(self, trust: TrustStore, clock: Clock) -> None:
        self._trust, self._clock = trust, clock
        self._proof = ThreadPoolExecutor(1, "pki")

    def inspect(
        self,
        document: ScannedDocument,
        record: MrzRecord,
        started: float,
        progress: Callable[[float], None],
    ) -> ChipInspection:
        """Read and check the chip of ``document``. Raises DeviceError when the reader itself broke."""
        timeline = _Timeline(self._clock, started)
        if document.chip is None:
            return _unreadable("unreadable", "NO_CHIP_ANSWERED", timeline)
        proofs: list[Future[SignedHashes | Rejected | Undetermined]] = []

        def on_file(name: str, content: bytearray) -> None:
            if name == "EF.SOD" and not proofs:
                proofs.append(self._proof.submit(self._prove, bytes(content), timeline))

        try:
            chip = _read(document.chip, record, on_file, progress, self._clock)
        except TagLost:
            return _unreadable("tag_lost", "TAG_LOST", timeline)
        except ChipError as error:
            return _unreadable("unreadable", error.code, timeline)
        for step in chip.steps:
            timeline.add(f"chip.{step.name}", step.start_boot, step.start_boot + step.duration_s, step.result)
        try:
            return self._judge(chip, record, proofs[0].result() if proofs else None, timeline)
        finally:
            chip.wipe()

    def _prove(self, sod: bytes, timeline: _Timeline) -> SignedHashes | Rejected | Undetermined:
        begun = self._clock.boot()
        signed = authenticate_sod(sod, self._trust, self._clock.wall())
        timeline.add(
            "pki.signature", begun, self._clock.boot(), "successful" if isinstance(signed, SignedHashes) else signed.code
        )
        return signed

    def _judge(
        self,
        chip: ChipData,
        record: MrzRecord,
        signed: SignedHashes | Rejected | Undetermined | None,
        timeline: _Timeline,
    ) -> ChipInspection:
        begun = self._clock.boot()
        facts = {
            "chip": _found("read", source="chip"),
            "access": _access_fact(chip.access),
            "card_access": _found("not_offered", source="chip"),  # nothing here asks for PACE yet
        }
        portrait = b""
        if signed is None:
            facts["passive_authentication"] = not_performed("SOD_UNREAD", "pki")
        else:
            groups = {int(name[2:]): _group(name, content) for name, content in chip.files.items() if name.startswith("DG")}
            verdict: PassiveAuthResult = (
                bind_data_groups(signed, groups, mrz_issuing_state=record.issuing_state)
                if isinstance(signed, SignedHashes)
                else signed
            )
            facts |= _passive_facts(verdict)
            if isinstance(verdict, Authentic):
                facts |= _bound_facts(verdict, chip, record)
                portrait = _portrait(verdict)
        timeline.add("pki.verdict", begun, self._clock.boot(), facts["passive_authentication"].value)
        return ChipInspection(facts=facts, stages=timeline.stages, portrait=portrait, last_byte_boot=chip.last_byte_boot)


def _read(
    chip: Transceiver,
    record: MrzRecord,
    on_file: Callable[[str, bytearray], None],
    progress: Callable[[float], None],
    clock: Clock,
) -> ChipData:
    key = AccessKey(record.mrz_information())
    try:
        return read_chip(chip, key, on_file=on_file, progress=progress, clock=clock)
    finally:
        key.wipe()


def _group(name: str, content: bytearray) -> bytes:
    """A data group as passive authentication takes it: a copy, but for the portrait, of which there shall be none."""
    return cast("bytes", content) if name == "DG2" else bytes(content)  # hashed and cut, never kept


def _access_fact(access: AccessEvidence) -> Fact:
    if access.tolerance:
        return not_performed("BAC_WHERE_PACE_FAILED", "chip")
    return _found(access.protocol, source="chip")


class _Timeline:
    """Stage timings of the reader, counted from the document's arrival."""

    def __init__(self, clock: Clock, zero: float) -> None:
        self.clock, self.zero = clock, zero
        self._stages: list[StageTiming] = []

    def add(self, name: str, start: float, end: float, result: str) -> None:
        self._stages.append(stage_of(name, start, end, result, zero=self.zero, room="reader"))

    @property
    def stages(self) -> tuple[StageTiming, ...]:
        return tuple(self._stages)


def _unreadable(word: str, code: str, timeline: _Timeline) -> ChipInspection:
    fact = _found(word, CheckResult.ABORTED, code=code, source="chip")
    now = timeline.clock.boot()
    timeline.add("chip.read", timeline.zero, now, code)
    return ChipInspection(facts={"chip": fact}, stages=timeline.stages, last_byte_boot=now)


def _passive_facts(verdict: PassiveAuthResult) -> dict[str, Fact]:
    match verdict:
        case Authentic():
            return {"passive_authentication": _found("authentic", code=verdict.csca[:80], source="pki")}
        case Rejected() if verdict.code == ReasonCode.SIGNER_REVOKED:
            revoked = CheckResult.FAILED
            return {
                "passive_authentication": _found("signer_revoked", revoked, code=verdict.code, source="pki"),
                "revocation": _found("revoked", revoked, source="pki"),
            }
        case Rejected():
            return {"passive_authentication": _found("rejected", CheckResult.FAILED, code=verdict.code, source="pki")}
        case Undetermined():
            word = "no_trust_anchor" if verdict.code == ReasonCode.NO_TRUST_ANCHOR else "undetermined"
            return {"passive_authentication": _found(word, CheckResult.UNDETERMINED, code=verdict.code, source="pki")}
    assert_never(verdict)


def _bound_facts(verdict: Authentic, chip: ChipData, record: MrzRecord) -> dict[str, Fact]:
    """What counts only because passive authentication bound it."""
    active, keyed = chip.active_authentication, chip.chip_authentication
    authenticity = chip_authenticity(
        verdict,
        active=ActiveAuthenticationEvidence(challenge=active.challenge, response=active.response) if active else None,
        chip=ChipAuthenticationEvidence(
            public_key=keyed.public_key, oid=keyed.oid, key_id=keyed.key_id, succeeded=keyed.succeeded
        )
        if keyed
        else None,
    )
    genuine = authenticity.verdict == "genuine"
    return {
        "dg1_mrz": _compare_mrz(verdict, record),
        "revocation": _found(verdict.revocation, _result(verdict.revocation == "good"), source="pki"),
        "chip_authenticity": _found(authenticity.verdict, _result(genuine), code=authenticity.code, source="pki"),
    }


def _compare_mrz(verdict: Authentic, record: MrzRecord) -> Fact:
    """DG1 against the optical MRZ. A DG1 that was not read is no difference; one that cannot be read is."""
    if 1 not in verdict.data_groups:
        return not_performed("DG1_UNREAD", "reader")
    try:
        equal = dg1_mrz(verdict.data_groups[1]) == "".join(record.lines)
    except LdsError:
        equal = False
    return _found("equal" if equal else "different", _result(equal), source="reader")


def _result(good: bool) -> CheckResult:
    return CheckResult.SUCCESSFUL if good else CheckResult.FAILED


def _portrait(verdict: Authentic) -> bytes:
    try:
        return dg2_image(verdict.data_groups[2]).image
    except (KeyError, LdsError):
        return b""
