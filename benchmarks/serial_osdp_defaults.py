"""libosdp's own control panel with its own settings: a refresh every 20 ms, and the waits that it was built with.

Run by :mod:`benchmarks.serial_osdp`, with whichever Python has the libosdp to be looked at; needs nothing else.
``python serial_osdp_defaults.py TTY KEY-FILE COMMANDS LIMIT_S``: on its standard input comes a line once the device is there and the line
is as it shall be; JSON comes out: for each beep that was ordered, when, and whether the library said that it was done.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
import tty
from pathlib import Path

import osdp

APART_S = 0.03
ANSWER_S = 0.5


class Line(osdp.Channel):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._line = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._line)

    def read(self, max_bytes: int) -> bytes:
        return os.read(self._line, max_bytes) if select.select([self._line], [], [], 0)[0] else b""

    def write(self, buf: bytes) -> int:
        return os.write(self._line, buf)

    def flush(self) -> None:
        self.read(4096)


def main() -> None:
    path, key_file, commands, limit = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    answered: list[int] = []
    information = osdp.PDInfo(
        0, Line(path), scbk=bytes.fromhex(key_file.read_text(encoding="ascii")), flags=[osdp.LibFlag.EnforceSecure]
    )
    panel = osdp.ControlPanel(
        [information],
        log_level=osdp.LogLevel.Emergency,
        command_completion_handler=lambda _address, command, status: answered.append(
            command["rep_count"] if status == osdp.CompletionStatus.Ok else -command["rep_count"]
        ),
    )
    panel.start()
    panel.sc_wait_all()
    print("up", flush=True)
    sys.stdin.readline()
    ordered, until = {}, time.monotonic() + limit
    for beep in range(1, commands + 1):
        ordered[beep] = time.monotonic()
        before = len(answered)
        taken = panel.submit_command(
            0,
            {
                "command": osdp.Command.Buzzer,
                "reader": 0,
                "control_code": 2,
                "on_count": 1,
                "off_count": 1,
                "rep_count": beep,
            },
        )
        patience = time.monotonic() + ANSWER_S
        while taken and len(answered) == before and time.monotonic() < patience:
            time.sleep(0.002)
        time.sleep(APART_S)
        if time.monotonic() > until:
            break
    print(json.dumps({"ordered": ordered, "done": [beep for beep in answered if beep > 0]}), flush=True)
    panel.stop()


if __name__ == "__main__":
    main()
