"""The logical data structure (Doc 9303-10): which files there are, and what EF.COM, DG1 and DG2 hold. Parsers and their builders.

What these files say is unproven until passive authentication has bound them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from hardware.emrtd import tlv
from hardware.emrtd.errors import LdsError, TlvError

ImageKind = Literal["jpeg", "jpeg2000"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementaryFile:
    """An EF of the eMRTD application, or of the master file. ``cap`` bounds what we read of it, whatever its header says."""

    fid: int
    sfi: int
    tag: int
    cap: int
    master: bool = False


_SMALL = 256  # EF.COM and DG1 hold tens of bytes
_KEYS = 4096  # DG14, DG15: a few public keys, RSA-4096 among them
_SIGNATURE = 16_384  # EF.SOD: 16 hashes, two certificates; about 2 kB in the field
_PORTRAIT = 65_536  # DG2: 12 to 20 kB in the field; READ BINARY beyond 32,767 needs the odd instruction
_FINGERS = 131_072  # DG3, DG4: nothing of them is read; a virtual chip may hold them
_DG_TAGS = (0x61, 0x75, 0x63, 0x76, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x70)
DG_NAMES = {tag: f"DG{number}" for number, tag in enumerate(_DG_TAGS, 1)}

FILES = {
    "EF.CardAccess": ElementaryFile(fid=0x011C, sfi=0x1C, tag=0x31, cap=_KEYS, master=True),
    "EF.CardSecurity": ElementaryFile(fid=0x011D, sfi=0x1D, tag=0x30, cap=_SIGNATURE, master=True),
    "EF.DIR": ElementaryFile(fid=0x2F00, sfi=0x1E, tag=0x61, cap=_SMALL, master=True),
    "EF.COM": ElementaryFile(fid=0x011E, sfi=0x1E, tag=0x60, cap=_SMALL),
    "EF.SOD": ElementaryFile(fid=0x011D, sfi=0x1D, tag=0x77, cap=_SIGNATURE),
    "DG1": ElementaryFile(fid=0x0101, sfi=0x01, tag=0x61, cap=_SMALL),
    "DG2": ElementaryFile(fid=0x0102, sfi=0x02, tag=0x75, cap=_PORTRAIT),
    "DG3": ElementaryFile(fid=0x0103, sfi=0x03, tag=0x63, cap=_FINGERS),
    "DG4": ElementaryFile(fid=0x0104, sfi=0x04, tag=0x76, cap=_FINGERS),
    "DG5": ElementaryFile(fid=0x0105, sfi=0x05, tag=0x65, cap=_PORTRAIT),
    "DG7": ElementaryFile(fid=0x0107, sfi=0x07, tag=0x67, cap=_PORTRAIT),
    "DG11": ElementaryFile(fid=0x010B, sfi=0x0B, tag=0x6B, cap=_PORTRAIT),
    "DG12": ElementaryFile(fid=0x010C, sfi=0x0C, tag=0x6C, cap=_PORTRAIT),
    "DG13": ElementaryFile(fid=0x010D, sfi=0x0D, tag=0x6D, cap=_PORTRAIT),
    "DG14": ElementaryFile(fid=0x010E, sfi=0x0E, tag=0x6E, cap=_KEYS),
    "DG15": ElementaryFile(fid=0x010F, sfi=0x0F, tag=0x6F, cap=_KEYS),
    "DG16": ElementaryFile(fid=0x0110, sfi=0x10, tag=0x70, cap=_KEYS),
}
"""The files that there are (Doc 9303-10 §3.6.1, §3.11, §4), but for EF.ATR/INFO, which is no single data object. DG3 and DG4 are
under extended access control. A short identifier is unique within the application or the master file only."""

LDS_VERSION, UNICODE_VERSION, TAG_LIST = 0x5F01, 0x5F36, 0x5C
MRZ = 0x5F1F
BIOMETRIC_GROUP, BIOMETRIC_COUNT, BIOMETRIC_INFORMATION = 0x7F61, 0x02, 0x7F60
BIOMETRIC_HEADER, BIOMETRIC_DATA, BIOMETRIC_DATA_CONSTRUCTED = 0xA1, 0x5F2E, 0x7F2E

FACE_HEADER = struct.Struct(">4s4sIH")
"""ISO/IEC 19794-5 §5.4: format, version, length of all, number of faces."""
FACE_INFORMATION = struct.Struct(">IH14x")
"""§5.5: length of this face's block, number of feature points; gender, colours, pose are of no use here."""
FEATURE_POINT = 8
IMAGE_INFORMATION = struct.Struct(">BBHH6x")
"""§5.7: image type, data type, width, height; colour space, source, device, quality unused."""
FACE_FORMAT, FACE_VERSION = b"FAC\0", b"010\0"
IMAGE_STARTS: tuple[tuple[bytes, ImageKind], ...] = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jpeg2000"),
    (b"\xff\x4f\xff\x51", "jpeg2000"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Com:
    """EF.COM: versions as printed digits, and the data groups that the chip claims, by name. Unsigned: a hint, no more."""

    lds_version: str
    unicode_version: str
    data_groups: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FacePortrait:
    """The encoded image in DG2. ``kind`` is told by its first bytes: the record's own field is wrong on chips in circulation."""

    image: bytes = field(repr=False)
    kind: ImageKind


@contextmanager
def _named(file: str) -> Iterator[None]:
    """Tell malformed structure as the file's error: callers meet LdsError alone."""
    try:
        yield
    except TlvError as error:
        raise LdsError(error.code, error.what, file=file, offset=error.offset) from error


def parse_com(data: bytes) -> Com:
    """Parse EF.COM. Raises LdsError."""
    with _named("EF.COM"):
        items = {item.tag: item.value for item in tlv.children(tlv.only(data, FILES["EF.COM"].tag))}
    tags = items.get(TAG_LIST, b"")
    if unknown := [tag for tag in tags if tag not in DG_NAMES]:
        raise LdsError("COM_TAG", f"no data group has tag {unknown[0]:02X}", file="EF.COM")
    versions = [items.get(tag, b"").decode("ascii", "replace") for tag in (LDS_VERSION, UNICODE_VERSION)]
    return Com(lds_version=versions[0], unicode_version=versions[1], data_groups=tuple(DG_NAMES[tag] for tag in tags))


def dg1_mrz(dg1: bytes) -> str:
    """Return the MRZ in DG1 as one string without line breaks: 88 (TD3), 90 (TD1) or 72 (TD2) characters.

    Raises LdsError.
    """
    with _named("DG1"):
        mrz = tlv.only(tlv.only(dg1, FILES["DG1"].tag), MRZ)
    if len(mrz) not in {72, 88, 90} or not re.fullmatch(rb"[A-Z0-9<]+", mrz):
        raise LdsError("DG1_MRZ", f"no MRZ: {len(mrz)} bytes", file="DG1")
    return mrz.decode("ascii")


def dg2_image(dg2: bytes) -> FacePortrait:
    """Return the one face image in DG2 (ISO/IEC 19794-5:2005). Every length is checked; more or fewer faces than one are refused.

    Raises LdsError.
    """
    with _named("DG2"):
        return _face_image(_biometric_data(dg2))


def _biometric_data(dg2: bytes) -> bytes:
    """The data block of the one biometric template. Raises LdsError, TlvError."""
    group = list(tlv.children(tlv.only(tlv.only(dg2, FILES["DG2"].tag), BIOMETRIC_GROUP)))
    if [item.tag for item in group] != [BIOMETRIC_COUNT, BIOMETRIC_INFORMATION] or group[0].value != b"\1":
        raise LdsError("DG2_COUNT", "not exactly one biometric template", file="DG2")
    template = list(tlv.children(group[1].value))
    if len(template) != 2 or template[0].tag != BIOMETRIC_HEADER:
        raise LdsError("DG2_TEMPLATE", "biometric template without header or data", file="DG2")
    if template[1].tag not in {BIOMETRIC_DATA, BIOMETRIC_DATA_CONSTRUCTED}:
        raise LdsError("DG2_TEMPLATE", "biometric data of an unknown kind", file="DG2")
    return template[1].value


def _face_image(record: bytes) -> FacePortrait:
    head = FACE_HEADER.size + FACE_INFORMATION.size
    if len(record) < head + IMAGE_INFORMATION.size:
        raise LdsError("DG2_TRUNCATED", f"a face record of {len(record)} bytes", file="DG2")
    form, version, length, faces = FACE_HEADER.unpack_from(record)
    block, points = FACE_INFORMATION.unpack_from(record, FACE_HEADER.size)
    if (form, version) != (FACE_FORMAT, FACE_VERSION):
        raise LdsError("DG2_FORMAT", "no ISO/IEC 19794-5:2005 face record", file="DG2", offset=0)
    if faces != 1:
        raise LdsError("DG2_COUNT", f"{faces} faces in the record", file="DG2", offset=12)
    if length != len(record) or block != length - FACE_HEADER.size:
        raise LdsError("DG2_LENGTH", f"lengths {length} and {block} for {len(record)} bytes", file="DG2", offset=8)
    image = record[head + points * FEATURE_POINT + IMAGE_INFORMATION.size :]
    for start, kind in IMAGE_STARTS:
        if image.startswith(start):
            return FacePortrait(image=image, kind=kind)
    raise LdsError("DG2_IMAGE", "neither JPEG nor JPEG 2000", file="DG2")


def build_com(data_groups: Iterable[str], lds_version: str = "0107") -> bytes:
    """EF.COM that claims ``data_groups`` (names such as ``DG1``)."""
    tags = {name: tag for tag, name in DG_NAMES.items()}
    value = tlv.encode(LDS_VERSION, lds_version.encode("ascii")) + tlv.encode(UNICODE_VERSION, b"040000")
    return tlv.encode(FILES["EF.COM"].tag, value + tlv.encode(TAG_LIST, bytes(tags[name] for name in data_groups)))


def build_dg1(mrz_lines: Sequence[str]) -> bytes:
    """DG1 with these MRZ lines."""
    return tlv.encode(FILES["DG1"].tag, tlv.encode(MRZ, "".join(mrz_lines).encode("ascii")))


def build_dg2(image: bytes, kind: ImageKind, *, width: int = 0, height: int = 0) -> bytes:
    """DG2 with one face and no feature points; ``width`` and ``height`` in pixels, 0 for not stated."""
    picture = IMAGE_INFORMATION.pack(1, int(kind == "jpeg2000"), width, height) + image
    block = FACE_INFORMATION.pack(FACE_INFORMATION.size + len(picture), 0) + picture
    record = FACE_HEADER.pack(FACE_FORMAT, FACE_VERSION, FACE_HEADER.size + len(block), 1) + block
    # CBEFF header: biometric type face (02), subtype none, format owner ISO/IEC JTC 1/SC 37 (0101), format type 8 (0008)
    header = tlv.encode(0x81, b"\2") + tlv.encode(0x82, b"\0") + tlv.encode(0x87, b"\1\1") + tlv.encode(0x88, b"\0\x08")
    template = tlv.encode(BIOMETRIC_HEADER, header) + tlv.encode(BIOMETRIC_DATA, record)
    group = tlv.encode(BIOMETRIC_COUNT, b"\1") + tlv.encode(BIOMETRIC_INFORMATION, template)
    return tlv.encode(FILES["DG2"].tag, tlv.encode(BIOMETRIC_GROUP, group))
