"""libosdp's own peripheral device in a process of its own, and the panel that drives it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hardware import osdp
from hardware.controller.serial_port import SerialPort
from hardware.osdp_key import read_key
from hardware.ports import DeviceError, PanelSignal, PanelStatus
from hardware.sim.osdp_pd import PluggedInPanel

LIMIT_S = 10.0


class Kit:
    """What the tests need of it by name."""

    @staticmethod
    def key_file(path: Path) -> Path:
        path.write_text(secrets.token_hex(16), encoding="ascii")
        path.chmod(0o600)
        return path

    @staticmethod
    def panel(tty: Path, key_file: Path, **options: int) -> osdp.OsdpPanel:
        return osdp.OsdpPanel(lambda: SerialPort(str(tty)), 0, read_key(key_file), **options)

    @staticmethod
    def until(panel: osdp.OsdpPanel, condition: Callable[[PanelStatus], object], limit_s: float = LIMIT_S) -> PanelStatus:
        """Serve the panel until its status is as wanted."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            if condition(status := panel.work(0.05)):
                return status
        raise AssertionError(f"not within {limit_s:.0f} s: {status}")

    @classmethod
    def shows(cls, panel: osdp.OsdpPanel, **signal: object) -> PanelStatus:
        wanted = PanelSignal(**signal)  # type: ignore[arg-type]  # a test's own keywords
        panel.show(wanted)
        return cls.until(panel, lambda status: status.shown == wanted)

    @staticmethod
    def serve(panel: osdp.OsdpPanel, seconds: float) -> PanelStatus:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            status = panel.work(0.05)
        return status

    @classmethod
    def executes(cls, panel: osdp.OsdpPanel, device: PluggedInPanel, count: int) -> list[object]:
        """What the device did, without times, once it did ``count`` things; and nothing more in a while."""
        cls.until(panel, lambda _: len(device.executed) >= count)
        cls.serve(panel, 0.2)
        return [{name: value for name, value in each.items() if name != "at"} for each in device.executed]


@pytest.fixture(scope="session")
def kit(request: pytest.FixtureRequest) -> type[Kit]:
    """Skips where libosdp is absent or has the long waits it comes with (or fails, where everything is required)."""
    absent = request.config.pluginmanager.get_plugin(str(Path(__file__).parents[2] / "conftest.py")).absent  # type: ignore[union-attr]
    try:
        label = osdp.label()
    except DeviceError as error:
        absent(str(error))
    if "ready-made" in label:
        absent("libosdp is not built here: make setup-osdp")
    return Kit


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is to be told of a short loss, and of no late beep; here both come sooner."""
    monkeypatch.setattr(osdp, "GRACE_S", 0.5)
    monkeypatch.setattr(osdp, "BEEP_WITHIN_S", 0.7)


@pytest.fixture
def key_file(kit: type[Kit], tmp_path: Path) -> Path:
    return kit.key_file(tmp_path / "panel.key")


@pytest.fixture
def device(key_file: Path, tmp_path: Path) -> Iterator[PluggedInPanel]:
    with PluggedInPanel(tmp_path / "tty", key_file) as device:
        yield device


@pytest.fixture
def panel(kit: type[Kit], device: PluggedInPanel, key_file: Path) -> Iterator[osdp.OsdpPanel]:
    panel = kit.panel(device.tty, key_file)
    yield panel
    panel.close()
