"""What networks worked in lies in a pool of memory: it is there until it is given back, and then nowhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.biometric_search import Secret, Windows, in_process
from gate.processes.hardening import WIPING

SCRIPT = """
import numpy as np
from faceverify.nets import open_session, wipe_activations
from faceverify.onnx_writer import GraphBuilder

graph = GraphBuilder()
graph.node("Relu", graph.node("Sqrt", "input"), output="output")
session = open_session(graph.model(inputs={"input": (1, 50_000)}, outputs={"output": (1, 50_000)}), "a network")
wipe_activations()
session.run(None, {"input": np.random.default_rng(1).uniform(1, 100, (1, 50_000)).astype(np.float32)})
input("worked")
wipe_activations()
input("wiped")
"""


def test_activations_stay_in_the_pool_until_it_is_given_back():
    if not os.access("/proc/self/mem", os.R_OK):
        pytest.skip("there is no /proc/self/mem")
    face = np.random.default_rng(1).uniform(1, 100, (1, 50_000)).astype(np.float32)
    windows = Windows([Secret(name="activations", content=np.sqrt(face).tobytes())])
    found = []
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, **WIPING},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as worker:
        for word in (b"worked", b"wiped"):
            assert worker.stdout.read(len(word)) == word
            found.append(in_process(worker.pid, windows) != {})
            worker.stdin.write(b"\n")
            worker.stdin.flush()
    assert found == [True, False]
