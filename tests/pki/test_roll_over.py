"""Key roll-over: whose key signed whose certificate, through changed names and shared names, within a budget."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pki import path, sim, sim_lists
from pki.errors import PkiError, ReasonCode
from pki.results import Authentic, Undetermined
from pki.rollover import roll_over, vouched_for
from pki.sources import read_sources
from pki.trust import Csca, TrustStore
from pki.union import union


def csca(certificate: bytes) -> Csca:
    return Csca.of(certificate, "a test")


@pytest.fixture(scope="module")
def generations(now):
    """Three keys of one State; the last under a new name."""
    names = ("Pretendia", "Pretendia", "Pretendia Reborn")
    return [sim.PretendState.create(country="ID", name=name, now=now) for name in names]


@pytest.fixture(scope="module")
def links(generations):
    return [sim_lists.link_certificate(old, new) for old, new in itertools.pairwise(generations)]


def test_graph_tells_roots_links_and_orphans(generations, links, workshop, now):
    stray = sim_lists.link_certificate(sim.PretendState.create(country="ID", name="Gone", now=now), generations[0])
    roots = [csca(state.csca) for state in (*generations, workshop.foreign)]
    chained, orphan = [csca(link) for link in links], csca(stray)
    graph = roll_over([*roots, *chained, orphan])
    assert list(graph.self_signed) == roots
    assert list(graph.chained) == chained
    assert graph.orphans == (orphan,)
    issuers = {entry.certificate.certificate: entry.issuer for entry in graph.issued}
    assert issuers[links[0]].certificate == generations[0].csca


def test_new_key_is_vouched_for_through_links_whatever_its_name(generations, links, workshop):
    offered = [csca(item) for item in (generations[2].csca, links[1], links[0], generations[1].csca, workshop.foreign.csca)]
    assert vouched_for([csca(generations[0].csca)], offered) == tuple(offered[:4])
    assert vouched_for([csca(workshop.foreign.csca)], offered) == (offered[4],)


def test_missing_link_breaks_the_chain(generations, links):
    offered = [csca(item) for item in (generations[2].csca, links[1], generations[1].csca)]
    assert vouched_for([csca(generations[0].csca)], offered) == ()


def test_link_by_name_alone_vouches_for_nobody(generations, workshop, now):
    """A link under the old CSCA's name, made with another key."""
    namesake = sim.PretendState.create(country="ID", name="Pretendia", now=now)
    forged = sim_lists.link_certificate(namesake, generations[1])
    assert vouched_for([csca(generations[0].csca)], [csca(forged), csca(generations[1].csca)]) == ()


def test_document_signer_of_a_trusted_key_is_no_csca_nor_makes_one(generations, workshop):
    """The CSCA's key signed it too. With it alone somebody could go on to make roots of the State."""
    state = generations[0]
    made = sim_lists.link_certificate(_as_state(state, state.signer), generations[1])
    offered = [csca(item) for item in (state.signer.certificate, made, generations[1].csca)]
    assert vouched_for([csca(state.csca)], offered) == ()


def _as_state(state, signer):
    return replace(state, private_key=signer.private_key, csca=signer.certificate)


def test_state_vouches_for_no_key_of_another_state(generations, workshop):
    """Neither by a link across the border, nor by a root of the other State's name for its own new key."""
    across = sim_lists.link_certificate(generations[0], workshop.foreign)
    assert vouched_for([csca(generations[0].csca)], [csca(across), csca(workshop.foreign.csca)]) == ()
    key, life = sim.new_key("ec:P-256"), (workshop.now - sim.CSCA_KEY_LIFE, sim.CSCA_LIFE, sim.CSCA_KEY_LIFE)
    names = [sim._name(country, "CSCA") for country in ("XX", "ID")]
    own, masked = (csca(sim._certificate(name, name, key, key.public_key(), life, csca=True)) for name in names)
    assert vouched_for([own], [own, masked]) == (own,)


def test_budget_of_signature_checks_is_kept(generations):
    with pytest.raises(PkiError) as caught:
        roll_over([csca(state.csca) for state in generations], budget=2)
    assert caught.value.code is ReasonCode.SEARCH_EXHAUSTED


def test_document_of_a_renamed_csca_is_found_among_all_of_the_state(generations, workshop, now):
    """The signer names an issuer that no anchor bears any more; the key under the new name signed it."""
    state = generations[2]
    renamed = Csca.of(sim_lists.link_certificate(generations[0], state), "link")
    sod = sim.PretendState.create(country="ID", name="Pretendia", now=now)
    old_name = workshop.reissued(lambda fields: None, issuer=state, signer=sod.signer)
    result = workshop.judge(workshop.sod(signer=old_name), trust=TrustStore(anchors=(renamed,)))
    assert isinstance(result, Authentic)


def test_signer_that_would_need_too_many_checks_is_undetermined(workshop, now, monkeypatch):
    monkeypatch.setattr(path, "MAX_SIGNATURE_CHECKS", 2)
    namesakes = [sim.PretendState.create(country="ID", name="Pretendia", now=now) for _ in range(3)]
    trust = TrustStore(anchors=tuple(csca(state.csca) for state in namesakes))
    result = workshop.judge(workshop.sod(), trust=trust)
    assert isinstance(result, Undetermined)
    assert result.code is ReasonCode.SEARCH_EXHAUSTED


# --- what States publish


@pytest.fixture(scope="module")
def published(shared_dir):
    """Both published master lists, verified, and the Indonesian files: each certificate once."""
    folder, moment = shared_dir / "data/pki", datetime(2026, 9, 1, tzinfo=UTC)
    anchors = [csca((folder / "masterlists" / name).read_bytes()) for name in ("DE_ROOT_CA_CSCA07.cer", "NL_ROOT_CA.cer")]
    found = read_sources([*(folder / "masterlists").glob("*.ml"), folder / "csca_id"], TrustStore(anchors=tuple(anchors)), moment)
    return union(found.anchors).anchors


@pytest.mark.shared
def test_published_certificates_chain_as_counted(published, shared_dir):
    """417 self-signed, 204 under another, 11 links whose CSCA is in neither list; in any order, and well within the budget."""
    certificates = list(published)
    random.Random(4).shuffle(certificates)
    graph = roll_over(certificates, budget=2_000)
    assert (len(graph.self_signed), len(graph.chained), len(graph.orphans)) == (417, 204, 11)
    assert sorted(one.country for one in graph.orphans) == ["AE", "AT", "BG", "CY", "HU", "LB", "LV", "MA", "MD", "PH", "TR"]
    home = [one for one in certificates if one.country == "ID"]
    first = csca((shared_dir / "data/pki/csca_id/2010-12_CSCA.cer").read_bytes())
    assert len(vouched_for([first], home)) == 5


@pytest.mark.shared
@pytest.mark.parametrize("country", ["ID", "DE", "CN", "QQ"])
def test_document_of_a_key_in_no_published_list_has_no_trust_anchor_and_is_never_called_forged(country, published, workshop, now):
    """Also where its State has up to 27 other keys in the lists, all of which are tried."""
    state = sim.PretendState.create(country=country, name="New", now=now)
    result = workshop.judge(workshop.sod(signer=state.signer), trust=TrustStore(anchors=published))
    assert isinstance(result, Undetermined)
    assert (result.code, result.step) == (ReasonCode.NO_TRUST_ANCHOR, "chain")


# --- revocation of a CSCA


def test_document_under_a_revoked_csca_is_rejected_also_beside_a_link_for_its_key(generations, workshop, now):
    """The State revoked its second key under the serial number of the root; the link certificate is listed nowhere."""
    state = generations[1]
    link = sim_lists.link_certificate(generations[0], state)
    revoked = sim.DocumentSigner(private_key=state.private_key, certificate=state.csca, now=now)
    for anchors in ([state.csca], [link, state.csca]):
        for crls, authentic in (((), True), ((state.crl([revoked]),), False)):
            trust = TrustStore(anchors=tuple(map(csca, anchors)), crls=crls)
            result = workshop.judge(workshop.sod(signer=state.signer), trust=trust)
            assert isinstance(result, Authentic) == authentic
        assert (result.code, result.step) == (ReasonCode.CSCA_REVOKED, "chain")


def test_revocation_list_of_another_key_revokes_no_csca(generations, workshop, now):
    state, namesake = generations[0], sim.PretendState.create(country="ID", name="Pretendia", now=now)
    revoked = sim.DocumentSigner(private_key=state.private_key, certificate=state.csca, now=now)
    trust = TrustStore(anchors=(csca(state.csca),), crls=(namesake.crl([revoked]),))
    assert isinstance(workshop.judge(workshop.sod(signer=state.signer), trust=trust), Authentic)
