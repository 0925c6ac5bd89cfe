"""The line model: strips in, a probability for each character at each column out."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrz.strips import HEIGHT

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported, which happens only below

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ<"
BLANK = len(ALPHABET)
LogProbabilities = NDArray[np.float32]


class LineModel:
    """The model of the package, loaded once. Raises ValueError where the file is not made for this alphabet."""

    def __init__(self, model: bytes) -> None:
        self._session = _session(model)
        about: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        if about.get("alphabet") != ALPHABET:
            raise ValueError(f"a line model for the alphabet {about.get('alphabet')!a}")
        self.version, self.sha256 = about.get("version", ""), hashlib.sha256(model).hexdigest()
        self._temperature = np.float32(about["temperature"])

    def read(self, strips: Sequence[NDArray[np.float32]]) -> list[LogProbabilities]:
        """For each strip [32, w] the logarithms of probabilities [w / 4, 38], the last column for "no character here".

        Calibrated by the temperature that was fitted when the model was trained. Strips are filled up to a common width, and
        what the model says of the filling is cut off again.
        """
        width = max(strip.shape[1] for strip in strips)
        batch = np.ones((len(strips), 1, HEIGHT, width), np.float32)
        for row, strip in zip(batch, strips, strict=True):
            row[0, :, : strip.shape[1]] = strip
        logits = self._session.run(None, {"lines": batch})[0] / self._temperature
        logits -= logits.max(axis=2, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=2, keepdims=True))
        return [each[: strip.shape[1] // 4] for each, strip in zip(logits, strips, strict=True)]


@cache
def line_model() -> LineModel:
    """The model that is shipped with the package."""
    return LineModel((resources.files("mrz") / "model" / "ocrb.onnx").read_bytes())


def _session(model: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
