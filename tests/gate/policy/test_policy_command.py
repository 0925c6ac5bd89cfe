"""What is told of rule sets and decisions on the command line."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from markupsafe import escape

from gate.__main__ import main
from gate.evidence import NOT_PERFORMED, CheckResult, Stage, found, not_performed, successful
from gate.policy.engine import decide
from gate.policy.schema import PACKAGED, load_rules
from gate.policy.survey.difference import tables
from gate.policy.survey.samples import satisfying
from gate.policy_command import explained
from gate.records import DecisionRecord

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
RULES = load_rules()


@pytest.fixture
def other(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PACKAGED, tmp_path / "rules"))


def test_a_set_does_not_differ_from_itself(other: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "diff", str(PACKAGED), str(other), "--at", "2026-03-02T03:00+00:00"]) == 0
    assert "no traveller's outcome changes" in capsys.readouterr().out


def test_diff_names_the_grant_and_the_travellers_who_would_no_longer_pass(
    other: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grants = (other / "grants.toml").read_text(encoding="utf-8")
    here = grants.index('id = "foreigner_leaving"')
    stricter = grants[:here] + grants[here:].replace('expiry = ["valid", "under_6_months"]', 'expiry = ["valid"]', 1)
    (other / "grants.toml").write_text(stricter, encoding="utf-8")
    assert main(["policy", "diff", str(PACKAGED), str(other), "--at", "2026-03-02T03:00+00:00"]) == 1
    told = capsys.readouterr().out
    now, at_the_end = told.split("as of 2027-12-31 17:00")
    assert now.count("under the first set alone") == at_the_end.count("under the first set alone") == 2
    assert "OPEN by foreigner-ordinary-departure-entry under the first set alone" in told
    assert "expiry=under_6_months" in told
    assert "under the second" not in told


def test_diff_names_what_else_one_set_says_alone(other: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file, old, new in (
        ("enablement.toml", 'checkpoint = "SUB"', 'checkpoint = "KNO"'),
        ("grants.toml", "max_age_s = 259200", "max_age_s = 3600"),
        ("document_classes.toml", '["PO"]', '["PS"]'),
    ):
        text = (other / file).read_text(encoding="utf-8")
        (other / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    assert main(["policy", "diff", str(PACKAGED), str(other)]) == 1
    told = capsys.readouterr().out
    assert "the second set alone serves ordinary, citizen, arrival and departure at KNO from 2024-06-18" in told
    assert "the first set alone tolerates biometric_record=recorded_in_snapshot, no older than 259200 s" in told
    assert "the second set alone takes IDN PS" in told


CHANGED = [
    (
        "grants.toml",
        '"OfficialIssuanceFromSnapshot", "BiometricRecordFromSnapshot", "PencegahanFromSnapshot", "ExitPermit',
        '"IssuanceFromSnapshot", "BiometricRecordFromSnapshot", "PencegahanFromSnapshot", "ExitPermit',
        "tolerates issuance=active_in_snapshot, no older than 86400 s under demo, training, trial",
    ),
    ("lane_actions.toml", "await_s = 120", "await_s = 600", "on HOLD at the exit, arrival: await_officer for 600 s"),
    (
        "rules.toml",
        'penangkalan = ["unavailable"], direction = ["arrival"], nationality = ["citizen"]',
        'penangkalan = ["unavailable", "clear"], direction = ["arrival"], nationality = ["citizen"]',
        "tells an officer PENANGKALAN_NOT_ASKED when penangkalan=unavailable|clear",
    ),
]


@pytest.mark.parametrize(("file", "old", "new", "line"), CHANGED)
def test_diff_names_what_no_cube_shows(other: Path, file: str, old: str, new: str, line: str) -> None:
    text = (other / file).read_text(encoding="utf-8")
    assert old in text
    (other / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    assert any(what.startswith(line) for what, gained in tables(RULES, load_rules(other)) if gained)


def test_diff_names_whom_a_day_to_come_concerns(other: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grants = (other / "grants.toml").read_text(encoding="utf-8")
    here = grants.index('id = "foreigner-ordinary-departure"')
    shorter = grants[here:].replace("\nnote_id", "\neffective_to = 2026-12-01T00:00:00+07:00\nnote_id", 1)
    (other / "grants.toml").write_text(grants[:here] + shorter, encoding="utf-8")
    assert main(["policy", "diff", str(PACKAGED), str(other), "--at", "2026-03-02T03:00+00:00"]) == 1
    before, later = capsys.readouterr().out.split("as of 2026-11-30 17:00 UTC")
    assert "as of 2026-03-02 03:00 UTC: nothing" in before
    assert "OPEN by foreigner-ordinary-departure-exit under the first set alone" in later


def test_diff_names_whom_a_graver_rule_concerns(other: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = (other / "rules.toml").read_text(encoding="utf-8")
    here = rules.index('id = "BIO-005"')
    (other / "rules.toml").write_text(rules[:here] + rules[here:].replace('"SECONDARY"', '"HOLD"', 1), encoding="utf-8")
    assert main(["policy", "diff", str(PACKAGED), str(other)]) == 1
    told = capsys.readouterr().out
    assert "HOLD or graver under the second set alone" in told
    assert "pad=attack" in told


@pytest.mark.parametrize("gained", [False, True])
def test_diff_names_who_may_try_again_under_one_set_alone(other: Path, capsys: pytest.CaptureFixture[str], gained: bool) -> None:
    rules = (other / "rules.toml").read_text(encoding="utf-8")
    (other / "rules.toml").write_text(rules.replace('"RETRY"', '"COUNTER"', 1), encoding="utf-8")
    sets = [str(other), str(PACKAGED)] if gained else [str(PACKAGED), str(other)]
    assert main(["policy", "diff", *sets]) == 1
    told = capsys.readouterr().out
    assert told.count("set alone:") == 1
    assert f"RETRY under the {'second' if gained else 'first'} set alone" in told
    assert "mrz=" in told


@pytest.mark.parametrize("arguments", [["diff", "nowhere", "nowhere"], ["check", "nowhere"]])
def test_a_folder_that_is_not_there_is_said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["policy", *arguments])
    assert "nowhere: no such folder" in capsys.readouterr().err


def test_a_log_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "explain", "0000", "--state", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_an_instant_without_zone_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["policy", "check", "--at", "2026-03-02T03:00"])
    assert "say its zone too" in capsys.readouterr().err


def test_a_decision_is_explained_with_its_rule_its_basis_and_what_was_not_known() -> None:
    grant = next(grant for grant in RULES.grants if grant.entry.id == "citizen-service-departure-entry")
    evidence = satisfying(grant, NOW).with_facts(
        exit_permit=found("expired", CheckResult.FAILED, source="exit_permit"), pencegahan=not_performed("timeout")
    )
    decision = decide(evidence, RULES, NOW, Stage.ENTRY)
    told = "\n".join(explained(DecisionRecord(at=NOW, evidence=evidence, decision=decision), RULES))
    assert "SECONDARY" in told
    assert "PER-002 The exit permit has expired" in told
    assert "Permenlu 2/2019" in told
    assert "pencegahan was not performed (timeout)" in told
    assert NOT_PERFORMED not in told


def test_a_copy_that_was_too_old_is_explained_with_its_age() -> None:
    grant = RULES.grants[0]
    old = msgspec.structs.replace(successful("clear_in_snapshot"), as_of=NOW - timedelta(hours=7))
    evidence = satisfying(grant, NOW).with_facts(wanted=old)
    decision = decide(evidence, RULES, NOW, grant.entry.stage)
    assert decision.reasons == ("SNAPSHOT_TOO_OLD",)
    told = "\n".join(explained(DecisionRecord(at=NOW, evidence=evidence, decision=decision), RULES))
    assert "wanted is clear in snapshot (as of 2026-03-01 20:00:00 UTC)" in told


def test_an_opening_is_explained_with_its_grant_and_tolerances() -> None:
    evidence = satisfying(RULES.grants[0], NOW).with_facts(revocation=successful("no_crl"))
    decision = decide(evidence, RULES, NOW, RULES.grants[0].entry.stage)
    told = "\n".join(explained(DecisionRecord(at=NOW, evidence=evidence, decision=decision), RULES))
    assert "granted: Adult citizen, ordinary passport, departing." in told
    assert "let pass by name: NoCrlFromState" in told
    assert "kept from opening" not in told


def test_the_page_holds_every_entry_with_its_basis_in_both_languages_and_nothing_from_elsewhere(tmp_path: Path) -> None:
    assert main(["policy", "page", "--at", NOW.isoformat(), "--out", str(tmp_path / "rules.html")]) == 0
    page = (tmp_path / "rules.html").read_text(encoding="utf-8")
    entries = [*RULES.rules, *RULES.annotations, *(grant.entry for grant in RULES.grants), *RULES.enablement]
    for entry in (*entries, *RULES.tolerances("demo", NOW)):
        name = getattr(entry, "id", "").removesuffix("-entry").removesuffix("-exit")
        for text in (name, entry.note_id, entry.note_en, entry.basis):
            assert escape(text) in page, entry
    for rule in (*RULES.rules, *RULES.annotations):
        assert f'{rule.id}<p class="version">{rule.reason}<' in page
    over = {grant.entry.id for grant in RULES.grants if grant.entry.stage == "exit" and not grant.entry.in_force(NOW)}
    assert over
    assert page.count("not in force</span>") == len(over)
    assert "src=" not in page
    assert "href=" not in page
