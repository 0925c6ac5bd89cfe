"""Everything around the lane in a demonstration: simulated devices, pretend States, the registries' reference server, the config."""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

import cv2
import msgspec

from gate.audit.keys import SIGNER_FILE, make_key
from gate.audit.log import KEY_FILE, SEALING_KEY_FILE, gate_key
from gate.config_sections import Fleet, Rules, Section
from gate.demo.cast import Cast
from gate.demo.console import DemoConsole, begin_anew
from gate.demo.faces import chip_portrait, cut_faces, probe_picture
from gate.demo.issue import Passport, create_states, issue_passports, registry_data, trust_store
from gate.demo.panel import DemoPanel, PanelKind
from gate.demo.registries import DemoRegistries
from gate.demo.trust import write_trust
from gate.evidence import Direction
from gate.registries.contracts import CONTRACTS
from gate.runtime import Runtime
from hardware.controller.protocol import LaneKind
from hardware.sim.controller import FirmwareKind, SimulatedController
from hardware.sim.relay import BAD_LINE, FaultRelay, LineKind
from hardware.sim.vpcd import slot_port
from hardware.sim.world import World

GATE = "demo-1"
SNAPSHOT_KEY = "snapshot.key"
AWAIT_NOBODY_S, AWAIT_OFFICER_S = 3, 60
"""How long whoever is held waits: without a console no officer comes."""
PORTRAIT_SEED, PROBE_SEED = 1, 2
"""The chip's portrait and the camera's picture are different degradations of one photo."""
CONFIG = """\
# Written by the demonstration; every device in it is a simulator of this run.
profile = "{profile}"
state_dir = "{state}"

[lane]
id = "{gate}"
checkpoint = "{checkpoint}"
direction = "{direction}"
kind = "{kind}"

[timeouts]
capture_s = 8
await_officer_s = {await_officer_s}

[scanner]
kind = "simulator"
address = "{world}"
mrz = "images"
infrared = true

[chip]
{chip}

[camera]
{camera}

[controller]
device = "{tty}"
key_file = "{key}"
link = "{link}"

[panel]
{panel}

[face]
pack = "{pack}"
packs_dir = "{packs}"

[trust]
store = "{trust}"

{registries}
{rules}[audit]
key = "{audit_key}"
sealing_key = "{sealing_key}"

[screens]
traveller_port = {traveller_port}
officer_port = {officer_port}
{console}{health}{fleet}"""


class DemoStage:
    """Context manager: on entry all simulators run and the configuration is written; on exit they have ended."""

    def __init__(
        self,
        cast: Cast,
        state: Path,
        ports: tuple[int, int],
        packs: Path,
        chip_reader: str | None = None,
        *,
        trust: Path | None = None,
        pack: str = "demo",
        firmware: FirmwareKind = "python",
        lane: LaneKind = "mantrap",
        line: LineKind = "clean",
        panel: PanelKind = "none",
        film: Path | None = None,
        health_port: int | None = None,
        rules: Rules | None = None,
        direction: Direction = Direction.DEPARTURE,
        console: DemoConsole | None = None,
        profile: Literal["demo", "training"] = "demo",
        checkpoint: str = "CGK",
        fleet: Fleet | None = None,
    ) -> None:
        """``packs`` and ``pack``: the folder of face packs, and which of them is used. ``chip_reader``: the virtual PC/SC reader in which the chips lie, instead of on the simulated scanner's antenna.
        ``trust``: a folder of trust stores with real States, to be believed beside the pretend ones. ``firmware``: the gate controller's.
        ``lane``: what stands there. ``line``: the serial line to the controller. ``panel``: the reader's lamp, buzzer and inputs. ``film``: a recording to look at instead of the
        simulated camera: everybody then looks like whoever it shows. ``health_port``: where the gate tells of its health, if anywhere. ``rules``: which,
        instead of the packaged ones. ``direction``: whether the travellers leave or arrive. ``console``: on which officers order.
        ``profile``: that of the configuration. ``checkpoint``: where the gate stands. ``fleet``: the centre that it tells, if any.
        """
        self._rules, self._direction, self._console = rules, direction, console
        self._profile, self._checkpoint, self._fleet = profile, checkpoint, fleet
        self._panel: PanelKind = panel
        self._film, self._health_port = film, health_port
        self._firmware: FirmwareKind = firmware
        self.lane: LaneKind = lane
        self._line: LineKind = line
        self._relay: FaultRelay | None = None
        self._chip_reader, self._trust = chip_reader, trust
        self._cast, self._ports, self._packs, self._pack = cast, ports, packs, pack
        self.state, self.log = state.resolve(), state.resolve() / "processes.log"
        self.passports: dict[str, Passport] = {}
        self._faces = cut_faces()

    def __enter__(self) -> Self:
        _end_orderly()
        self.runtime = Runtime.create()
        self.config_path = self.runtime.folder / "gate.toml"
        self.state.mkdir(parents=True, exist_ok=True)
        begin_anew(self.state)
        try:
            self._raise_curtain()
        except BaseException:
            self._lower_curtain()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._lower_curtain()

    def _raise_curtain(self) -> None:
        key = gate_key(_secret(self.state / KEY_FILE))
        folder = self.runtime.folder
        self.controller = SimulatedController(folder, key, firmware=self._firmware, lane=self.lane)
        self.world = World(folder, self.runtime.secret)
        self.panel = DemoPanel(self._panel, folder, self.world)
        vpcd_port = _vpcd_port(self._chip_reader)
        self.registries = DemoRegistries(folder / "registries", self.log, GATE)
        self.registries.start(registry_data(self._cast))
        self.controller.start()
        tty = self._connect()
        self.world.start(vpcd_port)
        self.panel.start()
        self._issue()
        self.registries.tell(registry_data(self._cast, self._portrait))
        rules = self._rules or (Rules(folder=self._console.rules(folder / "rules")) if self._console else None)
        text = CONFIG.format(
            profile=self._profile,
            checkpoint=self._checkpoint,
            fleet=_table("fleet", self._fleet) if self._fleet else "",
            state=self.state,
            kind=self.lane,
            await_officer_s=AWAIT_OFFICER_S if self._console else AWAIT_NOBODY_S,
            direction=self._direction,
            rules=_table("rules", rules) if rules else "",
            world=folder,
            chip=f'link = "pcsc"\nreader = "{self._chip_reader}"' if self._chip_reader else 'link = "scanner"',
            camera=f'kind = "opencv"\naddress = "{self._film.resolve()}"'
            if self._film
            else f'kind = "simulator"\naddress = "{folder}"',
            console=self._console.config(folder / "roster") if self._console else "",
            health=f"\n[health]\nport = {self._health_port}\n" if self._health_port else "",
            tty=tty,
            key=self.state / KEY_FILE,
            audit_key=_signer(self.state / SIGNER_FILE),
            sealing_key=_secret(self.state / SEALING_KEY_FILE),
            link="modbus" if self._firmware == "modbus" else "gate-link",
            panel=self.panel.config(),
            pack=self._pack,
            packs=self._packs,
            trust=folder / "trust",
            gate=GATE,
            registries=self.registries.config(CONTRACTS, (self.state / "snapshots", _secret(self.state / SNAPSHOT_KEY))),
            traveller_port=self._ports[0],
            officer_port=self._ports[1],
        )
        self.config_path.write_text(text, encoding="utf-8")

    def _connect(self) -> Path:
        """The gate's end of the line to the controller."""
        if self._line == "clean":
            return self.controller.tty
        self._relay = FaultRelay(self.runtime.folder, self.controller.tty)
        self._relay.start()
        self._relay.line(**BAD_LINE)
        return self._relay.tty

    def line(self) -> dict[str, Any] | None:
        """What the line to the controller did to what it carried; None where it is clean."""
        return self._relay.state() if self._relay else None

    def _lower_curtain(self) -> None:
        for part in ("_relay", "controller", "panel", "world", "registries"):
            if device := getattr(self, part, None):
                device.stop()
        self.runtime.remove()

    def _issue(self) -> None:
        now = datetime.now(UTC)
        states = create_states(self._cast, now)
        write_trust(trust_store(self._cast, states), self.runtime.folder / "trust", self._trust, now)
        self.passports = issue_passports(self._cast, states, self._portrait)

    def _portrait(self, name: str) -> bytes:
        """The portrait of ``name`` as it lies in a chip."""
        return chip_portrait(self._faces[name], seed=PORTRAIT_SEED)

    def probe(self, name: str) -> bytes:
        """The picture of ``name`` as the simulated camera shall show it (PNG): another degradation than the chip's portrait."""
        encoded, png = cv2.imencode(".png", probe_picture(self._faces[name], seed=PROBE_SEED))
        assert encoded
        return png.tobytes()


def _table(name: str, section: Section) -> str:
    """``section`` as TOML, for which JSON's strings, numbers and lists of them do."""
    told = msgspec.to_builtins(section, enc_hook=str)
    lines = (f"{key} = {json.dumps(value)}\n" for key, value in told.items() if value is not None)
    return f"\n[{name}]\n{''.join(lines)}"


def _signer(path: Path) -> Path:
    """The key that signs for the log, made once for a state folder."""
    if not path.exists():
        make_key(path)
    return path


def _vpcd_port(chip_reader: str | None) -> int | None:
    """Where the chips are served. Raises DeviceError where the reader is no virtual one, or not there."""
    if chip_reader is None:
        return None
    from hardware.emrtd.pcsc import PcscTransceiver

    port = slot_port(chip_reader)
    PcscTransceiver(chip_reader).close()
    return port


def _end_orderly() -> None:
    """Have SIGTERM unwind like Ctrl-C, so that the curtain comes down while the stage is still being set, too."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def _secret(path: Path) -> Path:
    """A file with a key: made once for a state folder, kept beside what it seals. A key in a file is for demonstrations only."""
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
    return path
