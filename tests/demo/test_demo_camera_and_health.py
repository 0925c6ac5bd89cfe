"""The demonstration with a camera of OpenCV's, by configuration alone, and what the gate tells of its health meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from gate.demo.cast import DEFAULT_CAST
from gate.demo.faces import cut_faces, probe_picture
from gate.demo.stage import PROBE_SEED
from gate.processes.vitals import STAGES
from hardware.sim.camera import HEIGHT, WALK_UP_S, WIDTH, CameraStage, boot

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]


def film_of(face: str, path: Path) -> None:
    """Somebody who stands before the camera, as a film of twenty frames."""
    stage = CameraStage()
    stage.show(probe_picture(cut_faces()[face], seed=PROBE_SEED))
    writer = cv2.VideoWriter(str(path), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter_fourcc(*"MJPG"), 15, (WIDTH, HEIGHT))
    for _ in range(20):
        writer.write(stage._render(boot() + WALK_UP_S))
    writer.release()


@pytest.fixture(scope="module")
def filmed(demonstrate, tmp_path_factory) -> Iterator[dict]:
    """Two travellers, one of whom is the person on the film."""
    film = tmp_path_factory.mktemp("film") / "group-1.avi"
    film_of("group-1", film)
    yield from demonstrate("film", DEFAULT_CAST, ("ordinary", "diplomatic"), film)


def test_only_whoever_the_recording_shows_is_let_through_and_the_records_name_it(filmed):
    assert filmed.outcomes() == {"ordinary": ("OPEN", []), "diplomatic": ("COUNTER", ["FACE_NO_MATCH"])}, filmed.log()
    for each in filmed.result["transactions"]:
        assert each["backends"]["camera"].startswith("opencv ")


def test_the_gate_tells_its_health_in_numbers_and_nothing_of_travellers(filmed):
    told = filmed.result["health"]
    assert (told["/healthz"]["status"], told["/readyz"]["status"], told["/metrics"]["status"]) == (200, 200, 200)
    lines = told["/metrics"]["lines"]
    for line in (
        'autogate_transactions_total{outcome="OPEN"} 1',
        'autogate_transactions_total{outcome="COUNTER"} 1',
        'autogate_device_up{device="vision"} 1',
        'autogate_stage_seconds_count{stage="decision.entry"} 2',
        "autogate_lane_working 1",
        "autogate_clock_trusted 1",
    ):
        assert line in lines, lines
    text = "\n".join(lines)
    assert 'stage="other"' not in text, {
        stage["name"] for each in filmed.result["transactions"] for stage in each["stages"]
    } - STAGES
    for transaction in filmed.result["transactions"]:
        assert transaction["transaction"] not in text
    for personal in ("SANTOSO", "BUDI", "HARTONO", "X1000001", "D1000003"):
        assert personal not in text
