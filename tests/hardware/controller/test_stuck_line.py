"""A line that takes nothing, or goes at a bad moment, holds up nobody and ends its session."""

from __future__ import annotations

import termios
import threading
import time

import pytest
import serial

from hardware.controller.host import GateLink
from hardware.controller.link import DownReason, HostSession, LinkBroken, LinkDown
from hardware.controller.protocol import OpenExit
from hardware.controller.serial_port import SerialPort
from hardware.ports import DeviceError, DeviceLost

KEY = b"k" * 32


class BootClock:
    def boot(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)


class StuckPort:
    """Takes no byte until ``gone`` is set, then is lost."""

    def __init__(self) -> None:
        self.gone, self.writing = threading.Event(), threading.Event()

    def read(self, limit: int, timeout: float) -> bytes:
        time.sleep(timeout)
        return b""

    def write(self, data: bytes) -> None:
        self.writing.set()
        self.gone.wait(20)
        raise DeviceLost("stuck", "takes nothing")

    def close(self) -> None:
        self.gone.set()


@pytest.mark.timeout(15)  # what waits for the line waits for twenty seconds
def test_nobody_who_sends_waits_for_a_line_that_takes_nothing():
    port, events, told = StuckPort(), [], threading.Event()

    def on_event(event) -> None:
        events.append(event)
        told.set()

    link = GateLink(lambda: port, KEY, BootClock(), on_event)
    link.start()
    assert port.writing.wait(5)
    for number in range(50):
        link.renew()
        link.send(OpenExit(command_id=number + 1))
    port.gone.set()
    assert told.wait(5)
    link.close()
    assert any(isinstance(event, LinkDown) and event.reason is DownReason.PORT for event in events)


@pytest.mark.parametrize("error", [termios.error(5, "Input/output error"), OSError(5, "Input/output error")])
def test_a_device_that_goes_while_it_is_opened_is_told_as_such(monkeypatch, error):
    def goes(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(serial, "Serial", goes)
    with pytest.raises(DeviceError, match="cannot be opened"):
        SerialPort("/dev/gate")


def test_a_host_that_was_held_up_has_not_heard_silence():
    session = HostSession(KEY, 100.0)
    for moment in (100.01, 103.0, 106.0):  # three seconds asleep, twice: whatever was said lies in the buffer
        session.poll(moment)


def test_a_host_that_listened_all_the_time_has():
    session = HostSession(KEY, 100.0)
    for step in range(100):
        session.poll(100.0 + step * 0.01)
    with pytest.raises(LinkBroken, match="no valid frame"):
        session.poll(101.05)
