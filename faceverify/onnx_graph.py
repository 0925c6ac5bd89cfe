"""Rewrites a network's PRelu nodes, which ONNX Runtime computes slowly, into nodes that it computes fast.

A slope shared by all channels becomes LeakyRelu. A slope for each channel becomes ``Relu(x) - a·Relu(-x)``: Relu, depthwise
1×1 convolution by -1, Relu, depthwise 1×1 convolution by -a, Add. Both are exact, up to the rounding of fused operations.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from faceverify.onnx_reader import (
    FLOAT,
    GRAPH_NODE,
    GRAPH_WEIGHT,
    MODEL_GRAPH,
    NODE_ATTRIBUTE,
    NODE_INPUT,
    NODE_OPERATOR,
    NODE_OUTPUT,
    Graph,
    as_message,
    parse_node,
    read_graph,
)
from faceverify.onnx_writer import Bytes, fields, int_attribute, integer, message

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ATTRIBUTE_FLOAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """The model after the rewrite, and how many nodes of each kind there were. ``kept``: PRelu nodes that were left alone."""

    model: bytes = field(repr=False)
    shared: int
    per_channel: int
    kept: int


def rewrite_prelu(model: Bytes) -> Rewritten:
    """The same network without PRelu wherever the slope is a float32 weight of the file. Raises OnnxError as read_graph does."""
    rewriter = _Rewriter(read_graph(model))
    parts: list[Bytes] = []
    for number, value, raw in fields(memoryview(model)):
        parts.append(message(MODEL_GRAPH, rewriter.graph_body(as_message(value))) if number == MODEL_GRAPH else raw)
    return Rewritten(model=b"".join(parts), shared=rewriter.shared, per_channel=rewriter.per_channel, kept=rewriter.kept)


class _Rewriter:
    """Keeps order and bytes of everything that it does not replace; new weights come last."""

    def __init__(self, graph: Graph) -> None:
        self._known = graph
        self._taken = {name for node in graph.nodes for name in (*node.inputs, *node.outputs)} | graph.weights.keys()
        self._new_weights: dict[str, bytes] = {}
        self.shared = self.per_channel = self.kept = 0

    def graph_body(self, body: Bytes) -> bytes:
        parts: list[Bytes] = []
        for number, value, raw in fields(body):
            replaced = self._replacement(as_message(value)) if number == GRAPH_NODE else None
            parts.extend([raw] if replaced is None else (message(GRAPH_NODE, node) for node in replaced))
        return b"".join([*parts, *(message(GRAPH_WEIGHT, weight) for weight in self._new_weights.values())])

    def _replacement(self, body: Bytes) -> list[bytes] | None:
        node = parse_node(body)
        if node.operator != "PRelu":
            return None
        slope = self._known.weights.get(node.inputs[1]) if len(node.inputs) == 2 and len(node.outputs) == 1 else None
        if slope is None or not slope.data:
            self.kept += 1
            return None
        values = slope.values()
        if values.size and (values == values[0]).all():
            self.shared += 1
            return [_new_node("LeakyRelu", node.inputs[:1], node.outputs[0], _float_attribute("alpha", values[0]))]
        if not _one_for_each_channel(slope.shape):
            self.kept += 1
            return None
        self.per_channel += 1
        return self._by_channel(node.inputs[0], node.outputs[0], values)

    def _by_channel(self, x: str, y: str, slopes: NDArray[np.float32]) -> list[bytes]:
        count = slopes.size
        minus_one = self._weight_name(f"minus_one_{count}", np.full(count, -1, np.float32))
        minus_slope = self._weight_name(f"{y}_minus_slope", -slopes)
        positive, turned, negative, scaled = (self._tensor_name(f"{y}_{part}") for part in ("pos", "turned", "neg", "scaled"))
        depthwise = int_attribute("group", count)
        return [
            _new_node("Relu", (x,), positive),
            _new_node("Conv", (x, minus_one), turned, depthwise),
            _new_node("Relu", (turned,), negative),
            _new_node("Conv", (negative, minus_slope), scaled, depthwise),
            _new_node("Add", (positive, scaled), y),
        ]

    def _weight_name(self, wanted: str, values: NDArray[np.float32]) -> str:
        """The name of a weight of shape (n, 1, 1, 1); equal weights are kept once."""
        shape = b"".join(integer(1, size) for size in (values.size, 1, 1, 1))
        content = shape + integer(2, FLOAT) + message(9, values.astype("<f4").tobytes())
        for name, body in self._new_weights.items():
            if body.endswith(content):
                return name
        name = self._tensor_name(wanted)
        self._new_weights[name] = message(8, name) + content
        return name

    def _tensor_name(self, wanted: str) -> str:
        name = wanted
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name


def _one_for_each_channel(shape: tuple[int, ...]) -> bool:
    """(c, 1, 1) or (1, c, 1, 1): what broadcasts over the channels of [n, c, h, w] and nothing else."""
    return (len(shape) == 3 and shape[1:] == (1, 1)) or (len(shape) == 4 and shape[0] == 1 and shape[2:] == (1, 1))


def _new_node(operator: str, inputs: tuple[str, ...], output: str, attribute: bytes = b"") -> bytes:
    body = b"".join(message(NODE_INPUT, name) for name in inputs) + message(NODE_OUTPUT, output)
    return body + message(NODE_OPERATOR, operator) + (message(NODE_ATTRIBUTE, attribute) if attribute else b"")


def _float_attribute(name: str, value: np.float32) -> bytes:
    return message(1, name) + bytes([2 << 3 | 5]) + struct.pack("<f", value) + integer(20, _ATTRIBUTE_FLOAT)
