"""The main job, end to end: real processes, real chips, real signatures, real faces, a real serial line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gate.demo.cast import DEFAULT_CAST, CastError, load_cast

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

REPOSITORY = Path(__file__).resolve().parents[2]

EXPECTED = {
    "ordinary": ("OPEN", []),
    "service": ("OPEN", []),
    "diplomatic": ("OPEN", []),
    "service-without-permit": ("SECONDARY", ["EXIT_PERMIT_MISSING"]),
    "mononym": ("OPEN", []),
    "borrowed": ("COUNTER", ["FACE_NO_MATCH"]),
    "portrait-swapped": ("HOLD", ["PA_SIGNATURE_OR_HASH_BAD"]),
    "clone": ("HOLD", ["CHIP_NOT_GENUINE"]),
    "unknown-state": ("COUNTER", ["NO_TRUST_ANCHOR"]),
    "two-on-one": ("RETRY", ["MORE_THAN_ONE_PERSON"]),
    "unplugged": ("COUNTER", ["DEVICE_LOST"]),
    "after-the-fault": ("OPEN", []),
}

CHANGED = {
    "ordinary": ("COUNTER", ["FACE_NO_MATCH"]),  # faces permuted with the mononym
    "mononym": ("COUNTER", ["FACE_NO_MATCH"]),
    "service": ("SECONDARY", ["EXIT_PERMIT_MISSING"]),  # exit permits swapped
    "service-without-permit": ("OPEN", []),
    "diplomatic": ("HOLD", ["CHIP_NOT_GENUINE"]),  # chip keys exchanged
    "after-the-fault": ("HOLD", ["CHIP_NOT_GENUINE"]),
    "borrowed": ("OPEN", []),  # the owner came along this time
    "clone": ("OPEN", []),  # the chip has its own keys
    "two-on-one": ("OPEN", []),  # came alone
}


def test_every_traveller_gets_the_outcome_that_the_evidence_deserves(default_run):
    assert default_run.outcomes() == EXPECTED


def test_a_changed_cast_changes_exactly_what_must_change(changed_run):
    assert changed_run.outcomes() == CHANGED


@pytest.mark.parametrize("room", ["pki", "faceverify"])
def test_without_the_result_of_a_room_nobody_passes(performances, room):
    outcomes = performances[f"without_{room}"].ended().outcomes()
    assert len(outcomes) == 3
    assert all(outcome not in {"OPEN", "RETRY"} for outcome, _ in outcomes.values()), outcomes


@pytest.mark.parametrize("key", ["outcome", "reasons", "expected"])
def test_a_cast_may_not_say_what_becomes_of_anybody(tmp_path, key):
    cast = tmp_path / "cast.toml"
    cast.write_text(DEFAULT_CAST.read_text(encoding="utf-8") + f'\n{key} = "OPEN"\n', encoding="utf-8")
    with pytest.raises(CastError, match=key):
        load_cast(cast)


def test_each_transaction_names_what_served_it_and_times_its_stages(default_run):
    for transaction in default_run.result["transactions"]:
        assert {"scanner", "pki", "face", "camera", "controller"} <= set(transaction["backends"]), transaction["traveller"]
        assert "demonstration" in transaction["backends"]["face"]
        names = {stage["name"] for stage in transaction["stages"]}
        assert {"mrz", "chip.DG2", "pki.signature", "pki.verdict", "decision.entry"} <= names, (transaction["traveller"], names)
        assert all(stage["duration_ms"] >= 0 and stage["result"] for stage in transaction["stages"])


def test_signature_checks_and_registries_hide_behind_the_chip(default_run):
    stages = {stage["name"]: stage for stage in default_run.result["transactions"][0]["stages"]}
    chip_ends = stages["chip.DG2"]["start_ms"] + stages["chip.DG2"]["duration_ms"]
    for name in ("pki.signature", "registry.issuance", "registry.watchlist"):
        assert stages[name]["start_ms"] + stages[name]["duration_ms"] < chip_ends, name


def test_a_permit_is_on_disk_before_its_door_is_commanded(default_run):
    for transaction in default_run.result["transactions"]:
        stages = {stage["name"]: stage for stage in transaction["stages"]}
        for commit, door in (("commit.entry", "controller.admit"), ("commit.exit", "controller.open_exit")):
            if door in stages:
                committed = stages[commit]["start_ms"] + stages[commit]["duration_ms"]
                assert stages[commit]["result"] == "permit"
                assert committed <= stages[door]["start_ms"] + 0.01, transaction["traveller"]


def test_readme_shows_what_the_demonstration_prints(default_run):
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- demo-table -->\n```\n(.*?)```\n<!-- /demo-table -->", readme, re.DOTALL)
    assert shown, "README.md has no demo table"
    without_seconds = re.compile(r"\s+[\d.]+$|\s+seconds$", re.MULTILINE)
    table = default_run.output[default_run.output.index("traveller  ") :]
    assert without_seconds.sub("", shown[1]).strip() == without_seconds.sub("", table).strip()
