"""Hard probes, and what fusing several frames gains on them: ``python -m benchmarks.face_probes [--faces DIR] [--out FILE.json]``.

DIR holds one picture of each person (any depth below it); without it the few people whose pictures packages carry. Each person's
portrait is compared with simulated captures of the same picture, so the rates say how well fusing undoes what the simulation did,
never how often travellers would be referred. Exit status 1 where fusing does not halve the FNMR, or loses more than it gains.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import machine
from benchmarks.face_pictures import people
from faceverify.compare import comparison_score
from faceverify.detect import DetectedFace
from faceverify.evaluation.dependence import bootstrap, percentiles
from faceverify.evaluation.intervals import clopper_pearson, trials_needed
from faceverify.image import FaceImage
from faceverify.packs import install_open_pack
from faceverify.verifier import FaceVerifier, NotPerformed, Probe, Reference

Pixels = NDArray[np.uint8]
Values = NDArray[np.float64]
SIZE = (640, 480)
SUFFIXES = {".jpg", ".jpeg", ".png"}
FMR, FRAMES, CAPTURES, PEOPLE = 1e-3, 5, 2, 200
GAIN = 2.0
"""By how much fusing is to lower the FNMR."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """A capture. ``blur_px``: the longest way that the face moves while a frame is exposed; ``light``: share of daylight; ``noise``:
    of the sensor, grey values; ``jpeg``: quality.
    """

    face_px: int = 200
    blur_px: int = 1
    light: float = 1.0
    noise: float = 3.0
    jpeg: int = 90


KINDS = {
    "good": Conditions(),
    "64 px": Conditions(face_px=64, blur_px=3, noise=5, jpeg=75),
    "motion": Conditions(face_px=110, blur_px=18, noise=5),
    "low light": Conditions(face_px=110, blur_px=5, light=0.3, noise=11),
    "64 px, motion, low light": Conditions(face_px=64, blur_px=7, light=0.4, noise=8, jpeg=75),
}


# --- the captures


def captured(picture: Pixels, face: DetectedFace, how: Conditions, random: np.random.Generator) -> Pixels:
    """One frame. From frame to frame differ: distance, turn and place of the head, way and length of its movement, light, noise."""
    scale = how.face_px / face.box[2] * random.uniform(0.93, 1.07)
    middle = (face.box[0] + face.box[2] / 2, face.box[1] + face.box[3] / 2)
    matrix = cv2.getRotationMatrix2D(middle, random.uniform(-6, 6), scale)
    matrix[:, 2] += np.array(SIZE) / 2 - middle + random.uniform(-25, 25, 2)
    scene = cv2.warpAffine(picture, matrix, SIZE, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    moved = cv2.filter2D(scene, -1, _movement(random.uniform(1, how.blur_px), random.uniform(0, np.pi)))
    lit = moved * (how.light * random.uniform(0.85, 1.15)) + random.normal(0, how.noise, moved.shape)
    encoded = cv2.imencode(".jpg", np.clip(lit, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, how.jpeg])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)


def _movement(length: float, angle: float) -> NDArray[np.float32]:
    """The kernel of a straight movement of ``length`` pixels."""
    side = int(np.ceil(length)) | 1
    kernel = np.zeros((side, side), np.float32)
    for way in np.linspace(-0.5, 0.5, 4 * side):
        x, y = side // 2 + way * (length - 1) * np.array([np.cos(angle), np.sin(angle)])
        kernel[round(y), round(x)] += 1
    return kernel / kernel.sum()


def portrait(picture: Pixels, face: DetectedFace) -> FaceImage:
    """The picture as DG2 holds it: 413×531, compressed to about 15 kB."""
    scale = 413 / (1.9 * face.box[2])
    middle = np.array([face.box[0] + face.box[2] / 2, face.box[1] + face.box[3] / 2])
    shift = np.array([206.5, 265.5]) - scale * middle
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    cut = cv2.warpAffine(picture, matrix, (413, 531), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    encoded = cv2.imencode(".jp2", cut, [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 22])[1]
    return FaceImage(pixels=np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8))


# --- the people


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    name: str
    picture: Pixels
    face: DetectedFace
    reference: Reference


def subjects(verifier: FaceVerifier, folder: Path | None, most: int) -> Iterator[Person]:
    """Whoever has exactly one face in the picture, and a reference."""
    pictures = _read(folder, most) if folder else iter(people().items())
    for name, picture in pictures:
        faces = verifier._detector.in_portrait(picture)
        if len(faces) == 1:
            face = verifier._detector.refine(picture, faces[0])
            reference = verifier.reference(portrait(picture, face))
            if isinstance(reference, Reference):
                yield Person(name=name, picture=picture, face=face, reference=reference)


def _read(folder: Path, most: int) -> Iterator[tuple[str, Pixels]]:
    """Evenly out of all that lie there."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    for index in range(min(most, len(paths))):
        path = paths[index * len(paths) // min(most, len(paths))]
        picture = cv2.imread(str(path))
        if picture is not None:
            yield str(path.relative_to(folder)), np.asarray(picture, np.uint8)


# --- what is compared


Way = Callable[[FaceVerifier, Sequence[Probe | NotPerformed]], list[Probe | NotPerformed]]
"""From the frames of one capture to what is compared."""


def single(_: FaceVerifier, frames: Sequence[Probe | NotPerformed]) -> list[Probe | NotPerformed]:
    """Each frame by itself, as if it were the only one; one that is too poor counts as not acquired."""
    return [_poor(frame) if isinstance(frame, Probe) and frame.quality.shortfalls else frame for frame in frames]


def best(_: FaceVerifier, frames: Sequence[Probe | NotPerformed]) -> list[Probe | NotPerformed]:
    """The frame of the highest quality."""
    usable = [frame for frame in frames if isinstance(frame, Probe) and not frame.quality.shortfalls]
    return [max(usable, key=lambda probe: probe.quality.score) if usable else NotPerformed(reason="no_probe")]


def fused(verifier: FaceVerifier, frames: Sequence[Probe | NotPerformed]) -> list[Probe | NotPerformed]:
    """One probe of all, as the gate does it."""
    return [verifier.fuse([frame for frame in frames if isinstance(frame, Probe)])]


def _poor(probe: Probe) -> NotPerformed:
    return NotPerformed(reason="poor_quality", detail=", ".join(probe.quality.shortfalls))


WAYS: dict[str, Way] = {"single frame": single, "best frame": best, "fused": fused}


@dataclass(slots=True)
class Scores:
    """Of one way: (n,) mated with their subjects, (m,) non-mated with both subjects; probes that could not be had."""

    mated: list[float]
    mated_subjects: list[tuple[int, int]]
    non_mated: list[float]
    non_mated_subjects: list[tuple[int, int]]
    lost: dict[str, int]

    def add(self, probe: Probe | NotPerformed, owner: int, references: Sequence[Reference], metric: str) -> None:
        if isinstance(probe, NotPerformed):
            self.lost[probe.reason] = self.lost.get(probe.reason, 0) + 1
            return
        for other, reference in enumerate(references):
            score = comparison_score(reference.features, probe.features, metric)
            scores, pairs = (self.mated, self.mated_subjects) if other == owner else (self.non_mated, self.non_mated_subjects)
            scores.append(score)
            pairs.append((other, owner))


def compared(verifier: FaceVerifier, persons: Sequence[Person], how: Conditions, seed: int) -> dict[str, Scores]:
    """Every capture of everybody against everybody's portrait, each way."""
    references = [person.reference for person in persons]
    told = {way: Scores([], [], [], [], {}) for way in WAYS}
    for owner, person in enumerate(persons):
        for capture in range(CAPTURES):
            random = np.random.default_rng((seed, owner, capture))
            frames = [verifier.probe(captured(person.picture, person.face, how, random)) for _ in range(FRAMES)]
            for way, choose in WAYS.items():
                for probe in choose(verifier, frames):
                    told[way].add(probe, owner, references, verifier.pack.recogniser.metric)
    return told


# --- what it tells


def rates(scores: Scores, fmr: float = FMR) -> dict[str, Any]:
    """FNMR at the lowest threshold that this very data gives ``fmr`` for. ``missed`` counts the probes that were lost as well: too
    poor to compare, or frames that disagree.
    """
    mated, non_mated = np.array(scores.mated), np.array(scores.non_mated)
    if not mated.size or not non_mated.size:
        return {"lost": scores.lost}
    threshold = _threshold(non_mated, fmr)
    errors, lost = int((mated < threshold).sum()), sum(scores.lost.values())
    drawn = 1 - bootstrap(mated, np.array(scores.mated_subjects, np.int32), np.array([threshold]))
    reached = bootstrap(non_mated, np.array(scores.non_mated_subjects, np.int32), np.array([threshold]))
    return {
        "FNMR": round(errors / mated.size, 4),
        "errors": errors,
        "mated": mated.size,
        "FNMR, Clopper-Pearson": _rounded(clopper_pearson(errors, mated.size)),
        "FNMR, subjects resampled": _rounded(percentiles(drawn)[:, 0]),
        "missed": round((errors + lost) / (mated.size + lost), 4),
        "lost": scores.lost,
        "threshold": round(float(threshold), 4),
        "FMR": float(f"{(non_mated >= threshold).mean():.2g}"),
        "FMR, subjects resampled": _rounded(percentiles(reached)[:, 0]),
        "non-mated": non_mated.size,
        "median mated": round(float(np.median(mated)), 3),
    }


def _threshold(non_mated: Values, fmr: float) -> float:
    """Just above the highest score that may not match."""
    allowed = int(fmr * non_mated.size)
    return float(np.nextafter(np.sort(non_mated)[-1 - allowed], np.inf))


def _rounded(values: Sequence[float] | Values) -> list[float]:
    return [float(f"{value:.3g}") for value in values]


def claim(count: int) -> str:
    """What the data can carry at this FMR."""
    couples, needed = count * (count - 1) // 2, trials_needed(FMR)
    if couples < needed:
        return f"{couples} couples of people, {needed} are needed for FMR {FMR:g}: no rate is claimed, only what fusing gains"
    return f"{couples} couples of people; one picture of each, changed by simulation: what fusing gains, not how travellers fare"


def measure(folder: Path | None, most: int = PEOPLE, seed: int = 1) -> dict[str, Any]:
    """Every kind of capture. Raises FileNotFoundError where the open pack's weights are absent."""
    models = machine.REPOSITORY.parent / "shared" / "models"
    if not models.is_dir():
        raise FileNotFoundError("the folder ../shared/models is absent: no open pack")
    with tempfile.TemporaryDirectory(prefix="autogate-bench-") as scratch:
        pack = install_open_pack(models, Path(scratch) / "open")
        with FaceVerifier(pack) as verifier:
            persons = list(subjects(verifier, folder, most))
            report = {"machine": machine.facts(), "people": len(persons), "claim": claim(len(persons)), "seed": seed, "kinds": {}}
            report |= {"frames": FRAMES, "captures of each": CAPTURES, "pack": pack.sha256}
            for name, how in KINDS.items():
                told = compared(verifier, persons, how, seed)
                report["kinds"][name] = {"conditions": asdict(how)} | {way: rates(scores) for way, scores in told.items()}
    report["goals"] = goals(report)
    return report


def goals(report: dict[str, Any]) -> dict[str, bool]:
    """Fusing halves the FNMR wherever single frames fail at all, and does not pay for it with captures that give nothing."""
    met = {}
    for name, told in report["kinds"].items():
        alone, together = told["single frame"].get("FNMR"), told["fused"].get("FNMR")
        if alone:
            met[f"{name}: fused ≤ half of a single frame's FNMR: {together} beside {alone}"] = (
                together is not None and together <= alone / GAIN
            )
        missed, beside = told["fused"].get("missed", 1.0), told["single frame"].get("missed", 1.0)
        met[f"{name}: fused, what is lost counted, misses no more than a single frame: {missed} beside {beside}"] = (
            missed <= beside
        )
    return met


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.face_probes", description=__doc__)
    parser.add_argument("--faces", type=Path, help="folder with one picture of each person")
    parser.add_argument("--people", type=int, default=PEOPLE, help=f"at most so many ({PEOPLE})")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write all figures to this file (JSON)")
    options = parser.parse_args()
    report = measure(options.faces, options.people, options.seed)
    print(f"{report['people']} people, {CAPTURES} captures of {FRAMES} frames each; {report['claim']}")
    for name, told in report["kinds"].items():
        for way in WAYS:
            print(f"  {name:26} {way:13} " + ", ".join(f"{what} {figure}" for what, figure in told[way].items()))
    for name, met in report["goals"].items():
        print(f"  {'met   ' if met else 'MISSED'} {name}")
    if options.out:
        options.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if all(report["goals"].values()) else 1


if __name__ == "__main__":
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    sys.exit(main())
