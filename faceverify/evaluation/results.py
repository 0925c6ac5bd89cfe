"""What a run says: every figure of the report, counted once (:mod:`.summary`) and shown from here alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceverify.description import Pack
from faceverify.evaluation.calibrate import Refused, Setting
from faceverify.evaluation.rates import Det, Rate, Values

DISCARDED = tuple(round(0.025 * step, 3) for step in range(21))
"""Shares of mated comparisons in the error-versus-discard curves: none to half of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Failures to take a picture (to enrol a reference, to acquire a probe), with their reasons."""

    rate: Rate
    reasons: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StratumResult:
    """One stratum at the report's threshold."""

    name: str
    column: str
    alike: bool
    fmr: Rate
    fnmr: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """Thresholds for one FMR: what the pool would allow, what the hardest stratum demands, and the FNMR (pooled) at the latter."""

    target: float
    pooled: Setting | Refused
    hardest: Setting | Refused
    fnmr: Rate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Of a DET curve, from resampled subjects: lower and upper bounds (2, m) of both rates where the FMR is ``at_fmr`` (m,)."""

    at_fmr: Values
    fmr: Values
    fnmr: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    edges: Values
    mated: NDArray[np.int64]
    non_mated: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pad:
    """Errors of presentation attack detection at the pack's threshold. Pictures without a PAD score count apart."""

    apcer: Mapping[str, Rate]
    bpcer: Rate
    no_response: Mapping[str, Rate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """``about`` says where the data are from; ``fused`` counts probes made of several frames.

    ``threshold`` is the pack's, else the highest that the data support, else None; ``far`` and ``frr`` include FTE and FTA.
    """

    dataset: str
    about: str
    data_sha256: str
    pack: Pack
    subjects: int
    fused: int
    threshold: float | None
    threshold_source: str
    fte: Outcome
    fta: Outcome
    fmr: Rate | None
    fnmr: Rate | None
    far: Rate | None
    frr: Rate | None
    points: Sequence[OperatingPoint]
    strata: Sequence[StratumResult]
    det: Det | None
    band: Band | None
    histogram: Histogram
    discard: Mapping[str, Values]
    pad: Pad | None
    conditions: Mapping[str, str]
    cross: Sequence[str]
    replicates: int
    seed: int
