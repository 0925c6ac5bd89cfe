"""Aligned face in, features out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from faceverify.nets import Net

if TYPE_CHECKING:
    from faceverify.description import Pack

Features = NDArray[np.float32]


class Extracts(Protocol):
    """A recogniser, as a verifier uses it."""

    def features(self, crop: NDArray[np.uint8]) -> Features:
        """Features of an aligned crop, shape (n,), not normalised. May hold NaN: whoever compares must look."""
        ...


class Extractor:
    """The pack's recogniser on ONNX Runtime."""

    def __init__(self, pack: Pack) -> None:
        self._net = Net(pack, pack.recogniser.net, size=pack.recogniser.size)

    def features(self, crop: NDArray[np.uint8]) -> Features:
        """Features of an aligned crop, shape (n,), not normalised. May hold NaN: whoever compares must look."""
        return np.asarray(self._net.see(crop)[0], np.float32).reshape(-1)
