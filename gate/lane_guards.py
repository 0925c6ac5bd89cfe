"""The conditions in the lane's table (``gate/lane.py``): named, pure, no side effects."""

from __future__ import annotations

from gate.lane_terms import Lane, View
from hardware.controller.protocol import Leaf

RETRIES = 3
"""Attempts to close a leaf again before the lane gives up."""


def always(_lane: Lane, _view: View) -> bool:
    return True


def fire(_lane: Lane, view: View) -> bool:
    return view.emergency


def no_mains(_lane: Lane, view: View) -> bool:
    return not view.mains


def link_gone(_lane: Lane, view: View) -> bool:
    return not view.linked


def unsupervised(_lane: Lane, view: View) -> bool:
    return not view.supervised


def both_locked(_lane: Lane, view: View) -> bool:
    return view.entry is Leaf.LOCKED and view.exit is Leaf.LOCKED


def both_unlocked(lane: Lane, view: View) -> bool:
    return entry_unlocked(lane, view) and exit_unlocked(lane, view)


def entry_unlocked(_lane: Lane, view: View) -> bool:
    return view.entry is not Leaf.LOCKED


def exit_unlocked(_lane: Lane, view: View) -> bool:
    return view.exit is not Leaf.LOCKED


def exit_locked(_lane: Lane, view: View) -> bool:
    return view.exit is Leaf.LOCKED


def several_inside(_lane: Lane, view: View) -> bool:
    return view.occupancy is not None and view.occupancy > 1


def not_one(_lane: Lane, view: View) -> bool:
    return view.occupancy != 1


def nobody_inside(_lane: Lane, view: View) -> bool:
    return view.occupancy == 0


def vacant(lane: Lane, view: View) -> bool:
    """Both leaves locked, nobody and nothing between them."""
    return both_locked(lane, view) and view.occupancy == 0 and not view.object_left


def ready(lane: Lane, view: View) -> bool:
    return vacant(lane, view) and view.supervised and view.linked


def free(lane: Lane, view: View) -> bool:
    """A single door may serve: it is locked, nothing lies before it. Who stands there is no matter yet."""
    return both_locked(lane, view) and not view.object_left and view.supervised and view.linked


def entry_off_its_strap(lane: Lane, view: View) -> bool:
    """The controller, left alone, unlocked an entry that a single door has not."""
    return exit_locked(lane, view) and entry_unlocked(lane, view)


def shut_not_vacant(lane: Lane, view: View) -> bool:
    return both_locked(lane, view) and not vacant(lane, view)


def one_inside_clear(_lane: Lane, view: View) -> bool:
    return view.occupancy == 1 and view.entry_clear


def entry_empty_clear(_lane: Lane, view: View) -> bool:
    return view.occupancy == 0 and view.entry_clear


def all_gone_clear(lane: Lane, view: View) -> bool:
    """Nobody and nothing inside, nobody in the entry: it may close."""
    return entry_empty_clear(lane, view) and not view.object_left


def exit_empty_clear(_lane: Lane, view: View) -> bool:
    return view.occupancy == 0 and view.exit_clear


def locked_one_live(lane: Lane, view: View) -> bool:
    return both_locked(lane, view) and view.occupancy == 1 and lane.live


def locked_nobody(lane: Lane, view: View) -> bool:
    return both_locked(lane, view) and view.occupancy == 0


def passable(lane: Lane, view: View) -> bool:
    """What every opening of the exit needs (I2): exactly one person, no object, both leaves locked, supervision, link."""
    return both_locked(lane, view) and view.occupancy == 1 and not view.object_left and view.supervised and view.linked


def permitted(lane: Lane, view: View) -> bool:
    return passable(lane, view) and lane.live


def occupied_exit_locked(_lane: Lane, view: View) -> bool:
    """Somebody is, or may be, inside and may be let out of the entry."""
    return view.exit is Leaf.LOCKED and view.occupancy != 0


def occupied_entry_unlocked(lane: Lane, view: View) -> bool:
    return occupied_exit_locked(lane, view) and entry_unlocked(lane, view)


def exit_closable(_lane: Lane, view: View) -> bool:
    return view.exit in {Leaf.OPEN, Leaf.RELEASED} and view.exit_clear


def entry_closable(_lane: Lane, view: View) -> bool:
    """Never closes on, or in front of, somebody: the exit is locked, the trap empty, the threshold clear."""
    return view.entry in {Leaf.OPEN, Leaf.RELEASED} and view.exit is Leaf.LOCKED and view.occupancy == 0 and view.entry_clear


def retries_left(lane: Lane, _view: View) -> bool:
    return lane.retries < RETRIES


def admissible_again(lane: Lane, view: View) -> bool:
    """The entry shut before anybody walked in, and the verdict still stands."""
    nobody_yet = view.occupancy == 0 and not view.object_left and view.exit is Leaf.LOCKED
    return nobody_yet and lane.live and lane.retries < RETRIES and view.supervised and view.linked
