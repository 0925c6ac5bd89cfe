"""Follows the one person before the camera from frame to frame, cheaply enough for every frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from faceverify.detect import DetectedFace
    from faceverify.verifier import NotPerformed


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """The tracked face in one frame. ``track`` counts people: it changes whenever the face cannot be that of the frame before."""

    track: int
    face: DetectedFace


class Track:
    """What a backend's ``track()`` gives. One thread at a time."""

    def see(self, pixels: NDArray[np.uint8]) -> Sighting | NotPerformed:
        """The face of this frame (``no_face``, ``several_faces`` where there is not exactly one to be measured)."""
        raise NotImplementedError
