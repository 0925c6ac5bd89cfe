"""The virtual chip's side of vpcd's protocol, played against a vpcd of the test's own: no PC/SC service is needed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.ports import DeviceError, TagLost
from hardware.sim.vpcd import VirtualSlot, atr, main, run_atr, slot_port

WAIT_S = 10.0
ATR = run_atr("secret of this run")


class Chip:
    """Echoes each command; the command ``lost`` takes it out of the field, from which it ``returns`` or not."""

    def __init__(self, *, returns: bool = False) -> None:
        self.returns, self.resets, self.asked = returns, 0, threading.Event()

    def transceive(self, command: bytes) -> bytes:
        if command == b"lost":
            raise TagLost("chip", "gone")
        if command == b"long":
            return bytes(65_536)
        return b"" if command == b"mute" else command + b"\x90\x00"

    def reconnect(self, timeout: float) -> bool:
        self.resets += 1
        self.asked.set()
        return self.returns


class Vpcd:
    """The reader's side: listens where vpcd does."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(WAIT_S)
        self.port = self.listener.getsockname()[1]

    def accept(self) -> socket.socket:
        line, _ = self.listener.accept()
        line.settimeout(WAIT_S)
        return line

    def refuses(self, seconds: float) -> bool:
        """Does nobody lie down for so long?"""
        self.listener.settimeout(seconds)
        try:
            self.listener.accept()[0].close()
        except TimeoutError:
            return True
        finally:
            self.listener.settimeout(WAIT_S)
        return False


def say(line: socket.socket, *messages: bytes) -> None:
    line.sendall(b"".join(len(message).to_bytes(2) + message for message in messages))


def hear(line: socket.socket) -> bytes:
    """The next message; empty where the line ends."""
    with line.makefile("rb", buffering=0) as file:
        head = file.read(2)
        length, heard = int.from_bytes(head or b""), b""
        while len(heard) < length and (part := file.read(length - len(heard))):
            heard += part
        return heard


@pytest.fixture
def vpcd() -> Iterator[Vpcd]:
    vpcd = Vpcd()
    yield vpcd
    vpcd.listener.close()


@pytest.fixture
def slot(vpcd: Vpcd) -> Iterator[VirtualSlot]:
    with VirtualSlot(ATR, vpcd.port) as slot:
        yield slot


def test_control_messages_and_commands_are_told_apart_by_their_length(vpcd, slot):
    slot.place(Chip(returns=True))
    with vpcd.accept() as line:
        say(line, b"\x01", b"\x04")
        assert hear(line) == ATR
        say(line, b"\x00\xa4\x00\x0c", b"\x04", bytes(300))  # all in one segment
        assert [hear(line) for _ in range(3)] == [b"\x00\xa4\x00\x0c\x90\x00", ATR, bytes(300) + b"\x90\x00"]


def test_a_message_may_come_in_pieces(vpcd, slot):
    slot.place(Chip())
    with vpcd.accept() as line:
        for octet in b"\x00\x05hello":
            line.sendall(bytes([octet]))
        assert hear(line) == b"hello\x90\x00"


def test_power_resets_a_chip_that_was_used_and_no_other(vpcd, slot):
    chip = Chip(returns=True)
    slot.place(chip)
    with vpcd.accept() as line:
        say(line, b"\x01", b"\x02", b"\x00", b"\x01", b"first")
        assert hear(line) == b"first\x90\x00"
        assert chip.resets == 0
        say(line, b"\x00", b"\x01", b"\x02", b"second")
        assert hear(line) == b"second\x90\x00"
        assert chip.resets == 1


@pytest.mark.parametrize("command", [b"lost", b"long", b"mute"])
def test_a_chip_that_is_lost_leaves_the_field_and_comes_back_if_it_can(vpcd, slot, command):
    slot.place(Chip(returns=True))
    with vpcd.accept() as line:
        say(line, command)
        assert hear(line) == b""
    with vpcd.accept() as line:
        say(line, b"again")
        assert hear(line) == b"again\x90\x00"


def test_a_chip_that_is_lost_for_good_never_lies_down_again(vpcd, slot):
    chip = Chip()
    slot.place(chip)
    with vpcd.accept() as line:
        say(line, b"lost")
        assert hear(line) == b""
    assert chip.asked.wait(WAIT_S)
    assert vpcd.refuses(0.3)
    slot.place(Chip())
    with vpcd.accept() as line:
        say(line, b"other")
        assert hear(line) == b"other\x90\x00"


def test_a_chip_that_is_taken_away_hangs_up_at_once(vpcd, slot):
    slot.place(Chip())
    with vpcd.accept() as line:
        say(line, b"here")
        assert hear(line) == b"here\x90\x00"
        slot.place(None)
        assert hear(line) == b""


def test_a_slot_is_one_process_alone(vpcd, slot):
    with pytest.raises(DeviceError, match="another virtual chip"):
        VirtualSlot(ATR, vpcd.port)
    slot.close()
    VirtualSlot(ATR, vpcd.port).close()


def test_the_slots_are_known_by_the_names_of_their_readers():
    assert [slot_port(name) for name in ("Virtual PCD 00 00", "Virtual PCD 00 01")] == [35963, 35964]
    with pytest.raises(DeviceError, match="not a virtual reader"):
        slot_port("Contactless Reader 00 00")


@given(st.binary(max_size=15))
def test_an_answer_to_reset_is_that_of_a_contactless_chip(historical):
    """PC/SC part 3 §3.1.3.2.3: 3B 8n 80 01, n historical bytes, and a check byte over all but the first."""
    answer = atr(historical)
    assert answer[:4] == bytes([0x3B, 0x80 | len(historical), 0x80, 0x01])
    assert answer[4:-1] == historical
    total = 0
    for octet in answer[1:]:
        total ^= octet
    assert total == 0


@given(st.text(max_size=40), st.text(max_size=40))
def test_the_answer_to_reset_of_a_run_tells_its_secret_from_any_other(one, other):
    assert (run_atr(one) == run_atr(other)) is (one == other)


def test_a_folder_that_is_no_specimen_is_told(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["vpcd", "--specimen", str(tmp_path)])
    assert main() == 2
    assert "holds no DG1" in capsys.readouterr().err
