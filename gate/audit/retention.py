"""How long each kind of personal field can be read: a data file, and what is due by it. Pure but for reading the file."""

from __future__ import annotations

import hashlib
import tomllib
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from gate.audit.fields import kinds

PACKAGED = Path(__file__).with_name("retention.toml")
MAX_BYTES = 65_536
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=400)]


class RetentionError(ValueError):
    """The file cannot be gone by: says what is wrong with it. Nothing is destroyed."""


class Period(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``days`` that a kind of field can be read after the day of its writing, what it holds, and by which law."""

    days: Annotated[int, msgspec.Meta(ge=1, le=36_500)]
    holds: Text
    basis: Text
    source_status: Literal["seen", "known", "inferred", "design_assumption", "operator"]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: dict[str, Period]


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """By kind of field; ``version``: the beginning of the file's SHA-256."""

    version: str
    periods: dict[str, Period]

    def last_due(self, kind: str, today: date) -> date:
        """The newest day whose fields of ``kind`` nobody is to read any more."""
        return today - timedelta(days=self.periods[kind].days + 1)


def load_retention(path: Path | None = None) -> Retention:
    """The file at ``path``, else the one that comes with the software. Raises RetentionError: each kind has exactly one period."""
    path = path or PACKAGED
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise RetentionError(f"{path}: longer than {MAX_BYTES} bytes")
        periods = msgspec.convert(tomllib.loads(raw.decode()), _File).kind
    except OSError as error:
        raise RetentionError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise RetentionError(f"{path}: {error}") from error
    if set(periods) != set(kinds()):
        raise RetentionError(f"{path}: a period for each of {', '.join(kinds())}, and for nothing else")
    return Retention(version=hashlib.sha256(raw).hexdigest()[:16], periods=periods)
