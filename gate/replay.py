"""``autogate replay``: judge recorded decisions again. The same evidence, instant and rules must give the same decision."""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gate.audit.log import FILE_NAME, KEY_FILE, AuditError, AuditReader, decode, encode, gate_key, open_readonly
from gate.evidence import Stage
from gate.outcome import PolicyDecision
from gate.policy.engine import decide
from gate.policy.schedule import SIGNED
from gate.policy.schema import PACKAGED, RulesError, RuleSet, load_rules
from gate.records import DecisionRecord, TransactionRecord

EVIDENCE = "findings"
"""The kind of personal field that evidence is (``gate/audit/personal.toml``)."""
RULES_FOLDER = "rules"
"""Within a state folder: earlier rule sets, one folder each, for decisions that were made under them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayResult:
    """One decision judged again. ``replayed`` is None where its rule set is not at hand; that is not *same*."""

    transaction: str
    stage: Stage
    recorded: PolicyDecision
    replayed: PolicyDecision | None

    @property
    def same(self) -> bool:
        return self.recorded == self.replayed


def recorded_decisions(log: AuditReader) -> Iterator[DecisionRecord]:
    """Every decision in the log whose evidence can be read, once, though a permit also stands in the record of its transaction. Raises AuditError."""
    seen: set[bytes] = set()
    for record in log.records():
        if EVIDENCE in record.gone:
            continue
        match record.kind:
            case "permit" | "decision":
                found: tuple[DecisionRecord, ...] = (decode(record, DecisionRecord),)
            case "transaction":
                found = decode(record, TransactionRecord).decisions
            case _:
                continue
        for decision in found:
            if (raw := encode(decision)) not in seen:
                seen.add(raw)
                yield decision


def unreadable(log: AuditReader) -> dict[str, int]:
    """Decisions whose evidence cannot be read, by transaction: its key was destroyed or is not at hand, or it was never sealed. Raises AuditError."""
    return dict(
        Counter(record.transaction for kind in ("permit", "decision") for record in log.records(kind) if EVIDENCE in record.gone)
    )


def replay(log: AuditReader, rules_by_version: Mapping[str, RuleSet]) -> list[ReplayResult]:
    """Judge every recorded decision again, each under the rule set that its version names. Raises AuditError."""
    return [_again(record, rules_of(record.decision, rules_by_version)) for record in recorded_decisions(log)]


def _again(record: DecisionRecord, rules: RuleSet | None) -> ReplayResult:
    stage = record.decision.stage
    return ReplayResult(
        transaction=record.evidence.transaction,
        stage=stage,
        recorded=record.decision,
        replayed=decide(record.evidence, rules, record.at, stage) if rules else None,
    )


def rules_of(decision: PolicyDecision, rules_by_version: Mapping[str, RuleSet]) -> RuleSet | None:
    """The rule set that ``decision`` names, None where it is not at hand. Who signed it, said behind, is no part of what it says."""
    rules = rules_by_version.get(decision.rules_version.partition(SIGNED)[0])
    return replace(rules, version=decision.rules_version) if rules else None


def rule_sets(state_dir: Path, store: Path | None = None) -> dict[str, RuleSet]:
    """By version: the packaged rule set, those kept in the state folder, and every version in ``store``, signed or not.

    One that this release cannot read is said on the standard error and left out: its decisions are then not judged again.
    """
    places = [state_dir / RULES_FOLDER, *([store / "versions"] if store else [])]
    folders = sorted(path for place in places if place.is_dir() for path in place.glob("[!.]*") if path.is_dir())
    found = {rules.version: rules for rules in (load_rules(),)}
    for folder in folders:
        try:
            rules = load_rules(folder)
        except RulesError as error:
            print(f"{folder}: not a rule set of this release: {error.faults[0]}", file=sys.stderr)
        else:
            found[rules.version] = rules
    return found


def keep_rules(rules: RuleSet, folder: Path | None, state_dir: Path) -> None:
    """Keep a copy of the rule set in the state folder, so that its decisions replay after an update; it is on the disk. Raises OSError."""
    kept = state_dir / RULES_FOLDER / rules.version.partition(SIGNED)[0].rpartition("@")[2]
    if not kept.is_dir():
        scratch = kept.with_name(f".{kept.name}")
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.copytree(
            folder or PACKAGED, scratch, ignore=lambda _, names: [name for name in names if not name.endswith(".toml")]
        )
        for path in (*scratch.iterdir(), scratch):
            _sync(path)
        scratch.rename(kept)
        _sync(kept.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replay_command(state_dir: Path, ids: Iterable[str] = (), store: Path | None = None, sealing_key: Path | None = None) -> int:
    """Print each decision (of the transactions ``ids``, or of all) and whether it comes out the same.

    ``store``: a folder of rule sets to look in, too. ``sealing_key``: the file with the key that opens evidence, by default a demonstration's. Returns 0
    when all do that can be judged again, 1 when one does not, 2 when the log or an id cannot be had.
    """
    wanted = set(ids)
    try:
        key_file = state_dir / KEY_FILE
        key = gate_key(key_file) if key_file.exists() else None
        with open_readonly(state_dir / FILE_NAME, key, sealing_key) as log:
            findings = log.verify() if key else []
            results = replay(log, rule_sets(state_dir, store))
            lost = {name: count for name, count in unreadable(log).items() if not wanted or name in wanted}
    except (AuditError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    chosen = [result for result in results if not wanted or result.transaction in wanted]
    for result in chosen:
        print(f"{result.transaction}  {result.stage:5}  {_words(result.recorded)}  {_verdict(result)}")
    for name, count in lost.items():
        print(f"{name}  NOT REPLAYED: the evidence of {count} decisions was destroyed in time, or its key is not at hand")
    if unknown := wanted - {result.transaction for result in chosen} - lost.keys():
        print(f"no decision of {', '.join(sorted(unknown))} in {state_dir / FILE_NAME}", file=sys.stderr)
        return 2
    if key is None:
        print(f"the log itself was not verified: there is no {KEY_FILE} beside it")
    for finding in findings:
        print(f"THE LOG WAS CHANGED: record {finding.seq}: {finding.what}")
    same = sum(result.same for result in chosen)
    more = f"; of {sum(lost.values())} more the evidence can no longer be read" if lost else ""
    print(f"{same} of {len(chosen)} decisions replay to the same{more}")
    return 0 if same == len(chosen) and not findings else 1


def _words(decision: PolicyDecision) -> str:
    return " ".join((decision.outcome, *decision.reasons))


def _verdict(result: ReplayResult) -> str:
    if result.replayed is None:
        return f"NOT REPLAYED: rule set {result.recorded.rules_version} is not at hand, or of another release"
    return "same" if result.same else f"DIFFERENT: {_words(result.replayed)}"
