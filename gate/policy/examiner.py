"""Proves for the lane process, which loads no cryptography, what a signed store of rule sets says.

``python -m gate.policy.examiner`` takes a :class:`gate.policy.schedule.Question` on standard input and answers on standard output. Where the
store cannot be proven, it answers with what the gate went by last, of which it keeps a copy in the gate's state folder, as strictly proven.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from gate import seen
from gate.policy.schedule import Answer, Question, SignedSet
from gate.policy.schema import RuleSet
from gate.policy.sets import RulesStatement, RulesVersions
from gate.profiles import PROFILES
from pki.durable import unusable
from pki.errors import PkiError
from pki.signed_statement import SignedStatement, parse_signers
from pki.signed_versions import Seen, Version, check_forward, enough

SEEN_FILE, KEPT_FOLDER = "rules-seen.json", "rules-kept"
"""In a gate's state folder: the newest statement that it has worked under; a copy of the sets that it went by last."""
LIST = "autogate policy list"
MOST_AHEAD = 8
"""Statements that have not begun: more are a mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """A rule set whose statement and every octet were found good."""

    signed: SignedStatement[RulesStatement]
    version: Version
    rules: RuleSet
    people: tuple[str, ...]

    def told(self) -> SignedSet:
        one = self.signed.statement
        return SignedSet(
            folder=str(self.version.path),
            rules=self.rules.version,
            version=one.version,
            sequence=one.sequence,
            statement=one.digest,
            people=self.people,
            begins=one.instant,
        )


def open_sets(
    versions: RulesVersions, signers: Mapping[str, str], *, at: datetime, profile: str, worked_under: Seen | None
) -> list[Proven]:
    """What is in force at ``at``, last, and before it what will be, newest first; each signed by two of ``signers`` (public key → name).

    Raises PkiError: STORE_NOT_SIGNED, STORE_OUTDATED (the newest statement is from before the one ``worked_under``), MALFORMED.
    """
    signed = versions.in_force()
    if signed is None:
        raise unusable(versions.folder, "has no rule set in force: autogate policy activate")
    found = [_proven(versions, signed, signers, profile)]
    if worked_under is not None:
        check_forward(signed.statement, worked_under)
    while found[-1].signed.statement.instant > at:
        last = found[-1].signed.statement
        before = versions.before(last)
        if before is None or len(found) == MOST_AHEAD:
            raise unusable(versions.folder, f"no rule set has begun: statement {last.sequence} begins at {last.begins}")
        found.append(_proven(versions, before, signers, profile))
    return found


def _proven(versions: RulesVersions, signed: SignedStatement[RulesStatement], signers: Mapping[str, str], profile: str) -> Proven:
    people = enough(signed, signers)
    version = versions.version(signed.statement.version, signed.statement.store)
    rules = versions.rules(version)
    tolerated = {each for grant in rules.grants for need in grant.requirements for each in need.tolerated.values()}
    unsafe = sorted(each.id for each in tolerated if each.id.startswith("Unsafe") and profile in each.profiles)
    if unsafe and not PROFILES[profile].allows_unsafe:
        raise unusable(version.path, f"lets {', '.join(unsafe)} pass, which profile {profile} refuses")
    return Proven(signed=signed, version=version, rules=rules, people=people)


def examine(asked: Question, *, keep: bool) -> Answer:
    """Prove what the store says; where that fails, what this gate went by last. Raises PkiError where neither can be proven, OSError.

    ``keep``: copy what was proven and remember it, so that nothing older is taken any more.
    """
    state, store = Path(asked.state_dir), RulesVersions(Path(asked.store))
    signers, before = parse_signers(asked.signers), seen.last_seen(state / SEEN_FILE, LIST)
    kept = RulesVersions(state / KEPT_FOLDER)
    try:
        sets = open_sets(store, signers, at=asked.at, profile=asked.profile, worked_under=before)
    except PkiError as error:
        try:
            sets = open_sets(kept, signers, at=asked.at, profile=asked.profile, worked_under=before)
        except PkiError:
            raise error from None
        return Answer(sets=tuple(one.told() for one in sets), problem=error.detail)
    if keep:
        kept.copy(store, [(one.signed, one.version) for one in sets])
        seen.remember(Seen.of(sets[0].signed.statement), state / SEEN_FILE, LIST)
    return Answer(sets=tuple(one.told() for one in sets))


def main() -> int:
    """A question on standard input, its answer on standard output."""
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    try:
        answer = examine(asked, keep=True)
    except PkiError as error:
        answer = Answer(problem=error.detail)
    except OSError as error:
        answer = Answer(problem=str(error))
    sys.stdout.buffer.write(msgspec.json.encode(answer))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
