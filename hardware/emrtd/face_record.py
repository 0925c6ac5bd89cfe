"""The face record of ISO/IEC 19794-5:2005, as Doc 9303-10 §4.5.6 puts it under tag 5F2E. Parser and builder."""

from __future__ import annotations

import struct

from hardware.emrtd.lds_images import MAX_IMAGES, Image, ImageKind, cut_image
from hardware.emrtd.lds_objects import DataObject

FACE_HEADER = struct.Struct(">4s4sIH")
"""§5.4: format, version, length of all, number of faces."""
FACE_INFORMATION = struct.Struct(">IH14x")
"""§5.5: length of this face's block, number of feature points; gender, colours, pose are of no use here."""
FEATURE_POINT = 8
IMAGE_INFORMATION = struct.Struct(">BBHH6x")
"""§5.7: image type, data type, width, height; colour space, source, device, quality unused."""
_DATA_TYPES: dict[int, ImageKind] = {0: "jpeg", 1: "jpeg2000"}
FACE_FORMAT, FACE_VERSION = b"FAC\0", b"010\0"


def read_face_record(record: DataObject) -> tuple[Image, ImageKind | None, int]:
    """The first face's picture, the kind that the record says it is, and how many faces there are.

    Every length is checked, also those of the others. Raises LdsError.
    """
    size = record.end - record.body
    if size < FACE_HEADER.size:
        raise record.error("TRUNCATED", f"a face record of {size} bytes")
    form, version, length, faces = FACE_HEADER.unpack_from(record.data, record.body)
    if (form, version) != (FACE_FORMAT, FACE_VERSION):
        raise record.error("FORMAT", "no ISO/IEC 19794-5:2005 face record", offset=record.body)
    if not 1 <= faces <= MAX_IMAGES:
        raise record.error("COUNT", f"{faces} faces in the record", offset=record.body + 12)
    if length != size:
        raise record.error("LENGTH", f"the record says {length} bytes, {size} are there", offset=record.body + 8)
    start = record.body + FACE_HEADER.size
    pictures: list[tuple[int, int]] = []
    for _ in range(faces):
        picture, start = _block(record, start)
        pictures.append((picture, start))
    if start != record.end:
        raise record.error("LENGTH", f"{record.end - start} bytes after the last face", offset=start)
    begin, end = pictures[0]
    _, data_type, _, _ = IMAGE_INFORMATION.unpack_from(record.data, begin - IMAGE_INFORMATION.size)
    return cut_image(record, begin, end), _DATA_TYPES.get(data_type), faces


def _block(record: DataObject, start: int) -> tuple[int, int]:
    """Where the picture of the face at ``start`` begins, and where it and the block end."""
    if record.end - start < FACE_INFORMATION.size:
        raise record.error("TRUNCATED", "ends inside a face", offset=start)
    length, points = FACE_INFORMATION.unpack_from(record.data, start)
    picture = start + FACE_INFORMATION.size + points * FEATURE_POINT + IMAGE_INFORMATION.size
    if not picture <= start + length <= record.end:
        raise record.error("LENGTH", f"a face of {length} bytes with {points} feature points", offset=start)
    return picture, start + length


def build_face_record(image: bytes, kind: ImageKind, *, width: int = 0, height: int = 0) -> bytes:
    """A record with one face and no feature points; ``width`` and ``height`` in pixels, 0 for not stated."""
    picture = IMAGE_INFORMATION.pack(1, int(kind == "jpeg2000"), width, height) + image
    block = FACE_INFORMATION.pack(FACE_INFORMATION.size + len(picture), 0) + picture
    return FACE_HEADER.pack(FACE_FORMAT, FACE_VERSION, FACE_HEADER.size + len(block), 1) + block
