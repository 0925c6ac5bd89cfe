"""Sets of cases as cubes: for each axis the values allowed, all combinations of which belong to the set.

A rule is one cube, a grant is one for each profile, and what is left of a grant when the rules have spoken is a union of a few. All
operations are exact, so a statement about a set is one about each of its cases, of which there may be more than could ever be tried.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import prod
from operator import and_

Cube = tuple[int, ...]
"""One bit mask per axis of its :class:`Space`; no mask is 0."""


@dataclass(frozen=True, slots=True)
class Space:
    """The axes and the values of each; a bit of a mask stands for the value in that place."""

    axes: Mapping[str, tuple[str, ...]]
    whole: Cube = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "whole", tuple((1 << len(values)) - 1 for values in self.axes.values()))

    def cube(self, conditions: Mapping[str, Collection[str]]) -> Cube:
        """The cases in which each axis of ``conditions`` has one of its values. Raises KeyError for an axis that is none."""
        if unknown := conditions.keys() - self.axes.keys():
            raise KeyError(*unknown)
        masks = [
            sum(1 << place for place, value in enumerate(values) if axis not in conditions or value in conditions[axis])
            for axis, values in self.axes.items()
        ]
        assert all(masks), f"no value of an axis is allowed: {conditions}"
        return tuple(masks)

    def words(self, cube: Cube) -> dict[str, tuple[str, ...]]:
        """Axis → values, for each axis that ``cube`` restricts."""
        return {
            axis: tuple(value for place, value in enumerate(values) if mask >> place & 1)
            for (axis, values), mask, full in zip(self.axes.items(), cube, self.whole, strict=True)
            if mask != full
        }

    def without(self, cube: Cube, axis: str) -> Cube:
        """``cube`` with every value of ``axis``."""
        place = list(self.axes).index(axis)
        return (*cube[:place], self.whole[place], *cube[place + 1 :])

    def sliced(self, cubes: Iterable[Cube], axis: str, value: str) -> list[Cube]:
        """What of ``cubes`` has ``value`` on ``axis``, with every value of that axis."""
        place = list(self.axes).index(axis)
        bit = 1 << self.axes[axis].index(value)
        return [self.without(cube, axis) for cube in cubes if cube[place] & bit]


def intersection(one: Cube, other: Cube) -> Cube | None:
    """The cases in both; None where there is none."""
    masks = tuple(a & b for a, b in zip(one, other, strict=True))
    return masks if all(masks) else None


def meets(one: Cube, other: Cube) -> bool:
    """Whether any case is in both."""
    return all(map(and_, one, other))


def contains(outer: Cube, inner: Cube) -> bool:
    return all(b & ~a == 0 for a, b in zip(outer, inner, strict=True))


def minus(cubes: Iterable[Cube], taken: Iterable[Cube]) -> list[Cube]:
    """The cases of ``cubes`` in none of ``taken``: all the largest cubes that can be made of them."""
    gone = dict.fromkeys(taken)
    left = largest(cube for cube in cubes if cube not in gone)  # two rule sets have most cubes in common
    for cube in gone:
        if any(meets(each, cube) for each in left):
            left = largest(piece for each in left for piece in _pieces(each, cube))
    return left


def outside(cube: Cube, taken: Sequence[Cube]) -> Cube | None:
    """Some cases of ``cube`` that are in none of ``taken``; None where there are none. Much sooner found than all of them are."""
    if any(contains(gone, cube) for gone in taken):
        return None
    for place, gone in enumerate(taken):
        if meets(cube, gone):
            rest = taken[place + 1 :]
            return next((found for piece in _pieces(cube, gone) if (found := outside(piece, rest))), None)
    return cube


def _pieces(cube: Cube, taken: Cube) -> Iterator[Cube]:
    if not meets(cube, taken):
        yield cube
        return
    for place, (mask, gone) in enumerate(zip(cube, taken, strict=True)):
        if rest := mask & ~gone:
            yield (*cube[:place], rest, *cube[place + 1 :])


def largest(cubes: Iterable[Cube]) -> list[Cube]:
    """``cubes`` without those that lie in another."""
    kept: list[Cube] = []
    for cube in sorted(set(cubes), key=lambda cube: (-size([cube]), cube)):
        if not any(contains(each, cube) for each in kept):
            kept.append(cube)
    return kept


def cover(cubes: Iterable[Cube]) -> list[Cube]:
    """The same cases in few and large cubes: none could be larger, and none is made up by the others."""
    kept = grown = _grown(largest(cubes))
    for cube in reversed(grown):
        others = [each for each in kept if each != cube]
        if not minus([cube], others):
            kept = others
    return kept


def _grown(cubes: list[Cube]) -> list[Cube]:
    """All cubes of these cases that could not be larger: two that meet or touch along one axis span a third, until none is new."""
    while True:
        spanned = largest([*cubes, *(third for one, other in combinations(cubes, 2) for third in _spanned(one, other))])
        if spanned == cubes:
            return cubes
        cubes = spanned


def _spanned(one: Cube, other: Cube) -> Iterator[Cube]:
    """What both have on all axes but one, with what either has on that one."""
    common = [a & b for a, b in zip(one, other, strict=True)]
    for place, (a, b) in enumerate(zip(one, other, strict=True)):
        if all(mask for at, mask in enumerate(common) if at != place):
            yield (*common[:place], a | b, *common[place + 1 :])


def size(cubes: Iterable[Cube]) -> int:
    """How many cases there are; one that is in several cubes counts once."""
    total = 0
    seen: list[Cube] = []
    for cube in cubes:
        fresh = [cube]
        for each in seen:
            fresh = [piece for part in fresh for piece in _apart(part, each)]
        total += sum(prod(mask.bit_count() for mask in part) for part in fresh)
        seen.append(cube)
    return total


def _apart(cube: Cube, taken: Cube) -> Iterator[Cube]:
    """What of ``cube`` is not in ``taken``, in pieces that share no case."""
    common = intersection(cube, taken)
    if common is None:
        yield cube
        return
    for place, mask in enumerate(cube):
        if rest := mask & ~common[place]:
            yield (*common[:place], rest, *cube[place + 1 :])
