"""ONNX Runtime the way this house uses it: one thread a session, nothing spinning, nothing sent anywhere."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from faceverify.description import NetSpec, Pack

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported, which happens only below

Blob = NDArray[np.float32]


class Net:
    """One network of a pack. ``run`` maps float32 NCHW to its outputs, in the order the file declares them."""

    def __init__(self, pack: Pack, spec: NetSpec) -> None:
        self.spec = spec
        self._session = _session(pack.read(spec), str(pack.folder / spec.file))
        self._input = self._session.get_inputs()[0].name
        self.outputs: tuple[str, ...] = tuple(output.name for output in self._session.get_outputs())

    def run(self, blob: Blob) -> list[Blob]:
        """Raises onnxruntime's own error on a shape the network cannot take: a pack that warmed up has none."""
        outputs: list[Blob] = self._session.run(None, {self._input: blob})
        return outputs

    def blob(self, pixels: NDArray[np.uint8]) -> Blob:
        """BGR pixels as the network's input [1, 3, height, width]."""
        planes = pixels.transpose(2, 0, 1)
        blob = np.ascontiguousarray(planes[::-1] if self.spec.colour_order == "RGB" else planes, np.float32)
        if any(self.spec.mean):
            blob -= np.array(self.spec.mean, np.float32).reshape(3, 1, 1)
        if self.spec.std != (1.0, 1.0, 1.0):
            blob /= np.array(self.spec.std, np.float32).reshape(3, 1, 1)
        return blob[np.newaxis]


def _session(model: bytes, path: str) -> Any:
    import onnxruntime

    from faceverify.description import PackError

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - its errors share no base class; a pinned file that fails here is a bad pack
        raise PackError(path, f"ONNX Runtime refuses it: {error}", "use another pack") from None
