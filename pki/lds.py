"""Of EF.COM and DG12 (Doc 9303-10 §4.6.1, §4.7.12) what passive authentication compares."""

from __future__ import annotations

from datetime import UTC, datetime

from pki import der

COMMON_DATA, TAG_LIST = 0x60, 0x5C
DATA_GROUP_12, DATE_OF_ISSUE = 0x6C, 0x5F26
MAX_COMMON_DATA, MAX_DATA_GROUP_12 = 1024, 64 * 1024

_TAGS = (0x61, 0x75, 0x63, 0x76, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x70)
DATA_GROUPS = {tag: number for number, tag in enumerate(_TAGS, 1)}
"""Tag → number (Doc 9303-10 §4.6.1)."""


def listed_in_common_data(common_data: bytes) -> frozenset[int]:
    """The data groups that EF.COM names; nobody signed it. Raises DerError."""
    root = der.read(common_data, limit=MAX_COMMON_DATA).expect(COMMON_DATA)
    lists = [element for element in root.children() if element.tag == TAG_LIST]
    if len(lists) != 1:
        raise root.error(f"{len(lists)} tag lists")
    tags = lists[0].content
    if not all(tag in DATA_GROUPS for tag in tags):
        raise lists[0].error("tag of no data group")
    return frozenset(DATA_GROUPS[tag] for tag in tags)


def date_of_issue(data_group_12: bytes) -> datetime | None:
    """The beginning of the day of issue, taken as UTC; None where DG12 names none. Raises DerError."""
    for element in der.read(data_group_12, limit=MAX_DATA_GROUP_12).expect(DATA_GROUP_12).children():
        if element.tag == DATE_OF_ISSUE:
            return _day(element)
    return None


def _day(element: der.Element) -> datetime:
    """YYYYMMDD in eight characters, or in four octets as the first edition had it."""
    content = element.content
    try:
        text = content.hex() if len(content) == 4 else content.decode("ascii")
        return datetime.strptime(text if len(text) == 8 and text.isdecimal() else "", "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        raise element.error("no date") from None
