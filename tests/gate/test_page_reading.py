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
from mrz import compose
from mrz.reader import MrzReader, Sight
from mrz.reading import Refused
from mrz.sim import emit_td3

HELD = {
    "document_code": "PO",
    "issuing_state": "IDN",
    "primary_identifier": "WIJAYA",
    "secondary_identifier": "SITI RAHMA",
    "document_number": "S1000002",
    "nationality": "IDN",
    "date_of_birth": "850923",
    "sex": "F",
    "date_of_expiry": "291231",
}
LINES = emit_td3(**HELD)
TODAY = date(2026, 3, 2)
EXAMPLE = Path(__file__).parents[2] / "docs" / "gate.example.toml"
CLEAN, GLARE, COVERED = Conditions(), Conditions(glare=(0.4, 0.9), glare_mm=14), Conditions(covered=True)


class LaidDown:
    """A :class:`hardware.ports.Page`: the n-th picture of a light meets the n-th conditions; none after ``lifted_after`` pictures."""

    def __init__(self, *conditions: Conditions, lines=LINES, in_infrared=None, infrared_ink=True, lifted_after=99) -> None:
        """``in_infrared``: other lines that show in that light."""
        look = Look(infrared_ink=infrared_ink)
        shown = {"white": lines, "infrared": lines if in_infrared is None else in_infrared}
        self._glasses = {light: Glass(DataPage(mrz_lines=text, look=look)) for light, text in shown.items()}
        self._conditions, self._lifted_after = conditions or (CLEAN,), lifted_after
        self.frames: list[PageFrame] = []

    def capture(self, light, timeout):
        if len(self.frames) >= self._lifted_after:
            return None
        count = sum(frame.light == light for frame in self.frames)
        met, dice = self._conditions[min(count, len(self._conditions) - 1)], np.random.default_rng(count)
        pixels = self._glasses[light].capture(light, met, dice)
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


def test_a_zone_that_shows_in_infrared_alone_is_not_what_an_officer_would_see(reader):
    reading = read(reader, LaidDown(lines=("", ""), in_infrared=LINES))
    assert (reading.record, words(reading)) == (None, {"mrz": "unreadable"})
    assert reading.facts["mrz"].code == "MRZ_INFRARED_ALONE"


@pytest.mark.parametrize("changed", [("WIJAYA", "WIDAYA"), ("IDNWI", "SGPWI")], ids=["name", "State"])
def test_a_zone_that_says_something_else_in_infrared_is_a_disagreement(reader, changed):
    reading = read(reader, LaidDown(in_infrared=(LINES[0].replace(*changed), LINES[1])))
    assert (reading.record, reading.facts["mrz"].code) == (None, "MRZ_DISAGREEMENT")


def test_a_book_that_is_exchanged_between_two_pictures_is_a_disagreement(reader):
    other = emit_td3(**{**HELD, "primary_identifier": "SANTOSO", "document_number": "S1000003"})
    reading = read(reader, LaidDown(in_infrared=other))
    assert (reading.record, reading.facts["mrz"].code) == (None, "MRZ_DISAGREEMENT")


@pytest.mark.parametrize("form", ["TD1", "TD2", "MRV-A", "MRV-B"])
def test_cards_and_visas_go_to_a_person_however_well_they_were_read(reader, form):
    lines = compose(form, **{**HELD, "document_code": "V" if form.startswith("MRV") else "ID"})
    reading = read(reader, LaidDown(lines=lines))
    assert (reading.record, words(reading)) == (None, {"mrz": "malformed"})
    assert reading.facts["mrz"].code == f"FORMAT_{form}"


class Slow:
    """A reader that finds nothing, each picture taking ``seconds`` of the clock that it is."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self.now, self.looks = seconds, 0.0, 0

    def boot(self):
        return self.now

    def look(self, pixels):
        self.now += self._seconds
        self.looks += 1
        return Sight(refused=Refused(reason="no_mrz", detail=""))

    def judge(self, sights, *, second_look):
        return sights[-1].refused


def test_each_picture_is_looked_at_once():
    slow, page = Slow(0.0), LaidDown()
    PageReader(slow, slow, infrared=True).read(ScannedDocument(mrz_lines=(), page=page, chip=CHIP), TODAY, 20.0)
    assert slow.looks == len(page.frames) == 2 * ROUNDS


def test_a_page_that_takes_long_to_look_at_is_given_up_when_time_is_over():
    slow, page = Slow(3.0), LaidDown()
    PageReader(slow, slow, infrared=True).read(ScannedDocument(mrz_lines=(), page=page, chip=CHIP), TODAY, 8.0)
    assert slow.looks == 4


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
    def look(self, pixels):
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
