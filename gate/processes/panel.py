"""The panel process: the reader's lamp, buzzer, button and tamper switch. It alone loads libosdp.

It hears the word on the traveller's screen and no more, and can say four things, none of which opens, closes or decides anything.
What the panel cannot do is said to the lane and waited for: the lane does not need it.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

from gate.config import Config
from gate.panel import SIGNALS
from gate.processes.messages import AnyMessage, PanelReport, PanelView
from gate.processes.worker import Worker, worker_main
from gate.runtime import Runtime
from hardware.controller.serial_port import SerialPort
from hardware.ports import DeviceError, PanelSignal, PanelStatus, ReaderPanel

WORK_S = 0.25
"""How long the thread serves the panel before it looks whether it shall end."""
RETRY_S = 2.0
"""Between two attempts at a panel that cannot be begun with: its key or libosdp is missing."""


def open_panel(config: Config, runtime: Runtime) -> ReaderPanel:
    """The panel that the configuration names. Raises DeviceError."""
    panel = config.panel
    if panel.kind == "osdp":
        from hardware.osdp import OsdpPanel
        from hardware.osdp_key import read_key

        assert panel.port is not None
        assert panel.key_file is not None
        path, baud, key = panel.port, panel.baud, read_key(panel.key_file)
        return OsdpPanel(lambda: SerialPort(path, baud), panel.address, key, assistance_input=panel.assistance_input)
    from hardware.sim.panel import SimulatedPanel

    assert panel.port is not None
    return SimulatedPanel(panel.port, runtime.secret)


def label(config: Config) -> str:
    """What serves, for the records. Empty where nothing can."""
    if config.panel.kind != "osdp":
        return "simulated panel"
    from hardware.osdp import label as osdp_label

    try:
        return osdp_label()
    except DeviceError:
        return ""


class PanelWork:
    """The blocking side: one thread that serves the panel and says what changed."""

    def __init__(self, open_panel: Callable[[], ReaderPanel], post: Callable[[AnyMessage], None]) -> None:
        self._open, self._post = open_panel, post
        self._wanted = PanelSignal(lamp="off")
        self._panel: ReaderPanel | None = None
        self._stopped = threading.Event()
        self._told: PanelReport | None = None

    def on_message(self, message: AnyMessage) -> None:
        """For the loop: what the lane says."""
        if isinstance(message, PanelView):
            self._wanted = SIGNALS[message.screen]
            if self._panel is not None:
                self._panel.show(self._wanted)

    def stop(self) -> None:
        self._stopped.set()

    def run(self) -> None:
        """Serve until stopped."""
        while not self._stopped.is_set():
            try:
                panel = self._panel = self._open()
            except DeviceError as error:
                self._tell(PanelStatus(fault=str(error)))
                self._stopped.wait(RETRY_S)
                continue
            panel.show(self._wanted)
            while not self._stopped.is_set():
                self._tell(panel.work(WORK_S))
            panel.close()

    def _tell(self, status: PanelStatus) -> None:
        report = PanelReport(fault=status.fault, assistance=status.assistance, tamper=status.tamper)
        if report != self._told:
            self._told = report
            self._post(report)


def hush() -> None:
    """Let libosdp say nothing on standard error: a panel could fill the disk with its complaints. What we say there still arrives."""
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


async def serve(config: Config, runtime: Runtime) -> None:
    worker = Worker("panel", runtime, {"panel": label(config)})
    work = PanelWork(lambda: open_panel(config, runtime), worker.post)
    await worker.run(work.run, work.stop, work.on_message)


if __name__ == "__main__":
    hush()
    raise SystemExit(worker_main("panel", serve))
