"""A good SOD with anything changed: never authentic for a changed signed octet, never an exception."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pki import der, sim
from pki.certificates import parse_certificate
from pki.cms import SIGNED_DATA
from pki.errors import PkiError
from pki.passive_authentication import authenticate_sod, bind_data_groups, passive_authentication
from pki.results import Authentic, Rejected, SignedHashes, Undetermined
from pki.revocation import parse_crl
from pki.security_infos import parse_data_group_14, parse_data_group_15


@pytest.fixture(scope="module")
def good(workshop):
    return workshop.sod(), workshop.state.trust_store(crls=[workshop.state.crl()])


@given(data=st.binary(max_size=400))
def test_any_bytes_are_judged(data, good, now):
    assert isinstance(authenticate_sod(data, good[1], now), Undetermined)


def test_every_octet_of_the_signed_hashes_counts(good, workshop, now):
    sod, trust = good
    content = workshop.content()
    start = sod.index(content)
    for position in range(start, start + len(content)):
        changed = bytearray(sod)
        changed[position] ^= 0x01
        assert not isinstance(authenticate_sod(bytes(changed), trust, now), SignedHashes)


def same_statement_or_none(result, original) -> bool:
    assert isinstance(original, SignedHashes)
    if isinstance(result, Rejected | Undetermined):
        return True
    fields = ("hash_algorithm", "hashes", "issuing_country", "csca", "signed_at", "revocation")
    return all(getattr(result, name) == getattr(original, name) for name in fields)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_a_changed_sod_says_the_same_or_nothing(data, good, now):
    """A change outside what is signed (a version number, say) may pass, but then every statement is the genuine one."""
    sod, trust = good
    changed = bytearray(sod)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(sod) - 1))] = data.draw(st.integers(0, 255))
    assert same_statement_or_none(authenticate_sod(bytes(changed), trust, now), authenticate_sod(sod, trust, now))


@settings(max_examples=200, deadline=None)
@given(cut=st.integers(0, 1500), insert=st.binary(max_size=8), length=st.integers(0, 8))
def test_octets_taken_out_and_put_in_say_the_same_or_nothing(cut, insert, length, good, now):
    sod, trust = good
    changed = sod[:cut] + insert + sod[cut + length :]
    assert same_statement_or_none(authenticate_sod(changed, trust, now), authenticate_sod(sod, trust, now))


@given(number=st.sampled_from([1, 2]), position=st.integers(0, 90), flip=st.integers(1, 255))
def test_a_changed_data_group_is_rejected(number, position, flip, good, data_groups, now):
    sod, trust = good
    changed = bytearray(data_groups[number])
    changed[position % len(changed)] ^= flip
    result = passive_authentication(sod, data_groups | {number: bytes(changed)}, trust, now)
    assert isinstance(result, Rejected)


@given(data=st.binary(max_size=120))
def test_any_data_group_1_is_judged(data, workshop, now):
    sod = workshop.sod(workshop.content({1: data, 2: b""}))
    signed = authenticate_sod(sod, workshop.state.trust_store(), now)
    assert isinstance(signed, SignedHashes)
    assert isinstance(bind_data_groups(signed, {1: data}), Authentic | Rejected | Undetermined)


@pytest.mark.parametrize("parse", [parse_certificate, parse_crl, parse_data_group_14, parse_data_group_15])
def test_changed_structures_parse_or_raise_the_rooms_own_error(parse, workshop, dice):
    good = {
        parse_certificate: workshop.state.csca,
        parse_crl: workshop.state.crl([workshop.state.signer]),
        parse_data_group_14: sim.chip_authentication_key(active_hash="sha256")[1],
        parse_data_group_15: sim.active_authentication_key()[1],
    }[parse]
    parse(good)
    failures = 0
    for _ in range(1500):
        changed = bytearray(good)
        for _ in range(dice.randint(1, 3)):
            changed[dice.randrange(len(changed))] = dice.randrange(256)
        try:
            parse(bytes(changed))
        except PkiError:
            failures += 1
    assert failures


def test_other_content_than_signed_data_is_malformed(good, now):
    sod, trust = good
    enveloped = sod.replace(der.encode_oid(SIGNED_DATA), der.encode_oid("1.2.840.113549.1.7.3"))
    assert isinstance(authenticate_sod(enveloped, trust, now), Undetermined)
