"""What a State may add in words: DG11, DG12, DG13 and DG16 (Doc 9303-10 §4.7.11 to §4.7.13, §4.7.16).

None of it decides whether a gate opens. Texts are UTF-8 (octets that are none become replacement characters), ``""`` where absent;
dates are the digits as meant, ``YYYYMMDD`` with ``00`` for what is unknown, whether the chip holds text or BCD.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from hardware.emrtd import tlv
from hardware.emrtd.lds_images import COUNT, count_of
from hardware.emrtd.lds_objects import DataObject, Octets, open_file

TAG_LIST, SEVERAL = 0x5C, 0xA0
DATE, TIME = 8, 14
"""Digits of a date, and of a date with its time."""


def _element(tag: int, kind: str = "text") -> Any:
    """A field of a dataclass that says under which tag, and how, it lies in the chip."""
    empty: object = {"names": (), "image": b""}.get(kind, "")
    return field(default=empty, repr=False, metadata={"tag": tag, "kind": kind})


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalDetails:
    """DG11. ``tags`` is the tag list as the chip holds it: a hint that may be wrong."""

    full_name: str = _element(0x5F0E)
    other_names: tuple[str, ...] = _element(0x5F0F, "names")
    personal_number: str = _element(0x5F10)
    date_of_birth: str = _element(0x5F2B, "date")
    place_of_birth: str = _element(0x5F11)
    permanent_address: str = _element(0x5F42)
    telephone: str = _element(0x5F12)
    profession: str = _element(0x5F13)
    title: str = _element(0x5F14)
    personal_summary: str = _element(0x5F15)
    proof_of_citizenship: bytes = _element(0x5F16, "image")
    other_travel_documents: str = _element(0x5F17)
    custody_information: str = _element(0x5F18)
    tags: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentDetails:
    """DG12. ``personalized_at`` is ``YYYYMMDDhhmmss``; ``tags`` as in :class:`PersonalDetails`."""

    issuing_authority: str = _element(0x5F19)
    date_of_issue: str = _element(0x5F26, "date")
    other_persons: tuple[str, ...] = _element(0x5F1A, "names")
    endorsements: str = _element(0x5F1B)
    tax_exit_requirements: str = _element(0x5F1C)
    image_of_front: bytes = _element(0x5F1D, "image")
    image_of_rear: bytes = _element(0x5F1E, "image")
    personalized_at: str = _element(0x5F55, "time")
    personalization_system: str = _element(0x5F56)
    tags: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonToNotify:
    """One template of DG16."""

    date_recorded: str = _element(0x5F50, "date")
    name: str = _element(0x5F51)
    telephone: str = _element(0x5F52)
    address: str = _element(0x5F53)


def parse_dg11(data: Octets) -> PersonalDetails:
    """Unknown data objects are passed over. Raises LdsError."""
    items = _with_names(open_file("DG11", data, 0x6B))
    return PersonalDetails(**_values(PersonalDetails, items), tags=_tag_list(items))


def parse_dg12(data: Octets) -> DocumentDetails:
    """Unknown data objects are passed over. Raises LdsError."""
    items = _with_names(open_file("DG12", data, 0x6C))
    return DocumentDetails(**_values(DocumentDetails, items), tags=_tag_list(items))


def parse_dg13(data: Octets) -> bytes:
    """What the State put there, in a form of its own. Raises LdsError."""
    return open_file("DG13", data, 0x6D).value


def parse_dg16(data: Octets) -> tuple[PersonToNotify, ...]:
    """The persons to notify, in the chip's order. Raises LdsError."""
    file = open_file("DG16", data, 0x70)
    items = file.children()
    if not items or count_of(items[0]) != len(items) - 1 or any(item.tag & 0xFFF0 != SEVERAL for item in items[1:]):
        raise file.error("COUNT", "not the number of persons that it says")
    return tuple(PersonToNotify(**_values(PersonToNotify, _known(item.by_tag()))) for item in items[1:])


def build_dg11(details: PersonalDetails) -> bytes:
    """DG11 with what ``details`` holds, and the tag list that goes with it; dates as BCD."""
    return tlv.encode(0x6B, _built(details))


def build_dg12(details: DocumentDetails) -> bytes:
    """DG12 with what ``details`` holds, and the tag list that goes with it; dates as BCD."""
    return tlv.encode(0x6C, _built(details))


def build_dg16(persons: Iterable[PersonToNotify]) -> bytes:
    """DG16 with up to 15 persons."""
    templates = [tlv.encode(SEVERAL + number, b"".join(_encoded(person).values())) for number, person in enumerate(persons, 1)]
    return tlv.encode(0x70, tlv.encode(COUNT, bytes([len(templates)])) + b"".join(templates))


# --- reading

_Items = Mapping[int, list[DataObject]]


def _known(items: Mapping[int, DataObject]) -> _Items:
    return {tag: [item] for tag, item in items.items()}


def _with_names(file: DataObject) -> _Items:
    """The data objects by tag, each once but for the names that template A0 counts and lists."""
    items = dict(_known(file.by_tag()))
    if SEVERAL in items:
        template = items.pop(SEVERAL)[0]
        names = template.children()
        if not names or count_of(names[0]) != len(names) - 1 or len({name.tag for name in names[1:]}) > 1:
            raise template.error("COUNT", "not the number of names that it says")
        if names[1:]:
            items[names[1].tag] = items.get(names[1].tag, []) + names[1:]
    return items


def _tag_list(items: _Items) -> tuple[int, ...]:
    """Tags of one and two octets in a row (ISO/IEC 7816-4 §8.5.1)."""
    if TAG_LIST not in items:
        return ()
    item, tags = items[TAG_LIST][0], list[int]()
    octets = iter(item.value)
    for octet in octets:
        second = next(octets, None) if octet & 0x1F == 0x1F else 0
        if second is None:
            raise item.error("TAGS", "the tag list ends inside a tag")
        tags.append(octet << 8 | second if octet & 0x1F == 0x1F else octet)
    return tuple(tags)


def _values(kind: type, items: _Items) -> dict[str, Any]:
    return {name: _value(how, items[tag]) for name, tag, how in _elements(kind) if tag in items}


def _elements(kind: type) -> Iterator[tuple[str, int, str]]:
    """Name, tag and kind of each field that lies in the chip."""
    for item in fields(kind):
        if item.metadata:
            yield item.name, item.metadata["tag"], item.metadata["kind"]


def _value(how: str, items: list[DataObject]) -> object:
    if how == "names":
        return tuple(item.text for item in items)
    if len(items) > 1:
        raise items[1].error("TWICE", f"data object {items[1].tag:02X} twice")
    if how == "text":
        return items[0].text
    return items[0].value if how == "image" else _digits(items[0], DATE if how == "date" else TIME)


def _digits(item: DataObject, length: int) -> str:
    """``length`` digits, as text or two to an octet (§4.7.12: both are in the field)."""
    value = item.value
    if not value:
        return ""
    digits = value.hex() if len(value) == length // 2 else value.decode("ascii", "replace")
    if len(digits) != length or not digits.isdigit():
        raise item.error("DATE", f"no {length} digits in {len(value)} octets")
    return digits


# --- building


def _built(details: PersonalDetails | DocumentDetails) -> bytes:
    elements = _encoded(details)
    tags = b"".join(tag.to_bytes(2 if tag > 0xFF else 1) for tag in elements)
    return tlv.encode(TAG_LIST, tags) + b"".join(elements.values())


def _encoded(details: PersonalDetails | DocumentDetails | PersonToNotify) -> dict[int, bytes]:
    """Each field that is not empty, by the tag that the tag list shows."""
    found: dict[int, bytes] = {}
    for name, tag, how in _elements(type(details)):
        value = getattr(details, name)
        if not value:
            continue
        if how == "names":
            names = b"".join(tlv.encode(tag, each.encode()) for each in value)
            found[SEVERAL] = tlv.encode(SEVERAL, tlv.encode(COUNT, bytes([len(value)])) + names)
        elif how == "text":
            found[tag] = tlv.encode(tag, value.encode())
        else:
            found[tag] = tlv.encode(tag, value if how == "image" else bytes.fromhex(value))
    return found
