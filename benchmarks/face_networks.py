"""The networks that are timed side by side, each as published and rewritten, with aligned crops of real faces as they want them.

Besides reid-0095 (one slope for each PRelu) one of our own with random weights, built like the small recognisers of insightface
packs (MobileFaceNet, a slope for each channel): what it costs is that of any such network, and it recognises nobody.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from benchmarks.face_pictures import frames
from faceverify.align import align
from faceverify.description import Pack
from faceverify.detect import Detector
from faceverify.onnx_graph import rewrite_prelu
from faceverify.onnx_writer import GraphBuilder

REID, OWN = "reid-0095", "MobileFaceNet shape"
PUBLISHED = "omz_reid0095.onnx"
ARCFACE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
_STAGES = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))
"""MobileFaceNet (arXiv 1804.07573, table 1): expansion, channels, repetitions, stride of the first."""


class _MobileFaceNet(GraphBuilder):
    """Convolutions, each with a PRelu of its own slope for each channel. Their scale keeps the values' size (He)."""

    def conv(
        self, tensor: str, shape: tuple[int, int, int], *, stride: int = 1, depthwise: bool = False, slope: bool = True
    ) -> str:
        """``shape``: channels in and out, side of the kernel."""
        inward, outward, side = shape
        fan = side * side * (1 if depthwise else inward)
        rng = np.random.default_rng(len(self.nodes))
        kernel = rng.normal(0, np.sqrt((1.8 if slope else 1.0) / fan), (outward, 1 if depthwise else inward, side, side))
        pad = (side // 2,) * 4 if side == 3 else (0,) * 4
        made = self.node(
            "Conv",
            tensor,
            self.weight(kernel.astype(np.float32)),
            self.weight(rng.normal(0, 0.1, outward).astype(np.float32)),
            group=inward if depthwise else 1,
            kernel_shape=(side, side),
            pads=pad,
            strides=(stride, stride),
        )
        return self.node("PRelu", made, self.weight(rng.uniform(0.1, 0.4, (outward, 1, 1)).astype(np.float32))) if slope else made

    def bottleneck(self, tensor: str, inward: int, outward: int, *, expansion: int, stride: int) -> str:
        wide = inward * expansion
        inner = self.conv(self.conv(tensor, (inward, wide, 1)), (wide, wide, 3), stride=stride, depthwise=True)
        narrow = self.conv(inner, (wide, outward, 1), slope=False)
        return self.node("Add", tensor, narrow) if stride == 1 and inward == outward else narrow


def mobile_face_net() -> bytes:
    """112×112 RGB from -1 to 1, 512 features."""
    builder = _MobileFaceNet()
    tensor = builder.conv(builder.conv("data", (3, 64, 3), stride=2), (64, 64, 3), depthwise=True)
    channels = 64
    for expansion, outward, repetitions, stride in _STAGES:
        for place in range(repetitions):
            tensor = builder.bottleneck(tensor, channels, outward, expansion=expansion, stride=stride if place == 0 else 1)
            channels = outward
    wide = builder.conv(tensor, (channels, 512, 1))
    pooled = builder.conv(wide, (512, 512, 7), depthwise=True, slope=False)
    builder.node("Flatten", builder.conv(pooled, (512, 512, 1), slope=False), output="features")
    return builder.model(inputs={"data": (1, 3, 112, 112)}, outputs={"features": (1, 512)})


def place(pack: Pack, models: Path, folder: Path) -> tuple[str, ...]:
    """Write networks, crops and how they are prepared below ``folder``, for the workers. The networks' names."""
    recogniser = pack.recogniser
    told = {"mean": recogniser.net.mean[0], "std": recogniser.net.std[0], "order": recogniser.net.colour_order}
    _write(folder / REID, (models / PUBLISHED).read_bytes(), told, crops(pack, recogniser.template, recogniser.size))
    _write(folder / OWN, mobile_face_net(), {"mean": 127.5, "std": 127.5, "order": "RGB"}, crops(pack, ARCFACE, 112))
    return REID, OWN


def _write(folder: Path, network: bytes, told: dict[str, object], pictures: np.ndarray) -> None:
    folder.mkdir()
    (folder / "published.onnx").write_bytes(network)
    (folder / "rewritten.onnx").write_bytes(rewrite_prelu(network).model)
    (folder / "told.json").write_text(json.dumps(told), encoding="utf-8")
    np.save(folder / "crops.npy", pictures)


def crops(pack: Pack, template: tuple[tuple[float, float], ...], size: int) -> np.ndarray:
    """Aligned faces and their mirror images, BGR."""
    detector = Detector(pack)
    found = [align(one, detector.refine(one, detector.in_frame(one)[0]).points, template, size) for one in frames()]
    return np.stack([picture for crop in found for picture in (crop, cv2.flip(crop, 1))])
