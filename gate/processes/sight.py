"""How old is what the lane sees of its doors? By the gate controller's own clock, not by when the lane came to hear it.

A process that was held up finds old telemetry in its buffers and takes it all in at once. So each telemetry's age is reckoned from the
controller's uptime: the least by which the machine's boot time was lately ahead of it stands for a report that nothing held up. Lately means
while the lane was awake: of the time that it was held up it has seen nothing. A controller whose clock lost time is believed again after that.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from hardware.controller.protocol import COMMS_LOST_S, LEASE_MS, Telemetry

OLDEST_S = LEASE_MS / 1000
"""Nobody is let further on anything older. An opening lasts as long without the lane: what the controller does not believe of a silent
lane, the lane does not believe of a silent controller. Telemetry comes five times as often."""
LATELY_S = COMMS_LOST_S / 2
"""What was seen within this long, and within as long before it, counts as lately: all in all as long as a line may be silent."""
STEP_S = 0.1
"""More between two reports is no time that the lane was awake."""


class Sight:
    """The age of the newest telemetry. ``boot`` tells boot seconds; ``oldest_s``: from when on it is stale."""

    def __init__(self, boot: Callable[[], float], oldest_s: float = OLDEST_S) -> None:
        self._boot, self._oldest_s = boot, oldest_s
        self.forget()

    def forget(self) -> None:
        """The link is gone, or begins anew: nothing is seen."""
        self._uptime: float | None = None
        self._handled = self._awake = 0.0
        self._ahead = self._ahead_before = math.inf
        """The least by which boot time was ahead of the uptime: lately, and before."""

    def telemetry(self, told: Telemetry) -> bool:
        """``told`` is handled now. False where nobody saw the lane for longer than a line may be silent, between the one before and this."""
        now, uptime, before = self._boot(), told.uptime_ms / 1000, self._uptime
        self._awake += min(now - self._handled, STEP_S)
        if self._awake > LATELY_S:
            self._awake, self._ahead, self._ahead_before = 0.0, math.inf, self._ahead
        self._ahead = min(self._ahead, now - uptime)
        self._handled, self._uptime = now, uptime
        return before is None or uptime - before <= max(COMMS_LOST_S, self._oldest_s)

    @property
    def stale(self) -> bool:
        """Nothing was seen of the doors for too long, or nothing ever."""
        ahead = min(self._ahead, self._ahead_before)
        return self._uptime is None or self._boot() - self._uptime - ahead > self._oldest_s
