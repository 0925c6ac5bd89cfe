"""The reader's panel in a demonstration: none, the simulated one, or libosdp's own device on a serial line, under a key drawn for the run."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from hardware.sim.world import World

PanelKind = Literal["none", "simulator", "osdp"]


class DemoPanel:
    """``folder`` is that of the run; ``world`` holds the simulated panel. Raises DeviceError where libosdp is wanted and not installed."""

    def __init__(self, kind: PanelKind, folder: Path, world: World) -> None:
        self._kind, self._folder, self._world = kind, folder, world
        self._seen = 0
        if kind == "osdp":
            from hardware.osdp import library
            from hardware.sim.osdp_pd import PluggedInPanel

            library()
            self._key_file = folder / "panel.key"
            self._device = PluggedInPanel(folder / "panel", self._key_file)

    def start(self) -> None:
        """Plug it in. Raises DeviceError."""
        if self._kind == "osdp":
            with os.fdopen(os.open(self._key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_hex(16))
            self._device.start()

    def config(self) -> str:
        """Its section of the configuration."""
        match self._kind:
            case "none":
                return 'kind = "none"'
            case "simulator":
                return f'kind = "simulator"\nport = "{self._folder}"'
            case "osdp":
                return f'kind = "osdp"\nport = "{self._device.tty}"\nkey_file = "{self._key_file}"'

    def shown(self) -> tuple[str, ...]:
        """What the device itself says that it did since this was last asked: ``blue``, ``green blinking``, ``1 beep`` …"""
        match self._kind:
            case "none":
                return ()
            case "simulator":
                return tuple(_words(did) for did in self._world.panel_executed())
            case "osdp":
                did, self._seen = self._device.executed[self._seen :], len(self._device.executed)
                return tuple(_words(each) for each in did)

    def stop(self) -> None:
        """End it; again is harmless."""
        if self._kind == "osdp":
            self._device.stop()


def _words(did: Mapping[str, Any]) -> str:
    if "beeps" in did:
        return f"{did['beeps']} beep{'s' * (did['beeps'] > 1)}"
    return f"{did['lamp']} blinking" if did["blink"] else str(did["lamp"])
