"""Channels of zeros: the same numbers from a network of odd widths, and hands off where zeros would not stay zeros."""

import contextlib

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceverify.onnx_graph import rewrite_prelu
from faceverify.onnx_padding import pad_channels
from faceverify.onnx_reader import read_graph
from faceverify.onnx_writer import GraphBuilder, OnnxError

ODD = 13
BLOB = np.random.default_rng(0).normal(size=(1, 3, 8, 9)).astype(np.float32)


class Thinned(GraphBuilder):
    """A network as thinning out leaves it: convolutions of odd widths, in between PRelu and a convolution by channel."""

    def conv(self, tensor, outward, inward, *, group=1, side=1):
        rng = np.random.default_rng(len(self.nodes))
        kernel = self.weight(rng.normal(size=(outward, inward // group, side, side)).astype(np.float32))
        bias = self.weight(rng.normal(size=outward).astype(np.float32))
        return self.node("Conv", tensor, kernel, bias, group=group, kernel_shape=(side, side), pads=(side // 2,) * 4)

    def prelu(self, tensor, channels):
        slopes = np.random.default_rng(channels).uniform(0.1, 0.4, (channels, 1, 1)).astype(np.float32)
        return self.node("PRelu", tensor, self.weight(slopes))

    def done(self, tensor, channels=4):
        self.node("Identity", tensor, output="out")
        return self.model(inputs={"input": (0, 3, 0, 0)}, outputs={"out": (0, channels, 0, 0)})


def block(width=ODD, between=lambda builder, tensor: tensor):
    builder = Thinned()
    wide = builder.prelu(builder.conv("input", width, 3), width)
    inner = builder.prelu(builder.conv(between(builder, wide), width, width, group=width, side=3), width)
    narrow = builder.conv(builder.node("Add", inner, wide), 4, width)
    return rewrite_prelu(builder.done(narrow)).model


def widths(model):
    """Channels of all kernels."""
    return {weight.shape[0] for weight in read_graph(model).weights.values() if len(weight.shape) == 4}


def run(model):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]).run(None, {"input": BLOB})[0]


@pytest.mark.parametrize(("width", "padded"), [(13, 16), (26, 32), (103, 112)])
def test_odd_widths_become_multiples_of_sixteen_and_the_numbers_stay(width, padded):
    model = block(width)
    wider = pad_channels(model)
    assert widths(wider) == {padded, 4}, "the last four are the output's"
    np.testing.assert_allclose(run(wider), run(model), atol=1e-4, rtol=1e-5)
    assert pad_channels(wider) == wider


@pytest.mark.parametrize("width", [16, 32, 5, 17])
def test_widths_that_suit_or_would_grow_too_much_stay(width):
    assert pad_channels(block(width)) == block(width)


@pytest.mark.parametrize("operator", ["Sigmoid", "Exp", "Neg"])
def test_what_another_operation_sees_stays_as_it_is(operator):
    """Of 0 a sigmoid makes a half: behind it zeros would be none."""
    model = block(between=lambda builder, tensor: builder.node(operator, tensor))
    assert pad_channels(model) == model


def test_channels_in_groups_stay_in_their_groups():
    builder = Thinned()
    grouped = builder.conv(builder.conv("input", 26, 3), 26, 26, group=2)
    model = builder.done(builder.conv(grouped, 4, 26))
    assert pad_channels(model) == model


def test_a_weight_that_others_use_too_keeps_its_shape():
    builder = Thinned()
    shared = builder.weight(np.ones((ODD, 3, 1, 1), np.float32))
    wide = builder.node("Conv", "input", shared, kernel_shape=(1, 1))
    narrow = builder.conv(wide, 4, ODD)
    total = builder.node("ReduceSum", shared)
    model = builder.done(builder.node("Add", narrow, total))
    assert pad_channels(model) == model


@settings(max_examples=60)
@given(st.data())
def test_any_damage_to_a_network_gives_a_network_or_the_readers_own_error(data):
    model = bytearray(block())
    for _ in range(data.draw(st.integers(1, 3))):
        model[data.draw(st.integers(0, len(model) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(OnnxError):
        assert len(pad_channels(bytes(model))) < 2 * len(model) + 2_000
