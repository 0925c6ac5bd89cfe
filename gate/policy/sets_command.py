"""``autogate policy import | sign | activate | rollback | list``: rule sets that two people sign, and that begin at a set time.

``import`` makes a version, ``sign`` (by each of two people, on a machine of their own if they like: the store is a folder that can be carried)
says from when it shall judge, ``activate`` puts that into force. Keys are the trust store's (``autogate trust keygen``).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from gate.config import load_rules_section
from gate.policy.check_command import check_command
from gate.policy.entries import END
from gate.policy.schema import FILES, RuleSet, load_rules
from gate.policy.sets import RulesStatement, RulesVersions
from gate.signer_key import key_of, public_hex
from pki.durable import read_file
from pki.errors import PkiError
from pki.signed_statement import QUORUM, Action, SignedStatement, parse_signers
from pki.signed_versions import Version

MAX_FILE = 1 << 20
SHORT = 16
"""Digits of a digest that are shown to people."""
Diff = Callable[[RuleSet, RuleSet, datetime], int]
"""Prints whose outcome another set changes."""


def sets_command(options: argparse.Namespace, now: datetime, diff: Diff) -> int:
    """Returns 0, or 1 where the set to be imported is not kept, as check finds something wrong with it. Raises ValueError, RulesError, OSError."""
    try:
        return _COMMANDS[options.policy](options, options.at or now, diff)
    except PkiError as error:
        raise ValueError(error.detail) from None


def _store(options: argparse.Namespace) -> RulesVersions:
    """The folder that was named. Raises ConfigError, ValueError."""
    folder = options.store or (load_rules_section(options.config).store if options.config else None)
    if folder is None:
        raise ValueError("name the folder of versions: --store DIR, or --config FILE")
    if options.policy != "import" and not (folder / "versions").is_dir():
        raise ValueError(f"{folder}: no folder of signed rule sets: autogate policy import makes one")
    return RulesVersions(folder)


def _signers(options: argparse.Namespace) -> dict[str, str]:
    configured = load_rules_section(options.config).signers if options.config else ()
    return parse_signers((*configured, *options.signer))


def _import(options: argparse.Namespace, now: datetime, diff: Diff) -> int:
    """What is checked is what is kept: the files are read once."""
    versions = _store(options)
    files = {name: read_file(options.rules / name, MAX_FILE) for name in FILES if (options.rules / name).exists()}
    with tempfile.TemporaryDirectory() as scratch:
        for name, content in files.items():
            (Path(scratch) / name).write_bytes(content)
        rules = load_rules(Path(scratch))
        if check_command(Path(scratch), now):
            print("\nnot kept: mend what is wrong with the set as a whole, then import again")
            return 1
        _print_differences(versions, rules, now, diff)
    version = versions.add(files, rules.version)
    print(f"\nversion {version.number}, sha256 {version.digest}")
    print(
        f"next: {QUORUM} people sign it (autogate policy sign {version.number} --from TIME), then autogate policy activate {version.number}"
    )
    return 0


def _print_differences(versions: RulesVersions, rules: RuleSet, now: datetime, diff: Diff) -> None:
    before = versions.in_force()
    if before is None:
        print("\nno rule set is in force in this store yet")
        return
    print(f"\nagainst version {before.statement.version}, which is in force from {before.statement.begins}:")
    try:
        earlier = versions.rules(versions.version(before.statement.version, before.statement.store))
    except PkiError as error:  # written for an earlier release, most likely; the new one is to come all the same
        print(f"cannot be compared: {error.detail}")
    else:
        diff(earlier, rules, now)


def _sign(options: argparse.Namespace, now: datetime, diff: Diff) -> int:
    versions, signers = _store(options), _signers(options)
    version = versions.find(options.version)
    key = key_of(options.name, options.key, options.passphrase, signers)
    _print_differences(versions, versions.rules(version), options.begins or now, diff)
    signed = versions.sign(version, key, now=now, begins=options.begins, because=options.because)
    print("", *_statement(signed, signers, "signed"), f"  as {options.name}:{public_hex(key)}", sep="\n")
    before = versions.in_force()
    if before and signed.statement.instant <= before.statement.instant and now < before.statement.instant:
        print(f"  statement {before.statement.sequence}, of version {before.statement.version}, then never begins")
    return 0


def _activate(options: argparse.Namespace, now: datetime, _: Diff) -> int:  # noqa: ARG001 - as every command
    versions, signers = _store(options), _signers(options)
    action: Action = "rollback" if options.policy == "rollback" else "activate"
    signed = versions.activate(versions.find(options.version), action, signers)
    print(*_statement(signed, signers, "in force"), sep="\n")
    return 0


def _list(options: argparse.Namespace, now: datetime, _: Diff) -> int:
    versions, signers = _store(options), _signers(options)
    plan = list(_plan(versions, now))
    judging = plan[-1].statement if plan and plan[-1].statement.instant <= now else None
    print(versions.folder)
    for version in versions.versions():
        mark = "*" if judging and judging.store == version.digest else " "
        print(f"{mark} {version.number:>4}  {version.digest[:SHORT]}  {_what(versions, version)}")
    for one in plan:
        print(*_statement(one, signers, "in force" if one.statement is judging else "to begin"), sep="\n")
    for one in versions.pending():
        print(*_statement(one, signers, "pending"), sep="\n")
    return 0


def _plan(versions: RulesVersions, now: datetime) -> Iterator[SignedStatement[RulesStatement]]:
    """Newest first, down to the one that has begun; without those that never will, as what follows them begins before them."""
    signed, least = versions.in_force(), END
    while signed is not None:
        if signed.statement.instant < least:
            yield signed
            least = signed.statement.instant
        signed = versions.before(signed.statement) if least > now else None


def _what(versions: RulesVersions, version: Version) -> str:
    try:
        rules = versions.rules(version)
    except PkiError as error:
        return f"not usable: {error.detail}"
    return f"{rules.version.partition('@')[0]}, {len(rules.grants)} grants, {len(rules.rules)} rules"


def _statement(signed: SignedStatement[RulesStatement], signers: Mapping[str, str], title: str) -> Iterator[str]:
    one, people = signed.statement, ", ".join(signed.people(signers))
    because = f", because {one.because}" if one.because else ""
    yield f"{title}: statement {one.sequence} of {one.date}, to {one.action} version {one.version} from {one.begins} on{because}"
    yield f"  {len(signed.signatures)} signatures{f' by {people}' if people else ''}"


_COMMANDS: Mapping[str, Callable[[argparse.Namespace, datetime, Diff], int]] = {
    "import": _import,
    "list": _list,
    "sign": _sign,
    "activate": _activate,
    "rollback": _activate,
}
