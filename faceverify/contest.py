"""For packs that we did not describe: what they declare has to separate faces better than every likely mistake would.

A wrong colour order, a doubled normalisation or a wrong template gives no error, only plausible and useless scores.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faceverify.chips import CASTS, changed, cut
from faceverify.description import PackError

if TYPE_CHECKING:
    from faceverify.description import NetSpec, Pack, Point
    from faceverify.examiner import Examiner

Pixels = NDArray[np.uint8]

LEAST_DECIDABILITY = 3.0
"""Distance of the mated from the non-mated scores' mean, in their deviations. Sound recognisers have 6…10 on these pictures, with
a wrong normalisation they have below 3.
"""
TEMPLATE_TIE = 0.05
"""Templates that separate alike within this share cannot be told apart this way."""

_SAME_TEMPLATE = 0.01
"""Of the crop's side: points nearer than that are the same."""
_TEMPLATES: dict[str, tuple[int, tuple[Point, ...]]] = {
    "the template of ArcFace": (
        112,
        ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)),
    ),
    "the template of reid-0095": (
        128,
        ((40.3928, 59.0815), (87.3757, 59.0815), (64.0336, 81.9847), (44.7324, 105.5606), (83.6399, 105.5606)),
    ),
    "the template of dlib": (150, ((47.549, 46.599), (100.476, 46.599), (74.013, 76.563), (50.415, 103.023), (97.610, 103.023))),
}
_NORMALISATIONS = {"raw values": (0.0, 1.0), "values to 0…1": (0.0, 255.0), "values to -1…1": (127.5, 127.5)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """Mean mated minus mean non-mated score, as declared and for each likely mistake; ``decidability`` of what is declared."""

    declared: float
    alternatives: dict[str, float]
    decidability: float


def contest(examiner: Examiner) -> Contest:
    """Let the declared preprocessing compete with every likely mistake. Raises PackError at the first that separates better."""
    pack = examiner.pack
    people = [[(chip, examiner.face(chip).points) for chip in chips] for chips in _people(examiner)]
    examiner.check_norm(examiner.features(examiner.crop(*people[0][0])))
    declared, decidability = _separation(examiner, people, pack.recogniser.net, pack.recogniser.template)
    others: dict[str, float] = {}
    for name, spec, template, tie in _mistakes(pack):
        others[name], _ = _separation(examiner, people, spec, template)
        if others[name] >= declared * (1 + tie):
            what = f"as declared it separates faces by {declared:.3f}, with {name} by {others[name]:.3f}"
            raise PackError(pack.id, what, "correct what the pack declares of its recogniser")
    if decidability < LEAST_DECIDABILITY:
        raise PackError(pack.id, f"hardly tells faces apart (decidability {decidability:.2f})", "use another pack")
    return Contest(declared=declared, alternatives=others, decidability=decidability)


def _people(examiner: Examiner) -> Iterator[list[Pixels]]:
    """For each person of the group picture a chip and what coloured light, distance and compression make of it."""
    picture, faces = examiner.group()
    for face in faces:
        chip = cut(picture, face.box)
        yield [chip, *(changed(chip, index) for index in range(len(CASTS)))]


Mistake = tuple[str, "NetSpec", tuple["Point", ...], float]
"""Name, preprocessing, template, and by what share it has to separate better before it counts."""


def _mistakes(pack: Pack) -> Iterator[Mistake]:
    spec, template = pack.recogniser.net, pack.recogniser.template
    for name, other in _preparations(spec):
        yield name, other, template, 0.0
    for name, points in _templates(pack):
        yield name, spec, points, TEMPLATE_TIE


def _preparations(spec: NetSpec) -> Iterator[tuple[str, NetSpec]]:
    """Colour order and normalisation as they would be by the usual mistakes."""
    swapped = "RGB" if spec.colour_order == "BGR" else "BGR"
    yield "channels swapped", dataclasses.replace(spec, colour_order=swapped)
    own = np.array([spec.mean, spec.std])
    for name, (mean, std) in _NORMALISATIONS.items():
        if np.abs(own - [[mean], [std]]).max() > 1:  # 127.5 and 128 are the same
            yield name, dataclasses.replace(spec, mean=(mean,) * 3, std=(std,) * 3)
    if own[0].any() or (own[1] != 1).any():
        mean, std = own[0] * (1 + own[1]), own[1] ** 2
        yield "normalisation done twice", dataclasses.replace(spec, mean=tuple(mean.tolist()), std=tuple(std.tolist()))


def _templates(pack: Pack) -> Iterator[tuple[str, tuple[Point, ...]]]:
    size = pack.recogniser.size
    for name, (side, points) in _TEMPLATES.items():
        scaled = np.array(points) * (size / side)
        if np.abs(scaled - np.array(pack.recogniser.template)).max() > _SAME_TEMPLATE * size:
            yield name, tuple((float(x), float(y)) for x, y in scaled)


Person = list[tuple[Pixels, NDArray[np.float32]]]


def _separation(examiner: Examiner, people: list[Person], spec: NetSpec, template: tuple[Point, ...]) -> tuple[float, float]:
    """Mean mated minus mean non-mated score, and that in deviations (decidability)."""
    vectors = [[examiner.features(examiner.crop(*sample, template), spec) for sample in person] for person in people]
    mated = np.array([examiner.score(a, b) for person in vectors for a, b in combinations(person, 2)])
    non_mated = np.array([examiner.score(a, b) for one, two in combinations(vectors, 2) for a in one for b in two])
    gap = float(mated.mean() - non_mated.mean())
    return gap, gap / max(float(np.sqrt((mated.var() + non_mated.var()) / 2)), 1e-9)
