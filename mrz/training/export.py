"""A trained run as one ONNX file.

Weights are stored in half precision and widened when the file is loaded, so that the file is small and the arithmetic is single.
"""

from __future__ import annotations

import copy
import io
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mrz.training.glyphs import ALPHABET
from mrz.training.net import LineNet, Shape
from mrz.training.render import HEIGHT

VERSION = "1"
LARGEST = 400_000
"""Bytes the file may have."""
CLOSE = 1e-4
"""How far torch and ONNX Runtime may differ in a logit."""
_SMALL = 64
"""Tensors of fewer elements stay in single precision."""


def load(checkpoint: Path) -> tuple[LineNet, dict[str, Any]]:
    """The running mean of a run, ready to answer, and its plan."""
    saved = torch.load(checkpoint, weights_only=True)
    net = LineNet(Shape(**saved["plan"]["shape"]))
    net.load_state_dict(saved["mean"])
    return net.eval(), saved["plan"]


def fused(net: LineNet) -> LineNet:
    """A copy in which each normalisation is part of its convolution, weights rounded to half precision."""
    net = copy.deepcopy(net)
    for module in net.modules():
        if isinstance(module, nn.Sequential) and len(module) == 3 and isinstance(module[1], nn.BatchNorm2d):
            module[0], module[1] = fuse_conv_bn_eval(module[0], module[1]), nn.Identity()
    for weight in net.parameters():
        if weight.numel() >= _SMALL:
            weight.data = weight.data.half().float()
    return net.eval()


def export(net: LineNet, metadata: dict[str, str]) -> bytes:
    """The file's bytes. Raises ValueError where it is too large or does not answer as torch does."""
    net, buffer = fused(net), io.BytesIO()
    torch.onnx.export(
        net,
        (torch.zeros(1, 1, HEIGHT, 704),),
        buffer,
        dynamo=False,
        input_names=["lines"],
        output_names=["logits"],
        dynamic_axes={"lines": {0: "n", 3: "w"}, "logits": {0: "n", 1: "w/4"}},
    )
    model = onnx.load_from_string(buffer.getvalue())
    _halve(model)
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model)
    file = model.SerializeToString()
    _check(file, net)
    return file


def _halve(model: onnx.ModelProto) -> None:
    """Store large weights as float16 with a Cast behind each, which ONNX Runtime folds away when it loads the file."""
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size >= _SMALL:
            wide = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{wide}_half"))
            casts.append(helper.make_node("Cast", [f"{wide}_half"], [wide], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _check(file: bytes, net: LineNet) -> None:
    if len(file) > LARGEST:
        raise ValueError(f"{len(file)} bytes, {LARGEST} are allowed")
    answer = predictor(file)
    for count, width in ((1, 704), (2, 640), (3, 28)):
        lines = np.random.default_rng(width).uniform(-1.2, 1.2, (count, 1, HEIGHT, width)).astype(np.float32)
        with torch.no_grad():
            expected = net(torch.from_numpy(lines)).numpy()
        if not np.allclose(answer(lines), expected, rtol=0, atol=CLOSE):
            raise ValueError(f"ONNX Runtime and torch differ by {np.abs(answer(lines) - expected).max():.1e}")


def predictor(file: bytes) -> Any:
    """A function from lines [n, 1, 32, w] to logits [n, w/4, 38], on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    def answer(lines: NDArray[np.float32]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = session.run(None, {"lines": lines})[0]
        return logits

    return answer


def metadata_of(plan: dict[str, Any], temperature: float) -> dict[str, str]:
    """What the file says about itself."""
    git = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    return {
        "alphabet": ALPHABET,
        "temperature": f"{temperature:.4f}",
        "version": VERSION,
        "seed": str(plan["seed"]),
        "git": git or "unknown",
    }
