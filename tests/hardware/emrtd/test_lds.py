"""EF.COM, DG1 and the two files beside the application: built and read back, specimens read, wrong ones refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.emrtd import tlv
from hardware.emrtd.errors import LdsError
from hardware.emrtd.lds import FILES, build_com, build_dg1, dg1_mrz, parse_com
from hardware.emrtd.lds_master import AtrInfo, build_atr_info, build_dir, parse_atr_info, parse_dir

TD3 = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")
TD2 = ("I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "D231458907UTO7408122F1204159<<<<<<<6")
TD1 = ("I<UTOD231458907<<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<")
"""Doc 9303-4, -6 and -5: the specimens of Utopia."""


def told(parse, data, file: str):
    """The value, or None where it was refused with the file and a place in it."""
    try:
        return parse(data)
    except LdsError as error:
        wrong = error
    assert (wrong.file, wrong.offset is not None) == (file, True)
    assert 0 <= wrong.offset <= len(data)
    return None


@pytest.mark.parametrize("lines", [TD3, TD2, TD1])
@pytest.mark.parametrize("holder", [bytes, bytearray, memoryview])
def test_dg1_comes_back_as_one_string(lines: tuple[str, ...], holder: Callable[[bytes], bytes]) -> None:
    assert dg1_mrz(holder(build_dg1(lines))) == "".join(lines)


@pytest.mark.parametrize("mrz", ["", "A" * 87, "a" * 88, "A" * 87 + "!", "A" * 87 + "\n", "A" * 89, "A" * 71])
def test_a_wrong_mrz_in_dg1_is_refused_where_it_stands(mrz: str) -> None:
    with pytest.raises(LdsError) as caught:
        dg1_mrz(build_dg1([mrz]))
    assert (caught.value.code, caught.value.file, caught.value.offset) == ("DG1_MRZ", "DG1", 2)


def test_bytes_after_a_file_are_refused() -> None:
    with pytest.raises(LdsError, match="TLV_TRAILING") as caught:
        dg1_mrz(build_dg1(["A" * 88]) + b"\0")
    assert caught.value.offset == 93


def test_a_length_that_lies_is_told_with_its_place() -> None:
    file = bytearray(build_dg1(["A" * 88]))
    file[4] = 200 - 127
    with pytest.raises(LdsError) as caught:
        dg1_mrz(file)
    assert (caught.value.code, caught.value.file, caught.value.offset) == ("TLV_TRAILING", "DG1", 5 + 73)


def test_an_object_that_reaches_out_of_its_template_is_refused() -> None:
    """Its neighbour's bytes are there, but they are not its own."""
    first, second = b"\x61\x04\x4f\x06\x01\x02", b"\x61\x04\x4f\x02\x03\x04"
    with pytest.raises(LdsError, match="TLV_TRUNCATED") as caught:
        parse_dir(first + second)
    assert caught.value.offset == 2


def test_ef_com_names_its_data_groups() -> None:
    com = parse_com(build_com(["DG1", "DG2", "DG14", "DG15"]))
    assert (com.lds_version, com.unicode_version) == ("0107", "040000")
    assert com.data_groups == ("DG1", "DG2", "DG14", "DG15")


@pytest.mark.parametrize("body", [b"\x5c\x01\x42", b"\x5c\x00\x5c\x00", b"\x5c"])
def test_an_ef_com_with_an_unknown_tag_or_two_lists_is_refused(body: bytes) -> None:
    with pytest.raises(LdsError):
        parse_com(tlv.encode(0x60, body))


def test_a_file_of_empty_objects_is_refused_before_they_are_counted() -> None:
    with pytest.raises(LdsError, match="TLV_MANY"):
        parse_com(tlv.encode(0x60, b"\x42\x00" * 30_000))


def test_ef_dir_lists_applications() -> None:
    names = [bytes.fromhex("A0000002471001"), bytes.fromhex("A0000002472001")]
    assert build_dir(names).startswith(bytes.fromhex("61094F07A0000002471001"))  # Doc 9303-10, Table 31
    assert parse_dir(build_dir(names)) == tuple(names)


@pytest.mark.parametrize(
    "data",
    [tlv.encode(0x62, b""), tlv.encode(0x61, b""), tlv.encode(0x61, b"\x4f\x00"), tlv.encode(0x61, b"\x4f\x11" + bytes(17))],
)
def test_an_application_template_without_a_name_is_refused(data: bytes) -> None:
    with pytest.raises(LdsError, match="DIR_TEMPLATE"):
        parse_dir(data)


@pytest.mark.parametrize(
    "info", [AtrInfo(), AtrInfo(command_chaining=True, extended_length=True, max_command=1000, max_response=65_536)]
)
def test_ef_atr_info_says_what_the_chip_can_take(info: AtrInfo) -> None:
    assert parse_atr_info(build_atr_info(info)) == info


@pytest.mark.parametrize(
    "limits", [b"", b"\x02\x01\x40", b"\x02\x00\x02\x01\x40", b"\x02\x04\1\0\0\0\x02\x01\x40", b"\x02\x01\x40" * 3]
)
def test_limits_that_are_no_two_lengths_are_refused(limits: bytes) -> None:
    with pytest.raises(LdsError):
        parse_atr_info(tlv.encode(0x7F66, limits))


def test_unknown_objects_in_ef_atr_info_are_passed_over() -> None:
    assert parse_atr_info(b"\x43\x01\x80" + build_atr_info(AtrInfo(extended_length=True))) == AtrInfo(extended_length=True)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_file_or_its_own_error(data: bytes) -> None:
    for file, parse in (("EF.COM", parse_com), ("DG1", dg1_mrz), ("EF.DIR", parse_dir), ("EF.ATR/INFO", parse_atr_info)):
        wrapped = tlv.encode(FILES[file].tag, data) if file in FILES else data
        for candidate in (data, wrapped):
            told(parse, candidate, file)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("folder", "dg1", "groups"),
    [
        ("bsi_dataset", "Datagroup1", ("DG1", "DG2", "DG3", "DG4", "DG14")),
        ("tsemrtd_specimen", "EF_DG1", ("DG1", "DG2", "DG3", "DG14")),
    ],
)
def test_specimens_are_read(pki_data: Path, folder: str, dg1: str, groups: tuple[str, ...]) -> None:
    assert dg1_mrz((pki_data / folder / f"{dg1}.bin").read_bytes()).startswith("P<D<<MUSTERMANN<<ERIKA")
    com = parse_com((pki_data / folder / "EF_COM.bin").read_bytes())
    assert (com.lds_version, com.data_groups) == ("0107", groups)
