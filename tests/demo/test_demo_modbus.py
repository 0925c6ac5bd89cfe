"""The demonstration over Modbus, by configuration alone: pymodbus on the gate's side, libmodbus on the controller's."""

from __future__ import annotations

import importlib.util
import os

import pytest

from gate.audit.log import KEY_FILE, open_readonly
from hardware.sim.compiled import MODBUS


@pytest.fixture(autouse=True, scope="module")
def both_libraries():
    lacking = [] if MODBUS.exists() else ["the controller on Modbus is not built: make modbus-controller, with libmodbus-dev"]
    if importlib.util.find_spec("pymodbus") is None:
        lacking.append("pymodbus is not installed: make setup-modbus")
    if lacking:
        pytest.fail(lacking[0]) if os.environ.get("AUTOGATE_REQUIRE_ALL") == "1" else pytest.skip(lacking[0])


def test_travellers_fare_over_modbus_as_over_the_gate_link_and_every_record_names_it(modbus_run):
    assert modbus_run.outcomes() == {
        "ordinary": ("OPEN", []),
        "two-on-one": ("RETRY", ["MORE_THAN_ONE_PERSON"]),
    }, modbus_run.log()
    for transaction in modbus_run.result["transactions"]:
        assert "blue" in transaction["panel"]
        assert transaction["backends"]["controller"].endswith("(Modbus RTU, UnsafeUnauthenticatedLink)")
    key = (modbus_run.state / KEY_FILE).read_bytes().strip()
    with open_readonly(modbus_run.state / "audit.sqlite3", key) as log:
        assert log.verify() == []
