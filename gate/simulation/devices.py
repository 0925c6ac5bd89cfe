"""Reader and vision of a simulated lane: what they would tell of a traveller, stage by stage, in the real messages. They read and see nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from gate.evidence import CheckResult, Fact, found, successful
from gate.processes import messages as m
from gate.records import InspectionCheck, StageTiming, stage_of
from gate.simulation.compute import Compute
from gate.simulation.people import Person
from gate.simulation.scenario import Scenario

FACE_SOURCE, CHIP_SOURCE = "simulated face", "simulated chip"
PORTRAIT = b"\xff\xd8\xff simulated"
NEVER_S = 60.0
"""A pose that no deadline waits for."""
OPENING = ("chip.capabilities", "chip.card_access", "chip.pace")
FILES = ("chip.EF.SOD", "chip.DG1", "chip.DG14", "chip.DG15", "chip.DG2", "chip.EF.COM")
PROOFS = ("chip.chip_authentication", "chip.active_authentication")
COMPUTING = {"chip.pace": 0.6, "chip.chip_authentication": 0.25, "chip.active_authentication": 0.15}
"""Where a chip computes, and with what part of its allowance."""
CHECKS = (
    "signature",
    "issuer chain",
    "revocation",
    "data group integrity",
    "issuer comparison",
    "active authentication",
    "chip authentication",
)
LEFT_AT = 0.5
"""Part of the reading after which a tag is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageTold:
    """``after_s``: when the page is read, from the order to read. ``read`` is None where it could not be, and ``failed`` says so."""

    after_s: float
    read: m.MrzRead | None
    failed: m.DocumentChecked | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipTold:
    """``after_s``: when the reader tells of the chip, from the order; ``allowance_s``: how much of it the chip itself computed."""

    after_s: float
    checked: m.DocumentChecked
    allowance_s: float


class Reader:
    """For one lane."""

    def __init__(self, scenario: Scenario, compute: Compute) -> None:
        self._scenario, self._compute = scenario, compute

    def page(self, order: m.ReadDocument, person: Person, now: float, dice: random.Random, *, misplaced: bool) -> PageTold:
        """What comes of the page that lies there since ``order.zero``."""
        takes = self._compute.draw("mrz", dice)
        word = "unreadable" if misplaced else "read"
        stage = stage_of("mrz", now, now + takes, word, zero=order.zero, room="reader")
        if misplaced:
            facts = {"mrz": found("unreadable", CheckResult.FAILED, code="MRZ_NOT_FOUND", source="mrz")}
            failed = m.DocumentChecked(transaction=order.transaction, facts=facts, stages=(stage,), last_byte_boot=now + takes)
            return PageTold(after_s=takes, read=None, failed=failed)
        return PageTold(after_s=takes, read=_read(order.transaction, person), failed=None)

    def chip(
        self, order: m.ReadDocument, person: Person, now: float, mrz_s: float, dice: random.Random, *, again: bool
    ) -> ChipTold:
        """What comes of the chip, read from ``now`` on. ``again``: the book was laid down before."""
        state = "read" if again and person.chip == "lost" else person.chip
        stages = [stage_of("mrz", now - mrz_s, now, "read", zero=order.zero, room="reader")]
        if state != "read":
            return self._unread(order, now, state, stages, dice)
        allowance = self._scenario.documents.chip_computing_s.draw(dice)
        at, sod = now, now
        for name in (*OPENING, *FILES, *PROOFS):
            takes = self._compute.draw(name, dice) + allowance * COMPUTING.get(name, 0.0)
            stages.append(stage_of(name, at, at + takes, "successful", zero=order.zero, room="reader"))
            at += takes
            sod = at if name == "chip.EF.SOD" else sod
        signature = self._compute.draw("pki.signature", dice)
        stages.append(stage_of("pki.signature", sod, sod + signature, "successful", zero=order.zero, room="reader"))
        verdict, told = self._compute.draw("pki.verdict", dice), self._compute.draw("decision.entry", dice)
        proven = "authentic" if person.anchored else "no_trust_anchor"
        stages.append(stage_of("pki.verdict", at, at + verdict, proven, zero=order.zero, room="reader"))
        checked = m.DocumentChecked(
            transaction=order.transaction,
            facts=_chip_facts(proven),
            stages=tuple(stages),
            inspection=_inspection(anchored=person.anchored),
            portrait=PORTRAIT if person.anchored else b"",
            dg2_sha256=person.portrait_sha256 if person.anchored else "",
            last_byte_boot=at,
        )
        return ChipTold(after_s=at - now + max(verdict, told), checked=checked, allowance_s=allowance)

    def _unread(self, order: m.ReadDocument, now: float, state: str, stages: list[StageTiming], dice: random.Random) -> ChipTold:
        """A chip that says nothing, is not there, or goes away half-way."""
        names = (*OPENING, *FILES[: round(len(FILES) * LEFT_AT)]) if state == "lost" else OPENING[:1]
        takes = sum(self._compute.draw(name, dice) for name in names)
        word = "tag_lost" if state == "lost" else "unreadable"
        stages.append(stage_of("chip.capabilities", now, now + takes, word, zero=order.zero, room="reader"))
        facts = {"chip": found(word, CheckResult.ABORTED, code=word.upper(), source=CHIP_SOURCE)}
        checked = m.DocumentChecked(transaction=order.transaction, facts=facts, stages=tuple(stages), last_byte_boot=now + takes)
        return ChipTold(after_s=takes, checked=checked, allowance_s=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceTold:
    """``after_s``: when vision tells, from its beginning to look; ``human_s``: how much of it it waited for the traveller's pose."""

    after_s: float
    checked: m.FaceChecked
    human_s: float


class Vision:
    """For one lane."""

    def __init__(self, scenario: Scenario, compute: Compute) -> None:
        self._scenario, self._compute = scenario, compute

    def reference(self, order: m.PrepareReference, now: float, dice: random.Random) -> tuple[float, m.ReferenceReady]:
        """(seconds, what is told)."""
        takes = self._compute.draw("face.reference", dice)
        stage = stage_of("face.reference", now, now + takes, "successful", zero=order.zero, room="vision")
        return takes, m.ReferenceReady(transaction=order.transaction, stages=(stage,))

    def look(self, order: m.StartCapture, person: Person, now: float, dice: random.Random) -> FaceTold:
        """Look from ``now`` until a good picture, or until the time is up."""
        motion, faces = self._scenario.motion, self._scenario.faces
        pose = motion.pose_s.draw(dice)
        if motion.looks_away.draw(dice):
            pose += motion.looking_up_s.draw(dice)
        if faces.poor.draw(dice):
            pose = NEVER_S
        capture, told = self._compute.draw("face.capture", dice), self._compute.draw("decision.exit", dice)
        if pose + capture + told > order.deadline_s:
            fact = found("poor_quality", CheckResult.UNDETERMINED, code="pose", source=FACE_SOURCE)
            checked = m.FaceChecked(transaction=order.transaction, facts={"face": fact}, stages=(), chosen_frame_boot=None)
            return FaceTold(after_s=order.deadline_s, checked=checked, human_s=order.deadline_s)
        taken = now + pose + capture
        facts = self._facts(person, dice)
        features, comparison = self._compute.draw("face.features", dice), self._compute.draw("face.comparison", dice)
        spans = (
            ("human.pose", now, now + pose, "stands right"),
            ("face.capture", now, taken, "frames fused"),
            ("face.features", taken, taken + min(features, told), "successful"),
            ("face.comparison", taken, taken + min(comparison, told), facts["face"].value),
        )
        stages = tuple(
            stage_of(name, since, until, word, zero=order.zero, room=_room(name)) for name, since, until, word in spans
        )
        checked = m.FaceChecked(transaction=order.transaction, facts=facts, stages=stages, chosen_frame_boot=taken)
        return FaceTold(after_s=pose + capture + told, checked=checked, human_s=pose)

    def _facts(self, person: Person, dice: random.Random) -> dict[str, Fact]:
        faces = self._scenario.faces
        pad = round((faces.pad_attack if person.impostor == "attack" else faces.pad_bona_fide).draw(dice), 4)
        if pad >= faces.pad_threshold:
            attack = Fact(value="attack", result=CheckResult.FAILED, source=FACE_SOURCE, score=pad, threshold=faces.pad_threshold)
            stopped = Fact(code="presentation_attack", source=FACE_SOURCE)
            return {"face": stopped, "pad": attack}
        score = round((faces.mated if person.impostor == "none" else faces.non_mated).draw(dice), 4)
        match_found = score >= faces.threshold
        face = Fact(
            value="match" if match_found else "no_match",
            result=CheckResult.SUCCESSFUL if match_found else CheckResult.FAILED,
            code="simulated scores",
            source=FACE_SOURCE,
            score=score,
            threshold=faces.threshold,
        )
        bona_fide = Fact(
            value="bona_fide", result=CheckResult.SUCCESSFUL, source=FACE_SOURCE, score=pad, threshold=faces.pad_threshold
        )
        return {"face": face, "pad": bona_fide}


def _read(transaction: str, person: Person) -> m.MrzRead:
    words = {
        "mrz": "read",
        "infrared": "present",
        "nationality": "citizen" if person.citizen else "foreigner",
        "age": person.age,
        "expiry": "valid",
    }
    return m.MrzRead(
        transaction=transaction,
        facts={name: successful(word, source="mrz") for name, word in words.items()},
        issuing_state=person.state,
        document_code=person.document_code,
        document_number=person.document_number,
        primary_identifier=person.name[0],
        secondary_identifier=person.name[1],
        date_of_birth=person.birth,
        sex="F",
    )


def _chip_facts(proven: str) -> dict[str, Fact]:
    words = {"chip": "read", "access": "pace", "dg1_mrz": "equal"}
    if proven == "authentic":
        words |= {"card_access": "agrees", "revocation": "good", "chip_authenticity": "genuine"}
    facts = {name: successful(word, source=CHIP_SOURCE) for name, word in words.items()}
    ended = CheckResult.SUCCESSFUL if proven == "authentic" else CheckResult.UNDETERMINED
    return facts | {"passive_authentication": found(proven, ended, source="simulated pki")}


def _inspection(*, anchored: bool) -> tuple[InspectionCheck, ...]:
    ended: Sequence[CheckResult] = [CheckResult.SUCCESSFUL] * len(CHECKS)
    if not anchored:
        ended = [CheckResult.UNDETERMINED, CheckResult.UNDETERMINED, *ended[2:]]
    return tuple(
        InspectionCheck(step=step, name=name, group="electronic", result=result)
        for step, (name, result) in enumerate(zip(CHECKS, ended, strict=True), 1)
    )


def _room(stage: str) -> str:
    return "traveller" if stage.startswith("human.") else "vision"
