"""What two people sign about a package: that these octets are this release, and which release is the oldest that may still run.

Releases are numbered without a gap, each statement names the one before, and the oldest release that may run never gets older.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, get_args

from pki.durable import read_file
from pki.errors import PkiError
from pki.signed_statement import MAX_STATEMENT, QUORUM, AnyStatement, SignedStatement, parse_signed, parse_signers

SUFFIX = ".release"
"""What the file of a package's statement is called, after the package."""
PACKAGES = ("autogate", "autogate-centre", "autogate-demo")
"""What a release consists of: the gate; what a centre has besides; what demonstrations need."""
MAX_SIGNERS = 1 << 14
"""Octets of the file that names them."""
_VERSION = re.compile(r"(?:0|[1-9]\d{0,4})(?:\.(?:0|[1-9]\d{0,4})){1,3}")
Refusal = Literal["malformed", "unsigned", "altered", "other_package", "below_minimum", "not_newer", "nothing_before"]
REFUSALS: tuple[Refusal, ...] = get_args(Refusal)


class ReleaseRefused(Exception):
    """Not installed; ``code`` is a word of :data:`REFUSALS`."""

    def __init__(self, code: Refusal, what: str) -> None:
        self.code = code
        super().__init__(what)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release(AnyStatement):
    """``store`` is the SHA-256 of the package ``package`` in its version ``release``; nothing older than ``minimum`` runs where it was installed."""

    CONTEXT: ClassVar[bytes] = b"autogate release statement 1\n"
    WHAT: ClassVar[str] = "package"

    package: str
    release: str
    minimum: str

    def is_sound(self) -> bool:
        return (
            AnyStatement.is_sound(self)
            and self.action == "activate"
            and self.sequence == self.version
            and self.package in PACKAGES
            and is_version(self.release)
            and is_version(self.minimum)
            and order(self.minimum) <= order(self.release)
        )


def is_version(text: object) -> bool:
    """Two to four numbers with dots between; Debian's order of such versions is that of :func:`order`."""
    return isinstance(text, str) and _VERSION.fullmatch(text) is not None


def order(version: str) -> tuple[int, ...]:
    """By which versions compare. Raises ReleaseRefused(malformed)."""
    if not is_version(version):
        raise ReleaseRefused("malformed", f"{version[:40]!r} is no version")
    return tuple(map(int, version.split(".")))


def read_signers(path: Path) -> dict[str, str]:
    """``NAME:PUBLIC KEY`` a line, with comments after ``#`` → public key → name. Raises ReleaseRefused(malformed), also where there are none."""
    try:
        lines = [line.partition("#")[0].strip() for line in read_file(path, MAX_SIGNERS).decode("ascii", "replace").splitlines()]
        signers = parse_signers(line for line in lines if line)
    except PkiError as error:
        raise ReleaseRefused("malformed", f"who signs releases: {error.detail}") from None
    if len(signers) < QUORUM:
        raise ReleaseRefused("malformed", f"{path} names fewer than {QUORUM} people")
    return signers


def read_statement(path: Path) -> SignedStatement[Release]:
    """Unverified. Raises ReleaseRefused: unsigned where there is none, malformed."""
    if not path.exists():
        raise ReleaseRefused("unsigned", f"{path.name} is not there: nobody signed for the package")
    try:
        return parse_signed(read_file(path, MAX_STATEMENT), Release)
    except PkiError as error:
        raise ReleaseRefused("malformed", f"{path}: {error.detail}") from None


def people(signed: SignedStatement[Release], signers: Mapping[str, str]) -> tuple[str, ...]:
    """Who of ``signers`` signed. Raises ReleaseRefused(unsigned) where they are fewer than must."""
    names = signed.people(signers)
    if len(names) < QUORUM:
        by = f" ({', '.join(names)})" if names else ""
        one = signed.statement
        raise ReleaseRefused("unsigned", f"{one.package} {one.release} is signed by {len(names)} of {QUORUM} people{by}")
    return names
