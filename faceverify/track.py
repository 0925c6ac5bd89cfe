"""Follows the one person before the camera from frame to frame, cheaply enough for every frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from faceverify.samples import NotPerformed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from faceverify.detect import DetectedFace
    from faceverify.quality import FaceQuality, Instruction

    Pixels = NDArray[np.uint8]

SAME_SIZE = 0.5
"""In a frame a second face with this share of the largest one's area makes it unclear whose probe it is."""
SAME_PLACE = 0.3
"""Intersection over union with the last box from which on a face is still the same: at 15 frames a second nobody walks farther."""
LOOK_ROUND = 5
"""Every so many frames the whole frame is searched, for whoever may have come."""
GAP = 3
"""Frames without the face, or with a rival, after which the track is lost."""


class Finder(Protocol):
    """A detector, as a track uses it (:class:`faceverify.detect.Detector`)."""

    def in_frame(self, pixels: Pixels, like: DetectedFace | None = None) -> tuple[DetectedFace, ...]: ...
    def refine(self, pixels: Pixels, face: DetectedFace) -> DetectedFace: ...
    def near(self, pixels: Pixels, face: DetectedFace) -> DetectedFace | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """The tracked face in one frame. ``track`` counts people: it changes whenever the face cannot be that of the frame before."""

    track: int
    face: DetectedFace
    quality: FaceQuality


Judge = Callable[["Pixels", "DetectedFace"], "FaceQuality | NotPerformed"]
"""Frame and face to quality."""


class Track:
    """Near its last place a face is found at a tenth of the cost of a search; the whole frame is searched when it is not there,
    and in turn. One thread at a time.
    """

    def __init__(self, finder: Finder, judge: Judge) -> None:
        self._finder, self._judge = finder, judge
        self._last: DetectedFace | None = None
        self._number = self._near_looks = self._missed = 0

    def see(self, pixels: Pixels) -> Sighting | NotPerformed:
        """The face of this frame with its quality; ``no_face``, ``several_faces`` where there is not exactly one to be measured."""
        face = self._follow(pixels) or self._search(pixels)
        if isinstance(face, NotPerformed):
            self._missed += 1
            if self._missed >= GAP:
                self._last = None
            return face
        if self._last is None or overlap(self._last, face) < SAME_PLACE:
            self._number += 1
        self._last, self._missed = face, 0
        quality = self._judge(pixels, face)
        return quality if isinstance(quality, NotPerformed) else Sighting(track=self._number, face=face, quality=quality)

    def _follow(self, pixels: Pixels) -> DetectedFace | None:
        """The face near its last place, unless it is time to look round."""
        if self._last is None or self._missed or self._near_looks >= LOOK_ROUND - 1:
            return None
        self._near_looks += 1
        return self._finder.near(pixels, self._last)

    def _search(self, pixels: Pixels) -> DetectedFace | NotPerformed:
        self._near_looks = 0
        found = only_face(self._finder.in_frame(pixels, self._last))
        return found if isinstance(found, NotPerformed) else self._finder.refine(pixels, found)


def only_face(faces: tuple[DetectedFace, ...]) -> DetectedFace | NotPerformed:
    """The largest of ``faces`` (largest first), if no other comes near its size."""
    rivals = sum(face.area >= SAME_SIZE * faces[0].area for face in faces)
    return faces[0] if rivals == 1 else not_one(rivals)


def not_one(count: int) -> NotPerformed:
    """The result for ``count`` faces where one is needed."""
    return NotPerformed(reason="several_faces" if count else "no_face", detail=f"{count} faces")


def overlap(a: DetectedFace, b: DetectedFace) -> float:
    """Intersection over union of the boxes."""
    shared = 1.0
    for axis in (0, 1):
        low = max(a.box[axis], b.box[axis])
        high = min(a.box[axis] + a.box[axis + 2], b.box[axis] + b.box[axis + 2])
        shared *= max(0.0, high - low)
    return min(1.0, shared / max(a.area + b.area - shared, 1e-9))


def guidance(seen: Sighting | NotPerformed) -> Instruction | None:
    """What to ask of the traveller after this frame; None where the general request stands."""
    if isinstance(seen, Sighting):
        return seen.quality.instruction
    return "one_person" if seen.reason == "several_faces" else None
