"""The strict reader of ``pack.toml``. Whatever is missing, unknown or out of range is refused; nothing has a default."""

from __future__ import annotations

import hashlib
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, cast

from faceverify.description import (
    DESCRIPTION,
    Calibration,
    DetectorSpec,
    NetSpec,
    Pack,
    PadSpec,
    PictureSpec,
    RecogniserSpec,
    ReferenceRun,
    SelfTest,
    Threshold,
)
from faceverify.toml_table import PackError, Table

if TYPE_CHECKING:
    from faceverify.description import Grant

FORMAT = 2
_USES = ("demonstration", "test", "trial", "operation")
_PROVISIONAL_USES = ("demonstration", "test")
"""Where a threshold without data behind it, or weights that nobody licensed for it, may serve."""
_GRANTS = ("open", "commercial", "non_commercial")
_DETECTORS = ("centerface", "yunet", "scrfd")
_CALIBRATION = ("fmr", "fmr_upper", "dataset", "dataset_sha256", "comparisons", "stratum")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PICTURE_SIDE = 10_000.0
_NO_ERRORS_BOUND = 2.99
"""Upper 95 % bound of a rate, times the number of comparisons, where none of them went wrong (-ln 0.05, "rule of three")."""


def parse_pack(text: bytes, folder: Path) -> Pack:
    """The description alone, no other file touched. Raises PackError, never another exception, whatever the bytes."""
    try:
        root = Table(str(folder / DESCRIPTION), tomllib.loads(text.decode()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise PackError(str(folder / DESCRIPTION), f"not TOML: {error}", "correct the file") from None
    if root.integer("format") != FORMAT:
        raise root.error("format", f"must be {FORMAT}")
    use = root.one_of("permitted_use", _USES)
    recogniser = _recogniser(root.table("recogniser"))
    pad = tuple(_pad(table) for table in root.tables("pad"))
    pack = Pack(
        id=root.matching("id", _NAME),
        title=root.text("title"),
        folder=folder,
        licence=root.text("licence"),
        grant=cast("Grant", root.one_of("grant", _GRANTS)),
        licensed_until=root.take("licensed_until", date) if "licensed_until" in root else None,
        permitted_use=use,
        detector=_detector(root.table("detector")),
        recogniser=recogniser,
        pad=pad,
        threshold=_threshold(root.table("threshold"), use) if "threshold" in root else None,
        self_test=_self_test(root.table("self_test"), recogniser.features, len(pad)) if "self_test" in root else None,
        sha256=hashlib.sha256(text).hexdigest(),
    )
    root.close()
    _agree(root, pack)
    return pack


def _agree(root: Table, pack: Pack) -> None:
    """What no single key shows."""
    if pack.grant == "non_commercial" and pack.permitted_use == "operation":
        raise root.error("permitted_use", "is operation, but the licence forbids all but research")
    named = [*(net.file for net in pack.nets), *(pack.self_test.pictures if pack.self_test else ())]
    if len(set(named)) != len(named) or DESCRIPTION in named:
        raise root.error("file", "is named twice")


def _net(table: Table) -> NetSpec:
    net = NetSpec(
        file=table.matching("file", _NAME),
        sha256=table.matching("sha256", _SHA256),
        source_sha256=table.matching("source_sha256", _SHA256),
        licence=table.text("licence"),
        colour_order=table.one_of("colour_order", ("BGR", "RGB")),
        mean=table.numbers("mean", 3),
        std=table.numbers("std", 3),
    )
    if min(net.std) <= 0:
        raise table.error("std", "must be above 0")
    return net


def _detector(table: Table) -> DetectorSpec:
    spec = DetectorSpec(
        kind=table.one_of("kind", _DETECTORS),
        net=_net(table),
        frame_side=table.integer("frame_side", 64, 1920),
        portrait_side=table.integer("portrait_side", 64, 1920),
        refine_side=table.integer("refine_side", 64, 512),
        score_threshold=table.number("score_threshold", 0.01, 1.0),
        overlap_threshold=table.number("overlap_threshold", 0.01, 1.0),
    )
    table.close()
    return spec


def _recogniser(table: Table) -> RecogniserSpec:
    spec = RecogniserSpec(
        net=_net(table),
        size=table.integer("size", 32, 512),
        template=table.points("template", 5),
        features=table.integer("features", 16),
        output_norm=table.one_of("output_norm", ("unit", "free")),
        metric=table.one_of("metric", ("cosine", "euclidean")),
        agreement=table.number("agreement", -10.0, 1.0) if "agreement" in table else None,
    )
    table.close()
    if not all(0 <= value <= spec.size for point in spec.template for value in point):
        raise table.error("template", "must lie in the crop")
    return spec


def _pad(table: Table) -> PadSpec:
    spec = PadSpec(
        net=_net(table),
        size=table.integer("size", 32, 512),
        crop=table.number("crop", 1.0, 5.0),
        bona_fide_index=table.integer("bona_fide_index", 0, 2),
        threshold=table.number("threshold", 0.0, 1.0),
        provenance=table.text("provenance"),
    )
    table.close()
    return spec


def _threshold(table: Table, use: str) -> Threshold:
    calibrated = any(key in table for key in _CALIBRATION) or use not in _PROVISIONAL_USES
    threshold = Threshold(
        score=table.number("score", -10.0, 1.0),
        provenance=table.text("provenance"),
        calibration=_calibration(table) if calibrated else None,
    )
    table.close()
    return threshold


def _calibration(table: Table) -> Calibration:
    calibration = Calibration(
        fmr=table.number("fmr", 0.0, 1.0),
        fmr_upper=table.number("fmr_upper", 0.0, 1.0),
        dataset=table.text("dataset"),
        dataset_sha256=table.matching("dataset_sha256", _SHA256),
        comparisons=table.integer("comparisons", 1, 10**12),
        stratum=table.text("stratum"),
    )
    if calibration.fmr_upper < max(calibration.fmr, _NO_ERRORS_BOUND / calibration.comparisons):
        raise table.error("fmr_upper", f"is less than {calibration.comparisons} comparisons can show")
    return calibration


def _self_test(table: Table, features: int, pad: int) -> SelfTest:
    spec = SelfTest(
        reference=_picture(table.table("reference")),
        mated=_picture(table.table("mated")),
        non_mated=_picture(table.table("non_mated")),
        run=_reference_run(table.table("run"), features, pad),
        provenance=table.text("provenance"),
    )
    table.close()
    if spec.non_mated in {spec.reference, spec.mated}:
        raise table.error("non_mated", "is the same face as another")
    return spec


def _picture(table: Table) -> PictureSpec:
    spec = PictureSpec(
        file=table.matching("file", _NAME), sha256=table.matching("sha256", _SHA256), face=table.numbers("face", 4)
    )
    table.close()
    if not all(0 <= value <= _PICTURE_SIDE for value in spec.face) or min(spec.face[2:]) < 1:
        raise table.error("face", "must be left, top, width and height in pixels")
    return spec


def _reference_run(table: Table, features: int, pad: int) -> ReferenceRun:
    spec = ReferenceRun(
        file=table.matching("file", _NAME),
        sha256=table.matching("sha256", _SHA256),
        points=table.points("points", 5),
        features=table.numbers("features", features),
        detected=table.points("detected", 5),
        score=table.number("score", 0.0, 1.0),
        box=table.numbers("box", 4),
        pad=table.numbers("pad", pad),
    )
    table.close()
    return spec
