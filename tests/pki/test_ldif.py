"""Files of the public key directory: what is folded, encoded or commented comes out whole; what is malformed is named by its line."""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki import ldif
from pki.errors import PkiError
from pki.ldif import read_ldif
from pki.sim_lists import ldif as write_ldif


def read(content: bytes) -> list[tuple[str, bytes]]:
    return [(value.kind, value.content) for value in read_ldif(io.BytesIO(content))]


@given(values=st.lists(st.binary(max_size=300), max_size=4), width=st.integers(40, 90))
def test_what_was_written_is_read(values, width):
    entries = {f"cn={number},c=ID": {"pkdMasterListContent": value} for number, value in enumerate(values)}
    assert read(write_ldif(entries, width=width)) == [("master_list", value) for value in values]


def test_kinds_are_told_apart_whatever_their_options_and_case():
    attributes = {
        "PKDMASTERLISTCONTENT": b"1",
        "cscaCertificate;binary": b"2",
        "certificateRevocationList;binary": b"3",
        "userCertificate;binary": b"4",
        "sn": b"5",
    }
    assert read(write_ldif({"c=ID": attributes})) == [("master_list", b"1"), ("csca_certificate", b"2"), ("crl", b"3")]


def test_value_carries_its_entry_and_line():
    content = (
        b"version: 1\r\n# a comment\r\n  that goes on\r\ndn:: Yz1JRA==\r\ncscaCertificate:: QUJD\r\n\r\ndn: c=\x1bX\r\nsn: x\r\n"
    )
    (value,) = read_ldif(io.BytesIO(content))
    assert (value.content, value.entry, value.line) == (b"ABC", "c=ID", 5)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"cscaCertificate: plain text", 1),
        (b"version: 1\ncscaCertificate:< file:///etc/passwd", 2),
        (b"\ncscaCertificate:: Q*==", 2),
        (b"dn: c=ID\nno colon here", 2),
        (b"dn:: =\n", 1),
    ],
)
def test_malformed_line_is_named(content, line):
    with pytest.raises(PkiError, match=f"line {line}:"):
        read(content)


@pytest.mark.parametrize("budget", ["MAX_FILE", "MAX_VALUE", "MAX_VALUES"])
def test_budgets_are_kept(budget, monkeypatch):
    content = write_ldif({"c=ID": {"cscaCertificate": bytes(500), "certificateRevocationList": bytes(500)}})
    assert len(read(content)) == 2
    monkeypatch.setattr(ldif, budget, 1 if budget == "MAX_VALUES" else 300)
    with pytest.raises(PkiError, match="more than"):
        read(content)


@given(content=st.binary(max_size=200))
def test_any_bytes_are_values_or_the_rooms_error(content):
    with contextlib.suppress(PkiError):
        read(content)


@given(content=st.text(alphabet="dn:caCertificate \n=QUJD;<#", max_size=120))
def test_any_lines_are_values_or_the_rooms_error(content):
    with contextlib.suppress(PkiError):
        read(content.encode())
