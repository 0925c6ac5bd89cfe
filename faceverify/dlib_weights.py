"""Parser of dlib's face recogniser file ``dlib_face_recognition_resnet_model_v1.dat`` (dlib's own serialisation, one fixed network).

Strict in structure: each name, count and shape must be what this network has, and the file must end where the network ends.
Values cannot be checked that way; whoever reads the file pins its sha256.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

_VERSION_COUNT = 130
"""One version number for each layer, tag and skip of the network."""
CHIP = 150
"""Side of the square input in pixels."""
FEATURES = 128
BLOCKS: tuple[tuple[int, bool], ...] = (
    *((32, False),) * 3,
    (64, True),
    *((64, False),) * 3,
    (128, True),
    *((128, False),) * 2,
    (256, True),
    *((256, False),) * 2,
    (256, True),
)
"""The residual blocks from input to output: channels, and whether the block halves the resolution."""


class WeightsError(Exception):
    """The bytes are not the file of this network; says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolution:
    """A convolution followed by a scale and shift for each channel. ``weight`` is (out, in, kh, kw), the others (out,)."""

    weight: Array = field(repr=False)
    bias: Array = field(repr=False)
    gamma: Array = field(repr=False)
    beta: Array = field(repr=False)
    stride: int
    padding: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Residual block. A ``down`` block halves: its first convolution has stride 2, its shortcut is a 2/2 average pool."""

    first: Convolution
    second: Convolution
    down: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Resnet:
    """``mean`` is R, G, B, to be subtracted before dividing by 256; ``fc`` is (256 in, 128 out)."""

    mean: tuple[float, float, float]
    stem: Convolution
    blocks: tuple[Block, ...]
    fc: Array = field(repr=False)


def parse(data: bytes) -> Resnet:
    """The network's weights. Raises WeightsError, never another exception, whatever the bytes."""
    cursor = _Cursor(data)
    cursor.expect_int(1)
    cursor.expect_name("loss_metric_2")
    cursor.floats(2)
    for _ in range(_VERSION_COUNT):
        if cursor.integer() not in {1, 2, 3}:
            raise cursor.error("unknown layer version")
    cursor.expect_name("input_rgb_image_sized")
    red, green, blue = cursor.floats(3)
    cursor.expect_ints(CHIP, CHIP)
    stem = _stem(cursor)
    blocks = []
    channels = 32
    for out, down in BLOCKS:
        blocks.append(_block(cursor, channels, out, down=down))
        channels = out
    cursor.expect_layer("avg_pool_2", 0, 0, 1, 1, 0, 0)
    network = Resnet(mean=(red, green, blue), stem=stem, blocks=tuple(blocks), fc=_fc(cursor, channels))
    cursor.expect_end()
    return network


class _Cursor:
    """Reads dlib's primitives. Every failure is a WeightsError with the position."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def error(self, what: str) -> WeightsError:
        return WeightsError(f"byte {self.at}: {what}")

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise self.error("file ends early")
        self.at += count
        return self.data[self.at - count : self.at]

    def integer(self) -> int:
        control = self.take(1)[0]
        if not 1 <= control & 0x7F <= 8:
            raise self.error("bad integer")
        magnitude = int.from_bytes(self.take(control & 0x0F), "little")
        return -magnitude if control & 0x80 else magnitude

    def floats(self, count: int) -> list[float]:
        """Numbers stored as mantissa and exponent: m · 2^e."""
        return [self._float() for _ in range(count)]

    def _float(self) -> float:
        mantissa, exponent = self.integer(), self.integer()
        if abs(mantissa) >= 1 << 53 or abs(exponent) > 200:
            raise self.error("number out of range")
        return math.ldexp(mantissa, exponent)

    def expect_int(self, value: int) -> None:
        if self.integer() != value:
            raise self.error(f"expected {value}")

    def expect_ints(self, *values: int) -> None:
        for value in values:
            self.expect_int(value)

    def expect_name(self, name: str) -> None:
        self.expect_int(len(name))
        if self.take(len(name)) != name.encode():
            raise self.error(f"expected {name!r}")

    def expect_end(self) -> None:
        if self.at != len(self.data):
            raise self.error("data after the end")

    def tensor(self, *shape: int) -> Array:
        self.expect_ints(2, *shape)
        return np.frombuffer(self.take(4 * math.prod(shape)), "<f4").astype(np.float32).reshape(shape)

    def expect_alias(self, *shape: int) -> None:
        self.expect_ints(1, *shape)

    def tail(self) -> None:
        """What every layer keeps for training: three flags and three empty tensors."""
        if not set(self.take(3)) <= set(b"01"):
            raise self.error("bad flag")
        for _ in range(3):
            self.expect_ints(2, 0, 0, 0, 0)

    def expect_layer(self, name: str, *values: int) -> None:
        self.expect_name(name)
        self.expect_ints(*values)
        self.tail()


def _convolution(cursor: _Cursor, shape: tuple[int, int, int], stride: int, padding: int, *, first: bool = False) -> Convolution:
    """``shape`` is (out, in, kernel)."""
    out, into, kernel = shape
    cursor.expect_name("con_4")
    values = cursor.tensor(out * into * kernel * kernel + out, 1, 1, 1).reshape(-1)
    cursor.expect_ints(out, kernel, kernel, stride, stride, padding, padding)
    cursor.expect_alias(out, into, kernel, kernel)
    cursor.expect_alias(1, out, 1, 1)
    cursor.floats(4)
    cursor.tail()
    if first:  # the layer next to the input carries one more
        cursor.expect_int(1)
    gamma, beta = _affine(cursor, out)
    weight, bias = values[:-out].reshape(out, into, kernel, kernel), values[-out:]
    return Convolution(weight=weight, bias=bias, gamma=gamma, beta=beta, stride=stride, padding=padding)


def _affine(cursor: _Cursor, channels: int) -> tuple[Array, Array]:
    cursor.expect_name("affine_")
    values = cursor.tensor(2 * channels, 1, 1, 1).reshape(-1)
    cursor.expect_alias(1, channels, 1, 1)
    cursor.expect_alias(1, channels, 1, 1)
    cursor.expect_int(0)
    cursor.tail()
    return values[:channels], values[channels:]


def _stem(cursor: _Cursor) -> Convolution:
    stem = _convolution(cursor, (32, 3, 7), 2, 0, first=True)
    cursor.expect_layer("relu_")
    cursor.expect_layer("max_pool_2", 3, 3, 2, 2, 0, 0)
    return stem


def _block(cursor: _Cursor, into: int, out: int, *, down: bool) -> Block:
    first = _convolution(cursor, (out, into, 3), *((2, 0) if down else (1, 1)))
    cursor.expect_layer("relu_")
    second = _convolution(cursor, (out, out, 3), 1, 1)
    if down:
        cursor.expect_layer("avg_pool_2", 2, 2, 2, 2, 0, 0)
    cursor.expect_layer("add_prev_")
    cursor.expect_layer("relu_")
    return Block(first=first, second=second, down=down)


def _fc(cursor: _Cursor, into: int) -> Array:
    cursor.expect_name("fc_2")
    cursor.expect_ints(FEATURES, into)
    weight = cursor.tensor(into, FEATURES, 1, 1)
    cursor.expect_alias(into, FEATURES, 1, 1)
    cursor.expect_alias(0, 0, 0, 0)
    cursor.expect_int(1)
    cursor.floats(4)
    cursor.tail()
    return weight.reshape(into, FEATURES)
