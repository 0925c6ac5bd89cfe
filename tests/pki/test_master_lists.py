"""Master lists: what proves one, what does not, and the two that are published."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from _pytest.outcomes import Failed
from hypothesis import given, settings
from hypothesis import strategies as st

from pki import der, sim, sim_lists
from pki.errors import PkiError, ReasonCode
from pki.masterlist import MASTER_LIST, MasterList, open_master_list
from pki.signed_list import ListKind
from pki.trust import Csca, TrustStore


@pytest.fixture(scope="module")
def signer(workshop):
    return sim_lists.list_signer(workshop.state, MASTER_LIST)


@pytest.fixture(scope="module")
def anchors(workshop):
    return workshop.state.trust_store()


@pytest.fixture(scope="module")
def content(workshop):
    return sim_lists.master_list([workshop.state.csca, workshop.foreign.csca])


@pytest.fixture(scope="module")
def good(signer, content):
    return sim_lists.signed_list(signer, MASTER_LIST, content)


def refused(encoded, anchors, now) -> ReasonCode:
    with pytest.raises(PkiError) as caught:
        open_master_list(encoded, anchors, now)
    return caught.value.code


@pytest.mark.parametrize("attributes_sorted", [True, False])
@pytest.mark.conforms("Doc 9303-12 §9", "positive")
def test_list_is_split_with_its_provenance(attributes_sorted, workshop, signer, anchors, content, now):
    encoded = sim_lists.signed_list(signer, MASTER_LIST, content, attributes_sorted=attributes_sorted)
    found = open_master_list(encoded, anchors, now)
    assert {csca.certificate for csca in found.certificates} == {workshop.state.csca, workshop.foreign.csca}
    assert {csca.provenance for csca in found.certificates} == {f"master list of ID, 2026-09-01, signed by {found.signer}"}
    assert (found.country, found.unreadable) == ("ID", ())


@pytest.mark.conforms("Doc 9303-12 §9", "negative")
def test_list_whose_signer_is_vouched_for_by_the_list_alone_is_refused(workshop, signer, content, now):
    """The CSCA stands in the list and beside the signer: neither is an anchor."""
    encoded = sim_lists.signed_list(signer, MASTER_LIST, content, beside=[workshop.state.csca])
    assert refused(encoded, workshop.foreign.trust_store(), now) is ReasonCode.NO_TRUST_ANCHOR


@pytest.mark.conforms("Doc 9303-12 §9", "negative")
def test_list_signed_by_a_document_signer_is_refused(workshop, anchors, content, now):
    encoded = sim_lists.signed_list(workshop.state.signer, MASTER_LIST, content)
    assert refused(encoded, anchors, now) is ReasonCode.SIGNER_NOT_ENTITLED


@pytest.mark.conforms("Doc 9303-12 §9", "defect")
def test_without_the_check_of_who_may_sign_a_document_signer_gets_by(workshop, anchors, content, now, monkeypatch):
    monkeypatch.setattr("pki.signed_list._check_entitled", lambda *_: None)
    with pytest.raises(Failed):
        test_list_signed_by_a_document_signer_is_refused(workshop, anchors, content, now)


def test_list_signed_by_the_csca_itself_is_refused(workshop, anchors, content, now):
    csca = sim.DocumentSigner(private_key=workshop.state.private_key, certificate=workshop.state.csca, now=now)
    assert refused(sim_lists.signed_list(csca, MASTER_LIST, content), anchors, now) is ReasonCode.SIGNER_NOT_ENTITLED


def test_list_of_another_kind_is_refused(signer, anchors, content, now):
    other = ListKind(content_type="2.23.136.1.1.7", purpose=MASTER_LIST.purpose)
    assert refused(sim_lists.signed_list(signer, other, content), anchors, now) is ReasonCode.WRONG_CONTENT_TYPE


def test_list_with_a_certificate_put_in_afterwards_is_refused(workshop, signer, anchors, now):
    honest = sim_lists.signed_list(signer, MASTER_LIST, sim_lists.master_list([workshop.state.csca]))
    larger = sim_lists.signed_list(signer, MASTER_LIST, sim_lists.master_list([workshop.state.csca, workshop.foreign.csca]))
    signed = [der.read(encoded).children()[1].only_child().children() for encoded in (honest, larger)]
    mixed = der.encode(der.SEQUENCE, *(part.encoded for part in (*signed[1][:-1], signed[0][-1])))
    forged = der.encode(der.SEQUENCE, der.read(honest).children()[0].encoded, der.encode(0xA0, mixed))
    assert refused(forged, anchors, now) is ReasonCode.MESSAGE_DIGEST_MISMATCH


def test_list_of_a_revoked_signer_is_refused(workshop, signer, content, now):
    trust = workshop.state.trust_store(crls=[workshop.state.crl([signer])])
    assert refused(sim_lists.signed_list(signer, MASTER_LIST, content), trust, now) is ReasonCode.SIGNER_REVOKED


def test_list_from_the_future_is_refused(signer, anchors, content, now):
    encoded = sim_lists.signed_list(signer, MASTER_LIST, content)
    assert refused(encoded, anchors, now - timedelta(days=3)) is ReasonCode.SIGNED_IN_FUTURE


def test_list_of_another_version_is_refused(workshop, signer, anchors, now):
    encoded = sim_lists.signed_list(signer, MASTER_LIST, sim_lists.master_list([workshop.state.csca], version=1))
    assert refused(encoded, anchors, now) is ReasonCode.MALFORMED


def test_entry_that_is_no_certificate_spoils_no_other(workshop, signer, anchors, now):
    content = sim_lists.master_list([workshop.state.csca, der.encode(der.SEQUENCE, b"\x02\x01\x00")])
    found = open_master_list(sim_lists.signed_list(signer, MASTER_LIST, content), anchors, now)
    assert [csca.certificate for csca in found.certificates] == [workshop.state.csca]
    assert len(found.unreadable) == 1


@settings(max_examples=150)
@given(data=st.data())
def test_a_changed_list_is_the_same_list_or_refused(data, good, anchors, now):
    changed = bytearray(good)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = open_master_list(bytes(changed), anchors, now)
    except PkiError:
        return
    assert found == open_master_list(good, anchors, now)


@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_list_or_the_rooms_error(data, anchors, now):
    with pytest.raises(PkiError):
        open_master_list(data, anchors, now)


# --- what States publish

NOW = datetime(2026, 9, 1, tzinfo=UTC)
PUBLISHED = [("DE_ML_2026-05-28.ml", "DE_ROOT_CA_CSCA07.cer", "DE", 588), ("NL_ML_2026-07-22.ml", "NL_ROOT_CA.cer", "NL", 411)]


@pytest.mark.shared
@pytest.mark.parametrize(("name", "anchor", "country", "count"), PUBLISHED)
def test_published_list_verifies_to_its_anchor_and_to_no_other(name, anchor, country, count, shared_dir):
    folder = shared_dir / "data/pki/masterlists"
    encoded = (folder / name).read_bytes()
    found = open_master_list(encoded, TrustStore(anchors=(Csca.of((folder / anchor).read_bytes(), anchor),)), NOW)
    assert isinstance(found, MasterList)
    assert (found.country, len(found.certificates), found.unreadable) == (country, count, ())
    other = next(entry[1] for entry in PUBLISHED if entry[1] != anchor)
    assert (
        refused(encoded, TrustStore(anchors=(Csca.of((folder / other).read_bytes(), other),)), NOW) is ReasonCode.NO_TRUST_ANCHOR
    )
