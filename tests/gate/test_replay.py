"""Recorded decisions, judged again."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest

from gate.__main__ import main
from gate.audit.log import FILE_NAME, AuditLog, open_readonly
from gate.decision import Outcome, decide_entry, decide_exit
from gate.evidence import VOCABULARY, Direction, Evidence, Fact, Stage
from gate.policy.engine import decide
from gate.policy.schema import PACKAGED, RuleSet, load_rules
from gate.records import DecisionRecord, TransactionRecord
from gate.replay import RULES_FOLDER, keep_rules, replay, replay_command

KEY = b"k" * 32
AT = datetime(2026, 3, 2, 3, 0, 0, 123456, tzinfo=UTC)
RULES = load_rules()


def evidence(transaction: str, **words: str) -> Evidence:
    clean = {name: allowed[0] for name, allowed in VOCABULARY.items()} | words
    return Evidence(
        transaction=transaction,
        lane="L1",
        checkpoint="CGK",
        direction=Direction.DEPARTURE,
        civil_date=date(2026, 3, 2),
        facts={name: Fact(value=word, score=1 / 3, as_of=AT) for name, word in clean.items()},
    )


def judged(transaction: str, rules: RuleSet = RULES, **words: str) -> tuple[DecisionRecord, DecisionRecord]:
    seen = evidence(transaction, **words)
    return (
        DecisionRecord(at=AT, evidence=seen, decision=decide_entry(seen, rules, AT)),
        DecisionRecord(at=AT, evidence=seen, decision=decide_exit(seen, rules, AT)),
    )


def write(state: Path, *decisions: DecisionRecord) -> None:
    """As a lane writes: each decision, then the transaction that holds it once more."""
    log = AuditLog(state / FILE_NAME, KEY)
    for record in decisions:
        opened = record.decision.outcome is Outcome.OPEN
        log.append("permit" if opened else "decision", record.evidence.transaction, record, AT, 1.0)
    log.append("event", "", b'{"what":"controller lost"}', AT, 2.0)
    first = decisions[0]
    ended = TransactionRecord(
        transaction=first.evidence.transaction,
        lane="L1",
        checkpoint="CGK",
        direction=Direction.DEPARTURE,
        started=AT,
        ended=AT,
        document_class="ordinary",
        document_key="",
        outcome=first.decision.outcome,
        reasons=first.decision.reasons,
        stages=(),
        decisions=tuple(record for record in decisions if record.evidence.transaction == first.evidence.transaction),
        backends={},
        demonstration=True,
    )
    log.append("transaction", ended.transaction, ended, AT, 3.0)
    log.close()


@pytest.mark.conforms("UU 27/2022 art. 10", "positive")
def test_every_decision_replays_to_the_same_once(tmp_path: Path) -> None:
    write(tmp_path, *judged("t-1"), *judged("t-2", face="no_match"))
    with open_readonly(tmp_path / FILE_NAME) as log:
        results = replay(log, {RULES.version: RULES})
    assert [(result.transaction, result.stage, result.same) for result in results] == [
        ("t-1", Stage.ENTRY, True),
        ("t-1", Stage.EXIT, True),
        ("t-2", Stage.ENTRY, True),
        ("t-2", Stage.EXIT, True),
    ]
    assert results[3].replayed is not None
    assert results[3].replayed.reasons == ("FACE_NO_MATCH",)


@pytest.mark.conforms("UU 27/2022 art. 10", "defect")
def test_a_replay_that_finds_everything_in_order_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forgiving(*asked):
        return msgspec.structs.replace(decide(*asked), outcome=Outcome.OPEN, reasons=())

    monkeypatch.setattr("gate.replay.decide", forgiving)
    with pytest.raises(AssertionError):
        test_every_decision_replays_to_the_same_once(tmp_path)


@pytest.mark.conforms("UU 27/2022 art. 10", "negative")
def test_a_decision_that_its_evidence_does_not_bear_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry, exit_ = judged("t-1", face="no_match")
    opened = msgspec.structs.replace(exit_, decision=msgspec.structs.replace(exit_.decision, outcome=Outcome.OPEN, reasons=()))
    write(tmp_path, entry, opened)
    assert replay_command(tmp_path, []) == 1
    assert "DIFFERENT: COUNTER FACE_NO_MATCH" in capsys.readouterr().out


def other_rules(folder: Path) -> RuleSet:
    shutil.copytree(PACKAGED, folder)
    text = (folder / "rules.toml").read_text(encoding="utf-8")
    before, rule, after = text.partition('id = "DOC-024"')
    (folder / "rules.toml").write_text(before + rule + after.replace('"COUNTER"', '"SECONDARY"', 1), encoding="utf-8")
    return load_rules(folder)


def test_a_decision_is_judged_under_the_rules_it_was_made_by(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    earlier = other_rules(tmp_path / "elsewhere")
    write(tmp_path, *judged("t-1", earlier, dg1_mrz="doubtful"))
    assert replay_command(tmp_path, []) == 1
    assert "is not at hand" in capsys.readouterr().out
    shutil.copytree(tmp_path / "elsewhere", tmp_path / RULES_FOLDER / "earlier")
    assert replay_command(tmp_path, []) == 0
    assert "SECONDARY DG1_MRZ_DOUBTFUL  same" in capsys.readouterr().out


def test_a_power_cut_leaves_no_rule_set_that_is_kept_by_halves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of this name is never written again: what is not on the disk when it gets the name is lost for good."""
    synced, sync, rename = set(), os.fsync, Path.rename

    def fsync(descriptor: int) -> None:
        sync(descriptor)
        synced.add(os.fstat(descriptor).st_ino)

    def named(scratch: Path, kept: Path) -> Path:
        assert {path.stat().st_ino for path in (scratch, *scratch.iterdir())} <= synced
        return rename(scratch, kept)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", named)
    keep_rules(RULES, None, tmp_path)
    kept = tmp_path / RULES_FOLDER / RULES.version.rpartition("@")[2]
    assert load_rules(kept).version == RULES.version
    assert kept.parent.stat().st_ino in synced


EARLIER = (
    b'{"at":"2026-03-02T03:00:00Z","evidence":{"transaction":"t-1","lane":"L1","checkpoint":"CGK","direction":"departure",'
    b'"civil_date":"2026-03-02","facts":{"age":{"value":"from_6_to_17","result":"successful"},'
    b'"watchlist":{"value":"hit","result":"failed","code":"W1"}}},"decision":{"stage":"entry","outcome":"HOLD",'
    b'"reasons":["WATCHLIST_HIT"],"grant":null,"rules":["WL-001"],"tolerances":[],"unmet":["watchlist=hit"],'
    b'"rules_version":"autogate-draft-1@17ad"}}'
)
"""A decision as it was written before there were two lists, bands of age for minors, and annotations."""


def test_a_decision_of_an_earlier_release_is_told_and_explained_and_not_judged_by_other_rules(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = AuditLog(tmp_path / FILE_NAME, KEY)
    log.append("decision", "t-1", EARLIER, AT, 1.0)
    log.close()
    kept = tmp_path / RULES_FOLDER / "17ad"
    shutil.copytree(PACKAGED, kept)
    (kept / "enablement.toml").unlink()
    assert replay_command(tmp_path, []) == 1
    told = capsys.readouterr()
    assert "HOLD WATCHLIST_HIT  NOT REPLAYED: rule set autogate-draft-1@17ad is not at hand, or of another release" in told.out
    assert "not a rule set of this release" in told.err
    assert main(["policy", "explain", "t-1", "--state", str(tmp_path)]) == 0
    told = capsys.readouterr()
    assert "HOLD WATCHLIST_HIT" in told.out
    assert "watchlist is hit (W1)" in told.out


def test_the_command_takes_ids_and_tells_unknown_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, *judged("t-1"), *judged("t-2"))
    assert replay_command(tmp_path, ["t-2"]) == 0
    assert "t-1" not in capsys.readouterr().out
    assert replay_command(tmp_path, ["t-9"]) == 2
    assert "no decision of t-9" in capsys.readouterr().err


def test_without_a_log_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay_command(tmp_path, []) == 2
    assert "there is no audit log" in capsys.readouterr().err
