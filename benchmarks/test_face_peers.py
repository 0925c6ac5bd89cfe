"""The face beside insightface, OpenCV and bare ONNX Runtime, and fused frames beside single ones: the figures stand below the table."""

from __future__ import annotations

import pytest

from benchmarks import face_latency, face_probes

CALLS = 200


@pytest.fixture(scope="module", autouse=True)
def _open_pack():
    if not face_latency.MODELS.is_dir():
        pytest.skip("the folder ../shared/models is absent: no open pack")


def test_face_beside_peers(benchmark):
    """A round is the whole run."""
    benchmark.group = "face: everything on one processor, in turn by all"
    told = benchmark.pedantic(face_latency.measure, args=(CALLS,), rounds=1)
    assert set(told["whole"]) == {"open", "demo"}
    for part in ("features", "whole", "cold"):
        benchmark.extra_info |= {f"{part}, {name}": figures for name, figures in told[part].items()}
    benchmark.extra_info |= {"faces": told["faces"], "goals": told["goals"]}


def test_hard_probes_single_and_fused(benchmark):
    """On the people whose pictures packages carry: too few to claim a rate."""
    benchmark.group = "face: hard probes, one frame and several"
    told = benchmark.pedantic(face_probes.measure, args=(None,), rounds=1)
    assert told["people"] >= 6
    benchmark.extra_info |= {"claim": told["claim"], **told["kinds"]}
