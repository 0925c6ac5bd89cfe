"""The Merkle tree over the log's records, hashed as RFC 6962 §2.1 does: a leaf behind 0x00, a node behind 0x01, the left half a power of two.

Pure: what is kept of a tree, and where, is said in ``store.py``. Leaves count from 0, so record ``seq`` is leaf ``seq - 1``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Self

HASH_BYTES = 32
EMPTY = hashlib.sha256(b"").digest()
"""Root of a tree without leaves."""
Node = Callable[[int, int], bytes]
"""Level, number → hash of the complete subtree over the leaves from ``number << level`` up to ``(number + 1) << level``."""


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The complete subtrees at a tree's right edge, which is all that growing takes."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    @classmethod
    def of(cls, size: int, node: Node) -> Self:
        """The edge of the tree over the first ``size`` leaves."""
        edge = cls()
        edge.size = size
        levels = range(size.bit_length() - 1, -1, -1)
        edge._peaks = [node(level, (size >> level) - 1) for level in levels if size >> level & 1]
        return edge

    def add(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Append a leaf (its hash). Returns the nodes that it completed, itself first: level, number, hash."""
        level, number, made = 0, self.size, [(0, self.size, leaf)]
        while number & 1:
            leaf = node_hash(self._peaks.pop(), leaf)
            level, number = level + 1, number >> 1
            made.append((level, number, leaf))
        self._peaks.append(leaf)
        self.size += 1
        return made

    def root(self) -> bytes:
        if not self._peaks:
            return EMPTY
        found = self._peaks[-1]
        for peak in self._peaks[-2::-1]:
            found = node_hash(peak, found)
        return found


def inclusion(node: Node, number: int, size: int) -> list[bytes]:
    """The path that shows leaf ``number`` in the tree of ``size`` (RFC 6962 §2.1.1). Needs 0 ≤ number < size."""
    low, high, path = 0, size, []
    while high - low > 1:
        middle = low + _half(high - low)
        if number < middle:
            path.append(_subtree(node, middle, high))
            high = middle
        else:
            path.append(_subtree(node, low, middle))
            low = middle
    return path[::-1]


def consistency(node: Node, old: int, new: int) -> list[bytes]:
    """What shows that the tree of ``new`` begins with that of ``old`` (RFC 6962 §2.1.2). Needs 0 ≤ old ≤ new; empty for 0."""
    if old == 0:
        return []
    low, high, path = 0, new, []
    while old != high:
        middle = low + _half(high - low)
        if old <= middle:
            path.append(_subtree(node, middle, high))
            high = middle
        else:
            path.append(_subtree(node, low, middle))
            low = middle
    return ([_subtree(node, low, high)] if low else []) + path[::-1]


def is_included(leaf: bytes, number: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether ``path`` leads from the leaf to ``root`` (RFC 9162 §2.1.3.2)."""
    if not 0 <= number < size:
        return False
    at, last, found = number, size - 1, leaf
    for each in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(each, found)
            at, last = _up_to_odd(at, last)
        else:
            found = node_hash(found, each)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def is_consistent(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether ``path`` shows that the second tree begins with the first (RFC 9162 §2.1.4.2). Everything begins with nothing."""
    if old in {0, new}:
        return not path and old_root == (new_root if old else EMPTY)
    if not 0 < old < new:
        return False
    whole = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not whole:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    was = now = whole[0]
    for each in whole[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            was, now = node_hash(each, was), node_hash(each, now)
            at, last = _up_to_odd(at, last)
        else:
            now = node_hash(now, each)
        at, last = at >> 1, last >> 1
    return last == 0 and (was, now) == (old_root, new_root)


def _up_to_odd(at: int, last: int) -> tuple[int, int]:
    """Skip the levels on which the subtree at the edge has no sibling."""
    while at and not at & 1:
        at, last = at >> 1, last >> 1
    return at, last


def _half(count: int) -> int:
    """The largest power of two below ``count``."""
    return 1 << (count - 1).bit_length() - 1


def _subtree(node: Node, low: int, high: int) -> bytes:
    count = high - low
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return node(level, low >> level)
    middle = low + _half(count)
    return node_hash(_subtree(node, low, middle), _subtree(node, middle, high))
