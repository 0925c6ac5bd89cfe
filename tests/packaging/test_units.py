"""The units: systemd understands them, and what they leave to a service is little."""

from __future__ import annotations

import re
import subprocess
from datetime import timedelta
from pathlib import Path

import build_deb
import debian_package
import package_notify
import pytest
import units

from gate.__main__ import _parser
from gate.fleet.keys.authority import LIFE, RENEW
from gate.fleet.updates.repository import LASTS

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


CENTRE = {
    "autogate-authority.service": "--state S --name N --url tls://b",
    "autogate-broker.service": "--host h --store S",
    "autogate-collect.service": "--key K --keys F",
    "autogate-director.service": "--repository R --key K",
    "autogate-page.service": "--roster R --signer a:b",
    "autogate-publish.service": "--repository R --key K",
    "autogate-renew@.service": "--state S --name N --url tls://b",
}
"""Unit → options that an operator has to name (centre.conf)."""
SETTINGS = debian_package.TEMPLATES / "autogate-centre/centre.conf"
ENDS = {"autogate-publish": LASTS["timestamp"], "autogate-renew@": RENEW, "autogate-broker": LIFE}
"""Timer → how long before it is too late it comes for the first time."""
UNITS_OF_TIME = {"min": "minutes", "h": "hours", "d": "days"}


def lasting(text: str) -> timedelta:
    number, unit = re.fullmatch(r"(\d+)(min|h|d)", text).groups()
    return timedelta(**{UNITS_OF_TIME[unit]: int(number)})


@pytest.mark.parametrize("unit", CENTRE)
def test_what_a_unit_of_the_centre_starts_is_a_command_of_ours_with_what_its_settings_add(unit):
    (command, *words), _ = units.started(units.FOLDER / unit, "director")
    assert command == "/usr/bin/autogate"
    settings = [word[1:] for word in words if word.startswith("$")]
    assert len(settings) == 1
    assert f"\n{settings[0]}=\n" in SETTINGS.read_text(encoding="ascii")
    typed = [word for word in words if not word.startswith("$")] + CENTRE[unit].split()
    told = vars(_parser(*typed[:2]).parse_args(typed))
    assert told["command"] == typed[0]
    assert told.get("refresh", True), "a timer that brings a draft into force, or that ends where one waits for signatures"


@pytest.mark.parametrize("name", ENDS)
def test_a_timer_that_failed_twice_is_still_in_time(name):
    timer, service = units.FOLDER / f"{name}.timer", units.FOLDER / f"{name}.service"
    (every,), (late,) = units.values(timer, "OnUnitActiveSec"), units.values(timer, "RandomizedDelaySec")
    assert 3 * (lasting(every) + lasting(late)) <= ENDS[name]
    assert units.values(service, "Type") == ["oneshot"]


def test_who_holds_a_certificate_starts_again_often_enough_to_show_the_next_one():
    for name in ("collect", "director", "authority"):
        (often,) = units.values(units.FOLDER / f"autogate-{name}.service", "RuntimeMaxSec")
        assert lasting(often) < RENEW - lasting(units.values(units.FOLDER / "autogate-renew@.timer", "OnUnitActiveSec")[0])


def test_who_needs_no_network_has_none():
    alone = {unit.name for unit in SERVICES if units.values(unit, "PrivateNetwork") == ["yes"]}
    assert alone == {"autogate-publish.service", "autogate-broker.service"}


def test_what_is_stopped_for_good_is_all_that_the_package_of_a_centre_brought():
    script = (debian_package.TEMPLATES / "autogate-centre/prerm").read_text(encoding="utf-8")
    started = [unit for unit in build_deb.UNITS["autogate-centre"] if units.values(units.FOLDER / unit, "WantedBy")]
    assert all(unit.replace("@.", "*.") in script for unit in started), started
