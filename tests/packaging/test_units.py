"""The units: systemd understands them, and what they leave to a service is little."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import package_notify
import pytest
import units

pytestmark = pytest.mark.usefixtures("systemd_analyze")
UNITS = sorted(units.FOLDER.glob("*"))
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
MOST_EXPOSED = 2.0
EVERYWHERE = {
    "User": "autogate",
    "UMask": "0077",
    "LimitCORE": "0",
    "IPAddressDeny": "any",
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "MemoryDenyWriteExecute": "yes",
}


def analysed(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)


def startable(unit: Path, folder: Path, *, change: tuple[str, str] = ("", "")) -> Path:
    """A copy whose command exists here."""
    copy = folder / unit.name
    text = unit.read_text(encoding="utf-8").replace("/usr/bin/autogate", "/bin/true")
    copy.write_text(text.replace(*change) if change[0] else text, encoding="utf-8")
    return copy


def test_systemd_understands_every_unit(tmp_path):
    copies = [startable(unit, tmp_path) for unit in UNITS]
    examined = analysed("verify", "--man=no", "--recursive-errors=no", *copies)
    assert (examined.returncode, examined.stderr.strip()) == (0, "")


def test_a_misspelt_setting_is_found(tmp_path):
    copy = startable(units.FOLDER / "autogate@.service", tmp_path, change=("WatchdogSec", "WatchdogSecs"))
    assert "Unknown key" in analysed("verify", "--man=no", "--recursive-errors=no", copy).stderr


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_no_service_is_more_exposed_than_agreed(unit):
    told = analysed("security", "--offline=true", unit).stdout
    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", told)
    assert level, told
    assert float(level[1]) <= MOST_EXPOSED


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_every_service_runs_as_the_gates_user_without_rights_core_dumps_or_network(unit):
    assert {name: units.values(unit, name)[-1] for name in EVERYWHERE} == EVERYWHERE
    assert units.values(unit, "IPAddressAllow") == ["localhost"]


def test_the_lane_is_told_of_and_stopped_as_the_service_wants_it():
    lane = units.FOLDER / "autogate@.service"
    wanted = {"Type": "notify", "NotifyAccess": "main", "KillMode": "mixed", "WatchdogSec": "10", "TimeoutStopSec": "60"}
    assert {name: units.values(lane, name)[0] for name in wanted} == wanted
    assert units.values(lane, "MemorySwapMax") == ["0"], "faces would go to a disk"


def test_what_a_unit_starts_is_a_command_of_ours_with_its_instance_in_place():
    command, environment = units.started(units.FOLDER / "autogate@.service", "T1")
    assert command == ["/usr/bin/autogate", "serve", "/etc/autogate/T1.toml"]
    assert environment == {"ORT_DISABLE_TELEMETRY": "1", "PYTHONSAFEPATH": "1", "TMPDIR": "/run/autogate/T1"}


def test_the_filter_of_system_calls_leaves_what_a_gate_needs_and_takes_what_it_never_does():
    allowed = units.allowed_calls(units.FOLDER / "autogate@.service", package_notify.groups())
    assert {"execve", "setpriority", "prctl", "openat", "fsync", "socket", "prlimit64", "seccomp"} - allowed <= {"seccomp"}
    assert not allowed & {"mount", "ptrace", "bpf", "reboot", "swapon", "chroot", "init_module", "setuid", "clock_settime"}
