"""The doctor finds what would stop a gate, names the remedy, and the five names are ours alone."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from gate import doctor
from gate.audit.keys import make_key, open_signer
from gate.audit.log import FILE_NAME, AuditLog
from gate.clock import WALL_FLOOR_FILE
from gate.config import (
    Camera,
    Config,
    Console,
    Controller,
    Face,
    Fleet,
    Lane,
    Panel,
    Registries,
    Registry,
    RegistryTls,
    Scanner,
    Screens,
    Snapshots,
    Trust,
)
from gate.devices import CHECKS as DEVICES
from gate.doctor import OUR_NAMES, Finding, doctor_command, examine, foreign_names, refuse_foreign_names
from gate.evidence import Direction
from gate.fleet.keys.directory import Directory, Entry, encoded
from gate.registries.reference.certificates import write_identities
from gate.registries.sources import problem
from pki.sim import PretendState
from pki.trust import save_trust_store

REPOSITORY = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def config(tmp_path):
    state = PretendState.create(country="XX", name="CSCA", now=datetime.now(UTC))
    save_trust_store(state.trust_store(), tmp_path / "trust")
    master, slave = os.openpty()
    yield Config(
        profile="demo",
        state_dir=tmp_path,
        lane=Lane(id="1", checkpoint="CGK", direction=Direction.DEPARTURE),
        scanner=Scanner(kind="simulator", address="scanner"),
        camera=Camera(kind="simulator", address="camera"),
        controller=Controller(device=os.ttyname(slave)),
        face=Face(pack="demo", packs_dir=tmp_path / "packs"),
        trust=Trust(store=tmp_path / "trust"),
        screens=Screens(traveller_port=free_port(), officer_port=free_port()),
    )
    os.close(master)
    os.close(slave)


def failed(config: Config | None) -> list[str]:
    return [finding.check for finding in examine(config) if not finding.ok]


def test_registries_want_their_keys_and_a_certificate_of_this_gate(config, tmp_path):
    folder = tmp_path / "registries"
    write_identities(folder, "1")
    tls = {name: folder / "tls" / file for name, file in {"ca": "ca.pem", "certificate": "gate.pem", "key": "gate.key"}.items()}
    asked = Registry(url="https://127.0.0.1:1", key=folder / "public" / "issuance.pem")
    registries = Registries(tls=RegistryTls(**tls), issuance=asked)
    good = msgspec.structs.replace(config, registries=registries)
    assert "registries" not in [*failed(config), *failed(good)]
    secret = msgspec.structs.replace(asked, key=folder / "keys" / "issuance.pem")
    server = RegistryTls(**tls | {"certificate": folder / "tls" / "server.pem", "key": folder / "tls" / "server.key"})
    for wrong in (
        msgspec.structs.replace(registries, issuance=msgspec.structs.replace(asked, key=folder / "absent")),
        msgspec.structs.replace(registries, issuance=secret),
        msgspec.structs.replace(registries, tls=RegistryTls(**tls | {"key": folder / "tls" / "server.key"})),
        msgspec.structs.replace(registries, tls=server),
        msgspec.structs.replace(registries, snapshots=Snapshots(folder=folder, key_file=folder / "absent")),
    ):
        assert "registries" in failed(msgspec.structs.replace(config, registries=wrong)), wrong
    assert "holds from" in problem(good, datetime(2001, 1, 1, tzinfo=UTC))


def test_swap_is_for_demonstrations_alone(config, tmp_path, monkeypatch):
    def swap(profile: str) -> Finding:
        return next(found for found in examine(msgspec.structs.replace(config, profile=profile)) if found.check == "swap")

    monkeypatch.setattr(doctor, "SWAPS", tmp_path / "swaps")
    head = "Filename\t\tType\t\tSize\tUsed\tPriority\n"
    doctor.SWAPS.write_text(head)
    assert swap("trial").ok
    doctor.SWAPS.write_text(f"{head}/dev/sda2\tpartition\t1024\t0\t-2\n")
    assert swap("demo").ok
    assert not swap("trial").ok
    assert "/dev/sda2" in swap("trial").what


def test_a_gate_for_operation_names_every_registry_that_its_rules_want(config, tmp_path):
    asked = Registry(url="https://127.0.0.1:1", key=tmp_path / "absent")

    def found(**named: Registry) -> str:
        trial = msgspec.structs.replace(config, profile="trial", registries=Registries(**named))
        return next(finding.what for finding in examine(trial) if finding.check == "registries")

    departing = ("connected_one", "issuance", "exit_permit", "watchlist", "lost_and_stolen", "stay_permit")
    assert found().startswith(f"{', '.join((*departing, 'crossing'))} not named")
    assert found(**dict.fromkeys(departing, asked)).startswith("crossing not named")
    assert "not named" not in found(**dict.fromkeys((*departing, "crossing"), asked))
    arriving = msgspec.structs.replace(config.lane, direction=Direction.ARRIVAL)
    config = msgspec.structs.replace(config, lane=arriving)
    assert found(**dict.fromkeys((*departing, "crossing"), asked)).startswith("arrival_declaration not named")


def test_a_registries_key_that_everybody_may_read_is_none(config, tmp_path):
    write_identities(tmp_path, "1")
    files = {"ca": "ca.pem", "certificate": "gate.pem", "key": "gate.key"}
    tls = RegistryTls(**{name: tmp_path / "tls" / file for name, file in files.items()})
    snapshots = Snapshots(folder=tmp_path, key_file=tmp_path / "snapshot.key")
    snapshots.key_file.write_text("ab" * 32)
    snapshots.key_file.chmod(0o600)
    asked = Registry(url="https://127.0.0.1:1", key=tmp_path / "public" / "issuance.pem")
    good = msgspec.structs.replace(config, registries=Registries(tls=tls, snapshots=snapshots, issuance=asked))
    for secret in (tls.key, snapshots.key_file):
        for mode, fine in ((0o600, True), (0o440, True), (0o604, False), (0o602, False)):
            secret.chmod(mode)
            assert ("registries" not in failed(good)) is fine, (secret.name, oct(mode))
        secret.chmod(0o600)


def test_a_panel_wants_its_key_libosdp_and_its_line(config, tmp_path):
    key = tmp_path / "panel.key"
    panel = Panel(kind="osdp", port=config.controller.device, key_file=key)
    assert "panel" not in failed(config)
    assert "panel" in failed(msgspec.structs.replace(config, panel=panel))
    key.write_text("5b1e9c02d7f4438a60b93e77c1250fae")
    key.chmod(0o600)
    (finding,) = [each for each in examine(msgspec.structs.replace(config, panel=panel)) if each.check == "panel"]
    assert "OSDP" in finding.what if finding.ok else finding.remedy == "make setup-osdp"


def test_a_gate_of_a_fleet_wants_keys_that_count_a_certificate_that_has_not_ended_and_room(config, tmp_path, monkeypatch):
    pytest.importorskip("nats")
    make_key(tmp_path / "fleet.key")
    public = open_signer(tmp_path / "fleet.key", "x").public.hex()
    own = Entry(
        purpose="gate",
        name=f"{config.lane.checkpoint}.{config.lane.id}",
        public=public,
        since=datetime(2026, 1, 1, tzinfo=UTC),
        until=datetime(2999, 1, 1, tzinfo=UTC),
    )
    keys = tmp_path / "keys.json"
    keys.write_bytes(encoded(Directory(sequence=1, entries=(own,))))
    fleet = Fleet(url="nats://127.0.0.1:9", signing_key=tmp_path / "fleet.key", keys=keys)

    def found(fleet: Fleet) -> str:
        looked = examine(msgspec.structs.replace(config, fleet=fleet))
        return next("" if each.ok else each.what for each in looked if each.check == "fleet")

    assert found(fleet) == ""
    log = AuditLog(config.state_dir / FILE_NAME, b"k" * 32)
    log.append("event", "", b"{}", datetime.now(UTC) - timedelta(days=1), 0.0)
    log.close()
    assert found(fleet) == ""
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=30_000))
    assert "14 are needed" in found(fleet)
    keys.write_bytes(encoded(Directory(sequence=2, entries=(msgspec.structs.replace(own, name="DPS.D99"),))))
    assert "DPS.D99" in found(fleet)
    (tmp_path / "fleet.key").unlink()
    assert "No such file" in found(fleet)
    tls = dict.fromkeys(("ca", "certificate", "key"), tmp_path / "absent")
    assert "absent" in found(msgspec.structs.replace(fleet, **tls))


def test_a_sound_machine_has_no_failed_check_and_keeps_no_trace(config, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    before = sorted(tmp_path.rglob("*"))
    assert failed(config) == []
    assert len(examine(config)) == len(doctor.CHECKS)
    assert sorted(tmp_path.rglob("*")) == before


def test_each_fault_of_the_lane_is_found_with_a_remedy(config, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    faults = {
        "state": {"state_dir": tmp_path / "absent"},
        "controller": {"controller": Controller(device="/dev/ttyABSENT")},
        "trust": {"trust": Trust(store=tmp_path / "nothing")},
        "face pack": {"face": Face(pack="absent", packs_dir=tmp_path)},
    }
    for check, change in faults.items():
        findings = [finding for finding in examine(msgspec.structs.replace(config, **change)) if not finding.ok]
        assert [finding.check for finding in findings] == [check]
        assert findings[0].remedy


def test_a_controller_that_is_a_plain_file_or_may_not_be_opened_is_found(config, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    assert "controller" in failed(msgspec.structs.replace(config, controller=Controller(device=str(tmp_path / "file"))))
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "controller" in failed(config)


def test_a_taken_port_is_found(config):
    with socket.socket() as other:
        other.bind(("127.0.0.1", config.screens.officer_port))
        other.listen()
        finding = next(each for each in examine(config) if each.check == "ports")
    assert not finding.ok
    assert str(config.screens.officer_port) in finding.what
    assert str(config.screens.traveller_port) not in finding.what


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_port_of_the_console_that_is_taken_at_either_address_of_localhost_is_found(config, tmp_path, family, host):
    try:
        other = socket.create_server((host, 0), family=family)
    except OSError as error:
        pytest.skip(f"this machine has no {host}: {error}")
    with other:
        port = other.getsockname()[1]
        with_console = msgspec.structs.replace(config, console=Console(port=port, roster=tmp_path))
        finding = next(each for each in examine(with_console) if each.check == "ports")
    assert (finding.ok, finding.what) == (False, f"{port} on {host} already in use")


@pytest.mark.parametrize("floor", ["2999-01-01T00:00:00+00:00", "damaged"])
def test_a_clock_behind_what_was_seen_is_found(config, floor):
    (config.state_dir / WALL_FLOOR_FILE).write_text(floor)
    assert "clock" in failed(config)


def test_telemetry_that_is_on_or_was_on_is_found(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "telemetry" not in failed(None)
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY")
    assert "telemetry" in failed(None)
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "1")
    (tmp_path / doctor.TELEMETRY_FOLDER).mkdir(parents=True)
    assert "telemetry" in failed(None)


def test_two_distributions_that_share_cv2_are_found(monkeypatch, tmp_path):
    assert "opencv" not in failed(None)
    (tmp_path / "opencv_python-5.0.dist-info").mkdir()
    (tmp_path / "opencv_python-5.0.dist-info" / "top_level.txt").write_text("cv2\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    assert "opencv" in failed(None)


def test_a_check_that_the_system_stops_is_a_finding_and_further_checks_run_last():
    def disk(_):
        raise OSError(5, "Input/output error")

    findings = examine(None, [disk, lambda _: Finding(check="mine", ok=True, what="fine"), lambda _: None])
    assert [(finding.check, finding.ok) for finding in findings[-2:]] == [("disk", False), ("mine", True)]


def test_the_command_prints_a_line_for_each_check_and_says_by_its_exit_whether_one_failed(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert doctor_command() == 0
    assert capsys.readouterr().out.count("\n") == len(examine(None, DEVICES)) + 1
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    assert doctor_command() == 1
    assert "FAIL  telemetry" in capsys.readouterr().out
    assert doctor_command(tmp_path / "absent.toml") == 2


# --- our names ---------------------------------------------------------------------------------------------------------


def test_our_names_are_ours_and_the_fast_way_agrees_with_importlib_metadata():
    assert foreign_names() == []
    refuse_foreign_names()
    slow = metadata.packages_distributions()
    names = (*OUR_NAMES, "cv2", "numpy", "serial", "msgspec")
    assert {name: {owner.lower() for owner in slow.get(name, ())} for name in names} == doctor._owners(names)


def start(*folders: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A process that starts as every entry point does, from elsewhere, with ``folders`` before all others."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))}
    command = [sys.executable, "-c", "from gate.doctor import refuse_foreign_names as check; check(); print('started')"]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=cwd, env=environment)


def foreign_distribution(folder: Path, *files: str) -> None:
    (folder / "mrz-0.6.2.dist-info").mkdir(parents=True)
    (folder / "mrz-0.6.2.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: mrz\nVersion: 0.6.2\n")
    (folder / "mrz-0.6.2.dist-info" / "RECORD").write_text("".join(f"{file},,\n" for file in files))


def test_without_a_foreign_package_the_process_starts(tmp_path):
    assert start(tmp_path, cwd=tmp_path).stdout == "started\n"


@pytest.mark.parametrize("files", [["mrz/__init__.py"], ["mrz.py"], ["mrz-0.6.2.dist-info/METADATA", "mrz/base/x.py"]])
def test_a_second_owner_of_one_name_stops_the_start_in_one_line(tmp_path, files):
    foreign_distribution(tmp_path, *files)
    run = start(tmp_path, cwd=tmp_path)
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert "the name mrz is claimed by mrz" in run.stderr


def test_a_distribution_that_only_sounds_alike_does_not(tmp_path):
    foreign_distribution(tmp_path, "mrz_reader/__init__.py", "other/mrz/__init__.py")
    assert start(tmp_path, cwd=tmp_path).stdout == "started\n"


@pytest.mark.parametrize("shadow", ["mrz/__init__.py", "mrz.py"])
def test_a_folder_that_shadows_one_of_our_names_without_an_owner_stops_the_start(tmp_path, shadow):
    (tmp_path / shadow).parent.mkdir(exist_ok=True)
    (tmp_path / shadow).touch()
    run = start(tmp_path, cwd=tmp_path)
    assert run.returncode == 1
    assert "mrz is not imported from" in run.stderr


def problems_within(site: Path) -> str:
    """What the check finds where ``site`` is all that is installed."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); from gate.doctor import foreign_names; print(*foreign_names())"
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(site)], capture_output=True, text=True, check=True, timeout=30
    )
    return run.stdout


def test_an_overwritten_and_then_a_deleted_folder_of_ours_stop_the_start(tmp_path):
    # As pip does it with wheels: both packages write site-packages/mrz, and removing theirs removes ours.
    shutil.copytree(REPOSITORY / "gate", tmp_path / "gate", ignore=shutil.ignore_patterns("__pycache__"))
    for name in OUR_NAMES[1:]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / "autogate-0.1.0.dist-info").mkdir()
    (tmp_path / "autogate-0.1.0.dist-info" / "top_level.txt").write_text("\n".join(OUR_NAMES))
    assert problems_within(tmp_path) == "\n"
    foreign_distribution(tmp_path, "mrz/__init__.py")
    assert "the name mrz is claimed by mrz" in problems_within(tmp_path)
    shutil.rmtree(tmp_path / "mrz-0.6.2.dist-info")
    (tmp_path / "mrz" / "__init__.py").unlink()
    assert "mrz is not imported from" in problems_within(tmp_path)
    shutil.rmtree(tmp_path / "autogate-0.1.0.dist-info")
    assert "claimed by no installed distribution" in problems_within(tmp_path)


def test_the_check_at_start_up_loads_the_standard_library_alone():
    code = "import sys; from gate.doctor import refuse_foreign_names as check; check(); print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30, cwd=REPOSITORY)
    assert {"msgspec", "numpy", "cv2", "onnxruntime", "cryptography", "importlib.metadata"}.isdisjoint(run.stdout.split())
