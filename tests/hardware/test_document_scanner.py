"""A page scanner and a chip reader as one: what was a traveller's is over with his document, whatever lies there next."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hardware.document_scanner import LOOK_S, ScannerWithPcsc
from hardware.emrtd.pcsc import ChipInUse
from hardware.ports import ScannedDocument, TagLost, longest_response

LINES = ("first line", "second line")


class Page:
    """Books that lie on the glass one after another; each has a number, None is an empty glass."""

    def __init__(self) -> None:
        self.lies: int | None = 1
        self._read: int | None = None

    def wait_for_document(self, timeout: float) -> ScannedDocument | None:
        self._read = self.lies
        return None if self.lies is None else ScannedDocument(mrz_lines=LINES, chip=None)

    def wait_for_removal(self, timeout: float) -> bool:
        return self.lies != self._read


class Chip:
    """Whatever chip lies in the field. ``on_wait`` is what happens while it is waited for; then it is there or not."""

    longest_response = 300

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.waits: list[float] = []
        self.connected = False
        self.on_wait: Callable[[], bool] = lambda: True

    def transceive(self, command: bytes) -> bytes:
        if not self.connected:
            raise TagLost("chip", "no chip is connected")
        self.heard.append(command)
        return b"\x90\x00"

    def reconnect(self, timeout: float) -> bool:
        self.waits.append(timeout)
        self.connected = self.on_wait()
        return self.connected

    def disconnect(self) -> None:
        self.connected = False


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.fixture
def chip() -> Chip:
    return Chip()


@pytest.fixture
def scanner(page: Page, chip: Chip) -> ScannerWithPcsc:
    return ScannerWithPcsc(page, chip)  # type: ignore[arg-type]  # as much of one as is used


def test_a_chip_that_was_lost_is_had_back_while_its_document_lies_there(scanner, page, chip):
    document = scanner.wait_for_document(0.0)
    assert longest_response(document.chip) == chip.longest_response
    chip.connected = False
    answers = iter([False, True])
    chip.on_wait = lambda: next(answers)
    assert document.chip.reconnect(60.0)
    assert chip.waits[1:] == [LOOK_S, LOOK_S]
    assert document.chip.transceive(b"again") == b"\x90\x00"


def test_the_next_travellers_chip_never_hears_of_the_last_ones_key(scanner, page, chip):
    document = scanner.wait_for_document(0.0)
    page.lies, before = 2, len(chip.waits)
    assert not document.chip.reconnect(60.0)
    assert len(chip.waits) == before
    page.lies = 1  # nor once the glass looks as it did
    assert not document.chip.reconnect(60.0)
    with pytest.raises(TagLost):
        document.chip.transceive(b"key")
    assert chip.heard == []


@pytest.mark.parametrize("comes", [True, False], ids=["with the next chip there", "with none there yet"])
def test_a_document_that_is_taken_away_while_its_chip_is_waited_for_is_gone(scanner, page, chip, comes):
    document = scanner.wait_for_document(0.0)

    def swap() -> bool:
        page.lies = 2
        return comes

    chip.on_wait = swap
    assert not document.chip.reconnect(60.0)
    assert len(chip.waits) == 2
    assert not chip.connected


def test_the_next_document_has_its_own_chip_and_the_last_one_none(scanner, page, chip):
    first = scanner.wait_for_document(0.0)
    page.lies = None
    assert scanner.wait_for_removal(0.0)
    assert not chip.connected
    page.lies = 2
    second = scanner.wait_for_document(0.0)
    assert second.chip.transceive(b"hello") == b"\x90\x00"
    with pytest.raises(TagLost):
        first.chip.transceive(b"key")
    assert not first.chip.reconnect(0.0)
    assert second.chip.transceive(b"still here") == b"\x90\x00"
    assert chip.heard == [b"hello", b"still here"]


def test_a_chip_that_never_comes_is_waited_for_no_longer_than_was_said(scanner, chip):
    document = scanner.wait_for_document(0.0)
    chip.on_wait = lambda: False
    assert not document.chip.reconnect(0.0)
    assert chip.waits[1:] == [0.0]


def test_a_chip_that_another_program_keeps_is_waited_for_to_the_end_and_no_longer(scanner, chip):
    document = scanner.wait_for_document(0.0)

    def taken() -> bool:
        if len(chip.waits) < 4:
            raise ChipInUse("reader", "another program uses the chip")
        return True

    chip.on_wait = taken
    assert document.chip.reconnect(60.0)
    chip.waits.clear()
    with pytest.raises(ChipInUse):
        document.chip.reconnect(0.0)


def test_what_the_page_scanner_pictures_comes_with_the_other_readers_chip(scanner, page, monkeypatch):
    pictures = object()
    monkeypatch.setattr(page, "wait_for_document", lambda _: ScannedDocument(mrz_lines=(), page=pictures, chip=None))
    document = scanner.wait_for_document(0.0)
    assert document.page is pictures
    assert document.mrz_lines == ()
    assert document.chip is not None
