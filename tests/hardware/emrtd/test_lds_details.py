"""DG11, DG12, DG13 and DG16: what is written is read back, in both ways to write a date; wrong ones are refused by name."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.emrtd import tlv
from hardware.emrtd.errors import LdsError
from hardware.emrtd.lds_details import (
    DocumentDetails,
    PersonalDetails,
    PersonToNotify,
    build_dg11,
    build_dg12,
    build_dg16,
    parse_dg11,
    parse_dg12,
    parse_dg13,
    parse_dg16,
)

TEXT = st.text(max_size=20)
NAMES = st.lists(TEXT, max_size=3).map(tuple)
DATE = st.from_regex(r"[0-9]{8}", fullmatch=True) | st.just("")
TIME = st.from_regex(r"[0-9]{14}", fullmatch=True) | st.just("")
KINDS = {"names": NAMES, "date": DATE, "time": TIME, "image": st.binary(max_size=20), "text": TEXT}


def filled(kind: type) -> st.SearchStrategy:
    return st.builds(kind, **{each.name: KINDS[each.metadata["kind"]] for each in fields(kind) if each.metadata})


def values(details) -> dict[str, object]:
    return {each.name: getattr(details, each.name) for each in fields(details) if each.metadata}


def told(parse, data, file: str):
    """The value, or None where it was refused with the file and a place in it."""
    try:
        return parse(data)
    except LdsError as error:
        wrong = error
    assert (wrong.file, wrong.offset is not None) == (file, True)
    assert 0 <= wrong.offset <= len(data)
    return None


@given(filled(PersonalDetails))
def test_personal_details_come_back(details: PersonalDetails) -> None:
    assert values(parse_dg11(build_dg11(details))) == values(details)


@given(filled(DocumentDetails))
def test_document_details_come_back(details: DocumentDetails) -> None:
    assert values(parse_dg12(build_dg12(details))) == values(details)


@given(st.lists(filled(PersonToNotify), max_size=9))
def test_persons_to_notify_come_back(persons: list[PersonToNotify]) -> None:
    assert parse_dg16(build_dg16(persons)) == tuple(persons)


def test_the_tag_list_names_what_is_there() -> None:
    details = PersonalDetails(full_name="ERIKSSON<<ANNA", other_names=("SMITH<<ANNA", "ANNA"), date_of_birth="19740812")
    assert parse_dg11(build_dg11(details)).tags == (0x5F0E, 0xA0, 0x5F2B)


def test_no_detail_stands_in_a_log() -> None:
    details = PersonalDetails(full_name="ERIKSSON<<ANNA", personal_number="ZE184226B", tags=(0x5F0E,))
    assert "ERIKSSON" not in repr(details)
    assert "ZE184226B" not in repr(details)


@pytest.mark.parametrize("value", [b"19740812", bytes.fromhex("19740812")])
def test_a_date_is_read_as_text_or_bcd(value: bytes) -> None:
    assert parse_dg11(tlv.encode(0x6B, tlv.encode(0x5F2B, value))).date_of_birth == "19740812"


@pytest.mark.parametrize("value", [b"20240101123059", bytes.fromhex("20240101123059")])
def test_a_time_is_read_as_text_or_bcd(value: bytes) -> None:
    assert parse_dg12(tlv.encode(0x6C, tlv.encode(0x5F55, value))).personalized_at == "20240101123059"


def test_unknown_parts_of_a_date_stay_as_they_are() -> None:
    assert parse_dg11(tlv.encode(0x6B, tlv.encode(0x5F2B, b"19740000"))).date_of_birth == "19740000"


def test_text_that_is_no_utf_8_is_read_as_far_as_it_goes() -> None:
    assert parse_dg11(tlv.encode(0x6B, tlv.encode(0x5F0E, b"M\xfcLLER"))).full_name == "M�LLER"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (tlv.encode(0x5F2B, b"1974081"), "DG11_DATE"),
        (tlv.encode(0x5F2B, b"1974081X"), "DG11_DATE"),
        (tlv.encode(0x5F2B, bytes.fromhex("1974081F")), "DG11_DATE"),
        (tlv.encode(0x5F2B, "١٩٧٤".encode()), "DG11_DATE"),
        (tlv.encode(0x5F0E, b"A") * 2, "DG11_TWICE"),
        (tlv.encode(0xA0, b""), "DG11_COUNT"),
        (tlv.encode(0xA0, b"\x02\1\2" + tlv.encode(0x5F0F, b"A")), "DG11_COUNT"),
        (tlv.encode(0xA0, b"\x02\1\2" + tlv.encode(0x5F0F, b"A") + tlv.encode(0x5F10, b"A")), "DG11_COUNT"),
        (tlv.encode(0xA0, b"\x02\1\1" + tlv.encode(0x5F10, b"A")) + tlv.encode(0x5F10, b"A"), "DG11_TWICE"),
        (tlv.encode(0x5C, b"\x5f"), "DG11_TAGS"),
        (b"\x5f", "TLV_TRUNCATED"),
    ],
)
def test_wrong_details_are_refused_by_name(body: bytes, code: str) -> None:
    with pytest.raises(LdsError) as caught:
        parse_dg11(tlv.encode(0x6B, body))
    assert (caught.value.code, caught.value.file) == (code, "DG11")


def test_unknown_objects_are_passed_over() -> None:
    body = tlv.encode(0x5F7A, b"national") + tlv.encode(0x5F0E, b"A")
    assert parse_dg11(tlv.encode(0x6B, body)).full_name == "A"


@pytest.mark.parametrize("body", [b"", b"\x02\1\1", b"\x02\1\1" + tlv.encode(0xB1, b""), b"\x02\1\2" + tlv.encode(0xA1, b"")])
def test_a_wrong_number_of_persons_is_refused(body: bytes) -> None:
    with pytest.raises(LdsError, match="DG16_COUNT"):
        parse_dg16(tlv.encode(0x70, body))


def test_dg13_is_handed_over_as_it_is() -> None:
    assert parse_dg13(tlv.encode(0x6D, b"\xff\x00anything")) == b"\xff\x00anything"


@given(st.binary(max_size=200))
def test_any_bytes_are_details_or_their_own_error(data: bytes) -> None:
    for file, tag, parse in (
        ("DG11", 0x6B, parse_dg11),
        ("DG12", 0x6C, parse_dg12),
        ("DG13", 0x6D, parse_dg13),
        ("DG16", 0x70, parse_dg16),
    ):
        for candidate in (data, tlv.encode(tag, data)):
            told(parse, candidate, file)


@given(filled(PersonalDetails), st.data())
def test_spoiled_details_are_details_or_their_own_error(details: PersonalDetails, data: st.DataObject) -> None:
    file = bytearray(build_dg11(details))
    file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    told(parse_dg11, file, "DG11")


@pytest.mark.shared
def test_specimen_details_are_read(pki_data: Path) -> None:
    folder = pki_data / "tsemrtd_specimen"
    personal = parse_dg11((folder / "EF_DG11.bin").read_bytes())
    assert (personal.full_name, personal.other_names, personal.date_of_birth) == ("Doe John", ("William",), "19700101")
    assert personal.tags[0] == 0x5F0E
    assert personal.tags[-1] == 0xA0
    document = parse_dg12((folder / "EF_DG12.bin").read_bytes())
    assert (document.issuing_authority, document.date_of_issue, document.other_persons) == ("TEST", "20240101", ("William",))
    assert (document.personalized_at, document.personalization_system) == ("20240101123059", "123")
    assert document.tags == ()
