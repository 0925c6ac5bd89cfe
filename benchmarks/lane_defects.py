"""Defects sown into the lane's table and into the controller's safety logic. Each must break an invariant, or say why it cannot.

A defect of the table is sought where nothing but the table keeps the lane safe (``tests/gate/test_lane_model.py``); one of the
controller where the host is nobody one could trust (``lane_model.AnyHost``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import lane_world as w
from hardware.controller.protocol import Close, Door, GateCommand, Leaf, OpenEntry, OpenExit, Outcome
from hardware.sim import interlock
from hardware.sim.interlock import Drive, Inputs, Interlock

Want = interlock._Want


class OpensExitForAnyCount(Interlock):
    def _open_exit(self, command: OpenExit, now: int) -> Outcome:
        if self._inputs.fire or self.leaf(Door.ENTRY) is not Leaf.LOCKED:
            return Outcome.REFUSED_INTERLOCK
        self._open(Door.EXIT, command.lease_ms, now)
        return Outcome.EXECUTED


class OpensExitBesideAnOpenEntry(Interlock):
    def _open_exit(self, command: OpenExit, now: int) -> Outcome:
        if self._inputs.fire or self._inputs.occupancy != 1 or self._inputs.object_left:
            return Outcome.REFUSED_OCCUPIED
        self._open(Door.EXIT, command.lease_ms, now)
        return Outcome.EXECUTED


class OpensExitInFire(Interlock):
    def _open_exit(self, command: OpenExit, now: int) -> Outcome:
        self._open(Door.EXIT, command.lease_ms, now)
        return Outcome.EXECUTED


class AdmitsOntoAnOccupiedTrap(Interlock):
    def _open_entry(self, command: OpenEntry, now: int) -> Outcome:
        if self._inputs.fire or self.leaf(Door.EXIT) is not Leaf.LOCKED:
            return Outcome.REFUSED_INTERLOCK
        self._open(Door.ENTRY, command.lease_ms, now)
        return Outcome.EXECUTED


class OpensEntryBesideAnOpenExit(Interlock):
    def _open_entry(self, command: OpenEntry, now: int) -> Outcome:
        if self._inputs.fire:
            return Outcome.REFUSED_EMERGENCY
        self._open(Door.ENTRY, command.lease_ms, now)
        return Outcome.EXECUTED


class ClosesOnSomebody(Interlock):
    def _blocked(self, door: Door, state: object, now: int) -> bool:
        return False


class ClosesInFire(Interlock):
    def _free_all(self, now: int) -> None:
        self._order(Door.ENTRY, Want.FREE, now)


class FireIsTheHostsBusiness(Interlock):
    def _free_all(self, now: int) -> None:
        return


class LeaseNeverLapses(Interlock):
    def _end_lease(self, now: int) -> None:
        return


class LapseStopsNothing(Interlock):
    def _lapse(self, door: Door, now: int) -> None:
        self._leased = None


class LapseLocksTheOccupantIn(Interlock):
    def _lapse(self, door: Door, now: int) -> None:
        self._order(door, Want.SHUT, now)

    def _release_or_relock(self, now: int) -> None:
        return


class NobodyIsReleased(Interlock):
    def _release_or_relock(self, now: int) -> None:
        return


class ReleaseNeedsALockedExit(Interlock):
    def _exit_given_up(self, now: int) -> bool:
        return False


class ReleaseForgetsTheExit(Interlock):
    def _exit_given_up(self, now: int) -> bool:
        return True


class OnePermitManyPassages(Interlock):
    def _end_lease(self, now: int) -> None:
        door = self._leased
        if door is not None and (now >= self._lease_until or not self._inputs.mains):
            self._lapse(door, now)


class FollowsEveryDrive(Interlock):
    """Puts out what the last command wished, lease or not."""

    def _drive(self, door: Door, now: int) -> Drive:
        return {Want.FREE: Drive.FREE, Want.OPEN: Drive.OPEN, Want.SHUT: Drive.SHUT}[self._doors[door].want]


class AnyRenewalOpensAgain(Interlock):
    def renew(self, lease_ms: int, now: int) -> None:
        super().renew(lease_ms, now)
        if self._leased is None and self._inputs.occupancy == 1 and not self._inputs.fire:
            self._order(Door.EXIT, Want.OPEN, now)
            self._leased = Door.EXIT


class BelievesTheHostsClose(Interlock):
    """A leaf that was told to shut counts as locked at once."""

    def leaf(self, door: Door) -> Leaf:
        return Leaf.LOCKED if self._doors[door].want is Want.SHUT else super().leaf(door)


class CloseFreesTheOther(Interlock):
    def execute(self, command: GateCommand, now: int) -> Outcome:
        outcome = super().execute(command, now)
        if isinstance(command, Close) and command.door is Door.EXIT and outcome is Outcome.EXECUTED:
            self._order(Door.ENTRY, Want.FREE, now)
        return outcome


class UncertainIsNobody(Interlock):
    def tick(self, now: int, inputs: Inputs) -> interlock.Outputs:
        return super().tick(now, w.replace(inputs, occupancy=inputs.occupancy or 0))


HOST, BROKEN_HOST, TABLE = "any host", "any host and a fault", "the table and a fault"

CONTROLLERS: dict[str, tuple[type[Interlock], str]] = {
    "the exit opens for any count": (OpensExitForAnyCount, BROKEN_HOST),
    "the exit opens beside an open entry": (OpensExitBesideAnOpenEntry, HOST),
    "the exit opens in a fire": (OpensExitInFire, BROKEN_HOST),
    "admission onto an occupied trap": (AdmitsOntoAnOccupiedTrap, HOST),
    "the entry opens beside an open exit": (OpensEntryBesideAnOpenExit, HOST),
    "a leaf closes on somebody": (ClosesOnSomebody, HOST),
    "fire frees the entry alone": (ClosesInFire, BROKEN_HOST),
    "fire is the host's business": (FireIsTheHostsBusiness, BROKEN_HOST),
    "a lease never lapses": (LeaseNeverLapses, HOST),
    "a lapse stops nothing": (LapseStopsNothing, HOST),
    "a lapse locks the occupant in": (LapseLocksTheOccupantIn, HOST),
    "nobody is ever released": (NobodyIsReleased, HOST),
    "a jammed exit keeps the entry locked": (ReleaseNeedsALockedExit, TABLE),
    "an open exit counts as given up": (ReleaseForgetsTheExit, HOST),
    "one permit, many passages": (OnePermitManyPassages, HOST),
    "drives follow every order": (FollowsEveryDrive, HOST),
    "any renewal opens the exit again": (AnyRenewalOpensAgain, HOST),
    "a leaf told to shut counts as locked": (BelievesTheHostsClose, HOST),
    "closing the exit frees the entry": (CloseFreesTheOther, HOST),
    "an uncertain count is nobody": (UncertainIsNobody, BROKEN_HOST),
}
"""Name → the controller, and under whom it shows."""


@contextmanager
def controller(defective: type[Interlock]) -> Iterator[None]:
    """The world has this controller."""
    former, w.BUILD = w.BUILD, defective
    try:
        yield
    finally:
        w.BUILD = former
