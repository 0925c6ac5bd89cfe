"""The rewrite of PRelu: the same numbers, whatever the slopes; and a reader that any bytes end in a value or its own error."""

import contextlib

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceverify.onnx_graph import rewrite_prelu
from faceverify.onnx_reader import read_graph
from faceverify.onnx_writer import GraphBuilder, OnnxError, fields, integer, message


def network(slopes, *, twice=False):
    """A convolution, PRelu with these slopes (once or twice), and a sum over everything."""
    builder = GraphBuilder()
    channels = 4
    weight = np.random.default_rng(1).normal(size=(channels, 3, 3, 3)).astype(np.float32)
    value = builder.node("Conv", "input", builder.weight(weight), kernel_shape=(3, 3), pads=(1, 1, 1, 1))
    for _ in range(1 + twice):
        value = builder.node("PRelu", value, builder.weight(slopes))
    builder.node("Identity", value, output="out")
    return builder.model(inputs={"input": (0, 3, 0, 0)}, outputs={"out": (0, channels, 0, 0)})


def run(model, blob):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]).run(None, {"input": blob})[0]


BLOB = np.random.default_rng(0).normal(size=(2, 3, 8, 9)).astype(np.float32)
SLOPES = st.floats(-4, 4, width=32)


@settings(max_examples=20)
@given(st.lists(SLOPES, min_size=4, max_size=4), st.sampled_from([(4, 1, 1), (1, 4, 1, 1)]), st.booleans())
def test_slopes_by_channel_give_the_same_numbers_without_prelu(slopes, shape, twice):
    model = network(np.array(slopes, np.float32).reshape(shape), twice=twice)
    rewritten = rewrite_prelu(model)
    assert "PRelu" not in {node.operator for node in read_graph(rewritten.model).nodes}
    assert rewritten.shared + rewritten.per_channel == 1 + twice
    np.testing.assert_allclose(run(rewritten.model, BLOB), run(model, BLOB), atol=1e-5, rtol=1e-6)


@settings(max_examples=10)
@given(SLOPES, st.sampled_from([(1,), (1, 1, 1), (4, 1, 1)]))
def test_one_slope_for_all_becomes_leaky_relu(slope, shape):
    model = network(np.full(shape, slope, np.float32))
    rewritten = rewrite_prelu(model)
    assert (rewritten.shared, rewritten.per_channel) == (1, 0)
    np.testing.assert_array_equal(run(rewritten.model, BLOB), run(model, BLOB))


def test_slopes_that_are_no_float_weight_of_the_file_or_belong_to_no_channel_are_left_alone():
    elsewhere = network(np.ones((4, 1, 1), np.float32)).replace(b"\x0a\x02w1\x12", b"\x0a\x02t0\x12")  # the slope is computed
    by_column = network(np.arange(9, dtype=np.float32))
    for model in (elsewhere, by_column):
        assert (rewrite_prelu(model).kept, rewrite_prelu(model).model) == (1, model)


def test_a_network_without_prelu_stays_as_it_is(demo):
    model = demo.read(demo.recogniser.net)
    assert rewrite_prelu(model).model == model
    graph = read_graph(model)
    assert graph.inputs == {"input": (1, 3, 150, 150)}
    assert graph.outputs == {"features": (1, 128)}


def test_new_names_take_nobody_elses():
    builder = GraphBuilder()
    names = ("out_pos", "out_turned", "minus_one_2", "out_minus_slope")
    value = "input"
    for name in names:
        value = builder.node("Identity", value, output=name)
    builder.node("PRelu", value, builder.weight(np.array([[[0.5]], [[2.0]]], np.float32)), output="out")
    model = builder.model(inputs={"input": (1, 2, 3, 3)}, outputs={"out": (1, 2, 3, 3)})
    blob = np.random.default_rng(0).normal(size=(1, 2, 3, 3)).astype(np.float32)
    np.testing.assert_array_equal(run(rewrite_prelu(model).model, blob), run(model, blob))


def control_flow():
    builder = GraphBuilder()
    builder.nodes.append(message(4, "If") + message(5, message(6, b"")))
    return builder.model(inputs={}, outputs={})


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (b"", "0 graphs"),
        (b"no network", "wire type|truncated|varint"),
        (control_flow(), "a graph inside a node"),
        (message(7, message(1, message(2, "x"))), "without an operator"),
        (message(7, message(5, message(8, b"\xff"))), "not UTF-8"),
        (message(7, message(5, integer(1, 1) * 9)), "impossible shape"),
        (message(7, message(5, message(1, b"\x01" * 100))), "impossible shape"),
        (message(7, message(1, b"") * 2 + message(5, b"") * 60_000), "without an operator|more than"),
        (message(7, message(13, b"") * 60_000), "more than 50000"),
    ],
)
def test_what_cannot_be_used_is_named(model, why):
    with pytest.raises(OnnxError, match=why):
        read_graph(model)


def test_a_slope_with_more_or_fewer_values_than_its_shape_is_refused():
    model = network(np.ones((4, 1, 1), np.float32)).replace(
        b"\x08\x04\x08\x01\x08\x01\x10\x01", b"\x08\x05\x08\x01\x08\x01\x10\x01"
    )
    with pytest.raises(OnnxError, match="do not fit"):
        rewrite_prelu(model)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_network_or_the_readers_own_error(data):
    for wrapped in (
        data,
        message(7, data),
        message(7, message(1, data)),
        message(7, message(5, data)),
        message(7, message(11, data)),
    ):
        for read in (read_graph, rewrite_prelu):
            with contextlib.suppress(OnnxError):
                read(wrapped)


@settings(max_examples=60)
@given(st.data())
def test_any_damage_to_a_network_gives_a_network_or_the_readers_own_error(data):
    model = bytearray(network(np.array([0.1, 0.2, 0.3, 0.4], np.float32).reshape(4, 1, 1)))
    for _ in range(data.draw(st.integers(1, 3))):
        model[data.draw(st.integers(0, len(model) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(OnnxError):
        assert len(rewrite_prelu(bytes(model)).model) < 2 * len(model) + 2_000
        assert list(fields(bytes(model)))
