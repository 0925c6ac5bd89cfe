"""The doctor lists devices by the names that stay with them, and says which configured one is missing and what to do."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from gate import devices
from gate.config import Camera, Chip, Scanner, load
from gate.doctor import Finding, doctor_command, examine
from hardware.ports import DeviceError

EXAMPLE = Path(__file__).parents[2] / "docs" / "gate.example.toml"


@pytest.fixture
def plugged(tmp_path, monkeypatch):
    """Two folders as udev keeps them, with a camera and a serial device."""
    for name, folder in (("SERIAL", "serial"), ("CAMERAS", "v4l")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"usb-Acme_{folder}_0001").symlink_to("/dev/null")
        monkeypatch.setattr(devices, name, tmp_path / folder)
    monkeypatch.setattr(devices, "pcsc_readers", lambda: ("Acme Contactless 00 00",))
    return tmp_path


@pytest.fixture
def config(tmp_path):
    text = EXAMPLE.read_text(encoding="utf-8").replace('profile = "trial"', 'profile = "demo"').split("[registries")[0]
    replaced = {'"/dev/serial/by-id/gate-controller"': '"tty"', '"/dev/v4l/by-id/gate-camera"': '"film"', '"approved"': '"demo"'}
    for old, new in (replaced | {'"/dev/serial/by-id/mrz-reader"': '"tty"', '"/etc/autogate/trust"': '"trust"'}).items():
        text = text.replace(old, new)
    (tmp_path / "trust").mkdir()
    (tmp_path / "trust" / "DEMO").touch()
    path = tmp_path / "gate.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def found(config) -> dict[str, Finding]:
    checked = (check(config) for check in devices.CHECKS)
    return {finding.check: finding for finding in checked if finding is not None}


def test_what_is_plugged_in_is_listed_by_its_stable_name_without_a_configuration(plugged):
    listed = found(None)
    assert listed["serial"].what == str(plugged / "serial" / "usb-Acme_serial_0001")
    assert listed["camera"].what == str(plugged / "v4l" / "usb-Acme_v4l_0001")
    assert listed["pcsc"].what == "Acme Contactless 00 00"
    assert all(finding.ok for finding in listed.values())


def test_a_missing_device_is_found_with_what_is_there_instead(plugged, config):
    changed = msgspec.structs.replace(
        config,
        camera=Camera(kind="opencv", address="/dev/v4l/by-id/absent"),
        scanner=Scanner(kind="serial", address="/dev/serial/by-id/absent", profile="rte", mrz="device"),
        chip=Chip(link="pcsc", reader="Other 00 00"),
    )
    for check in ("camera", "scanner", "pcsc"):
        finding = found(changed)[check]
        assert not finding.ok
        assert "absent" in finding.what
        assert "Acme" in finding.remedy


def test_a_present_device_is_fine_and_a_name_that_may_pass_on_is_said(plugged, config):
    camera = str(plugged / "v4l" / "usb-Acme_v4l_0001")
    fine = found(msgspec.structs.replace(config, camera=Camera(kind="opencv", address=camera)))["camera"]
    assert (fine.ok, fine.what) == (True, camera)
    passing = found(msgspec.structs.replace(config, camera=Camera(kind="opencv", address="/dev/null")))["camera"]
    assert passing.ok
    assert "by-id" in passing.what


def test_a_device_that_may_not_be_read_is_found_with_its_group(plugged, config, tmp_path, monkeypatch):
    film = tmp_path / "locked.avi"
    film.touch(mode=0o000)
    monkeypatch.setattr(os, "access", lambda path, mode: (path, mode) != (str(film), os.R_OK))  # root may read everything
    finding = found(msgspec.structs.replace(config, camera=Camera(kind="opencv", address=str(film))))["camera"]
    assert (finding.ok, finding.remedy) == (False, "add the user to the group video")


def test_no_pcsc_service_is_a_fault_only_where_a_reader_is_configured(plugged, config, monkeypatch):
    def none():
        raise DeviceError("PC/SC", "no service", "start pcscd")

    monkeypatch.setattr(devices, "pcsc_readers", none)
    assert found(None)["pcsc"].ok
    wanted = found(msgspec.structs.replace(config, chip=Chip(link="pcsc", reader="Other 00 00")))["pcsc"]
    assert (wanted.ok, wanted.remedy) == (False, "start pcscd")


def test_the_command_lists_devices_too(plugged, capsys):
    doctor_command(None)
    assert "usb-Acme_v4l_0001" in capsys.readouterr().out


def test_every_check_of_a_device_is_one_of_the_doctors_kind(plugged, config):
    assert {finding.check for finding in examine(config, devices.CHECKS)} >= {"serial", "camera", "pcsc"}
