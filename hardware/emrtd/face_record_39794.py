"""The face record of ISO/IEC 39794-5:2019, as Doc 9303-10 §4.5.6 puts it under tag 7F2E. Parser and builder.

It is ASN.1 with automatic tags. Of the tree only the path to the first picture is walked:

    A1 standardised format ─ 65 FaceImageDataBlock ─┬─ A0 version: 80 generation, 81 year
                                                    └─ A1 representations ─ 30 first ─┬─ 80 its number
                                                       └─ A1 image ─ A0 base ─ A0 two-dimensional ─ 80 picture, A1 its description
"""

from __future__ import annotations

from hardware.emrtd import tlv
from hardware.emrtd.lds_images import MAX_IMAGES, Image, ImageKind, cut_image
from hardware.emrtd.lds_objects import DataObject

STANDARD_FORMAT, FACE_IMAGE_DATA = 0xA1, 0x65
VERSION, REPRESENTATIONS, REPRESENTATION = 0xA0, 0xA1, 0x30
GENERATION, YEAR = 0x80, 0x81
NUMBER, IMAGE_REPRESENTATION, BASE, TWO_DIMENSIONAL = 0x80, 0xA1, 0xA0, 0xA0
PICTURE, DESCRIPTION, DATA_FORMAT, FORMAT_CODE = 0x80, 0xA1, 0xA0, 0x80
GENERATION_39794, EDITION = 3, 2019
"""ISO/IEC 39794 is the third generation of these formats; the year is its edition's."""
_FORMATS: dict[bytes, ImageKind] = {b"\2": "jpeg", b"\3": "jpeg2000", b"\4": "jpeg2000"}
"""ImageDataFormatCode: jpeg, jpeg2000Lossy, jpeg2000Lossless."""


def read_face_record_39794(record: DataObject) -> tuple[Image, ImageKind | None, int]:
    """The first representation's picture, the kind that it says it is, and how many representations there are. Raises LdsError."""
    block = record.path(STANDARD_FORMAT, FACE_IMAGE_DATA).by_tag()
    if VERSION not in block or REPRESENTATIONS not in block:
        raise record.error("FORMAT", "face image data without version or representations")
    generation = block[VERSION].by_tag().get(GENERATION)
    if generation is None or generation.value != bytes([GENERATION_39794]):
        raise block[VERSION].error("FORMAT", "no third generation record")
    representations = block[REPRESENTATIONS].children(MAX_IMAGES)
    if not representations or any(item.tag != REPRESENTATION for item in representations):
        raise block[REPRESENTATIONS].error("COUNT", "no face, or something else among the faces")
    image = _inside(representations[0], IMAGE_REPRESENTATION)
    flat = image.path(BASE, TWO_DIMENSIONAL)
    picture = _inside(flat, PICTURE)
    return cut_image(picture, picture.body, picture.end), _declared(flat), len(representations)


def _declared(flat: DataObject) -> ImageKind | None:
    """What the description says of the picture's format: None where it says nothing, or what we do not know."""
    found: DataObject | None = flat
    for tag in (DESCRIPTION, DATA_FORMAT, FORMAT_CODE):
        found = found.by_tag().get(tag) if found else None
    return _FORMATS.get(found.value) if found else None


def _inside(parent: DataObject, tag: int) -> DataObject:
    found = parent.by_tag().get(tag)
    if found is None:
        raise parent.error("FORMAT", f"element {tag:02X} is missing")
    return found


def build_face_record_39794(image: bytes, kind: ImageKind) -> bytes:
    """The content of 7F2E: one representation with the mandatory fields alone."""
    code = next(code for code, named in _FORMATS.items() if named == kind)
    description = tlv.encode(DESCRIPTION, tlv.encode(DATA_FORMAT, tlv.encode(FORMAT_CODE, code)))
    picture = tlv.encode(TWO_DIMENSIONAL, tlv.encode(PICTURE, image) + description)
    representation = tlv.encode(NUMBER, b"\0") + tlv.encode(IMAGE_REPRESENTATION, tlv.encode(BASE, picture))
    version = tlv.encode(GENERATION, bytes([GENERATION_39794])) + tlv.encode(YEAR, EDITION.to_bytes(2))
    block = tlv.encode(VERSION, version) + tlv.encode(REPRESENTATIONS, tlv.encode(REPRESENTATION, representation))
    return tlv.encode(STANDARD_FORMAT, tlv.encode(FACE_IMAGE_DATA, block))
