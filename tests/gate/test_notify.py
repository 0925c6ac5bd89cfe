"""What the service manager hears: datagrams as sd_notify(3) has them, and nothing that the lane did not say."""

from __future__ import annotations

import socket

import pytest

from gate.notify import PROOF, READY, STOPPING, Relay, notify


def bound(name: str | bytes) -> socket.socket:
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(name)
    manager.settimeout(2)
    return manager


@pytest.mark.parametrize("abstract", [False, True])
def test_lines_arrive_at_a_path_and_at_an_abstract_name(tmp_path, abstract):
    path = str(tmp_path / "notify")
    with bound("\0" + path[1:] if abstract else path) as manager:
        notify("@" + path[1:] if abstract else path, READY, "STATUS=idle")
        assert manager.recv(4096) == b"READY=1\nSTATUS=idle"


def test_nobody_who_listens_is_no_error_and_a_manager_that_does_not_read_holds_up_nobody(tmp_path):
    notify("", PROOF)
    notify(str(tmp_path / "absent"), PROOF)
    notify("x" * 300, PROOF)
    with bound(str(tmp_path / "full")):
        for _ in range(2000):
            notify(str(tmp_path / "full"), PROOF)


@pytest.fixture
def manager(tmp_path, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "manager"))
    with bound(str(tmp_path / "manager")) as manager:
        yield manager


def test_the_service_passes_on_what_a_lane_may_say_and_nothing_else(tmp_path, manager):
    relay = Relay(tmp_path / "relay")
    notify(str(tmp_path / "relay"), PROOF, "STATUS=idle", "MAINPID=1", "STOPPING=1", "FDSTORE=1", "BUSERROR=x")
    relay.forward()
    assert manager.recv(4096) == b"WATCHDOG=1\nSTATUS=idle"
    relay.stopping()
    assert manager.recv(4096) == STOPPING.encode()
    relay.close()


def test_the_service_makes_no_proof_of_its_own(tmp_path, manager):
    relay = Relay(tmp_path / "relay")
    for _ in range(5):
        relay.forward()
    manager.settimeout(0.05)
    with pytest.raises(TimeoutError):
        manager.recv(4096)
    relay.close()


def test_any_bytes_from_whoever_can_reach_the_relay_are_no_error(tmp_path, manager):
    relay = Relay(tmp_path / "relay")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        for raw in (b"\xff\x00\xfe", b"\n\n", b"STATUS=" + b"x" * 5000):
            sender.sendto(raw, str(tmp_path / "relay"))
    notify(str(tmp_path / "relay"), PROOF)
    relay.forward()
    heard = [manager.recv(65536) for _ in range(4)]
    assert heard[-1] == b"WATCHDOG=1"
    assert all(len(each) <= 1024 for each in heard)
    relay.close()
