"""What the gate asks of a face backend: :class:`faceverify.verifier.FaceVerifier` is one, others may stand behind the same class.

Whatever cannot be measured is a :class:`~faceverify.verifier.NotPerformed` with a reason, never a number and never an exception.
One thread at a time uses a backend; pixels are uint8 BGR of shape (height, width, 3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from faceverify.compare import FaceComparison
    from faceverify.description import Pack
    from faceverify.image import FaceImage
    from faceverify.track import Sighting, Track
    from faceverify.verifier import NotPerformed, Probe, Reference


class Verifier(Protocol):
    """Measures faces for one pack; decides nothing."""

    @property
    def pack(self) -> Pack:
        """Whose weights, threshold and licence stand behind every number."""
        ...

    def warm_up(self) -> None:
        """Run every network once. Raises PackError where an output is not as declared."""
        ...

    def close(self) -> None:
        """End the decoder's process and every thread of the backend."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...

    def in_each_thread(self, work: Callable[[], None]) -> None:
        """Run ``work`` in every thread in which the backend measures, the caller's among them, while nothing is measured."""
        ...

    def reference(self, image: bytes | FaceImage) -> Reference | NotPerformed:
        """Features of the chip portrait: exactly one face. Encoded bytes are decoded in the confined process."""
        ...

    def track(self) -> Track:
        """Begin to follow whoever stands before the camera from now on."""
        ...

    def probe(self, pixels: NDArray[np.uint8], sighting: Sighting | None = None) -> Probe | NotPerformed:
        """Measure the face that a track sighted in these very pixels; without a sighting the frame is searched first."""
        ...

    def fuse(self, probes: Sequence[Probe]) -> Probe | NotPerformed:
        """One probe out of several of the same person. Empty, or of different people or packs: NotPerformed."""
        ...

    def compare(self, reference: Reference, probe: Probe) -> FaceComparison | NotPerformed:
        """Compare at the pack's threshold. NotPerformed where there is none, or the probe is too poor."""
        ...
