"""From what the rooms `mrz`, `hardware.emrtd` and `pki` found to the facts that policy reads. Runs in the reader process.

The order is the one of Doc 9303-11 §4 and -12 §5: optical MRZ, access, files, passive authentication, then everything that only
counts because passive authentication bound it: DG1 against the optical MRZ, revocation, chip authenticity, the portrait.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256
from typing import TypeVar

import mrz
from gate.chip_facts import (
    Places,
    PrintedZone,
    access_fact,
    bound_facts,
    data_groups,
    inspection_checks,
    judge_chip,
    passive_facts,
    portrait,
)
from gate.evidence import CheckResult, Fact, found, not_performed
from gate.records import InspectionCheck, StageTiming, stage_of
from hardware.emrtd.errors import AccessError, ChipChangedError
from hardware.emrtd.reader import AccessKey, ChipData, ChipError, read_chip
from hardware.ports import Clock, ScannedDocument, TagLost, Transceiver
from mrz import MrzError, MrzRecord
from pki.card_security import CardSecurityVerdict, authenticate_card_security
from pki.known_defects import DeviationList, Reading, read_by_lists
from pki.passive_authentication import authenticate_sod, bind_data_groups, with_chip
from pki.results import Authentic, Rejected, SignedHashes, Undetermined
from pki.trust import TrustStore

T = TypeVar("T")

HOME_STATE = "IDN"
"""The State whose citizens these gates serve."""
FORMAT = "TD3"
"""The documents these gates read: passports. Cards and visas go to a person, however well their zone was read."""
AGE_BANDS = ((18, "adult"), (14, "from_14_to_17"), (6, "from_6_to_13"), (0, "under_6"))
"""Years from which a band of the policy begins: 6 is the gates' limit since the directorate general's notice of 26-08-2024, 14 was the one before."""
PATIENCE_S = 20.0
"""Seconds for a chip where the configuration names none: a slow one takes five."""


# --- the optical MRZ -----------------------------------------------------------------------------------------------------


def inspect_mrz(lines: tuple[str, ...], today: date) -> tuple[MrzRecord | None, dict[str, Fact]]:
    """Parse the optical lines; the record is None unless they are a well-formed zone of a passport."""
    try:
        record = mrz.parse(lines)
    except MrzError as error:
        return None, {"mrz": found("malformed", CheckResult.FAILED, code=str(error)[:120], source="mrz")}
    if record.format != FORMAT:
        return None, {"mrz": found("malformed", CheckResult.FAILED, code=f"FORMAT_{record.format}", source="mrz")}
    return record, mrz_facts(record, today)


def mrz_facts(record: MrzRecord, today: date) -> dict[str, Fact]:
    """What a well-formed zone says of its holder and of itself; with a wrong check digit it says nothing."""
    if not record.check_digits_ok:
        wrong = ",".join(digit.field for digit in record.check_digits if not digit.ok)
        return {"mrz": found("check_digit_failed", CheckResult.FAILED, code=wrong, source="mrz")}
    return {
        "mrz": found("read", code=",".join(finding.what for finding in record.findings), source="mrz"),
        "nationality": _nationality(record.nationality),
        "age": _age(record.date_of_birth.resolve(today, future=False), today),
        "expiry": _expiry(record.date_of_expiry.resolve(today, future=True), today),
    }


def _nationality(code: str) -> Fact:
    if code == HOME_STATE:
        return found("citizen", source="mrz")
    if mrz.is_known_state(code):
        return found("foreigner", source="mrz")
    return found("unknown", CheckResult.UNDETERMINED, code=code, source="mrz")


def _age(born: date | None, today: date) -> Fact:
    if born is None or born > today:
        return found("unknown", CheckResult.UNDETERMINED, code="DATE_OF_BIRTH_UNKNOWN", source="mrz")
    years = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    return found(next(band for least, band in AGE_BANDS if years >= least), source="mrz")


def _expiry(expires: date | None, today: date) -> Fact:
    if expires is None:
        return found("unknown", CheckResult.UNDETERMINED, code="DATE_OF_EXPIRY_UNKNOWN", source="mrz")
    if expires < today:
        return found("expired", CheckResult.FAILED, source="mrz")
    return found("under_6_months" if expires < six_months_after(today) else "valid", source="mrz")


def six_months_after(day: date) -> date:
    """By the calendar (UU 6/2011 art. 8(1)): the same day of that month, or its last where it has no such day."""
    year, month = (day.year, day.month + 6) if day.month <= 6 else (day.year + 1, day.month - 6)
    return date(year, month, min(day.day, monthrange(year, month)[1]))


# --- the chip ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipInspection:
    """Facts and timings of the chip. ``portrait`` is the encoded image out of the *verified* DG2, else empty."""

    facts: dict[str, Fact]
    stages: tuple[StageTiming, ...]
    portrait: bytes = field(default=b"", repr=False)
    dg2_sha256: str = field(default="", repr=False)
    last_byte_boot: float
    inspection: tuple[InspectionCheck, ...] = ()
    """Every check of the electronic proof; empty where there was none."""


Signed = SignedHashes | Rejected | Undetermined


class ChipInspector:
    """Reads one chip and proves what it says. Signatures are verified while DG2 is still on the line.

    ``tolerances`` go to :func:`hardware.emrtd.reader.read_chip`; a grant must name them, too. ``deviations``: what States say of
    faults in their documents; it stands beside what was found, and opens nothing. ``patience_s``: seconds from the document's
    arrival in which a chip must have said all; the lane has given up by then, and the thread must be free for the next one.
    """

    def __init__(
        self,
        trust: TrustStore,
        clock: Clock,
        tolerances: frozenset[str] = frozenset(),
        deviations: tuple[DeviationList, ...] = (),
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._clock, self._tolerances = clock, tolerances
        self._patience_s = patience_s
        self._proof = ThreadPoolExecutor(1, "pki")
        self.judge_by(trust, deviations)

    def judge_by(self, trust: TrustStore, deviations: tuple[DeviationList, ...]) -> None:
        """From the next inspection on. One is made by one store throughout, whenever this is called."""
        self._judged_by = trust, deviations

    def inspect(
        self,
        document: ScannedDocument,
        record: MrzRecord,
        started: float,
        progress: Callable[[float], None],
        doubtful: Places = frozenset(),
    ) -> ChipInspection:
        """Read and check the chip of ``document``, whose zone says ``record`` and was read without much margin at ``doubtful``.

        Raises DeviceError when the reader itself broke.
        """
        timeline = _Timeline(self._clock, started)
        if document.chip is None:
            return _unreadable("unreadable", "NO_CHIP_ANSWERED", timeline)
        trust, deviations = self._judged_by
        proofs = _Proofs(self._proof, trust, timeline)
        try:
            chip = self._read(document.chip, record, proofs.start, progress, started + self._patience_s)
        except TagLost:
            return _unreadable("tag_lost", "TAG_LOST", timeline)
        except AccessError as error:
            refused = found("failed", CheckResult.FAILED, code=error.code, source="chip")
            return _unreadable("unreadable", error.code, timeline, access=refused)
        except ChipChangedError as error:
            return _unreadable("changed", error.code, timeline)
        except ChipError as error:
            return _unreadable("unreadable", error.code, timeline)
        for step in chip.steps:
            timeline.add(f"chip.{step.name}", step.start_boot, step.start_boot + step.duration_s, step.result)
        try:
            return _judge(chip, PrintedZone(record=record, doubtful=doubtful), proofs, timeline, deviations)
        finally:
            chip.wipe()

    def _read(
        self,
        chip: Transceiver,
        record: MrzRecord,
        on_file: Callable[[str, bytearray], None],
        progress: Callable[[float], None],
        deadline: float,
    ) -> ChipData:
        key = AccessKey(record.mrz_information())
        try:
            return read_chip(
                chip,
                key,
                on_file=on_file,
                progress=progress,
                clock=self._clock,
                tolerances=self._tolerances,
                deadline_boot=deadline,
            )
        finally:
            key.wipe()


class _Proofs:
    """The signed files of one chip, each on its way to a verdict as soon as it is read."""

    def __init__(self, pool: ThreadPoolExecutor, trust: TrustStore, timeline: _Timeline) -> None:
        self._pool, self._trust, self._timeline = pool, trust, timeline
        self._sod: Future[Signed] | None = None
        self._card_security: Future[CardSecurityVerdict] | None = None

    def start(self, name: str, content: bytearray) -> None:
        """A file is complete."""
        if name == "EF.SOD":
            self._sod = self._pool.submit(self._timed, "pki.signature", authenticate_sod, bytes(content))
        elif name == "EF.CardSecurity":
            self._card_security = self._pool.submit(self._timed, "pki.card_security", authenticate_card_security, bytes(content))

    @property
    def sod(self) -> Signed | None:
        """None where there is no EF.SOD. Waits."""
        return self._sod.result() if self._sod else None

    @property
    def card_security(self) -> CardSecurityVerdict | None:
        """None where the file was not read. Waits."""
        return self._card_security.result() if self._card_security else None

    def _timed(self, name: str, prove: Callable[[bytes, TrustStore, datetime], T], content: bytes) -> T:
        clock = self._timeline.clock
        begun = clock.boot()
        verdict = prove(content, self._trust, clock.wall())
        self._timeline.add(name, begun, clock.boot(), getattr(verdict, "code", "successful"))
        return verdict


def _judge(
    chip: ChipData,
    printed: PrintedZone,
    proofs: _Proofs,
    timeline: _Timeline,
    deviations: tuple[DeviationList, ...],
) -> ChipInspection:
    begun = timeline.clock.boot()
    facts, signed = {"chip": found("read", source="chip"), "access": access_fact(chip.access)}, proofs.sod
    picture, digest = b"", ""
    checks: tuple[InspectionCheck, ...] = ()
    if signed is None:
        facts["passive_authentication"] = not_performed("SOD_UNREAD", "pki")
    else:
        reading = _read(signed, chip, printed.record, deviations)
        verdict, inspected = reading.verdict, reading.record
        facts |= passive_facts(reading)
        if isinstance(verdict, Authentic):
            compromised = reading.active_authentication_compromised
            authenticity, offer = judge_chip(verdict, chip, proofs.card_security, active_key_compromised=compromised)
            facts |= bound_facts(verdict, authenticity, offer, printed)
            inspected = with_chip(inspected, authenticity, offer)
            opened = timeline.clock.boot()
            picture, stored = portrait(verdict)
            digest = sha256(verdict.data_groups[2]).hexdigest() if 2 in verdict.data_groups else ""
            timeline.add("chip.portrait", opened, timeline.clock.boot(), stored)
        checks = inspection_checks(inspected)
    timeline.add("pki.verdict", begun, timeline.clock.boot(), facts["passive_authentication"].value)
    return ChipInspection(
        facts=facts,
        stages=timeline.stages,
        portrait=picture,
        dg2_sha256=digest,
        last_byte_boot=chip.last_byte_boot,
        inspection=checks,
    )


def _read(signed: Signed, chip: ChipData, record: MrzRecord, deviations: tuple[DeviationList, ...]) -> Reading:
    """The verdict on the files, and beside it what the State itself says of the document."""
    common_data = chip.files.get("EF.COM")
    verdict = bind_data_groups(
        signed,
        data_groups(chip),
        mrz_issuing_state=record.issuing_state,
        mrz="".join(record.lines),
        common_data=None if common_data is None else bytes(common_data),
    )
    return read_by_lists(
        verdict,
        deviations,
        issuing_state=record.issuing_state,
        document_number=record.document_number,
        document_type=record.document_code,
    )


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


def _unreadable(word: str, code: str, timeline: _Timeline, **more: Fact) -> ChipInspection:
    fact = found(word, CheckResult.ABORTED, code=code, source="chip")
    now = timeline.clock.boot()
    timeline.add("chip.read", timeline.zero, now, code)
    return ChipInspection(facts={"chip": fact, **more}, stages=timeline.stages, last_byte_boot=now)
