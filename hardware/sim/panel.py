"""The simulated panel: a lamp, a buzzer and two switches in the world's process, and the panel process's side of them."""

from __future__ import annotations

import dataclasses
import threading
import time
from pathlib import Path

from hardware.ports import DeviceError, PanelSignal, PanelStatus
from hardware.sim.server import DeviceClient, Header, Message

SOCKET = "panel.sock"
TICK_S = 0.01


class PanelStage:
    """The panel itself. ``handle`` answers the panel's process; the rest is the director's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inputs = {"assistance": False, "tamper": False}
        self._executed: list[Header] = []

    def handle(self, header: Header, _bodies: list[bytes]) -> Message:
        if header["do"] not in {"show", "look"}:
            raise ValueError(f"the panel cannot {header['do']!r}")
        with self._lock:
            if header["do"] == "show":
                signal = PanelSignal(**header["signal"])
                self._executed.append({"lamp": signal.lamp, "blink": signal.blink, "at": time.monotonic()})
                if signal.beeps:
                    self._executed.append({"beeps": signal.beeps, "at": time.monotonic()})
            return dict(self._inputs), []

    def switch(self, **inputs: bool) -> None:
        """Press or release the button (``assistance``), open or shut the enclosure (``tamper``)."""
        with self._lock:
            self._inputs.update({name: bool(inputs[name]) for name in inputs if name in self._inputs})

    def executed(self) -> list[Header]:
        """What it did since it was last asked, in order."""
        with self._lock:
            done, self._executed = self._executed, []
        return done


class SimulatedPanel:
    """A :class:`hardware.ports.ReaderPanel`. ``folder`` is where the simulated world has its sockets."""

    def __init__(self, folder: str, secret: str) -> None:
        self._line = DeviceClient(Path(folder) / SOCKET, secret)
        self._wanted = PanelSignal(lamp="off")
        self._status = PanelStatus()

    def show(self, signal: PanelSignal) -> None:
        self._wanted = signal

    def work(self, timeout: float) -> PanelStatus:
        until, before = time.monotonic() + timeout, self._status
        while True:
            self._status = self._exchange(self._wanted)
            if self._status != before or time.monotonic() >= until:
                return self._status
            time.sleep(TICK_S)

    def _exchange(self, wanted: PanelSignal) -> PanelStatus:
        showing = wanted is self._status.shown
        try:
            inputs, _ = self._line.ask({"do": "look"} if showing else {"do": "show", "signal": dataclasses.asdict(wanted)})
        except DeviceError as error:
            return PanelStatus(fault=str(error))
        return PanelStatus(shown=wanted, assistance=inputs["assistance"], tamper=inputs["tamper"])

    def close(self) -> None:
        self._line.close()
