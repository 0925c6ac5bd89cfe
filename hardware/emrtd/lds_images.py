"""Pictures in the chip: their kind by their first bytes, and the ones that DG5 and DG7 show (Doc 9303-10 §4.7.5, §4.7.7)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from hardware.emrtd import tlv
from hardware.emrtd.lds_objects import DataObject, Octets, open_file

ImageKind = Literal["jpeg", "jpeg2000"]

IMAGE_STARTS: tuple[tuple[bytes, ImageKind], ...] = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jpeg2000"),
    (b"\xff\x4f\xff\x51", "jpeg2000"),
)
"""JPEG (ISO/IEC 10918-1), JPEG 2000 as a file and as a bare codestream (ISO/IEC 15444-1 Annexes I and A)."""
MAX_IMAGES = 9
"""Encodings of one thing in one data group (Doc 9303-10 §4.7.2.2, §4.7.5.1, §4.7.7.1)."""
COUNT, DISPLAYED_PORTRAIT, DISPLAYED_SIGNATURE = 0x02, 0x5F40, 0x5F43
_DISPLAYED = {"DG5": (0x65, DISPLAYED_PORTRAIT), "DG7": (0x67, DISPLAYED_SIGNATURE)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An encoded picture as it was read. ``kind`` is told by its first bytes, whatever the file says about it."""

    image: bytes = field(repr=False)
    kind: ImageKind


def cut_image(holder: DataObject, start: int, end: int) -> Image:
    """The picture at ``start`` to ``end`` of the file. Raises LdsError where it is neither JPEG nor JPEG 2000."""
    for magic, kind in IMAGE_STARTS:
        if holder.data[start : min(end, start + len(magic))] == magic:
            return Image(image=bytes(holder.data[start:end]), kind=kind)
    raise holder.error("IMAGE", "neither JPEG nor JPEG 2000", offset=start)


def count_of(item: DataObject) -> int:
    """The number of instances in one octet. Raises LdsError."""
    if item.tag != COUNT or item.end - item.body != 1:
        raise item.error("COUNT", "no number of instances")
    return item.data[item.body]


def displayed_images(file: Literal["DG5", "DG7"], data: Octets) -> tuple[Image, ...]:
    """The portraits in DG5 or the signatures in DG7. Raises LdsError."""
    tag, kind = _DISPLAYED[file]
    template = open_file(file, data, tag)
    items = template.children(1 + MAX_IMAGES)
    if not items or count_of(items[0]) != len(items) - 1 or any(item.tag != kind for item in items[1:]):
        raise template.error("COUNT", "not the number of pictures that it says")
    return tuple(cut_image(item, item.body, item.end) for item in items[1:])


def build_displayed(file: Literal["DG5", "DG7"], images: Iterable[bytes]) -> bytes:
    """DG5 or DG7 with these encoded pictures."""
    tag, kind = _DISPLAYED[file]
    pictures = list(images)
    return tlv.encode(tag, tlv.encode(COUNT, bytes([len(pictures)])) + b"".join(tlv.encode(kind, image) for image in pictures))
