"""Just enough ONNX to write a small network and to free the shapes of a given one. An ONNX file is one protobuf message.

Field numbers are those of ``onnx.proto`` (IR version 8, operator set 13).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_IR_VERSION = 8
_OPSET = 13
_FLOAT, _INT64 = 1, 7
_ATTRIBUTE_INT, _ATTRIBUTE_INTS = 2, 7


Bytes = bytes | memoryview


class OnnxError(Exception):
    """The bytes are no ONNX model of the expected shape."""


# --- protobuf ------------------------------------------------------------------------------------------------------------


def varint(value: int) -> bytes:
    """A non-negative integer, seven bits a byte, least significant first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def integer(number: int, value: int) -> bytes:
    """Field ``number`` holding an integer (wire type 0)."""
    return varint(number << 3) + varint(value)


def message(number: int, payload: Bytes | str) -> bytes:
    """Field ``number`` holding bytes, a string or a message (wire type 2)."""
    data = payload.encode() if isinstance(payload, str) else payload
    return b"".join((varint(number << 3 | 2), varint(len(data)), data))


def fields(data: Bytes) -> Iterator[tuple[int, int | Bytes, Bytes]]:
    """Each field of a message as (number, value, the field's own bytes). Raises OnnxError.

    Of a memoryview the parts are memoryviews: nothing is copied, however large the network.
    """
    at = 0
    while at < len(data):
        start = at
        key, at = _read_varint(data, at)
        value: int | Bytes
        match key & 7:
            case 0:
                value, at = _read_varint(data, at)
            case 2:
                length, at = _read_varint(data, at)
                value, at = data[at : at + length], at + length
            case 1 | 5 as wire:
                size = 8 if wire == 1 else 4
                value, at = data[at : at + size], at + size
            case _:
                raise OnnxError("unknown wire type")
        if at > len(data):
            raise OnnxError("truncated field")
        yield key >> 3, value, data[start:at]


def _read_varint(data: Bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise OnnxError("truncated varint")
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    raise OnnxError("varint longer than ten bytes")


def _payload(value: int | Bytes) -> bytes:
    if isinstance(value, int):
        raise OnnxError("integer where a message was expected")
    return bytes(value)


# --- writing a graph -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class GraphBuilder:
    """Collects nodes and weights; every method returns the name of the tensor it makes, which begins with ``prefix``."""

    prefix: str = ""
    nodes: list[bytes] = field(default_factory=list)
    weights: list[bytes] = field(default_factory=list)

    def weight(self, values: NDArray[np.float32]) -> str:
        """A float32 constant."""
        return self._constant(values.shape, _FLOAT, values.astype("<f4").tobytes())

    def integers(self, values: Sequence[int]) -> str:
        """A one-dimensional int64 constant."""
        return self._constant((len(values),), _INT64, b"".join(value.to_bytes(8, "little", signed=True) for value in values))

    def node(self, operator: str, *inputs: str, output: str = "", **attributes: int | Sequence[int]) -> str:
        """One node with one output."""
        name = output or f"{self.prefix}t{len(self.nodes)}"
        body = b"".join(message(1, tensor) for tensor in inputs) + message(2, name) + message(4, operator)
        self.nodes.append(body + b"".join(message(5, _attribute(key, value)) for key, value in attributes.items()))
        return name

    def model(self, *, inputs: dict[str, Sequence[int]], outputs: dict[str, Sequence[int]], operator_set: int = _OPSET) -> bytes:
        """The whole model file; shapes are float32, a size of 0 is left open."""
        graph = b"".join(message(1, node) for node in self.nodes) + message(2, "graph")
        graph += b"".join(message(5, weight) for weight in self.weights)
        graph += b"".join(message(11, _value_info(name, shape)) for name, shape in inputs.items())
        graph += b"".join(message(12, _value_info(name, shape)) for name, shape in outputs.items())
        return integer(1, _IR_VERSION) + message(7, graph) + message(8, integer(2, operator_set))

    def _constant(self, shape: Sequence[int], kind: int, raw: bytes) -> str:
        name = f"{self.prefix}w{len(self.weights)}"
        self.weights.append(b"".join(integer(1, size) for size in shape) + integer(2, kind) + message(8, name) + message(9, raw))
        return name


def int_attribute(name: str, value: int) -> bytes:
    """An AttributeProto that holds an integer."""
    return message(1, name) + integer(3, value) + integer(20, _ATTRIBUTE_INT)


def _attribute(name: str, value: int | Sequence[int]) -> bytes:
    if isinstance(value, int):
        return int_attribute(name, value)
    return message(1, name) + b"".join(integer(8, item) for item in value) + integer(20, _ATTRIBUTE_INTS)


def _value_info(name: str, shape: Sequence[int]) -> bytes:
    dimensions = b"".join(message(1, integer(1, size) if size else b"") for size in shape)
    return message(1, name) + message(2, message(1, integer(1, _FLOAT) + message(2, dimensions)))


# --- freeing a graph's shapes --------------------------------------------------------------------------------------------


def free_shapes(model: bytes) -> bytes:
    """The same network without any declared shape, so that it takes inputs of any size. Raises OnnxError.

    Removes the shapes of inputs and outputs, the weights that old IR versions list among the inputs, and all inferred shapes.
    """
    return b"".join(message(7, _free_graph(_payload(value))) if number == 7 else raw for number, value, raw in fields(model))


def _free_graph(graph: bytes) -> bytes:
    weights = {_name(_payload(value), 8) for number, value, _ in fields(graph) if number == 5}
    out: list[Bytes] = []
    for number, value, raw in fields(graph):
        if number in {11, 12}:
            if _name(_payload(value), 1) not in weights:
                out.append(message(number, free_value_info(_payload(value))))
        elif number != 13:  # value_info
            out.append(raw)
    return b"".join(out)


def _name(body: bytes, number: int) -> bytes:
    return b"".join(_payload(value) for found, value, _ in fields(body) if found == number)


def free_value_info(body: bytes) -> bytes:
    """A ValueInfoProto of the same name, float32 of any shape."""
    return message(1, _name(body, 1)) + message(2, message(1, integer(1, _FLOAT)))
