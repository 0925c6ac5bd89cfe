"""Libraries that lie inside wheels, which no list of distributions names: folders of copied libraries, and what was linked into extension modules.

A version is believed where the library says it: in its file's name, or in the text that it carries for just that purpose. What says nothing
is listed without a version.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SAYS: dict[str, re.Pattern[bytes]] = {
    "openssl": re.compile(rb"OpenSSL (\d+\.\d+\.\d+[a-z]?) +\d{1,2} [A-Z][a-z]{2} \d{4}"),
    "openblas": re.compile(rb"OpenBLAS (\d+\.\d+\.\d+)"),
    "zlib": re.compile(rb"(?:in|de)flate (\d+\.\d+(?:\.\d+)*) Copyright"),
    "libpng": re.compile(rb"libpng version (\d+\.\d+\.\d+)"),
    "libtiff": re.compile(rb"LIBTIFF, Version (\d+\.\d+\.\d+)"),
    "libjpeg-turbo": re.compile(rb"libjpeg-turbo version (\d+\.\d+\.\d+)"),
    "ffmpeg": re.compile(rb"FFmpeg version n?(\d+\.\d+(?:\.\d+)*)"),
}
"""Library → how it names itself and its version, in its own octets."""
_FILE = re.compile(r"(?:lib)?(?P<name>[A-Za-z0-9_+]+(?:-[A-Za-z]\w*)*?)(?:-[0-9a-f]{8})?\.so(?:\.(?P<version>\d+(?:\.\d+)*))?")
"""``libavcodec-9aae324f.so.59.37.100``: the digits after the name tell copies apart, and say nothing of the library."""
_MOST = 1 << 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """``version`` is empty where nothing says it; ``said_by`` is ``file name`` or ``text``."""

    name: str
    version: str
    said_by: str
    distribution: str
    file: str
    sha256: str


def carried(packages: Path) -> list[Carried]:
    """All below the folder ``packages`` (``site-packages``), sorted. Raises OSError."""
    owners = _owners(packages)
    found = [one for path in sorted(packages.rglob("*.so*")) if path.is_file() for one in _in(path, packages, owners)]
    return sorted(found, key=lambda one: (one.distribution, one.file, one.name))


def _owners(packages: Path) -> dict[str, str]:
    """File → the distribution that brought it, by what each says of itself."""
    return {
        line.partition(",")[0].strip('"'): record.parent.name.partition("-")[0]
        for record in packages.glob("*.dist-info/RECORD")
        for line in record.read_text(encoding="utf-8").splitlines()
    }


def _in(path: Path, packages: Path, owners: Mapping[str, str]) -> Iterator[Carried]:
    place = path.relative_to(packages)
    copied = place.parts[0].endswith(".libs") or ".libs" in place.parts
    with path.open("rb") as file:
        content = file.read(_MOST)
    sha256 = hashlib.sha256(content).hexdigest()
    distribution = owners.get(str(place), place.parts[0].removesuffix(".libs"))
    said = {name: match[1].decode() for name, pattern in SAYS.items() if (match := pattern.search(content))}
    for name, version in sorted(said.items()):
        yield Carried(name=name, version=version, said_by="text", distribution=distribution, file=str(place), sha256=sha256)
    if copied and not said and (named := _FILE.fullmatch(path.name)):
        version = named["version"] or ""
        by = "file name" if version else ""
        yield Carried(name=named["name"], version=version, said_by=by, distribution=distribution, file=str(place), sha256=sha256)
