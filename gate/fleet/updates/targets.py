"""The names of what may be allowed and assigned, and what is said of one that is not taken.

::

    rules/000007-<digest of the statement>.tar          a folder of versions with one statement in force (gate.fleet.updates.pack)
    trust/…, roster/…                                   likewise
    config/CGK.D07/000003-<SHA-256 of the file>.toml    one gate's own
    snapshots/CGK.D07/watchlist/000017-<SHA-256>.sealed a registry's, sealed to one gate
    keys.json                                           the directory of keys; never assigned, every gate takes it
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

from gate.fleet.messages import GATE
from gate.profiles import REGISTRIES

Signed = Literal["rules", "trust", "roster"]
SIGNED: Final[tuple[Signed, ...]] = get_args(Signed)
"""Kinds that are folders of versions which two people sign."""
KEYS = "keys.json"
MOST_TARGET = 128 << 20
"""Bytes of one: a watchlist of 400,000 people. A gate opens it in memory."""
SHORT = 16
"""Digits of a digest in a label."""
CONFIG_WORD = "config.file"
CODES = (
    "unreachable",
    "expired",
    "rolled_back",
    "not_signed",
    "altered",
    "oversized",
    "malformed",
    "not_allowed",
    "other_gate",
    "not_configured",
    "refused",
    "disk",
)
"""Words for why something from the centre was not taken, beside those of :data:`gate.fleet.messages.REFUSALS`."""
_NUMBERED = r"(?P<number>\d{6})-(?P<digest>[0-9a-f]{64})"
_GATE = rf"(?P<gate>{GATE})"
_PATHS = (
    re.compile(rf"(?P<kind>{'|'.join(SIGNED)})/{_NUMBERED}\.tar"),
    re.compile(rf"(?P<kind>config)/{_GATE}/{_NUMBERED}\.toml"),
    re.compile(rf"(?P<kind>snapshots)/{_GATE}/(?P<registry>{'|'.join(REGISTRIES)})/{_NUMBERED}\.sealed"),
)


class UpdateError(Exception):
    """Not taken; everything is as before. ``code`` is one of :data:`CODES` or ``REFUSALS``."""

    def __init__(self, code: str, what: str) -> None:
        super().__init__(what)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """``kind`` as it is assigned (``snapshots/watchlist`` …); ``gate`` is empty where it is for any."""

    path: str
    kind: str
    gate: str
    number: int
    digest: str

    @classmethod
    def parse(cls, path: str) -> Target:
        """Raises UpdateError(malformed)."""
        found = next((match for each in _PATHS if (match := each.fullmatch(path))), None)
        if found is None:
            raise UpdateError("malformed", f"{path[:200]!r} names nothing that gates take")
        parts = found.groupdict()
        kind = "/".join(filter(None, (parts["kind"], parts.get("registry"))))
        return cls(path=path, kind=kind, gate=parts.get("gate") or "", number=int(parts["number"]), digest=parts["digest"])

    @property
    def label(self) -> str:
        """As a gate's status names it once it is in force (:mod:`gate.fleet.updates.standing`)."""
        if self.registry:
            return f"{self.number:06}"
        return self.digest[:SHORT] if self.kind == "config" else label(self.number, self.digest)

    @property
    def word(self) -> str:
        """Under which a status tells that label."""
        if self.registry:
            return self.kind
        return CONFIG_WORD if self.kind == "config" else f"{self.kind}.statement"

    @property
    def registry(self) -> str:
        """Of a snapshot; empty otherwise."""
        return self.kind.partition("/")[2]


def label(number: int, digest: str) -> str:
    return f"{number:06}-{digest[:SHORT]}"


def signed_path(kind: Signed, number: int, digest: str) -> str:
    """Of statement ``number`` with that ``digest``."""
    return f"{kind}/{number:06}-{digest}.tar"


def config_path(gate: str, number: int, digest: str) -> str:
    return f"config/{gate}/{number:06}-{digest}.toml"


def snapshot_path(gate: str, registry: str, number: int, digest: str) -> str:
    return f"snapshots/{gate}/{registry}/{number:06}-{digest}.sealed"
