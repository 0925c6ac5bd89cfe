"""Does the gate controller contradict itself? Its bolt switches are one sensor of a door, the light barriers that count passages another.

Somebody who walked through a door that was reported locked all the while proves one of the two wrong. Which one nobody can tell from
here, so the lane goes out of service and says what it saw. So it does where the exit let out one more than it was opened for: whether
somebody slipped out behind the traveller or the sensor over the lane had counted two for one, an officer has to look.
"""

from __future__ import annotations

from hardware.controller.protocol import Door, Leaf, Passage, Telemetry

LOCKED_MS = 500
"""Reported locked for this long by the controller's own clock, before a passage is a contradiction: the leaf took its time to
close before that, and a report that the line swallowed a dozen times in a row ends the session."""


class DoorWitness:
    """Holds what was said of each door, and how many it was opened for, against who walked through it."""

    def __init__(self, watched: frozenset[Door] = frozenset(Door)) -> None:
        """``watched``: the doors that are there."""
        self._watched = watched
        self._locked_since: dict[Door, int] = {}
        self._out, self._all_may_leave = 0, False
        self._uptime = 0

    def forget(self) -> None:
        """The link is gone: what was said before says nothing about now."""
        self._locked_since.clear()
        self._out = 0

    def telemetry(self, told: Telemetry) -> None:
        if told.uptime_ms < self._uptime:
            self.forget()  # the controller started anew
        self._uptime, self._all_may_leave = told.uptime_ms, told.emergency or not told.mains
        if told.exit is Leaf.LOCKED or self._all_may_leave:
            self._out = 0
        for door, leaf in ((Door.ENTRY, told.entry), (Door.EXIT, told.exit)):
            if leaf is Leaf.LOCKED and not told.emergency:
                self._locked_since.setdefault(door, told.uptime_ms)
            else:
                self._locked_since.pop(door, None)

    def passage(self, seen: Passage) -> str:
        """What ``seen`` shows to be wrong, in words; empty where that is nothing."""
        since = self._locked_since.get(seen.door)
        if seen.door in self._watched and since is not None and self._uptime - since >= LOCKED_MS:
            return f"the {seen.door.name.lower()} was reported locked while somebody walked through it"
        if seen.door is Door.EXIT and not self._all_may_leave:
            self._out = max(0, self._out + (-1 if seen.inwards else 1))
            if self._out > 1:
                return "a second person went out by the exit before it was locked again"
        return ""
