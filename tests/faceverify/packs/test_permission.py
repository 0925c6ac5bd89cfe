"""Which pack may serve where, by what right, and to which day."""

import dataclasses
from datetime import date

import pytest

from faceverify.description import Calibration, Threshold
from faceverify.description_reader import parse_pack
from faceverify.packs import shipped_description
from faceverify.permission import Waiver, label, may_run

TODAY = date(2026, 11, 23)


@pytest.fixture
def pack(tmp_path):
    return parse_pack(shipped_description("open"), tmp_path)


def waiver(pack, **changes):
    sound = Waiver(pack_sha256=pack.sha256, granted_by="A. Officer", reason="trial", until=TODAY)
    return dataclasses.replace(sound, **changes)


@pytest.mark.parametrize(
    ("use", "profile", "may"),
    [
        ("demonstration", "demo", True),
        ("demonstration", "trial", False),
        ("test", "training", True),
        ("test", "trial", False),
        ("trial", "trial", True),
        ("operation", "trial", True),
        ("trial", "anything else", False),
        ("operation", "anything else", True),
    ],
)
def test_a_profile_takes_packs_that_were_made_for_it(pack, use, profile, may):
    assert (may_run(dataclasses.replace(pack, permitted_use=use), profile, None, TODAY) is None) == may


@pytest.mark.parametrize("profile", ["demo", "training", "trial"])
def test_weights_for_research_run_under_a_waiver_alone_whatever_the_profile(pack, profile):
    pack = dataclasses.replace(pack, grant="non_commercial", permitted_use="trial")
    assert "permits research alone" in str(may_run(pack, profile, None, TODAY))
    assert may_run(pack, profile, waiver(pack), TODAY) is None


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"pack_sha256": "0" * 64}, "for another pack"),
        ({"until": date(2026, 11, 22)}, "the waiver ended on 2026-11-22"),
        ({"granted_by": " "}, "does not say who"),
        ({"reason": ""}, "does not say who"),
    ],
)
def test_a_waiver_counts_for_this_pack_with_a_name_a_reason_and_to_its_last_day(pack, changes, why):
    pack = dataclasses.replace(pack, grant="non_commercial", permitted_use="trial")
    assert why in str(may_run(pack, "trial", waiver(pack, **changes), TODAY))


def test_a_waiver_does_not_make_a_demonstration_fit_for_a_trial(pack):
    pack = dataclasses.replace(pack, grant="non_commercial", permitted_use="demonstration")
    assert "its permitted use is demonstration" in str(may_run(pack, "trial", waiver(pack), TODAY))


def test_a_licence_that_ended_ends_the_use(pack):
    pack = dataclasses.replace(pack, grant="commercial", permitted_use="operation", licensed_until=date(2026, 11, 22))
    assert "its licence ended on 2026-11-22" in str(may_run(pack, "trial", waiver(pack), TODAY))
    assert may_run(pack, "trial", None, date(2026, 11, 22)) is None


@pytest.mark.parametrize(
    ("profile", "fmr_upper", "may"),
    [("trial", 1e-3, True), ("trial", 1.01e-3, False), ("operation", 0.5, False), ("demo", 0.5, True)],
)
def test_a_threshold_that_lets_too_many_strangers_pass_decides_about_no_traveller(pack, profile, fmr_upper, may):
    data = Calibration(fmr=0.0, fmr_upper=fmr_upper, dataset="faces", dataset_sha256="0" * 64, comparisons=10_000, stratum="all")
    threshold = Threshold(score=0.8, provenance="calibrated", calibration=data)
    pack = dataclasses.replace(pack, permitted_use="operation", threshold=threshold)
    assert (may_run(pack, profile, None, TODAY) is None) == may


def test_the_label_names_licence_use_and_waiver(pack):
    text = label(pack, waiver(pack))
    for words in (
        f"{pack.title} {pack.sha256[:16]}: ",
        pack.licence,
        "permitted use test",
        "waived by A. Officer until 2026-11-23: trial",
    ):
        assert words in text
    assert "not for operation" in label(dataclasses.replace(pack, permitted_use="demonstration"))
