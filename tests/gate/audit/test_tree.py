"""The Merkle tree is RFC 6962's: against the RFC's own definition, written down as it stands there, and against forged paths."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gate.audit.tree import EMPTY, Frontier, consistency, inclusion, is_consistent, is_included, leaf_hash, node_hash


def mth(data: list[bytes]) -> bytes:
    """RFC 6962 §2.1, word for word."""
    if not data:
        return hashlib.sha256().digest()
    if len(data) == 1:
        return hashlib.sha256(b"\0" + data[0]).digest()
    k = 1
    while 2 * k < len(data):
        k *= 2
    return hashlib.sha256(b"\1" + mth(data[:k]) + mth(data[k:])).digest()


def tree_of(data: list[bytes]):
    """All nodes, as a store would keep them, and the edge."""
    edge, nodes = Frontier(), {}
    for each in data:
        nodes |= {(level, number): found for level, number, found in edge.add(leaf_hash(each))}
    return (lambda level, number: nodes[level, number]), edge


DATA = [bytes([n]) * (n % 5) for n in range(70)]


def test_roots_are_those_of_the_rfc():
    for size in range(len(DATA)):
        node, edge = tree_of(DATA[:size])
        assert edge.root() == Frontier.of(size, node).root() == mth(DATA[:size])
    assert Frontier().root() == EMPTY


# The first eight leaves of Certificate Transparency's own test suite, and the roots that it names (google/certificate-transparency,
# merkletree tests: leaves "", 00, 10, 2021, 3031, 40414243, 5051525354555657, 606162636465666768696a6b6c6d6e6f).
CT_LEAVES = [
    bytes.fromhex(x) for x in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
CT_ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


@pytest.mark.parametrize("size", sorted(CT_ROOTS))
def test_published_roots(size):
    assert tree_of(CT_LEAVES[:size])[1].root().hex() == CT_ROOTS[size]


def test_every_path_of_inclusion_leads_to_the_root_and_to_no_other_place():
    for size in range(1, 40):
        node, edge = tree_of(DATA[:size])
        for number in range(size):
            path = inclusion(node, number, size)
            leaf, root = leaf_hash(DATA[number]), edge.root()
            assert is_included(leaf, number, size, path, root)
            assert not is_included(leaf_hash(b"other"), number, size, path, root)
            assert not any(is_included(leaf, other, size, path, root) for other in range(size) if other != number)
            assert not is_included(leaf, number, size, [*path, root], root)
            assert not path or not is_included(leaf, number, size, path[:-1], root)
    assert not is_included(b"", 1, 1, [], b"")


def test_every_later_tree_begins_with_every_earlier_one_and_with_no_other():
    other = [b"other", *DATA[1:]]
    for new in range(1, 40):
        node, edge = tree_of(DATA[:new])
        for old in range(new + 1):
            path, root = consistency(node, old, new), edge.root()
            assert is_consistent(old, new, mth(DATA[:old]), root, path)
            if old:
                assert not is_consistent(old, new, mth(other[:old]), root, path)
                assert not is_consistent(old, new, mth(DATA[:old]), mth(other[:new]), path)
                assert not is_consistent(old, new, mth(DATA[:old]), root, [*path, root])
            if 0 < old < new:
                assert not is_consistent(old, new, mth(DATA[:old]), root, path[:-1])


@given(
    old=st.integers(-2, 70),
    new=st.integers(-2, 70),
    path=st.lists(st.binary(min_size=32, max_size=32), max_size=9),
    roots=st.tuples(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32)),
)
def test_made_up_paths_prove_nothing(old, new, path, roots):
    assume(roots[0] != roots[1])
    assert not is_included(roots[0], old, new, path, roots[1])
    assert not is_consistent(old, new, *roots, path)


def test_a_leaf_is_no_node():
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)
