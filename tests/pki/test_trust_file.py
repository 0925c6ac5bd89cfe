"""A trust store's file: read back as it was written, and nothing else is one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import PkiError, ReasonCode
from pki.trust import TrustStore
from pki.trust_file import MAGIC, read_trust_body, trust_body


@pytest.fixture(scope="module")
def store(workshop):
    anchors = (*workshop.state.trust_store().anchors, *workshop.foreign.trust_store().anchors)
    return TrustStore(anchors=anchors, crls=(workshop.state.crl(), workshop.foreign.crl()), demo=True)


def refused(body: bytes) -> bool:
    with pytest.raises(PkiError) as caught:
        read_trust_body(body)
    return caught.value.code is ReasonCode.MALFORMED


def written(index: object, content: bytes = b"") -> bytes:
    header = json.dumps(index).encode()
    return MAGIC + len(header).to_bytes(4, "big") + header + content


def test_a_store_is_read_as_it_was_written(store, workshop):
    body = trust_body(store, 7)
    number, found = read_trust_body(body)
    assert (number, found) == (7, store)
    assert found.named(workshop.parsed_csca.subject) == store.named(workshop.parsed_csca.subject)
    assert trust_body(found, 7) == body
    assert trust_body(found, 8) != body


def test_a_part_of_a_file_and_a_file_with_more_behind_it_are_none(store):
    body = trust_body(store, 7)
    assert all(refused(body[:length]) for length in range(0, len(body), 13))
    assert refused(body + b"\0")


INDEX = {"number": 3, "demo": False, "provenances": ["a list"], "anchors": [[2, 0, "XX", "name", None]], "crls": []}
LONG_INTEGER = "1" * 5000
"""More digits than Python turns into a number."""


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": True},
        {"number": "3"},
        {"demo": "no"},
        {"provenances": {"a list": 1}},
        {"provenances": [["a list"]]},
        {"provenances": []},
        {"anchors": [[2, 0, "XX", "name"]]},
        {"anchors": [[2, 0, 7, "name", None]]},
        {"anchors": [[2, 0, "XX", ["name"], None]]},
        {"anchors": [[2, 0, "XX", "name", "0"]]},
        {"anchors": [[True, 0, "XX", "name", None], [True, 0, "XX", "name", None]]},
        {"anchors": [[4, 0, "XX", "name", None], [-2, 0, "XX", "name", None]]},
        {"anchors": [[2, 0, "XX", "name", None], [0, 0, "XX", "name", None]]},
        {"anchors": {"a": "b"}},
        {"anchors": [], "crls": [2]},
        {"crls": None},
    ],
    ids=repr,
)
def test_an_index_that_makes_no_sense_is_none(wrong):
    assert read_trust_body(written(INDEX, b"30"))[0] == 3
    assert refused(written(INDEX | wrong, b"30"))


@pytest.mark.parametrize("header", [LONG_INTEGER, "[" * 100_000, '"', "[]", "7", "null", ""], ids=lambda text: text[:9])
def test_what_breaks_readers_of_json_is_refused(header):
    assert refused(MAGIC + len(header).to_bytes(4, "big") + header.encode())


@given(data=st.binary(max_size=300))
def test_any_bytes_are_a_store_or_the_rooms_error(data):
    assert refused(data)
    assert refused(MAGIC + data)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(changes=st.dictionaries(st.sampled_from([*INDEX, "other"]), ANYTHING), content=st.binary(max_size=4))
def test_any_index_is_a_store_or_the_rooms_error(changes, content):
    try:
        number, store = read_trust_body(written(INDEX | changes, content))
    except PkiError:
        return
    assert read_trust_body(trust_body(store, number)) == (number, store)
