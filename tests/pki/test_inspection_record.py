"""The record of an inspection: all checks, always; the whole by a fixed precedence; no check hides behind another."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pki import der, passive_authentication
from pki.card_access import CardAccessVerdict
from pki.chip_authenticity import ChipAuthenticity
from pki.errors import PkiError, ReasonCode
from pki.inspection_record import CHECKS, OF_THE_VERDICT, PRECEDENCE, InspectionRecord, Step, deciding, overall
from pki.lds import date_of_issue, listed_in_common_data
from pki.passive_authentication import with_chip
from pki.results import Authentic, Rejected, Undetermined

MRZ = "P<IDNSPECIMEN<<BUDI<<<<<<<<<<<<<<<<<<<<<<<<<X0000000<0IDN9001011M3001010<<<<<<<<<<<<<<00"
LATER = timedelta(days=20 * 365)


def common_data(*tags: int) -> bytes:
    return der.encode(0x60, der.encode(0x5F01, b"0107"), der.encode(0x5F36, b"040000"), der.encode(0x5C, bytes(tags)))


def results(verdict) -> dict[str, str]:
    return {step.name: step.result for step in verdict.record.steps}


def undated(workshop, data_groups, signer=None) -> bytes:
    """A SOD without a signing time."""
    content = workshop.content(data_groups)
    info = workshop.signer_info(content, signer=signer, attributes=workshop.attributes(content, now=None))
    return workshop.sod(content, signer=signer, signer_infos=[info])


# --- the whole


def test_every_combination_of_results_has_the_first_of_the_precedence():
    for count in range(1, 6):
        for together in product(PRECEDENCE, repeat=count):
            whole = overall(together)
            assert whole in together
            assert all(PRECEDENCE.index(whole) <= PRECEDENCE.index(each) for each in together)


@given(st.dictionaries(st.sampled_from(sorted(CHECKS)), st.sampled_from(PRECEDENCE)))
def test_only_a_record_of_successes_is_successful(ended):
    record = InspectionRecord.of(Step(number=number, result=result) for number, result in ended.items())
    assert (record.result == "successful") == (len(ended) == len(CHECKS) and set(ended.values()) == {"successful"})


@pytest.mark.conforms("TR-03135-1 §3.5.1", "negative")
def test_no_check_at_all_is_aborted():
    assert overall([]) == InspectionRecord.of([]).result == "aborted"


@pytest.mark.conforms("TR-03135-1 §3.5.1", "defect")
def test_a_whole_that_is_successful_for_want_of_failures_is_noticed(monkeypatch):
    monkeypatch.setattr("pki.inspection_record.overall", lambda results: "failed" if "failed" in results else "successful")
    with pytest.raises(AssertionError):
        test_no_check_at_all_is_aborted()


@settings(max_examples=200)
@given(st.permutations(sorted(CHECKS)), st.sets(st.sampled_from(sorted(CHECKS))))
def test_verdict_is_that_of_the_first_check_with_a_reason_code_in_any_order(order, spoilt):
    code = ReasonCode.MALFORMED
    steps = [
        Step(number=n, result="undetermined" if n in spoilt else "successful", code=code if n in spoilt else "") for n in order
    ]
    decider = deciding(steps)
    weighing = [number for number in spoilt if number <= OF_THE_VERDICT]
    assert (decider.number if decider else None) == min(weighing, default=None)


def test_numbers_names_and_docstring_are_one():
    assert list(CHECKS) == list(range(1, len(CHECKS) + 1))
    for number, check in CHECKS.items():
        assert f"{number}. *{check.name}*" in passive_authentication.__doc__


# --- always all checks


@pytest.mark.parametrize("octets", [b"", b"\x77\x00", b"\x30\x80"])
@pytest.mark.conforms("TR-03135-1 §3.5.1", "negative")
def test_unreadable_sod_leaves_all_other_checks_aborted_with_the_reason(octets, workshop):
    record = workshop.judge(octets).record
    assert [step.number for step in record.steps] == list(CHECKS)
    assert {step.result for step in record.steps[1:]} == {"aborted"}
    assert {record[number].detail for number in (2, 7, 9, 11, 14, 15)} == {"after step 1, decode: MALFORMED"}
    assert record[13].detail == "not at hand"


@pytest.mark.conforms("TR-03135-1 §3.5.1", "positive")
@pytest.mark.conforms("TR-03135-1 §5.6, common data", "positive")
@pytest.mark.conforms("TR-03135-1 §5.7", "positive")
def test_honest_document_with_everything_at_hand_has_nothing_aborted(workshop, data_groups, now):
    trust = workshop.state.trust_store(crls=[workshop.state.crl()])
    verdict = workshop.judge(workshop.sod(), trust=trust, mrz=MRZ, common_data=common_data(0x61, 0x75))
    record = with_chip(
        verdict.record,
        ChipAuthenticity(verdict="genuine", protocols=("active_authentication",), code="", detail=""),
        CardAccessVerdict(verdict="agrees"),
    )
    assert isinstance(verdict, Authentic)
    assert {step.result for step in record.steps} == {"successful"}
    assert record.result == "successful"


def test_record_is_json_with_the_number_the_name_and_the_clause(workshop):
    record = json.loads(json.dumps(workshop.judge(workshop.sod()).record.as_dict()))
    assert record["result"] == "aborted"
    assert [check["number"] for check in record["checks"]] == list(CHECKS)
    assert {"name": "hashes", "group": "electronic.data_group_integrity"}.items() <= record["checks"][8].items()


@pytest.mark.parametrize(
    ("verdict", "result"),
    [("genuine", "successful"), ("not_genuine", "failed"), ("not_supported", "not_supported"), ("undetermined", "undetermined")],
)
def test_each_word_on_the_chip_is_a_result(verdict, result):
    chip = ChipAuthenticity(verdict=verdict, protocols=(), code="CODE", detail="")
    assert with_chip(InspectionRecord.of([]), chip)[14].result == result


@pytest.mark.parametrize(
    ("verdict", "result"),
    [("agrees", "successful"), ("not_offered", "successful"), ("differs", "failed"), ("unsigned", "undetermined")],
)
def test_each_word_on_the_offer_is_a_result(verdict, result):
    assert with_chip(InspectionRecord.of([]), card_access=CardAccessVerdict(verdict=verdict))[15].result == result


# --- nothing hides behind something else


def test_expired_signer_and_wrong_portrait_both_show(workshop, data_groups, now):
    verdict = workshop.judge(undated(workshop, data_groups), data_groups | {2: b"another"}, now=now + LATER)
    assert (verdict.code, verdict.step) == (ReasonCode.CERTIFICATE_NOT_VALID_AT_SIGNING, "validity")
    assert (results(verdict)["validity"], results(verdict)["hashes"]) == ("undetermined", "failed")
    assert not isinstance(verdict, Authentic)


def test_unknown_state_and_wrong_portrait_both_show_and_the_verdict_stays_without_an_anchor(workshop, data_groups):
    verdict = workshop.judge(workshop.sod(signer=workshop.foreign.signer), data_groups | {2: b"another"})
    assert isinstance(verdict, Undetermined)
    assert verdict.code is ReasonCode.NO_TRUST_ANCHOR
    assert results(verdict)["hashes"] == "failed"
    assert results(verdict)["country"] == "aborted"
    assert verdict.record.result == "failed"


def test_wrong_signature_hides_no_other_check(workshop):
    sod = bytearray(workshop.sod())
    sod[-1] ^= 1
    verdict = workshop.judge(bytes(sod), mrz="P<UTO", common_data=common_data(0x61))
    assert isinstance(verdict, Rejected)
    failed = [step.name for step in verdict.record.steps if step.result == "failed"]
    assert failed == ["signature", "common data", "printed mrz"]


def test_what_did_not_pass_cannot_pass_once_its_data_groups_are_bound(workshop, data_groups):
    early = passive_authentication.authenticate_sod(workshop.sod(), workshop.foreign.trust_store(), workshop.now)
    assert isinstance(early, Undetermined)
    late = passive_authentication.bind_data_groups(early, data_groups)
    assert late == Undetermined(code=early.code, step=early.step, detail=early.detail, steps=late.steps)
    assert len(late.steps) > len(early.steps)


# --- EF.COM and the printed MRZ: reported beside the verdict


@pytest.mark.parametrize("tags", [(0x61,), (0x61, 0x75, 0x6E), ()])
@pytest.mark.conforms("TR-03135-1 §5.6, common data", "negative")
def test_common_data_that_names_other_groups_fails_and_changes_no_verdict(tags, workshop):
    verdict = workshop.judge(workshop.sod(), common_data=common_data(*tags))
    assert isinstance(verdict, Authentic)
    assert (verdict.record[12].result, verdict.record[12].code) == ("failed", "COMMON_DATA_DIFFERS")


@pytest.mark.conforms("TR-03135-1 §5.6, common data", "defect")
def test_without_the_comparison_other_common_data_gets_by(workshop, monkeypatch):
    monkeypatch.setattr("pki.passive_authentication._compare_common_data", lambda *_: None)
    with pytest.raises(AssertionError):
        test_common_data_that_names_other_groups_fails_and_changes_no_verdict((0x61,), workshop)


@pytest.mark.parametrize("octets", [b"", common_data(0x61, 0x62), der.encode(0x60)])
def test_unreadable_common_data_changes_no_verdict(octets, workshop):
    verdict = workshop.judge(workshop.sod(), common_data=octets)
    assert isinstance(verdict, Authentic)
    assert verdict.record[12].result == "undetermined"


@given(st.binary(max_size=60))
def test_any_octets_are_common_data_or_an_error_of_the_room(octets):
    for encoded in (octets, der.encode(0x60, octets)):
        try:
            assert listed_in_common_data(encoded) <= set(range(1, 17))
        except PkiError:
            continue


@pytest.mark.conforms("TR-03135-1 §5.7", "negative")
def test_mrz_that_is_printed_otherwise_fails_and_is_not_repeated(workshop):
    printed = MRZ.replace("BUDI", "ANDI")
    step = workshop.judge(workshop.sod(), mrz=printed).record[13]
    assert (step.result, step.code) == ("failed", "MRZ_DIFFERS")
    assert "BUDI" not in step.detail


@pytest.mark.conforms("TR-03135-1 §5.7", "defect")
def test_without_the_comparison_another_zone_gets_by(workshop, monkeypatch):
    monkeypatch.setattr("pki.passive_authentication._compare_mrz", lambda *_: None)
    with pytest.raises(AssertionError):
        test_mrz_that_is_printed_otherwise_fails_and_is_not_repeated(workshop)


def test_mrz_is_not_compared_where_data_group_1_was_not_read(workshop, data_groups):
    record = workshop.judge(workshop.sod(), {2: data_groups[2]}, mrz=MRZ, mrz_issuing_state="IDN").record
    assert (record[13].result, record[13].detail) == ("aborted", "not at hand")


# --- the date of issue in DG12


def dated(day: bytes) -> bytes:
    return der.encode(0x6C, der.encode(0x5C, b"\x5f\x26"), der.encode(0x5F26, day))


@pytest.mark.parametrize("octets", [b"20260901", bytes.fromhex("20260901")])
def test_signed_date_of_issue_tells_when_the_signer_had_to_be_valid(octets, workshop, data_groups, now):
    groups = data_groups | {12: dated(octets)}
    verdict = workshop.judge(undated(workshop, groups), groups, now=now + LATER)
    assert isinstance(verdict, Authentic)
    assert (verdict.signed_at, verdict.record[6].result) == (None, "successful")


@pytest.mark.parametrize(
    "octets", [b"19990101", b"20660901", b"20261301", b"2026", b"", b"\xff" * 8, "２０２６０９０１".encode()]
)
def test_date_of_issue_outside_the_signers_validity_or_unreadable_helps_nobody(octets, workshop, data_groups, now):
    groups = data_groups | {12: dated(octets)}
    verdict = workshop.judge(undated(workshop, groups), groups, now=now + LATER)
    assert isinstance(verdict, Undetermined)
    assert verdict.code is ReasonCode.CERTIFICATE_NOT_VALID_AT_SIGNING


def test_date_of_issue_that_nobody_signed_is_none(workshop, data_groups, now):
    """Exchanged, or smuggled in where the SOD lists no DG12."""
    for signed in (data_groups | {12: dated(b"20010101")}, data_groups):
        verdict = workshop.judge(undated(workshop, signed), data_groups | {12: dated(b"20260901")}, now=now + LATER)
        assert not isinstance(verdict, Authentic)
        assert verdict.record[6].result == "undetermined"


def test_date_of_issue_settles_nothing_but_the_date(workshop, data_groups, now):
    """A signer that is revoked, or that no anchor vouches for, stays so."""
    groups = data_groups | {12: dated(b"20260901")}
    sod, later = undated(workshop, groups), now + LATER
    assert not isinstance(workshop.judge(sod, groups, now=later, trust=workshop.foreign.trust_store()), Authentic)
    crl = workshop.state.crl(revoked=[workshop.state.signer])
    assert not isinstance(workshop.judge(sod, groups, now=later, trust=workshop.state.trust_store(crls=[crl])), Authentic)


@given(st.binary(max_size=40))
def test_any_octets_are_a_date_of_issue_none_or_an_error_of_the_room(octets):
    for encoded in (octets, dated(octets), der.encode(0x6C, octets)):
        try:
            found = date_of_issue(encoded)
        except PkiError:
            continue
        assert found is None or found.tzinfo is not None
