"""The relay as a process between two pseudo-terminals, with a device of no particular protocol behind it."""

from __future__ import annotations

import time

import pytest

from hardware.controller.serial_port import SerialPort
from hardware.ports import DeviceError, DeviceLost
from hardware.sim.relay import FaultRelay, Relay
from hardware.sim.terminal import Terminal

pytestmark = pytest.mark.processes


@pytest.fixture
def device(tmp_path):
    terminal = Terminal(tmp_path / "device")
    terminal.plug()
    yield terminal
    terminal.unplug()


@pytest.fixture
def relay(tmp_path, device):
    with FaultRelay(tmp_path, tmp_path / "device", seed=5) as relay:
        yield relay


@pytest.fixture
def host(relay):
    port = SerialPort(str(relay.tty))
    yield port
    port.close()


def eventually(condition, seconds: float = 10.0):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end
        time.sleep(0.005)
    return value


def heard(end, count: int) -> bytes:
    """``count`` bytes from the device's end or the host's."""
    data = bytearray()
    eventually(lambda: data.extend(end.read() if isinstance(end, Terminal) else end.read(4096, 0.05)) or len(data) >= count)
    return bytes(data)


def test_a_device_that_went_while_it_was_opened_is_tried_again(tmp_path, device):
    link = tmp_path / "there"
    link.symlink_to("/dev/null")  # opens, but is no terminal, as one that hung up is none
    relay = Relay(link, Terminal(tmp_path / "host"), 0)
    relay.open_device()
    assert not relay.state()["plugged"]
    link.unlink()
    link.symlink_to(tmp_path / "device")
    relay.open_device()
    assert relay.state()["plugged"]
    relay.close()


def test_a_clean_line_carries_every_byte_both_ways(device, host):
    everything = bytes(range(256)) * 8
    host.write(everything)
    assert heard(device, len(everything)) == everything
    device.write(everything)
    assert heard(host, len(everything)) == everything


def test_one_direction_may_be_bad_and_the_other_good(device, relay, host):
    relay.line(to="device", silent=True)
    host.write(b"lost")
    device.write(b"heard")
    assert heard(host, 5) == b"heard"
    assert device.read() == b""
    relay.line()
    host.write(b"again")
    assert heard(device, 5) == b"again"
    assert relay.state()["device"]["bytes"] == 9


def test_an_echo_is_heard_by_its_sender_alone(device, relay, host):
    relay.line(to="device", echo=1, drop=1)
    host.write(b"hello")
    assert heard(host, 5) == b"hello"
    assert device.read() == b""


def test_noise_comes_without_anybody_sending(device, relay, host):
    relay.line(to="host", flood=20_000)
    assert len(heard(host, 1000)) >= 1000


def test_unplugged_the_line_hangs_up_and_comes_back_under_another_name(relay, host, device):
    before = relay.tty.readlink()
    relay.unplug()
    with pytest.raises(DeviceLost):
        host.read(1, 1.0)
    assert not relay.tty.is_symlink()
    relay.plug()
    assert relay.tty.readlink() != before
    again = SerialPort(str(relay.tty))
    again.write(b"x")
    assert heard(device, 1) == b"x"
    again.close()


def test_it_hangs_up_by_itself_at_its_rate(relay):
    relay.hang_up(every_s=0.05, for_s=0.01)
    eventually(lambda: relay.state()["unplugged"] >= 3)
    relay.hang_up(every_s=0, for_s=0)
    eventually(lambda: relay.state()["plugged"])


def test_a_device_that_goes_takes_the_line_with_it_and_brings_it_back(device, relay, host):
    device.unplug()
    eventually(lambda: not relay.state()["plugged"])
    device.plug()
    eventually(lambda: relay.state()["plugged"])
    again = SerialPort(str(relay.tty))
    again.write(b"x")
    assert heard(device, 1) == b"x"
    again.close()


def test_orders_that_make_no_sense_are_answered_and_change_nothing(relay, device, host):
    for do, arguments in (
        ("fly", {}),
        ("line", {"flip": 2}),
        ("line", {"to": "moon"}),
        ("line", {"flap": 1}),
        ("hang_up", {}),
        ("hang_up", {"every_s": "x", "for_s": 1}),
    ):
        with pytest.raises(DeviceError):
            relay.order(do, **arguments)
    host.write(b"x")
    assert heard(device, 1) == b"x"


def test_the_relay_ends_with_whoever_started_it(relay):
    process = relay._process
    relay.stop()
    assert process.returncode == 0
    assert not relay.tty.is_symlink()
    with pytest.raises(DeviceError):
        relay.state()
