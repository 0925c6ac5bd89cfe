"""Data objects inside one elementary file: read in place, with the file's name and the byte's offset in every complaint.

Nothing is copied before a value is asked for, so that a portrait is cut out once, and once only.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hardware.emrtd import tlv
from hardware.emrtd.errors import LdsError, TlvError

Octets = bytes | bytearray | memoryview
"""A file as it was read, whatever holds it."""
MAX_CHILDREN = 64
"""Data objects inside one template. DG11 has 14, a tag list of that length would be absurd."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataObject:
    """One data object of ``file``: ``start`` is where its tag begins, ``body`` its value, ``end`` the byte after it."""

    file: str
    data: memoryview = field(repr=False)
    tag: int
    start: int
    body: int
    end: int

    @property
    def value(self) -> bytes:
        """A copy of the value."""
        return bytes(self.data[self.body : self.end])

    @property
    def text(self) -> str:
        """The value as UTF-8; octets that are none become replacement characters."""
        return self.value.decode("utf-8", "replace")

    def error(self, what: str, problem: str, *, offset: int | None = None) -> LdsError:
        """LdsError whose code is the file's name and ``what`` (``DG2_COUNT``)."""
        code = f"{self.file.removeprefix('EF.').replace('/', '_').upper()}_{what}"
        return LdsError(code, problem, file=self.file, offset=self.start if offset is None else offset)

    def children(self, limit: int = MAX_CHILDREN) -> list[DataObject]:
        """The data objects that fill the value, at most ``limit``. Raises LdsError."""
        return objects(self.file, self.data, self.body, self.end, limit)

    def only(self, tag: int) -> DataObject:
        """The one data object ``tag`` that is all of the value. Raises LdsError."""
        return _only(self.file, self.data, self.body, self.end, tag)

    def path(self, *tags: int) -> DataObject:
        """Down through templates that hold one data object each. Raises LdsError."""
        found = self
        for tag in tags:
            found = found.only(tag)
        return found

    def by_tag(self) -> dict[int, DataObject]:
        """The data objects of the value by tag. Raises LdsError, also where one comes twice."""
        found: dict[int, DataObject] = {}
        for item in self.children():
            if item.tag in found:
                raise item.error("TWICE", f"data object {item.tag:02X} twice")
            found[item.tag] = item
        return found


def open_file(file: str, data: Octets, tag: int) -> DataObject:
    """The template ``tag`` that is all of ``file``. Raises LdsError."""
    return _only(file, memoryview(data), 0, len(data), tag)


def objects(file: str, data: memoryview, start: int, end: int, limit: int = MAX_CHILDREN) -> list[DataObject]:
    """The data objects that fill ``data`` from ``start`` to ``end``. Raises LdsError."""
    found: list[DataObject] = []
    while start < end:
        if len(found) == limit:
            raise LdsError("TLV_MANY", f"more than {limit} data objects", file=file, offset=start)
        found.append(_read(file, data, start, end))
        start = found[-1].end
    return found


def _only(file: str, data: memoryview, start: int, end: int, tag: int) -> DataObject:
    item = _read(file, data, start, end)
    if item.tag != tag:
        raise LdsError("TLV_TAG", f"tag {item.tag:02X} where {tag:02X} must stand", file=file, offset=start)
    if item.end != end:
        raise LdsError("TLV_TRAILING", f"{end - item.end} bytes after tag {tag:02X}", file=file, offset=item.end)
    return item


def _read(file: str, data: memoryview, start: int, end: int) -> DataObject:
    header = bytes(data[start : min(end, start + tlv.MAX_HEADER)])
    try:
        tag, size, length = tlv.read_header(header)
    except TlvError as error:
        raise LdsError(error.code, error.what, file=file, offset=start + (error.offset or 0)) from error
    body = start + size
    if body + length > end:
        there = f"tag {tag:02X} says {length} bytes, {end - body} are there"
        raise LdsError("TLV_TRUNCATED", there, file=file, offset=start)
    return DataObject(file=file, data=data, tag=tag, start=start, body=body, end=body + length)
