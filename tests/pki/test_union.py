"""The union of sources: nothing is lost, and nobody else says who signs the home State's passports."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pki import sim
from pki.masterlist import open_master_list
from pki.trust import Csca, TrustStore
from pki.union import INDONESIA, UNCONFIRMED, union


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
