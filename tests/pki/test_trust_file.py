"""The signed trust store: two people, every octet, forward only."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from pki import sim
from pki.errors import PkiError, ReasonCode
from pki.masterlist import open_master_list
from pki.trust import Csca, TrustStore
from pki.trust_file import MAGIC, open_trust_file, seal, statement, trust_body
from pki.union import INDONESIA, UNCONFIRMED, union


class Person:
    def __init__(self) -> None:
        self._private = Ed25519PrivateKey.generate()
        self.public = self._private.public_key().public_bytes_raw()

    def signature(self, body: bytes) -> bytes:
        return self._private.sign(statement(body))


@pytest.fixture(scope="module")
def people():
    return [Person() for _ in range(3)]


@pytest.fixture(scope="module")
def store(workshop):
    anchors = (*workshop.state.trust_store().anchors, *workshop.foreign.trust_store().anchors)
    return TrustStore(anchors=anchors, crls=(workshop.state.crl(), workshop.foreign.crl()), demo=True)


def sealed(body: bytes, *people: Person) -> bytes:
    return seal(body, {person.public: person.signature(body) for person in people})


def keys(people) -> list[bytes]:
    return [person.public for person in people]


def refused(file: bytes, accepted, **more) -> ReasonCode:
    with pytest.raises(PkiError) as caught:
        open_trust_file(file, accepted, **more)
    return caught.value.code


@pytest.fixture(scope="module")
def file(store, people):
    return sealed(trust_body(store, 7), *people[:2])


def test_signed_store_is_loaded_as_it_was(file, store, people, workshop):
    found = open_trust_file(file, keys(people), at_least=7)
    assert found.store == store
    assert (found.sequence, found.signers) == (7, {people[0].public, people[1].public})
    assert found.store.named(workshop.parsed_csca.subject) == store.named(workshop.parsed_csca.subject)
    assert trust_body(found.store, 7) == trust_body(store, 7)


def test_one_person_is_not_two(store, people):
    body = trust_body(store, 1)
    one = people[0].public + people[0].signature(body)
    for block in (b"", one, one + one):
        assert refused(body + block, keys(people)) is ReasonCode.STORE_NOT_SIGNED
    assert open_trust_file(body + one, keys(people), quorum=1).signers == {people[0].public}


def test_signature_of_a_stranger_does_not_count(file, people):
    assert refused(file, keys(people[1:])) is ReasonCode.STORE_NOT_SIGNED


def test_older_store_is_not_taken_back(file, people):
    assert refused(file, keys(people), at_least=8) is ReasonCode.STORE_OUTDATED


def test_signatures_for_another_sequence_do_not_count(store, people):
    old = trust_body(store, 1)
    signatures = {person.public: person.signature(old) for person in people}
    assert refused(seal(trust_body(store, 2), signatures), keys(people)) is ReasonCode.STORE_NOT_SIGNED


def test_every_octet_counts(file, people):
    for position in range(0, len(file), 7):
        changed = bytearray(file)
        changed[position] ^= 0x10
        assert refused(bytes(changed), keys(people)) in {ReasonCode.STORE_NOT_SIGNED, ReasonCode.MALFORMED}


@given(data=st.binary(max_size=300))
def test_any_bytes_are_a_store_or_the_rooms_error(data, people):
    for file in (data, MAGIC + data):
        assert refused(file, keys(people)) in {ReasonCode.STORE_NOT_SIGNED, ReasonCode.MALFORMED}


@given(data=st.binary(max_size=60))
def test_any_signed_bytes_are_a_store_or_the_rooms_error(data, people):
    """The two people were handed something that no tool of ours made."""
    body = MAGIC + (len(MAGIC) + 4 + len(data)).to_bytes(4, "big") + data
    assert refused(sealed(body, *people[:2]), keys(people)) is ReasonCode.MALFORMED


# --- the union of sources


def test_certificate_of_two_lists_keeps_both_provenances(workshop):
    twice = [Csca.of(workshop.foreign.csca, source) for source in ("list of DE", "list of NL")]
    (found,) = union(twice).anchors
    assert found.provenance == "list of DE; list of NL"


@pytest.mark.parametrize("country", ["ID", "id"])
def test_foreign_list_adds_no_anchor_for_the_home_state(country, now):
    rogue = Csca.of(sim.PretendState.create(country=country, name="CSCA", now=now).csca, "list of XX")
    found = union([rogue])
    assert (found.anchors, found.refused) == ((), (rogue,))


@pytest.mark.shared
def test_both_published_series_of_indonesia_are_pinned_and_nothing_else(shared_dir):
    folder = shared_dir / "data/pki"
    anchor = Csca.of((folder / "masterlists/NL_ROOT_CA.cer").read_bytes(), "out of band")
    listed = open_master_list(
        (folder / "masterlists/NL_ML_2026-07-22.ml").read_bytes(), TrustStore(anchors=(anchor,)), datetime(2026, 9, 1, tzinfo=UTC)
    )
    own = [Csca.of(file.read_bytes(), file.name) for file in sorted((folder / "csca_id").glob("*.cer"))]
    found = union([*listed.certificates, *own])
    home = [one for one in found.anchors if one.country == "ID"]
    assert len(home) == len(INDONESIA)
    assert all(UNCONFIRMED in one.provenance for one in home)
    assert found.refused == ()
    assert len(found.anchors) == 411 + 5
