"""Files of the logical data structure: built and read back, specimens read, wrong ones refused by name."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from hardware.emrtd import tlv
from hardware.emrtd.errors import LdsError
from hardware.emrtd.lds import build_com, build_dg1, build_dg2, dg1_mrz, dg2_image, parse_com

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(200))
JP2 = b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(range(200))


def dg2_of(record: bytes, count: bytes = b"\1") -> bytes:
    template = tlv.encode(0x7F60, tlv.encode(0xA1, b"") + tlv.encode(0x5F2E, record))
    return tlv.encode(0x75, tlv.encode(0x7F61, tlv.encode(0x02, count) + template))


def face_record(faces: int = 1, points: int = 0, length_error: int = 0, block_error: int = 0, image: bytes = JPEG) -> bytes:
    block = 20 + 8 * points + 12 + len(image)
    head = (
        b"FAC\x00010\0"
        + struct.pack(">IH", 14 + block + length_error, faces)
        + struct.pack(">IH14x", block + block_error, points)
    )
    return head + bytes(8 * points + 12) + image


@pytest.mark.parametrize(("image", "kind"), [(JPEG, "jpeg"), (JP2, "jpeg2000"), (b"\xff\x4f\xff\x51" + JPEG, "jpeg2000")])
def test_a_portrait_comes_back_as_it_was(image: bytes, kind: str) -> None:
    portrait = dg2_image(build_dg2(image, kind, width=413, height=531))  # type: ignore[arg-type]  # a parameter
    assert (portrait.image, portrait.kind) == (image, kind)
    assert repr(image) not in repr(portrait)


def test_the_image_tells_its_kind_not_the_record() -> None:
    assert dg2_image(build_dg2(JP2, "jpeg")).kind == "jpeg2000"


def test_feature_points_are_skipped() -> None:
    assert dg2_image(dg2_of(face_record(points=3))).image == JPEG


@pytest.mark.parametrize(
    ("dg2", "code"),
    [
        (dg2_of(face_record(faces=2)), "DG2_COUNT"),
        (dg2_of(face_record(faces=0)), "DG2_COUNT"),
        (dg2_of(face_record(), count=b"\2"), "DG2_COUNT"),
        (dg2_of(face_record(length_error=1)), "DG2_LENGTH"),
        (dg2_of(face_record(length_error=-1)), "DG2_LENGTH"),
        (dg2_of(face_record(block_error=5)), "DG2_LENGTH"),
        (dg2_of(face_record()[:40]), "DG2_TRUNCATED"),
        (dg2_of(face_record().replace(b"010\0", b"030\0")), "DG2_FORMAT"),
        (dg2_of(face_record(image=b"GIF89a")), "DG2_IMAGE"),
        (dg2_of(face_record(points=1)[:16] + b"\0\0\xff\xff" + face_record(points=1)[20:]), "DG2_LENGTH"),
        (tlv.encode(0x75, tlv.encode(0x7F61, b"\x02\x01\x00")), "DG2_COUNT"),
    ],
)
def test_a_wrong_portrait_is_refused_by_name(dg2: bytes, code: str) -> None:
    with pytest.raises(LdsError) as caught:
        dg2_image(dg2)
    assert (caught.value.code, caught.value.file) == (code, "DG2")


def test_feature_points_beyond_the_record_leave_no_image() -> None:
    record = bytearray(face_record())
    record[18:20] = b"\xff\xff"
    with pytest.raises(LdsError, match="DG2_IMAGE"):
        dg2_image(dg2_of(bytes(record)))


def test_dg1_comes_back_as_one_string() -> None:
    lines = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")
    assert dg1_mrz(build_dg1(lines)) == "".join(lines)


@pytest.mark.parametrize("mrz", ["", "A" * 87, "a" * 88, "A" * 87 + "é"[:0] + "!", "A" * 89])
def test_a_wrong_mrz_in_dg1_is_refused(mrz: str) -> None:
    with pytest.raises(LdsError):
        dg1_mrz(build_dg1([mrz]))


def test_bytes_after_a_file_are_refused() -> None:
    with pytest.raises(LdsError, match="TLV_TRAILING"):
        dg1_mrz(build_dg1(["A" * 88]) + b"\0")


def test_ef_com_names_its_data_groups() -> None:
    com = parse_com(build_com(["DG1", "DG2", "DG14", "DG15"]))
    assert (com.lds_version, com.unicode_version) == ("0107", "040000")
    assert com.data_groups == ("DG1", "DG2", "DG14", "DG15")


def test_an_unknown_tag_in_ef_com_is_refused() -> None:
    with pytest.raises(LdsError):
        parse_com(tlv.encode(0x60, b"\x5c\x01\x42"))


@pytest.mark.shared
@pytest.mark.parametrize(
    ("folder", "dg1", "dg2", "com", "groups"),
    [
        ("bsi_dataset", "Datagroup1", "Datagroup2", "EF_COM", ("DG1", "DG2", "DG3", "DG4", "DG14")),
        ("tsemrtd_specimen", "EF_DG1", "EF_DG2", "EF_COM", None),
    ],
)
def test_specimens_are_read(pki_data: Path, folder: str, dg1: str, dg2: str, com: str, groups: tuple[str, ...] | None) -> None:
    files = [(pki_data / folder / f"{name}.bin").read_bytes() for name in (dg1, dg2, com)]
    assert dg1_mrz(files[0]).startswith("P<D<<MUSTERMANN<<ERIKA")
    portrait = dg2_image(files[1])
    assert portrait.kind == "jpeg2000"
    assert files[1].endswith(portrait.image)
    data_groups = parse_com(files[2]).data_groups
    assert data_groups == groups or groups is None
    assert data_groups[:2] == ("DG1", "DG2")


@pytest.mark.shared
def test_the_sample_face_record_holds_its_sample_picture(pki_data: Path) -> None:
    folder = pki_data / "dg2_samples"
    portrait = dg2_image(dg2_of((folder / "ISO19794_Test1_Data.bin").read_bytes()))
    assert (portrait.kind, portrait.image) == ("jpeg", (folder / "ISO19794_Test1_Face.jpg").read_bytes())


@pytest.mark.shared
def test_iso_39794_is_refused_by_name_not_misread(pki_data: Path) -> None:
    with pytest.raises(LdsError):
        dg2_image((pki_data / "dg2_samples" / "ICAO_39794_5_AP_DG2_AllFields.dat").read_bytes())
