"""The ASN.1 reader: any bytes give a value or a DerError, within bounds, and what it reads is what another reader reads."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import core
from hypothesis import example, given
from hypothesis import strategies as st

from pki import der
from pki.errors import DerError

YEAR = 365 * 86400
READERS = ("integer", "boolean", "oid", "octets", "bits", "flags", "time")


def walk(element: der.Element) -> int:
    """Visit everything that could be visited; returns the number of elements."""
    for reader in READERS:
        with suppress(DerError):
            getattr(element, reader)()
    element.text()
    try:
        return 1 + sum(walk(child) for child in element.children())
    except DerError:
        return 1


@given(st.binary(max_size=300))
def test_any_bytes_are_an_element_or_a_der_error(data):
    with suppress(DerError):
        root = der.read(data)
        assert root.encoded == data
        walk(root)


ENCODED = st.recursive(
    st.builds(der.encode, st.sampled_from([0x02, 0x03, 0x04, 0x06, 0x17, 0x18, 0x80, 0x5F1F]), st.binary(max_size=40)),
    lambda inner: st.builds(
        lambda tag, parts: der.encode(tag, *parts), st.sampled_from([0x30, 0x31, 0xA0]), st.lists(inner, max_size=5)
    ),
    max_leaves=20,
)


@given(ENCODED, st.data())
def test_one_changed_octet_of_a_structure_is_an_element_or_a_der_error(data, draw):
    changed = bytearray(data)
    changed[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    with suppress(DerError):
        walk(der.read(bytes(changed)))


@given(ENCODED)
def test_children_are_the_content_without_a_gap(data):
    root = der.read(data)
    if root.tag in (der.SEQUENCE, der.SET, 0xA0):
        assert b"".join(child.encoded for child in root.children()) == root.content


@given(ENCODED, st.integers(1, 40))
def test_a_truncated_element_is_a_der_error(data, cut):
    with pytest.raises(DerError):
        der.read(data[: max(0, len(data) - cut)])


@given(st.integers())
@example(-128)
@example(-129)
@example(127)
@example(128)
def test_integers_agree_with_asn1crypto(value):
    assert der.encode_integer(value) == core.Integer(value).dump()
    assert der.read(core.Integer(value).dump()).integer() == value


@given(st.integers(0, 2), st.integers(0, 39), st.lists(st.integers(0, 2**32), max_size=4))
def test_object_identifiers_agree_with_asn1crypto(first, second, arcs):
    dotted = ".".join(map(str, (first, second, *arcs)))
    encoded = core.ObjectIdentifier(dotted).dump()
    assert der.encode_oid(dotted) == encoded
    assert der.read(encoded).oid() == dotted


@given(st.integers(-(20 * YEAR), 79 * YEAR))
def test_times_agree_with_asn1crypto(seconds):
    moment = datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)
    for kind in (core.UTCTime, core.GeneralizedTime):
        assert der.read(kind(moment).dump()).time() == moment


@given(st.sets(st.integers(0, 20)))
def test_named_bits_agree_with_asn1crypto(bits):
    encoded = core.BitString(tuple(int(bit in bits) for bit in range(21))).dump()
    assert der.read(encoded).flags() == sum(1 << bit for bit in bits)


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"\x30",
        b"\x30\x80\x00\x00",  # indefinite length
        b"\x30\x85\x01\x00\x00\x00\x00",  # length of five octets
        b"\x30\x84\xff\xff\xff\xff",  # four gigabytes announced
        b"\x1f\x81\x81\x01\x00",  # tag of three octets
        b"\x30\x03\x02\x02\x01",  # inner length beyond its container
        b"\x30\x00\x00",  # octet left over
    ],
)
def test_hostile_header_is_a_der_error(hostile):
    with pytest.raises(DerError):
        der.read(hostile).children()


def test_depth_is_bounded():
    bomb = b""
    for _ in range(1000):
        bomb = der.encode(der.SEQUENCE, bomb)
    with pytest.raises(DerError, match="nested deeper"):
        descend(der.read(bomb))


def descend(element: der.Element) -> None:
    while element.body < element.end:
        element = element.children()[0]


def test_number_of_elements_is_bounded():
    with pytest.raises(DerError, match="more than"):
        der.read(der.encode(der.SEQUENCE, b"\x05\x00" * 1000)).children()


def test_size_is_bounded():
    with pytest.raises(DerError, match="more than"):
        der.read(der.encode(der.OCTET_STRING, bytes(der.MAX_SIZE)))


def test_length_in_more_octets_than_needed_is_read_and_kept_as_sent():
    sent = b"\x30\x82\x00\x03\x02\x01\x05"
    assert der.read(sent).children()[0].integer() == 5
    assert der.read(sent).encoded == sent


@pytest.mark.parametrize("text", [b"261301000000Z", b"260230000000Z", b"2609010000", b"26090100000Z", b"\xd9\xa126090100000Z"])
def test_impossible_time_is_a_der_error(text):
    with pytest.raises(DerError):
        der.read(der.encode(der.UTC_TIME, text)).time()


def test_repr_of_an_element_shows_none_of_its_bytes():
    assert "secret" not in repr(der.read(der.encode(der.OCTET_STRING, b"secret")))
