"""Serial readers of the zone behind real pseudo-terminals: each profile is armed, read, lost and had back."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from hardware import mrz_serial
from hardware.document_scanner import ScannerWithPcsc
from hardware.mrz_serial import PROFILES, SerialMrzReader, open_reader
from hardware.ports import DeviceError, DeviceLost
from hardware.sim.mrz_readers import DEVICES, PluggedIn

TD3 = (  # Doc 9303-4, specimen of Utopia
    "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<",
    "L898902C36UTO7408122F1204159ZE184226B<<<<<10",
)
TD1 = ("I<UTOD231458907<<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<")
SOON_S = 10.0
"""Long enough on a busy machine; nothing waits so long where all is well."""


@pytest.fixture(autouse=True)
def _short_silences(monkeypatch):
    """A pseudo-terminal carries a message at once, so a short silence ends it, too."""
    monkeypatch.setattr(mrz_serial, "GAP_S", 0.02)
    monkeypatch.setattr(mrz_serial, "RETRY_S", 0.05)


@pytest.fixture(params=sorted(PROFILES))
def plugged(request, tmp_path):
    with PluggedIn(DEVICES[request.param](), tmp_path / "reader") as device:
        device.profile = request.param
        yield device


@pytest.fixture
def reader(plugged, tmp_path):
    reader = open_reader(str(tmp_path / "reader"), plugged.profile)
    assert reader.wait_for_document(0.0) is None
    yield reader
    reader.close()


def swiped(plugged, reader, lines):
    """What the host reads of a document that is drawn through again and again until the reader is armed."""
    deadline = time.monotonic() + SOON_S
    while time.monotonic() < deadline:
        plugged.swipe(lines)
        document = reader.wait_for_document(0.1)
        if document is not None:
            return document
    raise AssertionError("no document was read")


def test_every_profile_has_a_device_to_try_it_on():
    assert DEVICES.keys() == PROFILES.keys()


def test_one_document_after_another_is_read_and_the_reader_armed_again_each_time(plugged, reader):
    for lines in (TD3, TD1, TD3, TD3):
        document = swiped(plugged, reader, lines)
        assert document.mrz_lines == lines
        assert document.chip is None
        assert document.page is None
    assert reader.refused is None


def test_an_unplugged_reader_is_lost_and_had_back_and_armed_anew(plugged, reader):
    assert swiped(plugged, reader, TD3).mrz_lines == TD3
    plugged.unplug()
    with pytest.raises(DeviceError):
        reader.wait_for_document(0.1)
    plugged.device = DEVICES[plugged.profile]()  # which has forgotten what it was told
    plugged.plug()
    assert swiped(plugged, reader, TD1).mrz_lines == TD1


def test_a_reader_that_comes_back_while_it_is_waited_for_is_never_missed(plugged, reader):
    plugged.unplug()
    plugged.device = DEVICES[plugged.profile]()
    plugged.plug()
    assert swiped(plugged, reader, TD3).mrz_lines == TD3


def test_half_a_message_is_refused_and_the_next_one_read(plugged, reader):
    document = swiped(plugged, reader, TD3)
    assert document.mrz_lines == TD3
    plugged.send(b"P<UTOERI\x02\x01I\x00\x5a")
    deadline = time.monotonic() + SOON_S
    while reader.refused is None and time.monotonic() < deadline:
        assert reader.wait_for_document(0.05) is None
    assert reader.refused is not None
    assert swiped(plugged, reader, TD1).mrz_lines == TD1
    assert reader.refused is None


def test_a_device_that_is_not_there_and_a_profile_that_is_none_are_told(tmp_path):
    reader = open_reader(str(tmp_path / "nothing"), "lines")
    with pytest.raises(DeviceError, match="nothing"):
        reader.wait_for_document(0.0)
    with pytest.raises(DeviceError, match="no profile"):
        open_reader("/dev/null", "teletype")


class Line:
    """A port that hands over ``said``, piece by piece, and then is silent; ``None`` in it: the line goes."""

    def __init__(self, *said: bytes | None) -> None:
        self.said, self.written, self.closed = list(said), b"", False

    def read(self, limit: int, timeout: float) -> bytes:
        if not self.said:
            time.sleep(min(timeout, 0.01))
            return b""
        if (piece := self.said.pop(0)) is None:
            raise DeviceLost("line", "gone")
        assert len(piece) <= limit
        return piece

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True


def typed(lines) -> bytes:
    return "".join(line + "\r" for line in lines).encode()


def test_a_document_lies_there_for_its_time_or_until_the_next_one():
    line = Line(typed(TD3))
    reader = SerialMrzReader(lambda: line, PROFILES["lines"], lies_s=60.0)
    assert reader.wait_for_document(1.0).mrz_lines == TD3
    assert not reader.wait_for_removal(0.0)
    line.said.append(typed(TD1))
    assert reader.wait_for_removal(1.0)
    assert reader.wait_for_document(0.0).mrz_lines == TD1
    brief = SerialMrzReader(lambda: Line(typed(TD3)), PROFILES["lines"], lies_s=0.02)
    assert brief.wait_for_document(1.0) is not None
    assert brief.wait_for_removal(1.0)


def test_a_document_that_is_read_again_still_lies_there_and_is_no_other(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(mrz_serial.time, "monotonic", lambda: now[0])
    line = Line(typed(TD3))
    reader = SerialMrzReader(lambda: line, PROFILES["lines"], lies_s=60.0)
    assert reader.wait_for_document(0.0).mrz_lines == TD3
    for _ in range(3):
        now[0] += 50.0
        line.said.append(typed(TD3))
        assert not reader.wait_for_removal(0.0)
    now[0] += 60.0
    assert reader.wait_for_removal(0.0)
    line.said.append(typed(TD3))
    assert reader.wait_for_document(0.0).mrz_lines == TD3


def test_a_line_that_goes_in_mid_message_leaves_nothing_behind():
    lines = [Line(typed(TD3)[:50], None), Line(typed(TD1))]
    reader = SerialMrzReader(lambda: lines.pop(0), PROFILES["lines"])
    broken = lines[0]
    assert reader.wait_for_document(5.0).mrz_lines == TD1
    assert broken.closed


def test_a_reader_that_found_nothing_is_asked_again_in_its_own_time_only():
    line = Line(*[b"I\x00\x00"] * 50)
    reader = SerialMrzReader(lambda: line, PROFILES["elyctis_polled"])
    assert reader.wait_for_document(0.05) is None
    assert len(line.written) <= 2 * len(b"I\x00\x00")
    assert reader.refused.reason == "no_zone"


def test_closing_disarms_and_is_harmless_again():
    line = Line()
    reader = SerialMrzReader(lambda: line, PROFILES["honeywell"])
    reader.wait_for_document(0.0)
    reader.close()
    reader.close()
    assert line.written.endswith(b"\x16U\r")
    assert line.closed


class Chip:
    longest_response = 256

    def reconnect(self, timeout: float) -> bool:
        return True

    def transceive(self, command: bytes) -> bytes:
        return b"\x90\x00"

    def disconnect(self) -> None: ...


def test_with_a_chip_reader_beside_it_it_is_a_scanner_for_passports():
    line = Line(typed(TD3))
    scanner = ScannerWithPcsc(SerialMrzReader(lambda: line, PROFILES["lines"]), Chip())
    document = scanner.wait_for_document(1.0)
    assert document.mrz_lines == TD3
    assert document.chip.transceive(b"") == b"\x90\x00"
    line.said.append(typed(TD1))
    assert scanner.wait_for_removal(1.0)


@pytest.mark.processes
def test_a_reader_to_plug_in_is_a_program_of_its_own(tmp_path):
    command = [sys.executable, "-m", "hardware.sim.mrz_readers", "--profile", "rte", "--tty-link", str(tmp_path / "reader")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout.readline() == "ready\n"
        reader = open_reader(str(tmp_path / "reader"), "rte")
        assert reader.wait_for_document(0.0) is None
        program.stdin.write(" ".join(TD3) + "\n")
        program.stdin.flush()
        assert reader.wait_for_document(SOON_S).mrz_lines == TD3
        reader.close()
        program.stdin.close()
        assert program.wait(SOON_S) == 0
