"""Changed data objects whose lengths are right again, so that what lies behind the first look is reached too."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.soak_cases import spoil
from hardware.emrtd import tlv
from hardware.emrtd.errors import ChipError

DEPTH = 10
BLOATED = 60_000
BLOATS = 300
"""Octets up to which an object is repeated or filled, once in so many times: a little less than one response can hold."""
EDGES = (b"", b"\0", b"\x01", b"\x7f", b"\x80", b"\xff", bytes(8), b"\xff" * 8, b"\x7f" + b"\xff" * 7, b"\xff" * 33)


@dataclass(slots=True)
class Node:
    """A data object: a value, or objects in their order."""

    tag: int
    value: bytes = b""
    children: list[Node] = field(default_factory=list)

    def encode(self) -> bytes:
        return tlv.encode(self.tag, b"".join(child.encode() for child in self.children) or self.value)

    def all(self) -> list[Node]:
        return [self, *(node for child in self.children for node in child.all())]


def parse(data: bytes, depth: int = DEPTH) -> list[Node]:
    """The objects that fill ``data``. Raises ChipError."""
    nodes = []
    for item in tlv.children(data):
        node = Node(tag=item.tag, value=item.value)
        if depth and item.value and _may_hold_objects(item.tag):
            try:
                node.children = parse(item.value, depth - 1)
            except ChipError:
                node.children = []
        nodes.append(node)
    return nodes


def _may_hold_objects(tag: int) -> bool:
    """Constructed (ISO/IEC 8825-1 §8.1.2.5), or an OCTET STRING, which is often a wrapper."""
    return bool((tag >> 8 if tag > 0xFF else tag) & 0x20) or tag == 0x04


def reshape(data: bytes, dice: random.Random) -> bytes:
    """One to three changes to data objects, all lengths right again; what is not made of such objects is spoilt instead."""
    try:
        root = Node(tag=0, children=parse(data))
    except ChipError:
        root = Node(tag=0)
    if not root.children:
        return spoil(data, dice)
    if dice.randrange(BLOATS) == 0:
        _bloat(root, dice)
    else:
        for _ in range(dice.randint(1, 3)):
            _change(root, dice)
    return b"".join(node.encode() for node in root.children)


def mutate(data: bytes, dice: random.Random) -> bytes:
    """Half of the time objects are changed, else octets; sometimes both."""
    match dice.randrange(8):
        case 0:
            return spoil(reshape(data, dice), dice)
        case 1 | 2 | 3:
            return reshape(data, dice)
        case _:
            return spoil(data, dice)


def framed(head: int, tail: int = 0) -> Callable[[bytes, random.Random], bytes]:
    """:func:`mutate` for what has ``head`` octets before the data objects and ``tail`` after them, which are changed at times too."""

    def change(data: bytes, dice: random.Random) -> bytes:
        end = max(head, len(data) - tail)
        parts = [data[:head], data[head:end], data[end:]]
        for which in (0, 2):
            if parts[which] and dice.randrange(8) == 0:
                parts[which] = dice.randbytes(len(parts[which]))
        if dice.randrange(16):
            parts[1] = mutate(parts[1], dice)
        return b"".join(parts) if dice.randrange(16) else spoil(b"".join(parts), dice)

    return change


def _change(root: Node, dice: random.Random) -> None:
    parents = [node for node in root.all() if node.children]
    if not parents:
        return
    parent = dice.choice(parents)
    at = dice.randrange(len(parent.children))
    node = parent.children[at]
    match dice.randrange(12):
        case 0:
            del parent.children[at]
        case 1:
            parent.children.insert(at, node)
        case 2:
            dice.shuffle(parent.children)
        case 3:
            node.tag = dice.choice(
                (dice.randrange(0x1E), 0x7F61, 0x5F2E, dice.choice(root.all()).tag, node.tag ^ 1 << dice.randrange(8))
            )
        case 4:
            node.children, node.value = [], dice.choice(EDGES)
        case 5:
            other = dice.choice(root.all()[1:])
            node.children, node.value = [], other.encode()
        case _:
            _touch(node, dice)


def _touch(node: Node, dice: random.Random) -> None:
    """Change octets of the value, which stays as long as it is most of the time."""
    value = node.value
    node.children = []
    if not value or dice.randrange(4) == 0:
        node.value = spoil(value, dice)
        return
    at = dice.randrange(len(value))
    node.value = value[:at] + bytes([dice.choice((dice.randrange(256), value[at] ^ 1, 0, 255))]) + value[at + 1 :]


def _bloat(root: Node, dice: random.Random) -> None:
    """Repeat one object, or its value. Once only: what is repeated within something repeated has no end."""
    parent = dice.choice([node for node in root.all() if node.children])
    at = dice.randrange(len(parent.children))
    node = parent.children[at]
    if dice.random() < 0.5:
        parent.children[at:at] = [node] * (BLOATED // len(node.encode()))
    else:
        node.children, node.value = [], (node.value or b"\0") * (BLOATED // max(1, len(node.value)))
