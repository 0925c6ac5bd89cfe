"""What a network is made of. The file is read as protobuf, field by field, within bounds; bytes of any kind give a value or
:class:`OnnxError`. Field numbers are those of ``onnx.proto``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from faceverify.onnx_writer import Bytes, OnnxError, fields

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_FIELDS = 50_000
"""Nodes, weights and inferred shapes of a graph. A ResNet-200 has some thousand."""
_MAX_RANK = 8
FLOAT = 1
_EXTERNAL = 1
MODEL_GRAPH = 7
GRAPH_NODE, GRAPH_WEIGHT, GRAPH_INPUT, _GRAPH_OUTPUT, GRAPH_SHAPE = 1, 5, 11, 12, 13
NODE_INPUT, NODE_OUTPUT, NODE_OPERATOR, NODE_ATTRIBUTE = 1, 2, 4, 5
_ATTRIBUTE_SUBGRAPHS = {6, 11}

Shape = tuple[int | None, ...]
"""None where the size is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One operation, by the names of its tensors. ``group``: into how many parts a convolution divides its channels."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    group: int = 1


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


def read_graph(model: Bytes) -> Graph:
    """Raises OnnxError: not a model, beyond the bounds, with control flow, or with weights outside of the file."""
    graph = graph_of(model)
    nodes: list[Node] = []
    weights: dict[str, Weight] = {}
    values: dict[int, dict[str, Shape]] = {GRAPH_INPUT: {}, _GRAPH_OUTPUT: {}}
    for count, (number, value, _) in enumerate(fields(graph)):
        if count > _MAX_FIELDS:
            raise OnnxError(f"more than {_MAX_FIELDS} nodes and weights")
        if number == GRAPH_NODE:
            nodes.append(parse_node(as_message(value)))
        elif number == GRAPH_WEIGHT:
            name, weight = parse_weight(as_message(value))
            weights[name] = weight
        elif number in values:
            name, shape = _value_info(as_message(value))
            values[number][name] = shape
    inputs = {name: shape for name, shape in values[GRAPH_INPUT].items() if name not in weights}
    return Graph(nodes=tuple(nodes), weights=weights, inputs=inputs, outputs=values[_GRAPH_OUTPUT])


def graph_of(model: Bytes) -> Bytes:
    graphs = [as_message(value) for number, value, _ in fields(memoryview(model)) if number == MODEL_GRAPH]
    if len(graphs) != 1:
        raise OnnxError(f"{len(graphs)} graphs")
    return graphs[0]


def parse_node(body: Bytes) -> Node:
    found: dict[int, list[str]] = {NODE_INPUT: [], NODE_OUTPUT: [], NODE_OPERATOR: []}
    group = 1
    for number, value, _ in fields(body):
        if number in found:
            found[number].append(_text(value))
        elif number == NODE_ATTRIBUTE:
            attribute = as_message(value)
            _check_attribute(attribute)
            group = _group(attribute) or group
    operator = found[NODE_OPERATOR]
    if len(operator) != 1:
        raise OnnxError("a node without an operator")
    return Node(operator=operator[0], inputs=tuple(found[NODE_INPUT]), outputs=tuple(found[NODE_OUTPUT]), group=group)


def _group(attribute: Bytes) -> int | None:
    """Of the attribute ``group``, None of any other."""
    found = {number: value for number, value, _ in fields(attribute) if number in {1, 3}}
    value = found.get(3)
    return value if _is_name(found.get(1), b"group") and isinstance(value, int) else None


def _is_name(value: int | Bytes | None, name: bytes) -> bool:
    return not isinstance(value, int | None) and bytes(value) == name


def _check_attribute(body: Bytes) -> None:
    for number, value, _ in fields(body):
        if number in _ATTRIBUTE_SUBGRAPHS:
            raise OnnxError("control flow: a graph inside a node")
        if number == 5:  # a tensor
            parse_weight(as_message(value))


def parse_weight(body: Bytes) -> tuple[str, Weight]:
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
                floats.append(as_message(value))
            case 8:
                name = _text(value)
            case 9:
                data = memoryview(as_message(value))
            case 13:
                raise OnnxError("weights outside of the file")
            case 14 if value == _EXTERNAL:
                raise OnnxError("weights outside of the file")
            case _:
                pass
    if len(shape) > _MAX_RANK or any(size < 0 or size >= 1 << 31 for size in shape):
        raise OnnxError("a weight of impossible shape")
    return name, Weight(shape=tuple(shape), data=(data or b"".join(floats)) if kind == FLOAT else b"")


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


def value_name(body: Bytes) -> str:
    """Of a ValueInfoProto."""
    return _value_info(body)[0]


def _value_info(body: Bytes) -> tuple[str, Shape]:
    name = ""
    shape: Shape = ()
    for number, value, _ in fields(body):
        if number == 1:
            name = _text(value)
        elif number == 2:
            shape = tuple(_dimension(as_message(size)) for size in _path(as_message(value), (1, 2, 1)))
    return name, shape


def _path(body: Bytes, numbers: tuple[int, ...]) -> list[Bytes]:
    """The messages that lie under a path of field numbers: type, tensor type, shape, dimension."""
    found = [body]
    for wanted in numbers:
        found = [as_message(value) for part in found for number, value, _ in fields(part) if number == wanted]
    return found


def _dimension(body: Bytes) -> int | None:
    sizes = [value for number, value, _ in fields(body) if number == 1 and isinstance(value, int)]
    return sizes[0] if sizes and 0 < sizes[0] < 1 << 31 else None


def as_message(value: int | Bytes) -> Bytes:
    if isinstance(value, int):
        raise OnnxError("a number where a message was expected")
    return value


def _text(value: int | Bytes) -> str:
    try:
        return bytes(as_message(value)).decode()
    except UnicodeDecodeError:
        raise OnnxError("a name that is not UTF-8") from None
