"""Files of the ICAO public key directory (LDIF, RFC 2849): master lists, CSCA certificates and revocation lists out of them.

Nothing here is verified: a master list is judged by :mod:`pki.masterlist`, a revocation list by the key of its State, and a
CSCA certificate that comes alone is as good as whoever brought the file.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from pki.errors import PkiError, ReasonCode

Kind = Literal["master_list", "csca_certificate", "crl"]

_ATTRIBUTES: dict[bytes, Kind] = {
    b"pkdmasterlistcontent": "master_list",
    b"cscacertificate": "csca_certificate",
    b"cacertificate": "csca_certificate",
    b"certificaterevocationlist": "crl",
}
MAX_FILE, MAX_VALUE, MAX_VALUES = 512 << 20, 32 << 20, 200_000
"""Octets of a file and of one value in it (with base64), and how many values are taken. A directory's file has below 100 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PkdValue:
    """One value, in DER by its own word; ``line`` is where it begins, from 1; ``entry`` is the distinguished name above it."""

    kind: Kind
    content: bytes = field(repr=False)
    entry: str
    line: int


def read_ldif(lines: Iterable[bytes]) -> Iterator[PkdValue]:
    """The values of interest in the lines of a file (an open binary file is one). Raises PkiError(MALFORMED) with the line."""
    entry, taken = "", 0
    for number, line in _unfolded(lines):
        name, separator, value = line.partition(b":")
        if not separator and line:
            raise _malformed(number, "no attribute")
        attribute = name.split(b";")[0].strip().lower()
        if attribute == b"dn":
            entry = _text(number, value)
        elif attribute in _ATTRIBUTES:
            taken += 1
            if taken > MAX_VALUES:
                raise _malformed(number, f"more than {MAX_VALUES} values")
            yield PkdValue(kind=_ATTRIBUTES[attribute], content=_decoded(number, value), entry=entry, line=number)


def _unfolded(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Logical lines with the number of their first: one that begins with a space goes on with the last. Comments are dropped."""
    parts: list[bytes] = []
    start, size, total = 0, 0, 0
    for number, raw in enumerate(lines, 1):
        line, total = raw.rstrip(b"\r\n"), total + len(raw)
        if total > MAX_FILE:
            raise _malformed(number, f"more than {MAX_FILE} octets")
        if line[:1] == b" " and parts:
            parts.append(line[1:])
            size += len(line)
            if size > MAX_VALUE:
                raise _malformed(start, f"value of more than {MAX_VALUE} octets")
            continue
        if parts and parts[0][:1] != b"#":
            yield start, b"".join(parts)
        parts, start, size = [line], number, len(line)
    if parts and parts[0][:1] != b"#":
        yield start, b"".join(parts)


def _decoded(number: int, value: bytes) -> bytes:
    if value[:1] != b":":
        raise _malformed(number, "binary value without base64")
    try:
        return base64.b64decode(value[1:].strip(b" "), validate=True)
    except binascii.Error as error:
        raise _malformed(number, str(error)) from None


def _text(number: int, value: bytes) -> str:
    octets = _decoded(number, value) if value[:1] == b":" else value.strip(b" ")
    text = octets[:400].decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _malformed(number: int, what: str) -> PkiError:
    return PkiError(ReasonCode.MALFORMED, f"line {number}: {what}")
