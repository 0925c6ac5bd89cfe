"""One passing of one person, as the lane process collects it: facts, stage timings, decisions; in the end one record.

Everything that comes from a worker goes through :meth:`Transaction.learn`, which takes a fact only from the process whose business
it is, only once, and only if its word is in the vocabulary. So a lying worker can withhold, but never speak for another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

from gate.clock import civil_date
from gate.evidence import NOT_PERFORMED, VOCABULARY, CheckResult, Direction, Evidence, Fact, not_performed
from gate.outcome import Outcome, PolicyDecision
from gate.records import DecisionRecord, InspectionCheck, SopTrail, StageTiming, TransactionRecord, stage_of
from hardware.controller.protocol import LaneKind

Witness = Literal["reader", "vision", "registries", "lane"]

WITNESS: dict[str, Witness] = {
    **dict.fromkeys(("nationality", "age", "expiry", "mrz", "infrared", "access"), "reader"),
    **dict.fromkeys(("card_access", "chip", "dg1_mrz"), "reader"),
    **dict.fromkeys(("passive_authentication", "revocation", "chip_authenticity"), "reader"),
    **dict.fromkeys(("face", "pad"), "vision"),
    **dict.fromkeys(("issuance", "document_model", "biometric_record", "exit_permit"), "registries"),
    **dict.fromkeys(("pencegahan", "penangkalan", "wanted", "sltd", "stay_permit", "declaration"), "registries"),
    **dict.fromkeys(("document_class", "enablement", "guardian", "issuer_portrait"), "lane"),
    **dict.fromkeys(("occupancy", "controller", "supervision", "clock", "profile"), "lane"),
}
"""Which process may speak of which fact. Of a guardian nothing in a lane can tell, so nothing does."""

CHANGING = frozenset({"occupancy", "controller", "supervision", "clock"})
"""Facts of the gate itself, read afresh before each decision; all others are found out once."""


class Transaction:
    """Mutable only in here and only by the lane's loop; all it hands out is immutable.

    ``boot`` is the moment the document was seen (boot seconds): the zero of every stage's ``start_ms``.
    """

    def __init__(
        self,
        *,
        transaction: str,
        lane: str,
        checkpoint: str,
        direction: Direction,
        started: datetime,
        boot: float,
        profile: str,
        kind: LaneKind = "mantrap",
    ) -> None:
        self.id, self.lane, self.checkpoint, self.direction = transaction, lane, checkpoint, direction
        self.started, self.boot, self.kind = started, boot, kind
        self.document_key = ""
        self.inspection: tuple[InspectionCheck, ...] = ()
        self.trail: SopTrail | None = None
        self.served: dict[str, str] = {}
        """Of the record's ``backends``, what served this traveller and may be another for the next."""
        self._facts: dict[str, Fact] = {}
        self._stages: list[StageTiming] = []
        self._decisions: list[DecisionRecord] = []
        self.learn("lane", {"profile": Fact(value=profile, result=CheckResult.SUCCESSFUL, source="config")})

    def learn(self, witness: Witness, facts: Mapping[str, Fact]) -> None:
        """Take ``facts`` from ``witness``; what is not its business, not in the vocabulary or already known is left out."""
        for name, fact in facts.items():
            if WITNESS.get(name) != witness or (name in self._facts and name not in CHANGING):
                continue
            known_word = fact.value == NOT_PERFORMED or fact.value in VOCABULARY[name]
            self._facts[name] = fact if known_word else not_performed("malformed", witness)

    @property
    def facts(self) -> dict[str, Fact]:
        """What is known so far."""
        return dict(self._facts)

    def value(self, name: str) -> str:
        """The word known for ``name`` so far, or ``not_performed``."""
        fact = self._facts.get(name)
        return fact.value if fact else NOT_PERFORMED

    def stage(self, name: str, start: float, end: float, result: str) -> StageTiming:
        """Note a stage of the lane itself (``start``, ``end`` in boot seconds)."""
        timing = stage_of(name, start, end, result, zero=self.boot, room="lane")
        self._stages.append(timing)
        return timing

    def add_stages(self, stages: Iterable[StageTiming]) -> None:
        """Take the stages that a worker timed itself."""
        self._stages.extend(stages)

    @property
    def stages(self) -> tuple[StageTiming, ...]:
        return tuple(sorted(self._stages, key=lambda stage: stage.start_ms))

    def evidence(self, at: datetime) -> Evidence:
        """All that is known now."""
        return Evidence(
            transaction=self.id,
            lane=self.lane,
            checkpoint=self.checkpoint,
            direction=self.direction,
            civil_date=civil_date(at, self.checkpoint),
            facts=dict(self._facts),
        )

    def decided(self, at: datetime, evidence: Evidence, decision: PolicyDecision) -> DecisionRecord:
        """Keep a decision together with the evidence it was made on."""
        record = DecisionRecord(at=at, evidence=evidence, decision=decision)
        self._decisions.append(record)
        return record

    @property
    def last_decision(self) -> PolicyDecision | None:
        return self._decisions[-1].decision if self._decisions else None

    @property
    def held(self) -> bool:
        """Whether any decision on it was HOLD."""
        return any(each.decision.outcome is Outcome.HOLD for each in self._decisions)

    def record(self, ended: datetime, backends: Mapping[str, str], *, demonstration: bool) -> TransactionRecord:
        """The transaction as it ended. Without any decision it counts as a referral that nobody explained."""
        last = self.last_decision
        return TransactionRecord(
            transaction=self.id,
            lane=self.lane,
            checkpoint=self.checkpoint,
            direction=self.direction,
            started=self.started,
            ended=ended,
            document_class=self.value("document_class"),
            document_key=self.document_key,
            outcome=last.outcome if last else Outcome.COUNTER,
            reasons=last.reasons if last else ("NO_DECISION",),
            stages=self.stages,
            decisions=tuple(self._decisions),
            backends={**backends, **self.served},
            demonstration=demonstration,
            inspection=self.inspection,
            kind=self.kind,
            trail=self.trail,
        )
