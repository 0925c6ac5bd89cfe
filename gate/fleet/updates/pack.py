"""A folder of versions as it travels: one version, the statements that bring it into force, and nothing else.

An uncompressed tar, so that it is never longer unpacked than it came. Names are those of :class:`pki.signed_versions.SignedVersions`
and no others; links, folders, devices and whatever else a tar may hold are refused.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from gate.fleet.updates.targets import UpdateError

MOST_FILES, MOST_PACK = 64, 64 << 20
"""Files, and bytes of all of them together; a national trust store has some 3 MB."""
_NAME = re.compile(
    r"active|DEMO|statements/\d{6}-\d{6}\.json"
    r"|versions/\d{6}-[0-9a-f]{64}(\.store|\.json|/[a-z_]{1,40}\.toml|/manifest\.json)"
)


def packed(files: Mapping[str, bytes]) -> bytes:
    """The same files give the same octets. Raises UpdateError for what :func:`unpacked` would refuse."""
    _check(files)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def unpacked(raw: bytes) -> dict[str, bytes]:
    """Name → octets. Raises UpdateError(oversized, malformed), nothing else."""
    if len(raw) > MOST_PACK:
        raise UpdateError("oversized", f"a pack of {len(raw)} bytes")
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as tar:
            for member, content in _members(tar):
                if member.name in files or len(files) == MOST_FILES:
                    raise UpdateError("malformed", f"a pack with {member.name!r} twice, or with too much")
                files[member.name] = content
    except (tarfile.TarError, ValueError, OverflowError, EOFError, OSError, MemoryError, RecursionError) as error:
        raise UpdateError("malformed", f"no pack: {error}") from None
    _check(files)
    return files


def write_pack(files: Mapping[str, bytes], folder: Path) -> None:
    """Lay ``files`` out in ``folder``, which is empty and ours alone. Raises OSError."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _members(tar: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    left = MOST_PACK
    for member in tar:
        if member.type != tarfile.REGTYPE or member.issparse() or not 0 <= member.size <= left:
            raise UpdateError("malformed", f"a pack with {member.name[:80]!r}, which is no plain file, or too long")
        left -= member.size
        file = tar.extractfile(member)
        content = file.read() if file else b""
        if len(content) != member.size:
            raise UpdateError("malformed", f"a pack that ends in {member.name[:80]!r}")
        yield member, content


def _check(files: Mapping[str, bytes]) -> None:
    strange = next((name for name in files if not _NAME.fullmatch(name)), None)
    if strange is not None:
        raise UpdateError("malformed", f"a pack with {strange[:80]!r}")
    if "active" not in files:
        raise UpdateError("malformed", "a pack that brings nothing into force")
    if len(files) > MOST_FILES or sum(map(len, files.values())) > MOST_PACK:
        raise UpdateError("oversized", "a pack with too much")
