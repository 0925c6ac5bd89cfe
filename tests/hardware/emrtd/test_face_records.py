"""DG2 by both standards, DG5 and DG7: the picture as it was, and every other shape refused by name."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.emrtd import tlv
from hardware.emrtd.errors import LdsError
from hardware.emrtd.face_record import build_face_record
from hardware.emrtd.face_record_39794 import build_face_record_39794
from hardware.emrtd.lds_face import (
    BIOMETRIC_DATA,
    BIOMETRIC_DATA_39794,
    FORMAT_19794_5,
    FORMAT_39794_5,
    build_dg2,
    build_dg2_39794,
    build_group,
    build_template,
    dg2_image,
)
from hardware.emrtd.lds_images import build_displayed, displayed_images

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(200))
JP2 = b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(range(200))
CODESTREAM = b"\xff\x4f\xff\x51" + bytes(range(200))
OTHER = b"\xff\xd8\xff\xdb" + bytes(range(100))

FIRST_FACE = build_template(FORMAT_19794_5, BIOMETRIC_DATA, build_face_record(JPEG, "jpeg"))
SECOND_FACE = build_template(FORMAT_39794_5, BIOMETRIC_DATA_39794, build_face_record_39794(OTHER, "jpeg"))


def dg2_of(record: bytes, count: bytes = b"\1", tag: int = 0x5F2E) -> bytes:
    template = tlv.encode(0x7F60, tlv.encode(0xA1, b"") + tlv.encode(tag, record))
    return tlv.encode(0x75, tlv.encode(0x7F61, tlv.encode(0x02, count) + template))


def face(image: bytes, points: int = 0, block_error: int = 0) -> bytes:
    return struct.pack(">IH14x", 32 + 8 * points + len(image) + block_error, points) + bytes(8 * points + 12) + image


def face_record(*blocks: bytes, faces: int | None = None, length_error: int = 0) -> bytes:
    body = b"".join(blocks or [face(JPEG)])
    count = len(blocks or [0]) if faces is None else faces
    return b"FAC\x00010\0" + struct.pack(">IH", 14 + len(body) + length_error, count) + body


def told(parse, data, file: str):
    """The value, or None where it was refused with the file and a place in it."""
    try:
        return parse(data)
    except LdsError as error:
        wrong = error
    assert (wrong.file, wrong.offset is not None) == (file, True)
    assert 0 <= wrong.offset <= len(data)
    return None


def refusal(dg2: bytes) -> LdsError:
    with pytest.raises(LdsError) as caught:
        dg2_image(dg2)
    assert caught.value.file == "DG2"
    assert caught.value.offset is not None
    return caught.value


@pytest.mark.parametrize(("image", "kind"), [(JPEG, "jpeg"), (JP2, "jpeg2000"), (CODESTREAM, "jpeg2000")])
@pytest.mark.parametrize(("build", "record"), [(build_dg2, "19794-5"), (build_dg2_39794, "39794-5")])
@pytest.mark.parametrize("holder", [bytes, bytearray, memoryview])
def test_a_portrait_comes_back_as_it_was(image: bytes, kind: str, build, record: str, holder: Callable[[bytes], bytes]) -> None:
    portrait = dg2_image(holder(build(image, kind)))
    assert (portrait.image, portrait.kind, portrait.record, portrait.encodings) == (image, kind, record, 1)
    assert portrait.kind_by == "record"
    assert repr(image) not in repr(portrait)


def test_a_cut_portrait_survives_the_wiping_of_its_file() -> None:
    file = bytearray(build_dg2(JPEG, "jpeg"))
    portrait = dg2_image(file)
    file[:] = bytes(len(file))
    assert portrait.image == JPEG


@pytest.mark.parametrize("build", [build_dg2, build_dg2_39794])
@pytest.mark.parametrize(("image", "said", "kind"), [(JP2, "jpeg", "jpeg2000"), (JPEG, "jpeg2000", "jpeg")])
def test_where_the_record_is_wrong_the_first_bytes_count_and_that_is_told(build, image, said, kind) -> None:
    portrait = dg2_image(build(image, said))
    assert (portrait.kind, portrait.kind_by) == (kind, "first_bytes")


@pytest.mark.parametrize(
    "dg2",
    [
        build_dg2(JPEG, "jpeg").replace(struct.pack(">BBHH", 1, 0, 0, 0), struct.pack(">BBHH", 1, 7, 0, 0)),
        build_dg2_39794(JPEG, "jpeg").replace(b"\xa0\3\x80\1\2", b"\xa0\3\x80\1\7"),
        build_dg2_39794(JPEG, "jpeg").replace(b"\xa0\3\x80\1\2", b"\xa1\3\x80\1\2"),
        build_dg2_39794(JPEG, "jpeg").replace(b"\xa1\5\xa0\3\x80\1\2", b"\xa2\5\xa0\3\x80\1\2"),
    ],
    ids=["unknown type", "unknown code", "no code", "no description"],
)
def test_a_record_that_does_not_name_the_kind_leaves_it_to_the_first_bytes(dg2: bytes) -> None:
    portrait = dg2_image(dg2)
    assert (portrait.image, portrait.kind, portrait.kind_by) == (JPEG, "jpeg", "first_bytes")


def test_feature_points_are_skipped() -> None:
    assert dg2_image(dg2_of(face_record(face(JPEG, points=3)))).image == JPEG


@pytest.mark.parametrize(
    "dg2",
    [
        build_group([FIRST_FACE, SECOND_FACE]),
        dg2_of(face_record(face(JPEG), face(OTHER, points=2))),
    ],
)
def test_of_two_faces_the_first_is_taken_and_the_second_is_told(dg2: bytes) -> None:
    portrait = dg2_image(dg2)
    assert (portrait.image, portrait.encodings) == (JPEG, 2)


def test_of_two_39794_representations_the_first_is_taken_and_the_second_is_told() -> None:
    def representation(image: bytes) -> bytes:
        picture = tlv.encode(0xA0, tlv.encode(0xA0, tlv.encode(0x80, image)))
        return tlv.encode(0x30, tlv.encode(0x80, b"\0") + tlv.encode(0xA1, picture))

    version = tlv.encode(0xA0, b"\x80\1\3\x81\2\x07\xe3")
    block = version + tlv.encode(0xA1, representation(JPEG) + representation(OTHER))
    portrait = dg2_image(dg2_of(tlv.encode(0xA1, tlv.encode(0x65, block)), tag=0x7F2E))
    assert (portrait.image, portrait.encodings) == (JPEG, 2)


def test_of_a_face_by_either_standard_the_first_is_taken() -> None:
    portrait = dg2_image(build_group([SECOND_FACE, FIRST_FACE]))
    assert (portrait.image, portrait.record) == (OTHER, "39794-5")


@pytest.mark.parametrize(
    ("dg2", "code"),
    [
        (dg2_of(face_record(faces=2)), "DG2_TRUNCATED"),
        (dg2_of(face_record(face(JPEG), face(JPEG), faces=1)), "DG2_LENGTH"),
        (dg2_of(face_record(faces=0)), "DG2_COUNT"),
        (dg2_of(face_record(faces=10)), "DG2_COUNT"),
        (dg2_of(face_record(), count=b"\2"), "DG2_COUNT"),
        (dg2_of(face_record(), count=b"\0"), "DG2_COUNT"),
        (dg2_of(face_record(), count=b"\0\1"), "DG2_COUNT"),
        (dg2_of(face_record(length_error=1)), "DG2_LENGTH"),
        (dg2_of(face_record(length_error=-1)), "DG2_LENGTH"),
        (dg2_of(face_record(face(JPEG, block_error=5))), "DG2_LENGTH"),
        (dg2_of(face_record(face(JPEG, block_error=-5))), "DG2_LENGTH"),
        (dg2_of(face_record()[:40]), "DG2_LENGTH"),
        (dg2_of(face_record()[:13]), "DG2_TRUNCATED"),
        (dg2_of(face_record().replace(b"010\0", b"030\0")), "DG2_FORMAT"),
        (dg2_of(face_record(face(b"GIF89a"))), "DG2_IMAGE"),
        (dg2_of(face_record(face(b""))), "DG2_IMAGE"),
        (
            dg2_of(face_record(face(JPEG)).replace(struct.pack(">IH", 32 + len(JPEG), 0), struct.pack(">IH", 32, 0xFFFF))),
            "DG2_LENGTH",
        ),
        (dg2_of(face_record(), tag=0x5F2D), "DG2_TEMPLATE"),
        (dg2_of(face_record(), tag=0x7F2E), "TLV_TAG"),
        (dg2_of(build_face_record_39794(JPEG, "jpeg")), "DG2_FORMAT"),
        (dg2_of(build_face_record_39794(b"GIF89a", "jpeg"), tag=0x7F2E), "DG2_IMAGE"),
        (dg2_of(build_face_record_39794(JPEG, "jpeg").replace(b"\x80\1\3\x81", b"\x80\1\4\x81"), tag=0x7F2E), "DG2_FORMAT"),
        (dg2_of(tlv.encode(0xA1, tlv.encode(0x64, b"")), tag=0x7F2E), "TLV_TAG"),
        (dg2_of(tlv.encode(0xA1, tlv.encode(0x65, b"")), tag=0x7F2E), "DG2_FORMAT"),
        (tlv.encode(0x75, tlv.encode(0x7F61, b"\x02\x01\x00")), "DG2_COUNT"),
        (build_group([FIRST_FACE] * 10), "TLV_MANY"),
        (build_group([FIRST_FACE, tlv.encode(0x7F2E, b"")]), "DG2_COUNT"),
    ],
)
def test_a_wrong_portrait_is_refused_by_name(dg2: bytes, code: str) -> None:
    assert refusal(dg2).code == code


def test_a_39794_record_without_a_representation_is_refused() -> None:
    version = tlv.encode(0xA0, b"\x80\1\3\x81\2\x07\xe3")
    record = tlv.encode(0xA1, tlv.encode(0x65, version + tlv.encode(0xA1, b"")))
    assert refusal(dg2_of(record, tag=0x7F2E)).code == "DG2_COUNT"


@pytest.mark.parametrize("build", [build_dg2, build_dg2_39794])
@given(st.data())
def test_a_spoiled_portrait_is_cut_out_of_the_file_or_refused(build, data: st.DataObject) -> None:
    dg2 = bytearray(build(b"\xff\xd8\xff" + bytes(20), "jpeg"))
    for _ in range(data.draw(st.integers(1, 3))):
        dg2[data.draw(st.integers(0, len(dg2) - 1))] = data.draw(st.integers(0, 255))
    portrait = told(dg2_image, dg2, "DG2")
    assert portrait is None or portrait.image in bytes(dg2)


@given(st.binary(max_size=200), st.sampled_from([0x5F2E, 0x7F2E]))
def test_any_bytes_as_a_record(record: bytes, tag: int) -> None:
    assert refusal(dg2_of(record, tag=tag)).offset is not None


@pytest.mark.parametrize("file", ["DG5", "DG7"])
def test_displayed_pictures_come_back_as_they_were(file) -> None:
    found = displayed_images(file, build_displayed(file, [JPEG, JP2]))
    assert [(each.image, each.kind) for each in found] == [(JPEG, "jpeg"), (JP2, "jpeg2000")]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "DG5_COUNT"),
        (tlv.encode(0x02, b"\1"), "DG5_COUNT"),
        (tlv.encode(0x02, b"\1") + tlv.encode(0x5F43, JPEG), "DG5_COUNT"),
        (tlv.encode(0x02, b"\2") + tlv.encode(0x5F40, JPEG), "DG5_COUNT"),
        (tlv.encode(0x02, b"\1") + tlv.encode(0x5F40, b"GIF89a"), "DG5_IMAGE"),
        (tlv.encode(0x5F40, JPEG), "DG5_COUNT"),
    ],
)
def test_wrong_displayed_pictures_are_refused_by_name(body: bytes, code: str) -> None:
    with pytest.raises(LdsError, match=code):
        displayed_images("DG5", tlv.encode(0x65, body))


@given(st.binary(max_size=100))
def test_any_bytes_as_displayed_pictures(body: bytes) -> None:
    for data in (body, tlv.encode(0x65, body)):
        told(partial(displayed_images, "DG5"), data, "DG5")


@pytest.mark.shared
@pytest.mark.parametrize("name", ["bsi_dataset/Datagroup2.bin", "tsemrtd_specimen/EF_DG2.bin"])
def test_specimen_portraits_are_read(pki_data: Path, name: str) -> None:
    file = (pki_data / name).read_bytes()
    portrait = dg2_image(file)
    assert (portrait.kind, portrait.record, portrait.encodings) == ("jpeg2000", "19794-5", 1)
    assert file.endswith(portrait.image)


@pytest.mark.shared
@pytest.mark.parametrize("fields", ["AllFields", "MandFields"])
def test_sample_39794_records_hold_their_sample_picture(pki_data: Path, fields: str) -> None:
    """ICAO's samples for the application profile, as DG2 and as bare records."""
    folder = pki_data / "dg2_samples"
    picture = (folder / "ICAO_39794_5_AP_DG2_Face.jpg").read_bytes()
    bare = dg2_of((folder / f"ICAO_39794_5_AP_{fields}.dat").read_bytes(), tag=0x7F2E)
    for dg2 in ((folder / f"ICAO_39794_5_AP_DG2_{fields}.dat").read_bytes(), bare):
        portrait = dg2_image(dg2)
        assert (portrait.image, portrait.kind, portrait.record) == (picture, "jpeg2000", "39794-5")
        assert portrait.kind_by == "record"


@pytest.mark.shared
def test_the_sample_19794_record_holds_its_sample_picture(pki_data: Path) -> None:
    folder = pki_data / "dg2_samples"
    portrait = dg2_image(dg2_of((folder / "ISO19794_Test1_Data.bin").read_bytes()))
    assert (portrait.kind, portrait.image) == ("jpeg", (folder / "ISO19794_Test1_Face.jpg").read_bytes())


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "tag"), [("ICAO_39794_5_AP_MandFields_InvalidImage.dat", 0x7F2E), ("ISO19794_Test2_Data_InvalidImage.bin", 0x5F2E)]
)
def test_sample_records_with_an_unreadable_picture_are_refused(pki_data: Path, name: str, tag: int) -> None:
    record = (pki_data / "dg2_samples" / name).read_bytes()
    assert refusal(dg2_of(record, tag=tag)).code == "DG2_IMAGE"


@pytest.mark.shared
@pytest.mark.parametrize("file", ["DG5", "DG7"])
def test_specimen_displayed_pictures_are_read(pki_data: Path, file) -> None:
    data = (pki_data / "tsemrtd_specimen" / f"EF_{file}.bin").read_bytes()
    (picture,) = displayed_images(file, data)
    assert picture.kind == "jpeg2000"
    assert data.endswith(picture.image)
