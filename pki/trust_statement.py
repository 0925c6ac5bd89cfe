"""What people sign about a trust store (:mod:`pki.signed_statement`), and which pinned certificates they confirm with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pki.signed_statement import (
    MAX_STATEMENT,
    QUORUM,
    Action,
    AnyStatement,
    SignedStatement,
    is_hex,
    parse_signed,
    parse_signers,
)

__all__ = [
    "MAX_STATEMENT",
    "QUORUM",
    "Action",
    "SignedStatement",
    "Statement",
    "parse_signers",
    "parse_statement",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement(AnyStatement):
    """``confirmed``: fingerprints of pinned certificates that their State has confirmed."""

    CONTEXT: ClassVar[bytes] = b"autogate trust statement 1\n"
    WHAT: ClassVar[str] = "trust store"

    confirmed: tuple[str, ...] = ()

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        return cls(**(values | {"confirmed": tuple(values["confirmed"])}))

    def is_sound(self) -> bool:
        return AnyStatement.is_sound(self) and all(is_hex(one, 64) for one in self.confirmed)


def parse_statement(encoded: bytes) -> SignedStatement[Statement]:
    """Read what :attr:`SignedStatement.encoded` wrote. Raises PkiError(MALFORMED), nothing else."""
    return parse_signed(encoded, Statement)
