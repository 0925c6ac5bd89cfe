"""One process with the scanner and the camera of a simulated gate, and the director's handle on what lies and stands before them.

``python -m hardware.sim.world --dir DIR --secret-file FILE`` serves ``scanner.sock``, ``camera.sock`` and ``world.sock`` in DIR, says
``ready`` and ends at ``stop`` or when its standard input closes, so that it never outlives who started it. With ``--vpcd PORT`` the
chips lie in that slot of vpcd instead of on the scanner's antenna.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

from hardware.ports import DeviceError
from hardware.sim.server import DeviceClient, DeviceServer, Header, Message

SOCKET = "world.sock"
CHIP_KBIT_S = 424
"""Bit rate that readers and passports usually agree on."""
STOP_S = 5.0


class Passport(Protocol):
    """A book with its chip. ``files`` by name; keys are PKCS#8 DER, empty where the chip has none."""

    @property
    def mrz_lines(self) -> tuple[str, ...]: ...
    @property
    def mrz_information(self) -> str: ...
    @property
    def files(self) -> Mapping[str, bytes]: ...
    @property
    def active_key(self) -> bytes: ...
    @property
    def chip_key(self) -> bytes: ...


class World:
    """The director's side. ``start`` runs the process; the rest may be called from any thread. All raise DeviceError."""

    def __init__(self, folder: Path, secret: str) -> None:
        """``folder`` must exist; its path is what the simulated scanner and camera are opened with."""
        self._folder, self._secret = folder, secret
        self._line = DeviceClient(folder / SOCKET, secret)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, vpcd_port: int | None = None) -> None:
        """Start the process and wait until it serves. With ``vpcd_port`` the chips lie in that slot of vpcd."""
        secret_file = self._folder / "world.secret"
        with os.fdopen(os.open(secret_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(self._secret)
        command = [sys.executable, "-m", "hardware.sim.world", "--dir", str(self._folder), "--secret-file", str(secret_file)]
        command += [] if vpcd_port is None else ["--vpcd", str(vpcd_port)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self._process.stdout is None or self._process.stdout.readline() != b"ready\n":
            self.stop()
            raise DeviceError(str(self._folder), "the simulated scanner and camera did not start", "see their messages above")

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def place(
        self,
        passport: Passport,
        *,
        kbit_s: float | None = CHIP_KBIT_S,
        spoilt: Mapping[str, Any] | None = None,
        look: Mapping[str, Any] | None = None,
        conditions: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Lay a book on the glass; the chip of one without files is dead. ``kbit_s`` None: the air takes no time. ``spoilt``: what a chip may be, of ``hardware.sim.chip.SPOILABLE``.

        ``look``: how it is printed (``hardware.sim.page.Look``); ``conditions``: what the first picture of each light meets, the second, and
        so on, the last one for all further (``hardware.sim.glass.Conditions``).
        """
        header = {
            "do": "place",
            "mrz_lines": passport.mrz_lines,
            "mrz_information": passport.mrz_information,
            "files": list(passport.files),
            "kbit_s": kbit_s,
            "spoilt": dict(spoilt or {}),
            "look": dict(look or {}),
            "conditions": [dict(each) for each in conditions],
        }
        self._line.ask(header, [passport.active_key, passport.chip_key, *passport.files.values()])

    def lift(self) -> None:
        self._line.ask({"do": "lift"})

    def show_face(self, png: bytes, seed: int = 0) -> None:
        """Somebody with this picture (PNG or JPEG, head and shoulders) walks up to the camera."""
        self._line.ask({"do": "face", "seed": seed}, [png])

    def clear_face(self) -> None:
        self._line.ask({"do": "no_face"})

    def panel_executed(self) -> list[dict[str, Any]]:
        """What the simulated panel did since this was last asked, as :attr:`hardware.sim.osdp_pd.PluggedInPanel.executed`."""
        return list(self._line.ask({"do": "panel"})[0]["executed"])

    def switch_panel(self, **inputs: bool) -> None:
        """Press or release the panel's button (``assistance``), open or shut its enclosure (``tamper``)."""
        self._line.ask({"do": "switch", **inputs})

    def stop(self) -> None:
        """End the process; again is harmless."""
        self._line.close()
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class WorldServer:
    """The process's own side: both stages and the director's socket."""

    def __init__(self, folder: Path, secret: str, vpcd_port: int | None = None) -> None:
        from hardware.sim import camera, panel, scanner, vpcd  # the director's process needs no cv2 for its handle

        self._slot = None if vpcd_port is None else vpcd.VirtualSlot(vpcd.run_atr(secret), vpcd_port)
        self.stopped = threading.Event()
        self.scanner, self.camera, self.panel = scanner.ScannerStage(), camera.CameraStage(), panel.PanelStage()
        self._servers = (
            DeviceServer(folder / scanner.SOCKET, secret, self.scanner.handle),
            DeviceServer(folder / camera.SOCKET, secret, self.camera.handle),
            DeviceServer(folder / panel.SOCKET, secret, self.panel.handle),
            DeviceServer(folder / SOCKET, secret, self.handle),
        )

    def handle(self, header: Header, bodies: list[bytes]) -> Message:
        match header["do"]:
            case "place":
                self._place(header, bodies)
            case "lift":
                if self._slot:
                    self._slot.place(None)
                self.scanner.remove()
            case "face":
                self._show(bodies[0], header["seed"])
            case "panel":
                return {"executed": self.panel.executed()}, []
            case "switch":
                self.panel.switch(**{name: header[name] for name in ("assistance", "tamper") if name in header})
            case "no_face":
                self.camera.clear()
            case "stop":
                self.stopped.set()
            case other:
                raise ValueError(f"the world cannot {other!r}")
        return {}, []

    def _place(self, header: Header, bodies: list[bytes]) -> None:
        from cryptography.hazmat.primitives.serialization import load_der_private_key

        from hardware.sim.chip import SPOILABLE, LinkModel, VirtualPassport

        active, chip_key = (load_der_private_key(key, None) if key else None for key in bodies[:2])
        link = None if header["kbit_s"] is None else LinkModel(kbit_s=header["kbit_s"])
        files = dict(zip(header["files"], bodies[2:], strict=True))
        # PACE's chip authentication mapping proves the key that chip authentication does.
        chip = VirtualPassport(files, header["mrz_information"], active, chip_key, link, cam_key=chip_key)  # type: ignore[arg-type]  # kinds as issued
        for name, value in header["spoilt"].items():
            if name not in SPOILABLE:
                raise ValueError(f"a chip's {name!r} cannot be set")
            setattr(chip, name, value)
        if self._slot and files:
            self._slot.place(chip)
        self.scanner.place(
            tuple(header["mrz_lines"]), None if self._slot or not files else chip, header["look"], header["conditions"]
        )

    def _show(self, encoded: bytes, seed: int) -> None:
        import cv2
        import numpy as np

        picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR) if encoded else None
        if picture is None:
            raise ValueError("not a picture")
        self.camera.show(np.asarray(picture, dtype=np.uint8), seed)

    def close(self) -> None:
        if self._slot:
            self._slot.close()
        for server in self._servers:
            server.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m hardware.sim.world", description="Simulated scanner and camera.")
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--secret-file", type=Path, required=True)
    parser.add_argument("--vpcd", type=int, metavar="PORT")
    options = parser.parse_args()
    world = WorldServer(options.dir, options.secret_file.read_text(encoding="ascii"), options.vpcd)
    threading.Thread(target=_until_stdin_closes, args=(world.stopped,), daemon=True).start()
    print("ready", flush=True)
    world.stopped.wait()
    world.close()
    return 0


def _until_stdin_closes(stopped: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    stopped.set()


if __name__ == "__main__":
    raise SystemExit(main())
