"""DG2, the holder's face (Doc 9303-10 §4.7.2): biometric templates, each a CBEFF header and a face record of either standard."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hardware.emrtd import tlv
from hardware.emrtd.face_record import build_face_record, read_face_record
from hardware.emrtd.face_record_39794 import build_face_record_39794, read_face_record_39794
from hardware.emrtd.lds_images import COUNT, MAX_IMAGES, ImageKind, count_of
from hardware.emrtd.lds_objects import DataObject, Octets, open_file

FaceRecord = Literal["19794-5", "39794-5"]

DATA_GROUP_2 = 0x75
BIOMETRIC_GROUP, BIOMETRIC_INFORMATION, BIOMETRIC_HEADER = 0x7F61, 0x7F60, 0xA1
BIOMETRIC_DATA, BIOMETRIC_DATA_39794 = 0x5F2E, 0x7F2E
FORMAT_19794_5, FORMAT_39794_5 = b"\0\x08", b"\0\x2a"
"""CBEFF format types of the owner ISO/IEC JTC 1/SC 37 (0101)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FacePortrait:
    """The encoded image in DG2.

    ``record`` says by which part of ISO/IEC it was stored. ``kind`` is what decoders will take the picture for: what the record says
    (``kind_by`` is then ``record``) where its first bytes bear that out; else what the bytes alone say (``first_bytes``), which is a
    finding: the record's own field is missing, unknown, or wrong, as on chips in circulation. ``encodings`` is how many faces DG2 holds: all templates, and all faces
    in the first one's record. Only the first is here; more than one is a finding, for people to look at the others.
    """

    image: bytes = field(repr=False)
    kind: ImageKind
    kind_by: Literal["record", "first_bytes"]
    record: FaceRecord
    encodings: int


def dg2_image(dg2: Octets) -> FacePortrait:
    """The first face image in DG2: "the most recent internationally interoperable encoding" (§4.7.2) must be the first entry.

    Every length up to it is checked, and the number of templates. Raises LdsError.
    """
    templates = _templates(open_file("DG2", dg2, DATA_GROUP_2).only(BIOMETRIC_GROUP))
    parts = templates[0].children()
    if len(parts) != 2 or parts[0].tag != BIOMETRIC_HEADER:
        raise templates[0].error("TEMPLATE", "biometric template without header or data")
    record: FaceRecord
    if parts[1].tag == BIOMETRIC_DATA:
        (image, declared, faces), record = read_face_record(parts[1]), "19794-5"
    elif parts[1].tag == BIOMETRIC_DATA_39794:
        (image, declared, faces), record = read_face_record_39794(parts[1]), "39794-5"
    else:
        raise parts[1].error("TEMPLATE", "biometric data of an unknown kind")
    return FacePortrait(
        image=image.image,
        kind=image.kind,
        kind_by="record" if declared == image.kind else "first_bytes",
        record=record,
        encodings=faces + len(templates) - 1,
    )


def _templates(group: DataObject) -> list[DataObject]:
    """The biometric templates, 1 to 9, as many as the group says."""
    items = group.children(1 + MAX_IMAGES)
    if len(items) < 2 or count_of(items[0]) != len(items) - 1:
        raise group.error("COUNT", "not the number of biometric templates that it says")
    if any(item.tag != BIOMETRIC_INFORMATION for item in items[1:]):
        raise group.error("COUNT", "something else among the biometric templates")
    return items[1:]


def build_dg2(image: bytes, kind: ImageKind, *, width: int = 0, height: int = 0) -> bytes:
    """DG2 with one face by ISO/IEC 19794-5; ``width`` and ``height`` in pixels, 0 for not stated."""
    record = build_face_record(image, kind, width=width, height=height)
    return build_group([build_template(FORMAT_19794_5, BIOMETRIC_DATA, record)])


def build_dg2_39794(image: bytes, kind: ImageKind) -> bytes:
    """DG2 with one face by ISO/IEC 39794-5."""
    return build_group([build_template(FORMAT_39794_5, BIOMETRIC_DATA_39794, build_face_record_39794(image, kind))])


def build_template(format_type: bytes, tag: int, record: bytes) -> bytes:
    """One biometric template: type face (02), no subtype, format owner 0101."""
    header = tlv.encode(0x81, b"\2") + tlv.encode(0x82, b"\0") + tlv.encode(0x87, b"\1\1") + tlv.encode(0x88, format_type)
    return tlv.encode(BIOMETRIC_INFORMATION, tlv.encode(BIOMETRIC_HEADER, header) + tlv.encode(tag, record))


def build_group(templates: list[bytes]) -> bytes:
    """DG2 with these templates."""
    group = tlv.encode(COUNT, bytes([len(templates)])) + b"".join(templates)
    return tlv.encode(DATA_GROUP_2, tlv.encode(BIOMETRIC_GROUP, group))
