"""The logical data structure (Doc 9303-10): which files there are, and what EF.COM and DG1 hold. Parsers and their builders.

The other files have modules of their own: :mod:`.lds_face` (DG2), :mod:`.lds_images` (DG5, DG7), :mod:`.lds_details` (DG11 to DG13,
DG16), :mod:`.lds_master` (EF.DIR, EF.ATR/INFO). Of DG3 and DG4 nothing is read; DG14, DG15, EF.SOD and EF.CardSecurity are keys and
signatures, not judged here. What any file says is unproven until passive authentication has bound it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hardware.emrtd import tlv
from hardware.emrtd.lds_face import build_dg2, dg2_image
from hardware.emrtd.lds_objects import Octets, open_file

__all__ = [
    "DG_NAMES",
    "FILES",
    "Com",
    "ElementaryFile",
    "build_com",
    "build_dg1",
    "build_dg2",
    "dg1_mrz",
    "dg2_image",
    "parse_com",
]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Com:
    """EF.COM: versions as printed digits, and the data groups that the chip claims, by name. Unsigned: a hint, no more."""

    lds_version: str
    unicode_version: str
    data_groups: tuple[str, ...]


def parse_com(data: Octets) -> Com:
    """Parse EF.COM (§4.6.1). Raises LdsError."""
    file = open_file("EF.COM", data, FILES["EF.COM"].tag)
    items = file.by_tag()
    tags = items[TAG_LIST].value if TAG_LIST in items else b""
    if unknown := [tag for tag in tags if tag not in DG_NAMES]:
        raise file.error("TAG", f"no data group has tag {unknown[0]:02X}")
    versions = [items[tag].text if tag in items else "" for tag in (LDS_VERSION, UNICODE_VERSION)]
    return Com(lds_version=versions[0], unicode_version=versions[1], data_groups=tuple(DG_NAMES[tag] for tag in tags))


def dg1_mrz(dg1: Octets) -> str:
    """Return the MRZ in DG1 (§4.7.1) as one string without line breaks: 88 (TD3), 90 (TD1) or 72 (TD2) characters.

    Raises LdsError.
    """
    mrz = open_file("DG1", dg1, FILES["DG1"].tag).only(MRZ)
    if not re.fullmatch(rb"[A-Z0-9<]{72}|[A-Z0-9<]{88}|[A-Z0-9<]{90}", mrz.value):
        raise mrz.error("MRZ", f"no MRZ: {mrz.end - mrz.body} bytes")
    return mrz.text


def build_com(data_groups: Iterable[str], lds_version: str = "0107") -> bytes:
    """EF.COM that claims ``data_groups`` (names such as ``DG1``)."""
    tags = {name: tag for tag, name in DG_NAMES.items()}
    value = tlv.encode(LDS_VERSION, lds_version.encode("ascii")) + tlv.encode(UNICODE_VERSION, b"040000")
    return tlv.encode(FILES["EF.COM"].tag, value + tlv.encode(TAG_LIST, bytes(tags[name] for name in data_groups)))


def build_dg1(mrz_lines: Sequence[str]) -> bytes:
    """DG1 with these MRZ lines."""
    return tlv.encode(FILES["DG1"].tag, tlv.encode(MRZ, "".join(mrz_lines).encode("ascii")))
