"""Why the lane takes nobody now: each cause with its sentence, as the officer's page shows it.

A worker that is away and a service that is being stopped keep the lane from *beginning*: whoever is already inside is served to the end.
The table knows nothing of this. It is shown a lane without supervision while it could begin, and its own rows do the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from gate.lane import State, View

BEFORE_ENTRY = frozenset({State.OUT_OF_SERVICE, State.RECOVER, State.IDLE, State.DOCUMENT})
"""Nobody was let in yet."""
AT_REST = frozenset({State.OUT_OF_SERVICE, State.FAULT, State.EMERGENCY, State.NO_POWER})
"""Here the lane drives no door: the controller alone sees to whoever is inside, and an officer."""
AWAITS_RESET = frozenset({State.FAULT, State.EMERGENCY})
"""Somebody has to look before the lane takes travellers again."""
CONTROLLER, LINK = "controller", "link"
"""What the gate controller said or showed against itself, until somebody looked; that it cannot be reached, until it can."""
STOPPING, CLOSED = "stopping", "closed"
"""The service is being stopped; an officer closed the lane."""
SUPERVISION, NOBODY_WATCHES = "supervision", "no officer is on watch: sign in at the console"
"""Where officers supervise."""
EMERGENCY_OPENED = "emergency"
"""Two officers opened the lane in an emergency, until one has looked."""
BENT = "log"
"""The log was found to have been changed: until the service is started again, by whoever looked into it."""
DRAIN_S = 30.0
"""Longest that whoever is inside when the service is stopped may take; then the leases lapse, and the controller lets them out."""
LONGEST = 200
"""Characters of a sentence."""


class Fitness:
    """The causes that hold now."""

    def __init__(self, causes: Mapping[str, str] = MappingProxyType({})) -> None:
        self._causes = dict(causes)

    @property
    def causes(self) -> Mapping[str, str]:
        return self._causes

    def note(self, cause: str, why: str) -> None:
        """``cause`` holds, because of ``why``; empty: it holds no longer."""
        if why:
            self._causes[cause] = why[:LONGEST]
        else:
            self._causes.pop(cause, None)

    @property
    def may_begin(self) -> bool:
        """Whether the lane may take a traveller as far as this goes. How the controller is the table sees for itself."""
        return not self._causes.keys() - {CONTROLLER, LINK}

    @property
    def words(self) -> tuple[str, ...]:
        """For the officer's page, each as ``cause: why``."""
        return tuple(f"{cause}: {why}" for cause, why in self._causes.items())

    def seen(self, state: State, view: View) -> View:
        """``view`` as the table is to see it in ``state``."""
        return view if self.may_begin or state not in BEFORE_ENTRY else replace(view, supervised=False)
