"""``autogate policy``: what a rule set opens for, what another would change, and why a traveller was decided on as recorded."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gate.audit.log import FILE_NAME, AuditError, open_readonly
from gate.config import ConfigError
from gate.evidence import IN_SNAPSHOT, NOT_PERFORMED, Fact
from gate.policy.actions import lane_action
from gate.policy.check_command import check_command, told
from gate.policy.page import render
from gate.policy.schema import RulesError, RuleSet, load_rules
from gate.policy.survey.difference import Change, changes, tables
from gate.policy.survey.regions import Survey, survey, turning_points
from gate.records import DecisionRecord
from gate.replay import recorded_decisions, rule_sets, rules_of, unreadable
from gate.ui.reasons import reason


def add_arguments(parser: argparse.ArgumentParser, state: Path) -> None:
    """The commands below ``autogate policy``; ``state`` is where the demo keeps its log."""
    commands = parser.add_subparsers(dest="policy", required=True)
    check = commands.add_parser("check", help="everything it opens for, as cubes, and what is wrong with it as a whole")
    check.add_argument("rules", type=_folder, nargs="?", help="folder of rule files; the packaged ones where none is named")
    check.add_argument("--at", type=_instant, default=datetime.now(UTC), help="as of then, with zone: 2026-03-02T00:00+07:00")
    diff = commands.add_parser("diff", help="which travellers a second rule set treats otherwise than the first")
    diff.add_argument("first", type=_folder)
    diff.add_argument("second", type=_folder)
    diff.add_argument("--at", type=_instant, default=datetime.now(UTC), help="as of then, with zone")
    page = commands.add_parser("page", help="the whole set with its legal bases as one HTML page")
    page.add_argument("rules", type=_folder, nargs="?", help="folder of rule files; the packaged ones where none is named")
    page.add_argument("--at", type=_instant, default=datetime.now(UTC), help="as of then, with zone")
    page.add_argument("--out", type=Path, default=Path("rules.html"))
    explain = commands.add_parser("explain", help="a recorded decision, as an officer would say it")
    explain.add_argument("transaction", help="its id, or the beginning of it")
    explain.add_argument("--state", type=Path, default=state)
    explain.add_argument("--store", type=Path, metavar="DIR", help="folder of signed rule sets to look in, too")
    explain.add_argument("--sealing-key", type=Path, metavar="FILE", help="what opens evidence, where it lies elsewhere")
    _add_signing(commands)


def _add_signing(commands: Any) -> None:
    """The commands of signed rule sets (:mod:`gate.policy.sets_command`)."""
    every = argparse.ArgumentParser(add_help=False)
    every.add_argument("--store", type=Path, metavar="DIR", help="the folder of versions")
    every.add_argument("--config", type=Path, metavar="FILE", help="take folder and signers from [rules] of this configuration")
    every.add_argument("--signer", action="append", default=[], metavar="NAME:KEY", help="whose signature counts; repeatable")
    every.add_argument("--at", type=_instant, help="moment to work at, with zone (default: now)")

    def command(name: str, text: str, what: str = "") -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = commands.add_parser(name, help=text, parents=[every])
        if what:
            parser.add_argument(what, metavar=what.upper())
        return parser

    command("import", "make a version of rule files that check finds nothing wrong with").add_argument("rules", type=_folder)
    command("list", "versions, what was signed about them, and from when they judge")
    sign = command("sign", "sign from when a version shall judge; two people must", "version")
    sign.add_argument("--from", dest="begins", type=_instant, metavar="TIME", help="2026-12-01T00:00+07:00 (default: now)")
    sign.add_argument("--because", default="", metavar="TEXT", help="why; needed to go back to an earlier version")
    sign.add_argument("--key", type=Path, required=True, metavar="FILE", help="that person's key (autogate trust keygen)")
    sign.add_argument("--name", required=True, metavar="WHO", help="who signs, as among the signers")
    sign.add_argument("--passphrase", type=Path, metavar="FILE", help="file with the words that encrypt the key")
    command("activate", "put into force what two people signed", "version")
    command("rollback", "go back to an earlier version that two people signed for", "version")


def policy_command(options: argparse.Namespace) -> int:
    """Returns 0; 1 where something is wrong or differs; 2 where it cannot be done as asked."""
    try:
        match options.policy:
            case "check":
                return check_command(options.rules, options.at)
            case "diff":
                return _diff(load_rules(options.first), load_rules(options.second), options.at)
            case "page":
                options.out.write_text(render(load_rules(options.rules), options.at), encoding="utf-8")
                print(options.out)
                return 0
            case "explain":
                return _explain(options.transaction, options.state, options.store, options.sealing_key)
            case _:
                # Needs cryptography, the others do not.
                from gate.policy.sets_command import sets_command

                return sets_command(options, datetime.now(UTC), _diff)
    except (RulesError, AuditError, ConfigError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2


def _folder(text: str) -> Path:
    if not (folder := Path(text)).is_dir():
        raise argparse.ArgumentTypeError(f"{text}: no such folder")
    return folder


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise argparse.ArgumentTypeError("say its zone too, as in 2026-03-02T00:00+07:00")
    return at


def _diff(first: RuleSet, second: RuleSet, at: datetime) -> int:
    """Whose outcome changes at ``at``, and what else does from each later instant on at which something begins or ends."""
    print(f"{first.version}\n{second.version}")
    coming = {each for rules in (first, second) for each in turning_points(rules) if each > at}
    surveys = [(survey(first, each), survey(second, each)) for each in (at, *sorted(coming))]
    found = [list(changes(one, other)) for one, other in surveys]
    for (one, _), now, before in zip(surveys, found, [None, *found], strict=False):
        if now != before:
            _print_changes(one, now)
    rows = list(tables(first, second))
    for what, gained in rows:
        print(f"\nthe {'second' if gained else 'first'} set alone {what}")
    if not any(found) and not rows:
        print("\nno traveller's outcome changes, but perhaps reasons")
    return 1 if any(found) or rows else 0


def _print_changes(one: Survey, found: list[Change]) -> None:
    print(f"\nas of {one.now:%Y-%m-%d %H:%M %Z}{'' if found else ': nothing'}")
    for change in found:
        what = (
            f"OPEN by {change.grant}" if change.grant else "RETRY" if change.outcome == "RETRY" else f"{change.outcome} or graver"
        )
        print(f"\n{what} under the {'second' if change.gained else 'first'} set alone:")
        print(*(f"  {told(one, cube)}" for cube in change.cubes), sep="\n")


def _explain(transaction: str, state: Path, store: Path | None, sealing_key: Path | None) -> int:
    with open_readonly(state / FILE_NAME, sealing_key=sealing_key) as log:
        gone = [name for name in unreadable(log) if name.startswith(transaction)]
        found = [record for record in recorded_decisions(log) if record.evidence.transaction.startswith(transaction)]
    if gone and not found:
        raise ValueError(
            f"{gone[0]}: its evidence was destroyed in time, or the key that opens it is not at hand (--sealing-key FILE)"
        )
    if len({record.evidence.transaction for record in found}) != 1:
        raise ValueError(f"{state / FILE_NAME}: decisions on {len(found)} transactions begin with {transaction!r}: name one")
    rules = rule_sets(state, store)
    for record in found:
        print(*explained(record, rules_of(record.decision, rules)), sep="\n", end="\n\n")
    return 0


def explained(record: DecisionRecord, rules: RuleSet | None) -> Iterator[str]:
    """A decision line by line: what was decided, why in words, with the legal basis, and what was not known."""
    evidence, decision = record.evidence, record.decision
    yield f"{evidence.transaction}: {decision.stage}, {evidence.direction} at {evidence.checkpoint}, {record.at:%Y-%m-%d %H:%M:%S %Z}"
    yield f"  {' '.join((decision.outcome, *decision.reasons))}, by {decision.rules_version}"
    grant = next((each.entry for each in rules.grants if each.entry.id == decision.grant), None) if rules else None
    if grant:
        yield f"  granted: {grant.note_en} ({grant.basis}; {grant.source_status})"
    if rules:
        action = lane_action(rules, decision, evidence.direction)
        yield f"  doors: {action.note_en} ({action.basis}; {action.source_status})"
    fired = {rule.id: rule for rule in rules.rules} if rules else {}
    for name in decision.rules:
        rule = fired.get(name)
        yield (
            f"  {name} {reason(rule.reason).words[1]}: {rule.note_en} ({rule.basis}; {rule.source_status})"
            if rule
            else f"  {name}"
        )
    yield from (f"  let pass by name: {name}" for name in decision.tolerances)
    yield from (f"  an officer is told: {reason(code).words[1]}" for code in decision.annotations)
    for each in decision.unmet:
        name, _, word = each.partition("=")
        fact = evidence.facts.get(name, Fact())
        why = f"as of {fact.as_of:%Y-%m-%d %H:%M:%S %Z}" if word.endswith(IN_SNAPSHOT) and fact.as_of else fact.code
        what = "was not performed" if word == NOT_PERFORMED else f"is {word.replace('_', ' ')}"
        yield f"  kept from opening: {name.replace('_', ' ')} {what}{f' ({why})' if why else ''}"
