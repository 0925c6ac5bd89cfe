"""Deviation lists: known defects stand beside a verdict and change nothing about it."""

from __future__ import annotations

import hashlib
from datetime import date

import pytest
from _pytest.outcomes import Failed
from hypothesis import given, settings
from hypothesis import strategies as st

from pki import der, deviations, sim_lists
from pki.certificates import parse_certificate
from pki.deviations import DEVIATION_LIST, open_deviation_list
from pki.errors import PkiError, ReasonCode
from pki.known_defects import Defect, DocumentFacts, read_by_lists, read_with
from pki.results import Authentic, Rejected


@pytest.fixture(scope="module")
def opened_content(workshop, now):
    signer, anchors = sim_lists.list_signer(workshop.state, DEVIATION_LIST), workshop.state.trust_store()
    return lambda content: open_deviation_list(sim_lists.signed_list(signer, DEVIATION_LIST, content), anchors, now)


@pytest.fixture(scope="module")
def opened(opened_content):
    return lambda *entries, **more: opened_content(sim_lists.deviation_list(entries, **more))


def facts(**known) -> DocumentFacts:
    return DocumentFacts(country=known.pop("country", "ID"), **known)


def period(first: str, last: str) -> bytes:
    return der.encode(0xA4, *(der.encode(der.GENERALIZED_TIME, f"{day}000000Z".encode()) for day in (first, last)))


SIGNATURE = sim_lists.defect("2.3", description="signed with a wrong hash")


def test_list_of_the_longest_known_shape_names_its_documents_and_no_others(workshop, now):
    """One entry, 169,422 numbers, no digest algorithm, an empty SET of them in the CMS around it."""
    encoded = sim_lists.long_deviation_list(workshop.state)
    found = open_deviation_list(encoded, workshop.state.trust_store(), now)
    assert 1_800_000 < len(encoded) < 1_900_000
    assert len(found.entries[0].numbers) == 169_422
    for number, listed in (("X00000000", True), ("X00169421", True), ("X00169422", False), ("", False)):
        assert bool(found.known_defects(facts(document_number=number))) == listed


def test_defect_carries_its_kind_description_and_source(opened):
    (known,) = opened(sim_lists.deviation([], SIGNATURE)).known_defects(facts())
    assert (known.defect, known.certain) == (Defect.SOD_SIGNATURE_WRONG, True)
    assert (known.description, known.source) == ("signed with a wrong hash", "deviation list of ID, 2026-09-01")


def test_list_speaks_of_its_own_documents_alone(opened):
    assert opened(sim_lists.deviation([], SIGNATURE)).known_defects(facts(country="DE")) == ()


def test_every_criterion_of_an_entry_must_be_met(opened):
    documents = [der.encode(0x80, b"P<"), period("20200101", "20201231"), sim_lists.document_numbers(["A1", "A2"])]
    found = opened(sim_lists.deviation(documents, SIGNATURE))
    met = {"document_type": "P", "issued": date(2020, 12, 31), "document_number": "A2"}
    assert [known.certain for known in found.known_defects(facts(**met))] == [True]
    for other in (
        {"document_type": "PD"},
        {"issued": date(2021, 1, 1)},
        {"issued": date(2019, 12, 31)},
        {"document_number": "B1"},
    ):
        assert found.known_defects(facts(**met | other)) == ()


def test_criterion_that_cannot_be_told_leaves_the_defect_uncertain(opened):
    found = opened(sim_lists.deviation([period("20200101", "20201231")], SIGNATURE))
    assert [known.certain for known in found.known_defects(facts())] == [False]


def signer_criteria(certificate):
    yield der.encode(0xA1, certificate.issuer.encoded, der.encode_integer(certificate.serial))
    yield der.encode(0x82, certificate.extensions.subject_key_identifier)
    yield der.encode(0x83, hashlib.sha256(certificate.encoded).digest())


@pytest.mark.parametrize("how", range(3), ids=["issuer and serial", "key identifier", "digest"])
@pytest.mark.parametrize("algorithm", [sim_lists.SHA256, b""], ids=["sha256", "no algorithm"])
def test_signer_is_known_by_each_of_its_names(how, algorithm, opened, workshop):
    own, other = (parse_certificate(state.signer.certificate) for state in (workshop.state, workshop.foreign))
    found = opened(sim_lists.deviation([list(signer_criteria(own))[how]], SIGNATURE), algorithm=algorithm)
    assert found.known_defects(facts(signer=own))[0].certain
    assert found.known_defects(facts(signer=other)) == ()
    assert not found.known_defects(facts())[0].certain


def test_unknown_kind_of_defect_is_a_defect(opened):
    (known,) = opened(sim_lists.deviation([], sim_lists.defect("9.9.9"))).known_defects(facts())
    assert known.defect is Defect.UNKNOWN


def test_empty_set_in_place_of_the_algorithm_is_passed_over(opened):
    found = opened(sim_lists.deviation([], SIGNATURE), algorithm=der.encode(der.SET))
    assert len(found.entries) == 1


# --- beside a verdict


@pytest.fixture(scope="module")
def tampered(workshop, data_groups):
    return workshop.judge(workshop.sod(), data_groups | {2: b"another portrait"})


@pytest.mark.conforms("Doc 9303-12 §10", "positive")
def test_known_defect_explains_a_finding_and_changes_no_verdict(opened, tampered):
    known = opened(sim_lists.deviation([], sim_lists.defect("2.2", data_group=2))).known_defects(facts())
    reading = read_with(tampered, known)
    assert reading.verdict is tampered
    assert isinstance(reading.verdict, Rejected)
    assert reading.explained


@pytest.mark.parametrize(
    "defects",
    [
        [],
        [sim_lists.defect("2.2", data_group=3)],
        [sim_lists.defect("2.3")],
        [sim_lists.defect("5")],
        [sim_lists.defect("9")],
    ],
    ids=["none", "another data group", "another check", "national use", "unknown"],
)
@pytest.mark.conforms("Doc 9303-12 §10", "negative")
def test_other_defect_explains_nothing(defects, opened, tampered):
    assert not read_with(tampered, opened(sim_lists.deviation([], *defects)).known_defects(facts())).explained


def test_uncertain_defect_explains_nothing(opened, tampered):
    entry = sim_lists.deviation([period("20200101", "20201231")], sim_lists.defect("2.2", data_group=2))
    assert not read_with(tampered, opened(entry).known_defects(facts())).explained


def test_compromised_key_counts_even_if_uncertain_and_even_beside_authentic(opened, workshop):
    entry = sim_lists.deviation([period("20200101", "20201231")], sim_lists.defect("1.4"))
    verdict = workshop.judge(workshop.sod())
    reading = read_with(verdict, opened(entry).known_defects(facts()))
    assert isinstance(reading.verdict, Authentic)
    assert reading.active_authentication_compromised
    assert not reading.explained


def test_defect_that_explains_stands_at_the_step_that_decided_and_leaves_its_result(opened, tampered):
    one = opened(sim_lists.deviation([], sim_lists.defect("2.2", data_group=2)))
    reading = read_by_lists(tampered, [one], issuing_state="IDN", document_number="X0000000<", document_type="P")
    assert reading.record[9].detail.startswith("known defect DATA_GROUP_HASH_WRONG: ")
    assert [step.result for step in reading.record.steps] == [step.result for step in tampered.record.steps]


def test_defect_that_explains_nothing_leaves_the_record_as_it_is(opened, tampered):
    one = opened(sim_lists.deviation([], SIGNATURE))
    reading = read_by_lists(tampered, [one], issuing_state="IDN", document_number="X0000000<", document_type="P")
    assert (reading.record, reading.named) == (tampered.record, "SOD_SIGNATURE_WRONG")


@pytest.mark.parametrize(("number", "known"), [("A1", True), ("A1<<<<<<<", True), ("A2", False)])
def test_document_is_told_by_its_printed_number_without_fillers(number, known, opened, tampered):
    one = opened(sim_lists.deviation([sim_lists.document_numbers(["A1"])], SIGNATURE))
    reading = read_by_lists(tampered, [one], issuing_state="IDN", document_number=number, document_type="P")
    assert bool(reading.defects) == known


def test_document_whose_signer_cannot_be_read_is_of_the_printed_state(opened, workshop):
    unreadable = workshop.judge(b"")
    one = opened(sim_lists.deviation([], sim_lists.defect("1.2")))
    for state, explained in (("IDN", True), ("D<<", False), ("???", False)):
        reading = read_by_lists(unreadable, [one], issuing_state=state, document_number="", document_type="P")
        assert reading.explained == explained
        assert reading.verdict is unreadable


# --- a folder of them


def test_folder_gives_its_lists_and_names_the_one_that_is_not_proven(workshop, now, tmp_path):
    signer = sim_lists.list_signer(workshop.state, DEVIATION_LIST)
    encoded = sim_lists.signed_list(signer, DEVIATION_LIST, sim_lists.deviation_list([sim_lists.deviation([], SIGNATURE)]))
    (tmp_path / "ID.dl").write_bytes(encoded)
    (tmp_path / "README.md").write_text("whence they come")
    [found] = deviations.read_deviation_lists(tmp_path, workshop.state.trust_store(), now)
    assert found.country == "ID"
    with pytest.raises(PkiError, match="ID"):
        deviations.read_deviation_lists(tmp_path, workshop.foreign.trust_store(), now)
    with pytest.raises(PkiError, match="nowhere"):
        deviations.read_deviation_lists(tmp_path / "nowhere", workshop.state.trust_store(), now)


# --- what is refused


@pytest.mark.conforms("Doc 9303-12 §10", "negative")
def test_list_signed_by_a_signer_of_master_lists_is_refused(workshop, now):
    from pki.masterlist import MASTER_LIST

    signer = sim_lists.list_signer(workshop.state, MASTER_LIST)
    encoded = sim_lists.signed_list(signer, DEVIATION_LIST, sim_lists.deviation_list([]))
    with pytest.raises(PkiError) as caught:
        open_deviation_list(encoded, workshop.state.trust_store(), now)
    assert caught.value.code is ReasonCode.SIGNER_NOT_ENTITLED


@pytest.mark.conforms("Doc 9303-12 §10", "defect")
def test_without_the_check_of_who_may_sign_another_signer_gets_by(workshop, now, monkeypatch):
    monkeypatch.setattr("pki.signed_list._check_entitled", lambda *_: None)
    with pytest.raises(Failed):
        test_list_signed_by_a_signer_of_master_lists_is_refused(workshop, now)


@pytest.mark.parametrize(
    "entry",
    [
        sim_lists.deviation([sim_lists.document_numbers(["1" * 33])], SIGNATURE),
        sim_lists.deviation([der.encode(0xA1)], SIGNATURE),
        sim_lists.deviation([der.encode(0xA4, der.encode(der.UTC_TIME, b"200101000000Z"))], SIGNATURE),
        sim_lists.deviation([der.encode(0xA7)], SIGNATURE),
        sim_lists.deviation([], der.encode(der.SEQUENCE)),
        sim_lists.deviation([], *[SIGNATURE + b""] * 65),
        der.encode(der.SEQUENCE),
    ],
    ids=["long number", "no serial", "no period", "unknown criterion", "no kind", "too many defects", "empty"],
)
def test_malformed_entry_is_refused_with_its_offset(entry, opened):
    with pytest.raises(PkiError, match="at offset"):
        opened(entry)


def test_budget_of_document_numbers_counts_all_entries(opened, monkeypatch):
    entries = [sim_lists.deviation([sim_lists.document_numbers([f"{at}{number}" for number in "12"])], SIGNATURE) for at in "AB"]
    assert len(opened(*entries).entries) == 2
    monkeypatch.setattr(deviations, "MAX_NUMBERS", 3)
    with pytest.raises(PkiError, match="more than"):
        opened(*entries)


@settings(max_examples=100)
@given(content=st.binary(max_size=120))
def test_any_signed_content_is_the_rooms_error(content, opened_content):
    with pytest.raises(PkiError):
        opened_content(content)


@settings(max_examples=150)
@given(data=st.data())
def test_changed_content_is_a_list_or_the_rooms_error(data, opened_content, workshop):
    """Signed by an honest signer, made by a broken tool."""
    own = parse_certificate(workshop.state.signer.certificate)
    documents = [der.encode(0x80, b"P<"), next(signer_criteria(own)), period("20200101", "20201231")]
    content = bytearray(sim_lists.deviation_list([sim_lists.deviation(documents, SIGNATURE)], algorithm=sim_lists.SHA256))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, 200)) % len(content)] = data.draw(st.integers(0, 255))
    try:
        found = opened_content(bytes(content))
    except PkiError:
        return
    assert found.known_defects(facts(country="DE")) == ()
