"""Packs to break, and stand-ins for weights that cannot be had: graphs with the inputs, outputs and conventions of SCRFD, ArcFace
and SFace, built around YuNet-n and reid-0095, so that they find and tell apart faces.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from faceverify.align import similarity
from faceverify.description import Pack
from faceverify.onnx_writer import GraphBuilder, fields

ARCFACE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
REID = np.array([[40.3928, 59.0815], [87.3757, 59.0815], [64.0336, 81.9847], [44.7324, 105.5606], [83.6399, 105.5606]])


def within(builder: GraphBuilder, network: bytes) -> None:
    """Put a whole network's nodes and weights into the graph that is being built; its input is the tensor ``input``."""
    (graph,) = (value for number, value, _ in fields(network) if number == 7)
    for number, value, _ in fields(graph):
        if number in {1, 5}:
            (builder.nodes if number == 1 else builder.weights).append(value)


def unprepared(builder: GraphBuilder, name: str, mean: float, std: float) -> str:
    """RGB values as the stand-in takes them, back to BGR 0…255."""
    scaled = builder.node("Mul", name, builder.weight(np.array([std], np.float32)))
    raw = builder.node("Add", scaled, builder.weight(np.array([mean], np.float32)))
    return builder.node("Gather", raw, builder.integers((2, 1, 0)), axis=1)


def recogniser(reid: bytes, *, name: str, mean: float, std: float, width: int) -> bytes:
    """112×112 RGB, aligned as ArcFace wants it; reid-0095 sees the part that it knows."""
    builder = GraphBuilder(prefix="own_")
    side = (np.stack(np.meshgrid(np.arange(128), np.arange(128)), axis=-1).reshape(-1, 2)).astype(float)
    back = similarity(REID, ARCFACE)
    where = side @ back[:, :2].T + back[:, 2]
    grid = builder.weight(((2 * where + 1) / 112 - 1).reshape(1, 128, 128, 2).astype(np.float32))
    builder.node("GridSample", unprepared(builder, name, mean, std), grid, output="input")
    within(builder, reid)
    flat = builder.node("Reshape", "t186", builder.integers((1, 256)))
    if width == 512:
        builder.node("Concat", flat, flat, output="683", axis=1)
    else:
        turn = np.linalg.qr(np.random.default_rng(0).normal(size=(256, width)))[0].astype(np.float32)
        builder.node("MatMul", flat, builder.weight(turn), output="683")
    return builder.model(inputs={name: (1, 3, 112, 112)}, outputs={"683": (1, width)}, operator_set=16)


def scrfd(yunet: bytes, *, points: bool = True, batched: bool = False) -> bytes:
    """RGB, any size; two anchors a cell, the second never anything."""
    builder = GraphBuilder(prefix="own_")
    builder.node("Identity", unprepared(builder, "input.1", 127.5, 128.0), output="input")
    within(builder, yunet)
    tensors: dict[str, list[str]] = {"1": [], "4": [], "10": []}
    for stride in (8, 16, 32):
        tensors["1"].append(builder.node("Sqrt", builder.node("Mul", f"cls_{stride}", f"obj_{stride}")))
        tensors["4"].append(_sides(builder, f"bbox_{stride}"))
        tensors["10"].append(f"kps_{stride}")
    outputs = {}
    for width, names in list(tensors.items())[: 3 if points else 2]:
        for name in names:
            number = str(9440 + len(outputs))
            none = builder.node("Mul", name, builder.weight(np.zeros(1, np.float32)))
            pair = builder.node("Concat", name, none, axis=2)
            builder.node("Reshape", pair, builder.integers((1, -1, int(width)) if batched else (-1, int(width))), output=number)
            outputs[number] = (1, 0, int(width)) if batched else (0, int(width))
    return builder.model(inputs={"input.1": (1, 3, 0, 0)}, outputs=outputs, operator_set=11)


def _sides(builder: GraphBuilder, bbox: str) -> str:
    """Centre and logarithm of the size to distances from the cell's corner."""
    centre = builder.node("Gather", bbox, builder.integers((0, 1)), axis=2)
    size = builder.node("Exp", builder.node("Gather", bbox, builder.integers((2, 3)), axis=2))
    half = builder.node("Mul", size, builder.weight(np.array([0.5], np.float32)))
    return builder.node("Concat", builder.node("Sub", half, centre), builder.node("Add", half, centre), axis=2)


@pytest.fixture(scope="module", autouse=True)
def short_contests() -> Iterator[None]:
    """Two changed pictures of each person instead of four: half the time, and the same winners."""
    contest = importlib.import_module("faceverify.contest")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contest, "CASTS", contest.CASTS[:2])
        yield


@pytest.fixture(scope="session")
def stand_ins(shared_dir: Path, pictures: object) -> dict[str, bytes]:
    reid, yunet = ((shared_dir / "models" / name).read_bytes() for name in ("omz_reid0095.onnx", "yunet_n_dynamic.onnx"))
    return {
        "arcface": recogniser(reid, name="input.1", mean=127.5, std=127.5, width=512),
        "arcface_normalising": recogniser(reid, name="input.1", mean=0.0, std=1.0, width=512),
        "sface": recogniser(reid, name="data", mean=0.0, std=1.0, width=128),
        "scrfd": scrfd(yunet),
        "scrfd_batched": scrfd(yunet, batched=True),
        "scrfd_boxes": scrfd(yunet, points=False),
        "yunet": yunet,
    }


@pytest.fixture
def copy_of(open_pack: Pack, tmp_path: Path) -> Callable[..., Path]:
    """A folder with the open pack's files, its description changed; without its self-test where that is asked for."""

    def make(*changes: tuple[str, str], self_test: bool = True) -> Path:
        folder = tmp_path / "source"
        shutil.copytree(open_pack.folder, folder)
        (folder / "receipt.json").unlink()
        text = (folder / "pack.toml").read_text().replace('id = "open"', 'id = "mine"')
        if not self_test:
            text = text.split("[self_test]")[0]
            (folder / "t1.jpg").unlink()
            (folder / "drawn_face.ppm").unlink()
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        (folder / "pack.toml").write_text(text)
        return folder

    return make
