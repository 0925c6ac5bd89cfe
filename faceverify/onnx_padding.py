"""Fills up odd numbers of channels with channels of zeros, for ONNX Runtime's blocked kernels want multiples of 16.

A network that was thinned out has convolutions of 103 or 231 channels; each by channel then runs five times slower than one of 112
or 240. What is added is 0 throughout and weighs 0 where it is summed up, so all outputs stay.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from faceverify.onnx_reader import (
    FLOAT,
    GRAPH_INPUT,
    GRAPH_NODE,
    GRAPH_SHAPE,
    GRAPH_WEIGHT,
    MODEL_GRAPH,
    NODE_ATTRIBUTE,
    Graph,
    Node,
    Weight,
    as_message,
    parse_node,
    parse_weight,
    read_graph,
    value_name,
)
from faceverify.onnx_writer import Bytes, fields, free_value_info, int_attribute, integer, message

_BLOCK = 16
_MOST = 1.25
"""Where more would be added than a quarter it costs more than it brings."""
_BY_CHANNEL = frozenset({"Relu", "LeakyRelu", "Add"})
"""Operations that make 0 of 0, each channel for itself."""
_FIXED = 0

Shape = tuple[int, ...]


def pad_channels(model: Bytes) -> bytes:
    """The same network, its inner tensors with multiples of 16 channels where that can be told to be safe. Raises OnnxError."""
    graph = read_graph(model)
    shapes = _new_shapes(graph, _Channels(graph))
    if not shapes:
        return bytes(model)
    parts = (
        message(MODEL_GRAPH, _padded(as_message(value), shapes, graph)) if number == MODEL_GRAPH else raw
        for number, value, raw in fields(memoryview(model))
    )
    return b"".join(parts)


def _convolution(node: Node, graph: Graph) -> Shape | None:
    """The shape of the kernel, None where the node is no convolution by two dimensions with weights of the file."""
    if node.operator != "Conv" or len(node.inputs) not in {2, 3} or len(node.outputs) != 1 or node.inputs[0] in graph.weights:
        return None
    kernel, *bias = (graph.weights.get(name) for name in node.inputs[1:])
    if kernel is None or not kernel.data or len(kernel.shape) != 4:
        return None
    return kernel.shape if all(one and one.data and one.shape == kernel.shape[:1] for one in bias) else None


@dataclass(slots=True)
class _Channels:
    """How many channels each inner tensor gets: tensors that an operation joins channel by channel get the same."""

    graph: Graph
    _joined: dict[str, str] = field(default_factory=dict)
    _counts: dict[str, set[int]] = field(default_factory=dict)
    """By the first of the joined tensors; ``_FIXED`` among them where their number may not change."""

    def __post_init__(self) -> None:
        for node in self.graph.nodes:
            self._join(node)
        for name in (*self.graph.inputs, *self.graph.outputs):
            self._count(name, _FIXED)

    def padded(self, tensor: str) -> int | None:
        """The new number of channels, None where it stays."""
        counts = self._counts.get(self._first(tensor), set())
        if len(counts) != 1 or _FIXED in counts:
            return None
        (count,) = counts
        more = -(-count // _BLOCK) * _BLOCK
        return more if count < more <= _MOST * count else None

    def _join(self, node: Node) -> None:
        shape = _convolution(node, self.graph)
        tensors = [name for name in node.inputs if name not in self.graph.weights]
        if shape and node.group == 1:
            self._count(tensors[0], shape[1])
            self._count(node.outputs[0], shape[0])
        elif shape and node.group == shape[0] and shape[1] == 1:
            self._count(node.outputs[0], shape[0])
            self._merge(tensors[0], node.outputs[0])
        elif node.operator in _BY_CHANNEL and len(tensors) == len(node.inputs) and len(node.outputs) == 1:
            for name in tensors:
                self._merge(name, node.outputs[0])
        else:
            for name in (*tensors, *node.outputs):
                self._count(name, _FIXED)

    def _first(self, tensor: str) -> str:
        while (earlier := self._joined.get(tensor, tensor)) != tensor:
            tensor = earlier
        return tensor

    def _merge(self, one: str, other: str) -> None:
        first, second = self._first(one), self._first(other)
        if first != second:
            self._joined[second] = first
            self._counts.setdefault(first, set()).update(self._counts.pop(second, set()))

    def _count(self, tensor: str, count: int) -> None:
        self._counts.setdefault(self._first(tensor), set()).add(count)


def _new_shapes(graph: Graph, channels: _Channels) -> dict[str, Shape]:
    """Of every weight that must grow; none at all where two nodes would have one weight grow differently."""
    wanted: dict[str, set[Shape]] = {}
    for node in graph.nodes:
        kernel = _convolution(node, graph)
        for place, name in enumerate(node.inputs):
            if name in graph.weights:
                shape = list(graph.weights[name].shape)
                if kernel and place:
                    shape[0] = channels.padded(node.outputs[0]) or shape[0]
                if kernel and place == 1 and node.group == 1:
                    shape[1] = channels.padded(node.inputs[0]) or shape[1]
                wanted.setdefault(name, set()).add(tuple(shape))
    if any(len(shapes) > 1 for shapes in wanted.values()):
        return {}
    new = {name: shapes.pop() for name, shapes in wanted.items()}
    return {name: shape for name, shape in new.items() if shape != graph.weights[name].shape}


def _padded(body: Bytes, shapes: dict[str, Shape], graph: Graph) -> bytes:
    parts: list[Bytes] = []
    for number, value, raw in fields(body):
        if number == GRAPH_WEIGHT:
            name, weight = parse_weight(as_message(value))
            parts.append(message(number, _grown(name, weight, shapes[name])) if name in shapes else raw)
        elif number == GRAPH_NODE:
            parts.append(message(number, _regrouped(as_message(value), shapes, graph)))
        elif number == GRAPH_INPUT and value_name(as_message(value)) in shapes:  # old files list weights among the inputs
            parts.append(message(number, free_value_info(bytes(as_message(value)))))
        elif number != GRAPH_SHAPE:  # hints that no longer hold
            parts.append(raw)
    return b"".join(parts)


def _grown(name: str, weight: Weight, shape: Shape) -> bytes:
    old = weight.values().reshape(weight.shape)
    values = np.zeros(shape, "<f4")
    values[tuple(slice(size) for size in weight.shape)] = old
    return b"".join(integer(1, size) for size in shape) + integer(2, FLOAT) + message(8, name) + message(9, values.tobytes())


def _regrouped(body: Bytes, shapes: dict[str, Shape], graph: Graph) -> bytes:
    """A convolution by channel says how many there are."""
    node = parse_node(body)
    kernel = shapes.get(node.inputs[1]) if _convolution(node, graph) else None
    if kernel is None or node.group == 1:
        return bytes(body)
    parts = [raw for number, value, raw in fields(body) if number != NODE_ATTRIBUTE or not _is_group(as_message(value))]
    return b"".join([*parts, message(NODE_ATTRIBUTE, int_attribute("group", kernel[0]))])


def _is_group(attribute: Bytes) -> bool:
    return any(number == 1 and bytes(as_message(value)) == b"group" for number, value, _ in fields(attribute))
