"""Looks at a network's graph and rewrites its PRelu nodes, which ONNX Runtime computes slowly, into nodes that it computes fast.

A slope shared by all channels becomes LeakyRelu. A slope for each channel becomes ``Relu(x) - a·Relu(-x)``: Relu, depthwise
1×1 convolution by -1, Relu, depthwise 1×1 convolution by -a, Add. Both are exact, up to the rounding of fused operations.

The file is read as protobuf, field by field, within bounds; bytes of any kind give a value or :class:`OnnxError`. Field numbers
are those of ``onnx.proto``.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from faceverify.onnx_writer import Bytes, OnnxError, fields, integer, message

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_FIELDS = 50_000
"""Nodes, weights and inferred shapes of a graph. A ResNet-200 has some thousand."""
_MAX_RANK = 8
_FLOAT = 1
_EXTERNAL = 1
_ATTRIBUTE_FLOAT, _ATTRIBUTE_INT, _ATTRIBUTE_TENSOR = 1, 2, 4
_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_WEIGHT, _GRAPH_INPUT, _GRAPH_OUTPUT = 1, 5, 11, 12
_NODE_INPUT, _NODE_OUTPUT, _NODE_OPERATOR, _NODE_ATTRIBUTE = 1, 2, 4, 5
_ATTRIBUTE_SUBGRAPHS = {6, 11}

Shape = tuple[int | None, ...]
"""None where the size is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One operation, by the names of its tensors."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """A constant tensor: ``data`` are its bytes as the file holds them, empty where it is not float32."""

    shape: tuple[int, ...]
    data: Bytes = field(repr=False)

    def values(self) -> NDArray[np.float32]:
        """The float32 values in order, one dimension. Raises OnnxError where there are more or fewer than the shape says."""
        if len(self.data) != 4 * math.prod(self.shape):
            raise OnnxError("a weight's data do not fit its shape")
        return np.frombuffer(self.data, "<f4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """What a network takes and gives, and what it is made of. Inputs are those that are not weights."""

    nodes: tuple[Node, ...] = field(repr=False)
    weights: dict[str, Weight] = field(repr=False)
    inputs: dict[str, Shape]
    outputs: dict[str, Shape]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """The model after the rewrite, and how many nodes of each kind there were. ``kept``: PRelu nodes that were left alone."""

    model: bytes = field(repr=False)
    shared: int
    per_channel: int
    kept: int


def read_graph(model: Bytes) -> Graph:
    """Raises OnnxError: not a model, beyond the bounds, with control flow, or with weights outside of the file."""
    graph = _graph_of(model)
    nodes: list[Node] = []
    weights: dict[str, Weight] = {}
    values: dict[int, dict[str, Shape]] = {_GRAPH_INPUT: {}, _GRAPH_OUTPUT: {}}
    for count, (number, value, _) in enumerate(fields(graph)):
        if count > _MAX_FIELDS:
            raise OnnxError(f"more than {_MAX_FIELDS} nodes and weights")
        if number == _GRAPH_NODE:
            nodes.append(_node(_body(value)))
        elif number == _GRAPH_WEIGHT:
            name, weight = _weight(_body(value))
            weights[name] = weight
        elif number in values:
            name, shape = _value_info(_body(value))
            values[number][name] = shape
    inputs = {name: shape for name, shape in values[_GRAPH_INPUT].items() if name not in weights}
    return Graph(nodes=tuple(nodes), weights=weights, inputs=inputs, outputs=values[_GRAPH_OUTPUT])


def rewrite_prelu(model: Bytes) -> Rewritten:
    """The same network without PRelu wherever the slope is a float32 weight of the file. Raises OnnxError as read_graph does."""
    rewriter = _Rewriter(read_graph(model))
    parts: list[Bytes] = []
    for number, value, raw in fields(memoryview(model)):
        parts.append(message(_MODEL_GRAPH, rewriter.graph_body(_body(value))) if number == _MODEL_GRAPH else raw)
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
            replaced = self._replacement(_body(value)) if number == _GRAPH_NODE else None
            parts.extend([raw] if replaced is None else (message(_GRAPH_NODE, node) for node in replaced))
        return b"".join([*parts, *(message(_GRAPH_WEIGHT, weight) for weight in self._new_weights.values())])

    def _replacement(self, body: Bytes) -> list[bytes] | None:
        node = _node(body)
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
        depthwise = _int_attribute("group", count)
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
        content = shape + integer(2, _FLOAT) + message(9, values.astype("<f4").tobytes())
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
    body = b"".join(message(_NODE_INPUT, name) for name in inputs) + message(_NODE_OUTPUT, output)
    return body + message(_NODE_OPERATOR, operator) + (message(_NODE_ATTRIBUTE, attribute) if attribute else b"")


def _float_attribute(name: str, value: np.float32) -> bytes:
    return message(1, name) + bytes([2 << 3 | 5]) + struct.pack("<f", value) + integer(20, _ATTRIBUTE_FLOAT)


def _int_attribute(name: str, value: int) -> bytes:
    return message(1, name) + integer(3, value) + integer(20, _ATTRIBUTE_INT)


# --- reading -------------------------------------------------------------------------------------------------------------


def _graph_of(model: Bytes) -> Bytes:
    graphs = [_body(value) for number, value, _ in fields(memoryview(model)) if number == _MODEL_GRAPH]
    if len(graphs) != 1:
        raise OnnxError(f"{len(graphs)} graphs")
    return graphs[0]


def _node(body: Bytes) -> Node:
    found: dict[int, list[str]] = {_NODE_INPUT: [], _NODE_OUTPUT: [], _NODE_OPERATOR: []}
    for number, value, _ in fields(body):
        if number in found:
            found[number].append(_text(value))
        elif number == _NODE_ATTRIBUTE:
            _check_attribute(_body(value))
    operator = found[_NODE_OPERATOR]
    if len(operator) != 1:
        raise OnnxError("a node without an operator")
    return Node(operator=operator[0], inputs=tuple(found[_NODE_INPUT]), outputs=tuple(found[_NODE_OUTPUT]))


def _check_attribute(body: Bytes) -> None:
    for number, value, _ in fields(body):
        if number in _ATTRIBUTE_SUBGRAPHS:
            raise OnnxError("control flow: a graph inside a node")
        if number == 5:  # a tensor
            _weight(_body(value))


def _weight(body: Bytes) -> tuple[str, Weight]:
    shape: list[int] = []
    name, kind, data = "", 0, memoryview(b"")
    floats: list[Bytes] = []
    for number, value, _ in fields(body):
        match number:
            case 1:
                shape.extend(_integers(value))
            case 2:
                kind = value if isinstance(value, int) else -1
            case 4:
                floats.append(_body(value))
            case 8:
                name = _text(value)
            case 9:
                data = memoryview(_body(value))
            case 13:
                raise OnnxError("weights outside of the file")
            case 14 if value == _EXTERNAL:
                raise OnnxError("weights outside of the file")
            case _:
                pass
    if len(shape) > _MAX_RANK or any(size < 0 or size >= 1 << 31 for size in shape):
        raise OnnxError("a weight of impossible shape")
    return name, Weight(shape=tuple(shape), data=(data or b"".join(floats)) if kind == _FLOAT else b"")


def _integers(value: int | Bytes) -> list[int]:
    """One integer, or several packed into one field."""
    if isinstance(value, int):
        return [value]
    packed, found, shift, current = bytes(value), [], 0, 0
    if len(packed) > 10 * _MAX_RANK:
        raise OnnxError("a weight of impossible shape")
    for byte in packed:
        current |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            found.append(current)
            shift = current = 0
    return found


def _value_info(body: Bytes) -> tuple[str, Shape]:
    name = ""
    shape: Shape = ()
    for number, value, _ in fields(body):
        if number == 1:
            name = _text(value)
        elif number == 2:
            shape = tuple(_dimension(_body(size)) for size in _path(_body(value), (1, 2, 1)))
    return name, shape


def _path(body: Bytes, numbers: tuple[int, ...]) -> list[Bytes]:
    """The messages that lie under a path of field numbers: type, tensor type, shape, dimension."""
    found = [body]
    for wanted in numbers:
        found = [_body(value) for part in found for number, value, _ in fields(part) if number == wanted]
    return found


def _dimension(body: Bytes) -> int | None:
    sizes = [value for number, value, _ in fields(body) if number == 1 and isinstance(value, int)]
    return sizes[0] if sizes and 0 < sizes[0] < 1 << 31 else None


def _body(value: int | Bytes) -> Bytes:
    if isinstance(value, int):
        raise OnnxError("a number where a message was expected")
    return value


def _text(value: int | Bytes) -> str:
    try:
        return bytes(_body(value)).decode()
    except UnicodeDecodeError:
        raise OnnxError("a name that is not UTF-8") from None
