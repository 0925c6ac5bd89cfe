"""What the issuer's stage log has to do with the rules: nothing at all; and the reports' causes name codes that the rules give."""

from datetime import UTC, datetime

import msgspec
import pytest

from gate.evidence import VOCABULARY, Evidence
from gate.outcome import Outcome
from gate.policy.schema import load_rules
from gate.registries.base import Found
from gate.registries.issuance import IssuanceRecord, IssuanceReply, IssuanceStage, document_model_fact, issuance_fact, trail
from gate.report.causes import BESIDE, CAPTURED, ISSUED, OFFICIAL
from gate.sop import FLAGS, SPPT_2014, STAGES, flags
from hardware.controller.protocol import Leaf


def answer(sop_version=SPPT_2014, names=STAGES, *, distinct_approver=True):
    record = IssuanceRecord(
        status="active",
        document_class="service",
        office="Kanim",
        chip=True,
        sop_version=sop_version,
        stages=tuple(IssuanceStage(name=name) for name in names),
        distinct_approver=distinct_approver,
    )
    return Found(
        source="issuance",
        as_of=datetime(2026, 3, 2, tzinfo=UTC),
        latency_ms=1.0,
        freshness_s=1.0,
        reply=IssuanceReply(answer="found", record=record),
    )


@pytest.mark.parametrize(
    "departing",
    [
        answer(names=STAGES[1:]),
        answer(names=()),
        answer(names=STAGES[::-1]),
        answer(names=("x",)),
        answer(sop_version="?"),
        answer(distinct_approver=False),
    ],
)
def test_no_fact_comes_of_a_flag(departing):
    clean = answer()
    assert flags(trail(departing))
    assert not flags(trail(clean))
    assert issuance_fact(departing, "service") == issuance_fact(clean, "service")
    assert document_model_fact(departing) == document_model_fact(clean)


@pytest.mark.parametrize("answered", [answer(), answer(names=STAGES[:3], distinct_approver=False)])
async def test_the_lane_opens_alike_whatever_the_stage_log_lacks_and_keeps_it(hand, answered):
    def ask_registries(*_):
        async def with_trail(question):
            return msgspec.structs.replace(await question, trail=trail(answered))

        return {name: with_trail(question) if name == "issuance" else question for name, question in asked().items()}

    asked, hand.ask_registries = hand.ask_registries, ask_registries
    await hand.inside()
    await hand.face()
    await hand.until(hand.opened_exit)
    await hand.plant(exit=Leaf.OPEN)
    await hand.plant(occupancy=0)
    await hand.plant(exit=Leaf.LOCKED)
    record = await hand.record()
    assert {decision.decision.outcome for decision in record.decisions} == {Outcome.OPEN}
    noted = trail(answered)
    assert record.trail == msgspec.structs.replace(noted, flags=flags(noted))


def test_what_a_decision_may_read_holds_no_flag():
    assert "trail" not in Evidence.__struct_fields__
    words = {word for allowed in VOCABULARY.values() for word in allowed}
    assert words.isdisjoint({flag for each in FLAGS for flag in (each, each.lower())})


def test_every_code_that_a_cause_names_is_one_that_the_rules_give():
    given_ = {rule.reason for rule in load_rules().rules}
    named_ = {code for table in (OFFICIAL, ISSUED, CAPTURED, BESIDE) for codes in table.values() for code in codes}
    assert named_ <= given_
    silent = {code for code in given_ if code.endswith("_UNAVAILABLE")}
    assert silent == BESIDE["registry silent"]
