"""What comes of looking for a zone in pictures: a reading that may be believed, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mrz.record import Correction, MrzRecord

Corners = tuple[tuple[float, float], ...]
"""Four corners in pixels of the frame, clockwise from the upper left of the zone as it reads."""

Reason = Literal[
    "no_mrz",
    "several_documents",
    "mirrored",
    "too_small",
    "glare",
    "blur",
    "cut_off",
    "check_digit",
    "margin",
    "disagreement",
    "bad_image",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds: finding lines, reading characters, and all in all."""

    locate: float
    recognise: float
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A reading. ``margins``: for each character of each line by how much it is likelier than the next, in log-odds;
    ``quads``: the zone in each frame, None for a frame that was of no use.
    """

    record: MrzRecord
    margins: tuple[tuple[float, ...], ...] = field(repr=False)
    frames_used: int
    quads: tuple[Corners | None, ...]
    timings: Timings

    @property
    def lines(self) -> tuple[str, ...]:
        return self.record.lines

    @property
    def corrections(self) -> tuple[Correction, ...]:
        """Characters taken for another than the likeliest: at most one."""
        return self.record.corrections


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """No reading. ``detail`` is for a person and holds no text of the document; ``where`` is what was found of a zone."""

    reason: Reason
    detail: str
    where: Corners | None = None
    timings: Timings = Timings(locate=0.0, recognise=0.0, total=0.0)


Reading = Accepted | Refused
