"""ONNX Runtime the way this house uses it: one thread a session, nothing spinning, nothing sent anywhere."""

from __future__ import annotations

import contextlib
import ctypes
import os
from functools import cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceverify.description import PackError
from faceverify.onnx_writer import GraphBuilder

if TYPE_CHECKING:
    from faceverify.description import NetSpec, Pack

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported, which happens only below

Blob = NDArray[np.float32]

_AS_REQUESTED = 1
"""onnxruntime's ArenaExtendStrategy kSameAsRequested; 0 doubles."""


class Net:
    """One network of a pack: float32 NCHW to its outputs, in the order the file declares them.

    ``size`` is the side of the square input that the pack declares, None where any size is taken; ``outputs`` are names that
    the file must have. Raises PackError where the file disagrees.
    """

    def __init__(self, pack: Pack, spec: NetSpec, *, size: int | None = None, outputs: frozenset[str] = frozenset()) -> None:
        path = str(pack.folder / spec.file)
        self.spec = spec
        self._path = path
        self._session = open_session(pack.read(spec), path)
        self.outputs: tuple[str, ...] = tuple(output.name for output in self._session.get_outputs())
        if missing := outputs - set(self.outputs):
            raise PackError(path, f"has no outputs {sorted(missing)}", "correct `kind` in pack.toml")
        inputs = self._session.get_inputs()
        fixed = [side for side in (inputs[0].shape or [])[2:] if isinstance(side, int)]
        if len(inputs) != 1 or any(side != size for side in fixed):
            raise PackError(path, f"wants an input of {fixed}, the pack says {size}", "correct `size` in pack.toml")

    def run(self, blob: Blob) -> list[Blob]:
        """Raises PackError where the network cannot take the shape, or asks for more memory than there is."""
        return run_session(self._session, blob, self._path)

    def see(self, pixels: NDArray[np.uint8]) -> list[Blob]:
        """The outputs for BGR pixels. What was made of them is overwritten: a face stays nowhere but in the features."""
        blob = self.blob(pixels)
        try:
            return self.run(blob)
        finally:
            blob.fill(0)

    def blob(self, pixels: NDArray[np.uint8]) -> Blob:
        """BGR pixels as the network's input [1, 3, height, width]."""
        planes = cv2.split(pixels)  # twice as fast as a transposed view
        blob = np.empty((3, *pixels.shape[:2]), np.float32)
        for place, plane in enumerate(planes[::-1] if self.spec.colour_order == "RGB" else planes):
            blob[place] = plane
            plane.fill(0)
        if any(self.spec.mean):
            blob -= np.array(self.spec.mean, np.float32).reshape(3, 1, 1)
        if self.spec.std != (1.0, 1.0, 1.0):
            blob /= np.array(self.spec.std, np.float32).reshape(3, 1, 1)
        return blob[np.newaxis]


def open_session(model: bytes, path: str) -> Any:
    """An ONNX Runtime session for the network. Raises PackError, which names ``path``."""
    import onnxruntime

    try:
        return onnxruntime.InferenceSession(model, session_options(), providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - its errors share no base class; a pinned file that fails here is a bad pack
        raise PackError(path, f"ONNX Runtime refuses it: {error}", "use another pack") from None


def run_session(session: Any, blob: Blob, path: str) -> list[Blob]:
    """All outputs for the one input. Raises PackError, which names ``path``."""
    try:
        outputs: list[Blob] = session.run(None, {session.get_inputs()[0].name: blob})
    except Exception as error:  # noqa: BLE001 - its errors share no base class
        raise PackError(path, f"ONNX Runtime cannot run it: {error}", "use another pack") from None
    return outputs


def session_options() -> Any:
    """ONNX Runtime's options of a session that has one thread and leaves the processor to others while it waits."""
    import onnxruntime

    _share_arena()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")  # so that nothing in the pool stays
    return options


@cache
def _share_arena() -> None:
    """One pool of memory for all networks of the process, which grows by what is asked for.

    Of its own accord ONNX Runtime gives each network a pool that doubles, though they run one after the other.
    """
    import onnxruntime

    kinds = onnxruntime.OrtAllocatorType, onnxruntime.OrtMemType
    place = onnxruntime.OrtMemoryInfo("Cpu", kinds[0].ORT_ARENA_ALLOCATOR, 0, kinds[1].DEFAULT)
    growth = {
        "max_mem": 0,
        "arena_extend_strategy": _AS_REQUESTED,
        "initial_chunk_size_bytes": -1,
        "max_dead_bytes_per_chunk": -1,
    }
    onnxruntime.create_and_register_allocator(place, onnxruntime.OrtArenaCfg(growth))


def wipe_activations() -> None:
    """Give back to the system all that networks worked in, and with it what of a face still lies there.

    It is overwritten where freed memory is (``gate.processes.hardening``); the next run asks for memory anew. Call it once before
    networks run: what is made later, and stays, would keep a part of the pool.
    """
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    _smallest_session().run(None, {"input": np.zeros(1, np.float32)}, options)


@cache
def _smallest_session() -> Any:
    """A network that does next to nothing, in the pool that all share: only a run empties a pool."""
    graph = GraphBuilder()
    graph.node("Relu", "input", output="output")
    return open_session(graph.model(inputs={"input": (1,)}, outputs={"output": (1,)}), "the smallest network")


def give_back_memory() -> None:
    """Return to the system what building sessions used and freed, where the C library can (glibc keeps it otherwise)."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
