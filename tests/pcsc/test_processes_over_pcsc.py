"""Whole processes over PC/SC: the demonstration by configuration alone, with the same outcomes and the backend in its records; and a
specimen that one process serves and another reads.
"""

from __future__ import annotations

import contextlib
import json
import random
import socket
import subprocess
import sys
import time

import pytest

from gate.demo.cast import DEFAULT_CAST
from hardware.ports import DeviceError
from hardware.sim.vpcd import VirtualSlot, atr, slot_port

pytestmark = [pytest.mark.pcsc, pytest.mark.processes, pytest.mark.timeout(180)]

CAST = {
    "service": ("OPEN", []),
    "clone": ("HOLD", ["CHIP_NOT_GENUINE"]),
}
"""Traveller and outcome, as with the simulated scanner's own antenna (README.md): one chip that proves itself and one that cannot."""
OTHERS_S = 60.0


def port() -> str:
    """A port nobody listens on now, outside the range from which connections take theirs."""
    while True:
        number = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", number)):
            return str(number)


def until_free(reader: str) -> None:
    """Wait for another run of these tests to end."""
    deadline = time.monotonic() + OTHERS_S
    while True:
        try:
            return VirtualSlot(atr(), slot_port(reader)).close()
        except DeviceError:
            assert time.monotonic() < deadline, f"{reader} is not given up"
            time.sleep(0.2)


def test_travellers_meet_the_same_outcomes_and_the_result_names_the_reader(kit, service, tmp_path_factory):
    folder = tmp_path_factory.mktemp("d")
    head, *travellers = DEFAULT_CAST.read_text(encoding="utf-8").split("[[traveller]]")
    some = [each for each in travellers if any(f'\nid = "{name}"\n' in each for name in CAST)]
    (folder / "cast.toml").write_text("[[traveller]]".join([head, *some]), encoding="utf-8")
    until_free(kit.demo_reader)
    command = [sys.executable, "-m", "gate", "demo", "--headless", "--once", "--cast", str(folder / "cast.toml")]
    command += ["--json", str(folder / "out.json"), "--state", str(folder / "state"), "--chip-reader", kit.demo_reader]
    command += ["--traveller-port", port(), "--officer-port", port()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as demo:
        try:
            said = demo.communicate(timeout=120)[0].decode()
        finally:
            demo.terminate()
    assert demo.returncode == 0, said + (folder / "state" / "processes.log").read_text()
    transactions = json.loads((folder / "out.json").read_text())["transactions"]
    assert {each["traveller"]: (each["outcome"], each["reasons"]) for each in transactions} == CAST
    backends = {each["backends"]["chip"] for each in transactions}
    assert len(backends) == 1
    assert backends.pop().startswith(f"pcsc {kit.demo_reader} (pyscard ")


@pytest.mark.shared
def test_a_specimen_in_a_virtual_reader_is_read_by_who_types_its_number_and_dates(kit, service, shared_dir):
    folder = shared_dir / "data" / "pki" / "bsi_dataset"
    until_free(kit.demo_reader)
    serve = [sys.executable, "-m", "hardware.sim.vpcd", "--specimen", str(folder), "--reader", kit.demo_reader]
    read = [sys.executable, "-m", "gate", "chip", "read", "--json", "--reader", kit.demo_reader]
    with subprocess.Popen(serve, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            assert kit.demo_reader.encode() in server.stdout.readline()
            wrong = subprocess.run(read, input=b"C11T002JM\n960812\n231030\n", capture_output=True, check=False)
            right = subprocess.run(read, input=b"C11T002JM\n960812\n231031\n", capture_output=True, check=False)
        finally:
            server.stdin.close()
    assert server.returncode == 0
    assert wrong.returncode == 1
    assert b"ACCESS_DENIED" in wrong.stderr
    told = json.loads(right.stdout)
    sizes = {"EF.SOD": "EF_SOD", "DG1": "Datagroup1", "DG2": "Datagroup2", "DG14": "Datagroup14", "DG15": "Datagroup15"}
    assert {name: told["files"][name] for name in sizes} == {
        name: (folder / f"{file}.bin").stat().st_size for name, file in sizes.items()
    }
    assert told["proofs"]["chip_authentication"]["succeeded"] is True
    assert told["proofs"]["active_authentication"]["response_bytes"] == 128
