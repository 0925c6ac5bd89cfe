"""The room's one ASN.1 reader: lazy, bounded, never recursive on its own; and the few encoders that go with it.

Structure is DER; two liberties of BER that genuine documents take are accepted: lengths in more octets than needed, and SETs
in any order. Indefinite lengths are refused. Elements point into the bytes they were read from, so what is hashed or verified
is always what was sent.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from pki.errors import DerError

MAX_SIZE = 1 << 20
"""Octets of one value. An EF.SOD has about 2 KB and a CRL a few hundred KB; 1 MiB keeps a hostile one cheap."""
MAX_DEPTH = 24
"""Nesting. The deepest name inside a certificate inside an EF.SOD is at 12."""
MAX_CHILDREN = 512
"""Elements of one SEQUENCE or SET, unless the caller expects more. Certificates and SODs stay below 40."""
MAX_OID = 32
"""Octets of an object identifier; real ones have up to 12."""
MAX_INTEGER = 1025
"""Octets of a number that is read: an RSA modulus of 8192 bits. Python writes none of more than 4300 digits into a message."""

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID, SEQUENCE, SET = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x30, 0x31
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18

_CONSTRUCTED = 0x20
_TIME = re.compile(rb"(\d{10,14})Z")
_TEXT_ENCODINGS = {0x1E: "utf-16-be", 0x14: "latin-1"}  # BMPString, TeletexString; all others are UTF-8 or a part of it


class Element(NamedTuple):
    """One tag-length-value inside ``data``. ``tag`` holds all identifier octets as read (``0x30``, ``0x5F1F``)."""

    data: bytes
    tag: int
    start: int
    body: int
    end: int
    depth: int

    def __repr__(self) -> str:
        return f"Element(tag={self.tag:#x}, start={self.start}, end={self.end})"

    @property
    def content(self) -> bytes:
        return self.data[self.body : self.end]

    @property
    def encoded(self) -> bytes:
        """The element as it was sent, identifier and length included."""
        return self.data[self.start : self.end]

    def error(self, what: str) -> DerError:
        return DerError(what, self.start)

    def expect(self, tag: int) -> Element:
        """Itself, if it has ``tag``; else DerError."""
        if self.tag != tag:
            raise self.error(f"tag {self.tag:#x} instead of {tag:#x}")
        return self

    def children(self, limit: int = MAX_CHILDREN) -> list[Element]:
        """The elements inside, at most ``limit``. Raises DerError."""
        data, position, end, depth = self.data, self.body, self.end, self.depth + 1
        if depth > MAX_DEPTH:
            raise self.error(f"nested deeper than {MAX_DEPTH}")
        elements: list[Element] = []
        while position < end:
            if len(elements) == limit:
                raise self.error(f"more than {limit} elements")
            element = _read(data, position, end, depth)
            elements.append(element)
            position = element[4]  # .end, by position: this loop reads a hundred elements for each document
        return elements

    def only_child(self) -> Element:
        """The one element inside (an explicit tag). Raises DerError on none or more."""
        child = _read(self.data, self.body, self.end, self.depth + 1)
        if child.end != self.end:
            raise self.error("more than one element")
        return child

    def fields(self, tag: int = SEQUENCE, limit: int = MAX_CHILDREN) -> Fields:
        """The elements inside, to be taken in order; the element must have ``tag``."""
        return Fields(self.expect(tag), limit)

    def integer(self) -> int:
        """At most ``MAX_INTEGER`` octets, in the fewest that hold it (X.690 §8.3.2): else some readers see 1, others nothing."""
        value = self.number()
        if self.end - self.body != (value if value >= 0 else ~value).bit_length() // 8 + 1:
            raise self.error("integer in more octets than it takes")
        if self.end - self.body > MAX_INTEGER:
            raise self.error(f"integer of more than {MAX_INTEGER} octets")
        return value

    def number(self) -> int:
        """An INTEGER that is only compared: of any length, however it is padded."""
        content = self.expect(INTEGER).content
        if not content:
            raise self.error("empty integer")
        return int.from_bytes(content, "big", signed=True)

    def boolean(self) -> bool:
        content = self.expect(BOOLEAN).content
        if len(content) != 1:
            raise self.error("boolean of more than one octet")
        return content != b"\0"

    def oid(self) -> str:
        """Dotted form."""
        if self.tag != OID:
            raise self.error(f"tag {self.tag:#x} instead of {OID:#x}")
        try:
            return _dotted(self.data[self.body : self.end])
        except ValueError:
            raise self.error("malformed object identifier") from None

    def octets(self) -> bytes:
        return self.expect(OCTET_STRING).content

    def bits(self) -> bytes:
        """Content of a BIT STRING made of whole octets."""
        content = self.expect(BIT_STRING).content
        if not content or content[0]:
            raise self.error("bit string with unused bits")
        return content[1:]

    def flags(self) -> int:
        """A BIT STRING of named bits; bit 0 is the most significant of the first octet and has the value 1."""
        content = self.expect(BIT_STRING).content
        if not content or content[0] > 7:
            raise self.error("malformed bit string")
        return sum(1 << index * 8 + bit for index, octet in enumerate(content[1:9]) for bit in range(8) if octet & 0x80 >> bit)

    def time(self) -> datetime:
        """UTCTime (RFC 5280 §4.1.2.5.1: 50 and above is 19xx) or GeneralizedTime, in UTC; seconds may be missing."""
        match = _TIME.fullmatch(self.content)
        text = match[1].decode() if match else ""
        if self.tag == UTC_TIME and len(text) in (10, 12):
            text = ("19" if text[0] >= "5" else "20") + text
        elif self.tag != GENERALIZED_TIME or len(text) not in (12, 14):
            raise self.error("malformed time")
        try:
            return datetime.fromisoformat(f"{text[:8]}T{text[8:]:0<6}Z")
        except ValueError:
            raise self.error("no such time") from None

    def text(self) -> str:
        """A directory string; octets that are no text become replacement characters."""
        return self.content.decode(_TEXT_ENCODINGS.get(self.tag, "utf-8"), "replace")


class Fields:
    """Takes the elements of a SEQUENCE one by one."""

    __slots__ = ("_elements", "_next", "_parent")

    def __init__(self, parent: Element, limit: int) -> None:
        self._parent, self._elements, self._next = parent, parent.children(limit), 0

    def take(self, tag: int | None = None) -> Element:
        """The next element, which must have ``tag`` unless None. Raises DerError."""
        if self._next == len(self._elements):
            raise self._parent.error("ends too early")
        element = self._elements[self._next]
        self._next += 1
        return element if tag is None else element.expect(tag)

    def optional(self, *tags: int) -> Element | None:
        """The next element if it has one of ``tags``."""
        if self._next < len(self._elements) and self._elements[self._next].tag in tags:
            return self.take()
        return None

    def rest(self) -> list[Element]:
        elements = self._elements[self._next :]
        self._next = len(self._elements)
        return elements

    def end(self) -> None:
        """DerError unless all elements were taken."""
        if self._next < len(self._elements):
            raise self._elements[self._next].error("unexpected element")


def read(data: bytes, *, limit: int = MAX_SIZE) -> Element:
    """The one element that ``data`` is, without an octet left over. Raises DerError."""
    if len(data) > limit:
        raise DerError(f"more than {limit} octets", limit)
    element = _read(data, 0, len(data), 0)
    if element.end != len(data):
        raise DerError("octets after the end", element.end)
    return element


def _read(data: bytes, start: int, end: int, depth: int) -> Element:
    """The element at ``start``, which may not reach beyond ``end``."""
    try:
        tag, length, position = data[start], data[start + 1], start + 2
        if tag & 0x1F == 0x1F:  # high tag number; the LDS uses up to two octets in all, as in 5F1F
            tag, length, position = tag << 8 | length, data[position], position + 1
            if tag & 0x80:
                raise DerError("tag too long", start)
    except IndexError:
        raise DerError("ends in a header", start) from None
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4:
            raise DerError("indefinite or too long a length", start)
        body = position + count
        if body > len(data):
            raise DerError("ends in a header", start)
        length, position = int.from_bytes(data[position:body], "big"), body
    stop = position + length
    if stop > end:
        raise DerError("reaches beyond its container", start)
    return _new(Element, (data, tag, start, position, stop, depth))


_new = tuple.__new__  # what Element() does, without its detour over a Python function: half of the time


@lru_cache(maxsize=1024)
def _dotted(content: bytes) -> str:
    """ValueError if malformed. Cached: a document names thirty, and all documents name the same."""
    if not content or len(content) > MAX_OID or content[-1] & 0x80:
        raise ValueError
    arcs, value = [], 0
    for octet in content:
        if octet == 0x80 and not value:  # X.690 §8.19.2: no arc is padded, also not in BER
            raise ValueError
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


# --- encoding ------------------------------------------------------------------------------------------------------------


def encode(tag: int, *parts: bytes) -> bytes:
    """One element in DER, its content the concatenation of ``parts``."""
    content = b"".join(parts)
    size = len(content)
    length = bytes((size,)) if size < 0x80 else _prefixed(size.to_bytes((size.bit_length() + 7) // 8, "big"))
    return tag.to_bytes((tag.bit_length() + 7) // 8, "big") + length + content


def _prefixed(length: bytes) -> bytes:
    return bytes((0x80 | len(length),)) + length


def encode_set(parts: list[bytes]) -> bytes:
    """SET OF in DER: elements in ascending order of their encodings (X.690 §11.6)."""
    return encode(SET, *sorted(parts))


def encode_integer(value: int) -> bytes:
    magnitude = value if value >= 0 else ~value
    return encode(INTEGER, value.to_bytes(magnitude.bit_length() // 8 + 1, "big", signed=True))


def encode_oid(dotted: str) -> bytes:
    first, second, *arcs = map(int, dotted.split("."))
    return encode(OID, *(_base128(arc) for arc in (first * 40 + second, *arcs)))


def _base128(arc: int) -> bytes:
    octets = [arc & 0x7F]
    while arc := arc >> 7:
        octets.append(arc & 0x7F | 0x80)
    return bytes(reversed(octets))
