"""The simulated scanner that hands over pictures, over its real socket."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.ports import DeviceError
from hardware.sim.scanner import SOCKET, ScannerStage, SimulatedScanner
from hardware.sim.server import DeviceServer

SECRET = "secret of this run"
MRZ = (  # Doc 9303-4, specimen of Utopia
    "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<",
    "L898902C36UTO7408122F1204159ZE184226B<<<<<10",
)


@pytest.fixture
def stage() -> ScannerStage:
    return ScannerStage(exposure_s=0.0)


@pytest.fixture
def scanner(stage, tmp_path):
    server = DeviceServer(tmp_path / SOCKET, SECRET, stage.handle)
    scanner = SimulatedScanner(tmp_path, SECRET, pictures=True)
    yield scanner
    scanner.close()
    server.close()


def lying(stage, scanner, *conditions, **look):
    stage.place(MRZ, None, {"dpi": 100, **look}, conditions)
    return scanner.wait_for_document(5.0).page


def test_a_device_hands_over_pictures_or_text(stage, scanner, tmp_path):
    stage.place(MRZ, None)
    document = scanner.wait_for_document(5.0)
    assert document.mrz_lines == ()
    assert document.page is not None
    reads_by_itself = SimulatedScanner(tmp_path, SECRET)
    document = reads_by_itself.wait_for_document(5.0)
    assert document.mrz_lines == MRZ
    assert document.page is None
    reads_by_itself.close()


def test_pictures_come_in_both_lights_with_resolution_and_time(stage, scanner):
    page = lying(stage, scanner)
    white, infrared = page.capture("white", 1.0), page.capture("infrared", 1.0)
    assert white.pixels.shape == (*infrared.pixels.shape, 3)
    assert white.pixels.dtype == infrared.pixels.dtype == np.uint8
    assert (white.light, infrared.light) == ("white", "infrared")
    assert white.dpi == infrared.dpi == 100
    assert white.boot < infrared.boot


def test_each_picture_is_a_new_one_and_the_run_repeats_by_its_seed(stage, scanner):
    page = lying(stage, scanner, seed=3)
    first, second = (page.capture("white", 1.0).pixels for _ in range(2))
    assert not (first == second).all()
    again = lying(stage, scanner, seed=3)
    assert (again.capture("white", 1.0).pixels == first).all()


def test_conditions_follow_the_script_for_each_light_and_the_last_one_stays(stage, scanner):
    page = lying(stage, scanner, {"covered": True}, {"glare": [0.5, 0.5], "glare_mm": 40.0}, {})

    def brightness(light):
        return float(page.capture(light, 1.0).pixels.mean())

    covered, glaring, plain, still = (brightness("white") for _ in range(4))
    assert covered < 60
    assert glaring > plain + 3
    assert abs(plain - still) < 1
    assert brightness("infrared") < 60


def test_a_document_that_was_taken_away_is_pictured_no_more(stage, scanner):
    page = lying(stage, scanner)
    assert page.capture("white", 1.0) is not None
    stage.remove()
    assert page.capture("white", 1.0) is None
    another = lying(stage, scanner)
    assert page.capture("white", 1.0) is None
    assert another.capture("white", 1.0) is not None


def test_a_picture_that_takes_longer_than_is_waited_is_none(tmp_path):
    stage = ScannerStage(exposure_s=0.05)
    stage.place(MRZ, None, {"dpi": 100})
    assert stage.handle({"do": "capture", "document": 1, "light": "white", "timeout": 0.01}, []) == ({"shape": None}, [])
    assert stage.handle({"do": "capture", "document": 1, "light": "white", "timeout": 0.1}, [])[0]["shape"] is not None


def test_a_light_that_no_scanner_has_is_refused(stage, scanner):
    page = lying(stage, scanner)
    with pytest.raises(DeviceError, match="ultraviolet"):
        page.capture("ultraviolet", 1.0)


@pytest.mark.parametrize(
    ("answer", "bodies"),
    [
        ({"shape": [10, 10], "dpi": 300, "boot": 1.0}, [bytes(99)]),
        ({"shape": [10, 10, 4], "dpi": 300, "boot": 1.0}, [bytes(400)]),
        ({"shape": [-10, -10], "dpi": 300, "boot": 1.0}, [bytes(100)]),
        ({"shape": [0, 10], "dpi": 300, "boot": 1.0}, [b""]),
        ({"shape": [100], "dpi": 300, "boot": 1.0}, [bytes(100)]),
        ({"shape": [10, 10], "dpi": "fine", "boot": 1.0}, [bytes(100)]),
        ({"shape": None}, [bytes(100)]),
        ({}, []),
    ],
)
def test_nonsense_for_a_picture_is_a_broken_device(answer, bodies, tmp_path):
    def handle(header, _):
        return ({"document": 1, "mrz_lines": [], "chip": False}, []) if header["do"] == "document" else (answer, bodies)

    server = DeviceServer(tmp_path / SOCKET, SECRET, handle)
    scanner = SimulatedScanner(tmp_path, SECRET, pictures=True)
    page = scanner.wait_for_document(1.0).page
    with pytest.raises(DeviceError, match="nonsense"):
        page.capture("white", 1.0)
    scanner.close()
    server.close()


@settings(max_examples=40)
@given(
    st.fixed_dictionaries(
        {"do": st.just("capture")},
        optional={
            "document": st.one_of(st.none(), st.integers(0, 2), st.just("1")),
            "light": st.one_of(st.none(), st.just("infrared"), st.text(max_size=9), st.just(["white"])),
            "timeout": st.one_of(st.none(), st.floats(), st.just("soon")),
        },
    )
)
def test_any_question_for_a_picture_gets_an_answer(question):
    stage = ScannerStage(exposure_s=0.0)
    stage.place(MRZ, None, {"dpi": 100})
    server = object.__new__(DeviceServer)
    server._handler = stage.handle
    answer, bodies = server._answer(question, [])
    assert ("error" in answer) or (answer["shape"] is None) == (not bodies)


@pytest.mark.parametrize("look", [{"dpi": 5}, {"colour": "red"}, {"dpi": "fine"}])
def test_a_document_that_cannot_be_printed_is_not_laid_down(stage, look):
    with pytest.raises((TypeError, ValueError)):
        stage.place(MRZ, None, look)
    assert stage.handle({"do": "document", "timeout": 0}, [])[0] == {"document": None}
