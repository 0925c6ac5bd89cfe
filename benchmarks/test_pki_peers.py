"""Passive authentication of documents never met, and the trust store, each beside others in one run: the figures stand below the table."""

from __future__ import annotations

import pytest

from benchmarks import pki_fresh, pki_store


@pytest.mark.parametrize("kind", pki_fresh.KINDS)
def test_fresh_documents_beside_floor_and_peers(benchmark, kind):
    """A round is the whole run: to make a thousand signers, and to judge each document by everybody."""
    benchmark.group = "pki: 1,000 documents of as many signers, in turn by all"
    told = benchmark.pedantic(pki_fresh.interleaved, args=(kind,), rounds=1)
    assert told[pki_fresh.OURS]["n"] == pki_fresh.FULL
    benchmark.extra_info |= told


def test_load_the_union_of_the_published_lists(benchmark):
    benchmark.group = "pki: load the union of the published lists, each way in processes of its own"
    if pki_store.absent():
        pytest.skip(pki_store.absent())
    told = benchmark.pedantic(pki_store.interleaved, args=(7,), rounds=1)
    assert told[pki_store.SIGNED]["certificates"] == told[pki_store.PARSED]["certificates"]
    benchmark.extra_info |= told
