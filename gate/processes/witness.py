"""Does the gate controller contradict itself? Its bolt switches are one sensor of a door, the light barriers that count passages another.

Somebody who walked through a door that was reported locked all the while proves one of the two wrong. Which one nobody can tell from
here, so the lane goes out of service and says what it saw.
"""

from __future__ import annotations

from hardware.controller.protocol import Door, Leaf, Passage, Telemetry

LOCKED_MS = 500
"""Reported locked for this long by the controller's own clock, before a passage is a contradiction: the leaf took its time to
close before that, and a report that the line swallowed a dozen times in a row ends the session."""


class DoorWitness:
    """Holds what was said of each door against who walked through it."""

    def __init__(self, watched: frozenset[Door] = frozenset(Door)) -> None:
        """``watched``: the doors that are there."""
        self._watched = watched
        self._locked_since: dict[Door, int] = {}
        self._uptime = 0

    def forget(self) -> None:
        """The link is gone: what was said before says nothing about now."""
        self._locked_since.clear()

    def telemetry(self, told: Telemetry) -> None:
        if told.uptime_ms < self._uptime:
            self.forget()  # the controller started anew
        self._uptime = told.uptime_ms
        for door, leaf in ((Door.ENTRY, told.entry), (Door.EXIT, told.exit)):
            if leaf is Leaf.LOCKED and not told.emergency:
                self._locked_since.setdefault(door, told.uptime_ms)
            else:
                self._locked_since.pop(door, None)

    def passage(self, seen: Passage) -> str:
        """The contradiction that ``seen`` shows, in words; empty where there is none."""
        since = self._locked_since.get(seen.door)
        if seen.door not in self._watched or since is None or self._uptime - since < LOCKED_MS:
            return ""
        return f"the {seen.door.name.lower()} was reported locked while somebody walked through it"
