"""Portrait and frame to features; floors: the networks' bare runs on inputs of the same shape, and the bare decoder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from faceverify.compare import FaceComparison
from faceverify.confined import ConfinedDecoder
from faceverify.image import decode
from faceverify.verifier import FaceVerifier, Probe, Reference
from gate.demo.faces import chip_portrait, cut_faces, probe_picture

Pixels = NDArray[np.uint8]
FRAME = (720, 1280)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """One person: the portrait out of the chip, and what a camera sees."""

    portrait: bytes = field(repr=False)
    frame: Pixels = field(repr=False)


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    face = cut_faces()["group-1"]
    seen = cv2.resize(probe_picture(face, seed=2), (498, 640))
    frame = np.full((*FRAME, 3), 118, np.uint8)
    top, left = (FRAME[0] - 640) // 2, (FRAME[1] - 498) // 2
    frame[top : top + 640, left : left + 498] = seen
    return Pictures(portrait=chip_portrait(face, seed=1), frame=frame)


@pytest.fixture(scope="module")
def verifier(pack) -> Iterator[FaceVerifier]:
    with FaceVerifier(pack) as warm:
        warm.warm_up()
        yield warm


@pytest.mark.benchmark(group="face: portrait → reference")
def test_reference(benchmark, verifier, pictures):
    reference = benchmark(verifier.reference, pictures.portrait)
    assert isinstance(reference, Reference)
    benchmark.extra_info |= {stage: round(ms, 2) for stage, ms in reference.timings.items()}


@pytest.mark.benchmark(group="face: portrait → reference")
def test_floor_decode_without_confinement(benchmark, pictures):
    benchmark(decode, pictures.portrait)


@pytest.mark.benchmark(group="face: portrait → reference")
def test_decode_confined(benchmark, pictures):
    with ConfinedDecoder() as decoder:
        decoder.start()
        assert benchmark(decoder.decode, pictures.portrait).shape == (531, 413, 3)


@pytest.mark.benchmark(group="face: frame → probe")
def test_probe(benchmark, verifier, pictures):
    probe = benchmark(verifier.probe, pictures.frame)
    assert isinstance(probe, Probe)
    benchmark.extra_info |= {stage: round(ms, 2) for stage, ms in probe.timings.items()}


@pytest.mark.benchmark(group="face: frame → probe")
@pytest.mark.parametrize("which", ["in_frame", "in_portrait"])
def test_detect(benchmark, verifier, pictures, which):
    pixels = pictures.frame if which == "in_frame" else decode(pictures.portrait)
    assert benchmark(getattr(verifier._detector, which), pixels)


@pytest.mark.benchmark(group="face: frame → probe")
@pytest.mark.parametrize("net", ["detector", "recogniser"])
def test_floor_bare_session(benchmark, verifier, pictures, net):
    """The network alone, on an input of the shape that the verifier feeds it with for this frame."""
    network = verifier._detector._look.net if net == "detector" else verifier._extractor._net
    fed: list[Pixels] = []
    honest = network.run
    try:
        network.run = lambda blob: fed.append(blob.copy()) or honest(blob)  # blobs are wiped, and zeros run faster
        verifier.probe(pictures.frame)
    finally:
        del network.run
    benchmark.extra_info["shape"] = str(fed[0].shape)
    benchmark.extra_info["runs per probe"] = len(fed)
    benchmark(network.run, fed[0])


@pytest.mark.benchmark(group="face: comparison")
def test_compare(benchmark, verifier, pictures):
    reference, probe = verifier.reference(pictures.portrait), verifier.probe(pictures.frame)
    assert isinstance(benchmark(verifier.compare, reference, probe), FaceComparison)
