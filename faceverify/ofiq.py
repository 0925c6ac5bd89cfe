"""OFIQ, the reference implementation of ISO/IEC 29794-5, as an external scorer for evaluations. It is no part of us and optional.

Its sample program takes the name of an image and of the CSV to write; both are files in memory, so that no face touches a disk.
A picture takes seconds: this is for evaluations, never for the gate.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from faceverify.samples import NotPerformed

TIMEOUT_S = 60.0
"""For one picture: the program loads some 400 MB of models first."""
CSV_LIMIT = 1 << 16
"""Bytes; some 60 columns take two thousand."""
UNIFIED = "UnifiedQualityScore"
_SCALAR = ".scalar"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfiqQuality:
    """Quality components 0…100 by OFIQ's names, higher is better; one that OFIQ could not measure is missing."""

    scores: Mapping[str, int]

    @property
    def unified(self) -> int:
        """The unified quality score, 0…100."""
        return self.scores[UNIFIED]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfiqScorer:
    """``command``: the program with its configuration, e.g. ``("OFIQSampleApp", "-c", "/opt/ofiq/data")``."""

    command: Sequence[str]
    timeout_s: float = TIMEOUT_S
    _environment: Mapping[str, str] = field(default_factory=lambda: {"PATH": os.defpath, "LC_ALL": "C"}, repr=False)

    @property
    def present(self) -> bool:
        """Whether the program is there."""
        return bool(self.command) and shutil.which(self.command[0]) is not None

    def score(self, pixels: NDArray[np.uint8]) -> OfiqQuality | NotPerformed:
        """Score a picture (uint8 BGR). NotPerformed: ``ofiq_not_available``, ``ofiq_timeout``, ``ofiq_failed``."""
        if not self.present:
            return NotPerformed(reason="ofiq_not_available", detail="the program is not there")
        image, table = os.memfd_create("face"), os.memfd_create("quality")
        try:
            with os.fdopen(os.dup(image), "wb") as file:
                file.write(cv2.imencode(".bmp", pixels)[1].tobytes())
            return self._run(image, table)
        finally:
            os.close(image)
            os.close(table)

    def _run(self, image: int, table: int) -> OfiqQuality | NotPerformed:
        try:
            ended = subprocess.run(
                [*self.command, "-i", f"/dev/fd/{image}", "-o", f"/dev/fd/{table}"],
                pass_fds=(image, table),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=self._environment,
                timeout=self.timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return NotPerformed(reason="ofiq_timeout", detail=f"no answer within {self.timeout_s:.0f} s")
        except OSError as error:
            return NotPerformed(reason="ofiq_failed", detail=error.strerror or "cannot be started")
        if ended.returncode != 0:
            return NotPerformed(reason="ofiq_failed", detail=f"exit status {ended.returncode}")
        return parse_table(os.pread(table, CSV_LIMIT, 0))


def parse_table(text: bytes) -> OfiqQuality | NotPerformed:
    """OFIQ's CSV for one picture: names, then values, divided by semicolons. ``ofiq_failed`` for anything else."""
    lines = text.decode("utf-8", "replace").split("\n")
    names, values = (line.strip().split(";") for line in lines[:2]) if len(lines) >= 2 else ((), ())
    scores: dict[str, int] = {}
    for name, value in zip(names, values, strict=False):
        if name.endswith(_SCALAR) and (score := _score(value)) is not None:
            scores[name.removesuffix(_SCALAR)] = score
    if UNIFIED not in scores:
        return NotPerformed(reason="ofiq_failed", detail="no unified quality score in its answer")
    return OfiqQuality(scores=scores)


def _score(text: str) -> int | None:
    """None where OFIQ failed to measure (-1), or the text is no score."""
    try:
        value = float(text)
    except ValueError:
        return None
    return round(value) if math.isfinite(value) and 0 <= value <= 100 else None
