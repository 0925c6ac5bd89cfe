"""What the gate makes of a document on the glass: frames of both lights vote, nothing is guessed, and no frame outlives its reading."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import msgspec
import numpy as np
import pytest

from gate.clock import SystemClock
from gate.config import Scanner, load
from gate.page_reading import ROUNDS, PageReader
from gate.processes.reader import open_scanner
from hardware.ports import PageFrame, ScannedDocument
from hardware.sim.glass import Conditions, Glass
from hardware.sim.mrz_readers import DEVICES, PluggedIn
from hardware.sim.page import DataPage, Look
from mrz.reader import MrzReader
from mrz.sim import emit_td3

LINES = emit_td3(
    document_code="PO",
    issuing_state="IDN",
    primary_identifier="WIJAYA",
    secondary_identifier="SITI RAHMA",
    document_number="S1000002",
    nationality="IDN",
    date_of_birth="850923",
    sex="F",
    date_of_expiry="291231",
)
TODAY = date(2026, 3, 2)
EXAMPLE = Path(__file__).parents[2] / "docs" / "gate.example.toml"
CLEAN, GLARE, COVERED = Conditions(), Conditions(glare=(0.4, 0.9), glare_mm=14), Conditions(covered=True)


class LaidDown:
    """A :class:`hardware.ports.Page`: the n-th picture of a light meets the n-th conditions; none after ``lifted_after`` pictures."""

    def __init__(self, *conditions: Conditions, lines=LINES, infrared_ink=True, lifted_after=99) -> None:
        self._glass = Glass(DataPage(mrz_lines=lines, look=Look(infrared_ink=infrared_ink)))
        self._conditions, self._lifted_after = conditions or (CLEAN,), lifted_after
        self.frames: list[PageFrame] = []

    def capture(self, light, timeout):
        if len(self.frames) >= self._lifted_after:
            return None
        count = sum(frame.light == light for frame in self.frames)
        pixels = self._glass.capture(light, self._conditions[min(count, len(self._conditions) - 1)], np.random.default_rng(count))
        self.frames.append(PageFrame(pixels=pixels.copy(), light=light, dpi=300, boot=0.0))
        return self.frames[-1]


@pytest.fixture(scope="module")
def reader():
    return MrzReader()


CHIP = object()
"""Nobody asks it anything here."""


def read(reader, page, *, infrared=True, chip=CHIP):
    pages = PageReader(reader, SystemClock(), infrared=infrared)
    return pages.read(ScannedDocument(mrz_lines=(), page=page, chip=chip), TODAY, SystemClock().boot() + 20)


def words(reading):
    return {name: fact.value for name, fact in reading.facts.items()}


def test_a_clean_page_is_read_in_one_round_of_both_lights(reader):
    page = LaidDown()
    reading = read(reader, page)
    assert reading.record.lines == LINES
    assert words(reading) == {
        "mrz": "read",
        "infrared": "present",
        "nationality": "citizen",
        "age": "adult",
        "expiry": "valid",
    }
    assert [frame.light for frame in page.frames] == ["white", "infrared"]


@pytest.mark.parametrize("conditions", [Conditions(upside_down=True), Conditions(skew=4.0), Conditions(light=0.5)], ids=str)
def test_a_page_that_lies_badly_is_read_all_the_same(reader, conditions):
    assert read(reader, LaidDown(conditions)).record.lines == LINES


def test_glare_in_the_first_pictures_costs_a_round_and_no_guess(reader):
    page = LaidDown(GLARE, CLEAN)
    reading = read(reader, page)
    assert reading.record.lines == LINES
    assert len(page.frames) <= 4


@pytest.mark.parametrize(
    ("conditions", "code"),
    [(COVERED, "MRZ_NO_MRZ"), (GLARE, "MRZ_"), (Conditions(mirrored=True), "MRZ_")],
    ids=["covered", "glare", "mirrored"],
)
def test_what_stays_unreadable_is_unreadable_with_its_reason(reader, conditions, code):
    page = LaidDown(conditions)
    reading = read(reader, page)
    assert reading.record is None
    assert reading.facts["mrz"].value in {"unreadable", "check_digit_failed"}
    assert reading.facts["mrz"].code.startswith(code)
    assert len(page.frames) == 2 * ROUNDS


def test_a_zone_that_does_not_show_in_infrared_is_a_finding(reader):
    reading = read(reader, LaidDown(infrared_ink=False))
    assert reading.record.lines == LINES
    assert words(reading)["infrared"] == "missing"


def test_a_scanner_without_infrared_says_so(reader):
    page = LaidDown()
    assert words(read(reader, page, infrared=False))["infrared"] == "not_offered"
    assert {frame.light for frame in page.frames} == {"white"}


def test_a_scanner_that_withholds_the_infrared_picture_does_not_pass_for_one_without(reader):
    reading = read(reader, LaidDown(lifted_after=1))
    assert words(reading)["infrared"] == "unread"


def test_a_document_that_is_lifted_at_once_is_unreadable(reader):
    reading = read(reader, LaidDown(lifted_after=0))
    assert (reading.record, reading.facts["mrz"].code) == (None, "DOCUMENT_GONE")


def test_a_wrong_check_digit_is_never_mended_into_a_right_one(reader):
    wrong = (LINES[0], LINES[1][:9] + str((int(LINES[1][9]) + 1) % 10) + LINES[1][10:])
    reading = read(reader, LaidDown(lines=wrong))
    assert reading.record is None
    assert reading.facts["mrz"].value == "check_digit_failed"


@pytest.mark.parametrize("page", [LaidDown(), LaidDown(COVERED)], ids=["read", "unreadable"])
def test_no_frame_outlives_its_reading(reader, page):
    read(reader, page)
    assert all(not frame.pixels.any() for frame in page.frames)


class Fallen:
    def read(self, frames, *, second_look):
        raise RuntimeError("a bug")


def test_frames_are_overwritten_even_where_the_reader_has_a_bug():
    page = LaidDown()
    with pytest.raises(RuntimeError):
        read(Fallen(), page)
    assert all(not frame.pixels.any() for frame in page.frames)


@pytest.mark.parametrize("profile", ["rte", "elyctis", "honeywell", "lines"])
def test_a_serial_reader_by_config_gives_the_zone_as_text(tmp_path, reader, profile):
    config = load(EXAMPLE)
    scanner = Scanner(kind="serial", address=str(tmp_path / "reader.tty"), profile=profile, mrz="device")
    with PluggedIn(DEVICES[profile](), tmp_path / "reader.tty") as device:
        opened = open_scanner(msgspec.structs.replace(config, scanner=scanner), "")
        try:
            opened.wait_for_document(0.2)  # arms it
            device.swipe(LINES)
            document = opened.wait_for_document(5.0)
        finally:
            opened.close()
    reading = PageReader(reader, SystemClock(), infrared=True).read(document, TODAY, 0.0)
    assert reading.record.lines == LINES
    assert words(reading)["infrared"] == "not_offered"
