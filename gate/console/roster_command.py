"""``autogate officers import | password | sign | activate | rollback | list``: whose orders lanes take, put into force by two people.

``import`` makes a version of ``{"officers": [{"name", "role", "credential", "key", "since", "until", "shift"}, …], "viewers": […]}``; credential and key
come from the console's page, on which an officer's authenticator makes its key while an administrator watches; ``password`` makes what stands in a
viewer's line in their place. Keys of those who sign: ``autogate trust keygen``.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from gate.config import ConfigError, load_console
from gate.console.passwords import hashed
from gate.console.roster import MAX_ROSTER, Entry, Officer, RosterStatement, RosterVersions, parse_roster
from gate.signer_key import key_of, public_hex
from pki.durable import read_file
from pki.errors import PkiError
from pki.signed_statement import QUORUM, Action, SignedStatement, parse_signers

EXIT_OK, EXIT_USAGE = 0, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``autogate officers``."""
    every = argparse.ArgumentParser(add_help=False)
    every.add_argument("--store", type=Path, metavar="DIR", help="the folder of versions")
    every.add_argument("--config", type=Path, metavar="FILE", help="take folder and signers from [console] of this configuration")
    every.add_argument("--signer", action="append", default=[], metavar="NAME:KEY", help="whose signature counts; repeatable")
    commands = parser.add_subparsers(dest="officers", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, parents=[every])

    command("import", "make a version out of a file of officers").add_argument("file", type=Path)
    commands.add_parser(
        "password",
        help="hash a password by which somebody may look and do nothing; reads it from the terminal, or a line of input",
    )
    sign = command("sign", "sign that a version shall be in force; two people must")
    sign.add_argument("version", metavar="VERSION")
    sign.add_argument("--key", type=Path, required=True, metavar="FILE")
    sign.add_argument("--name", required=True, metavar="WHO")
    sign.add_argument("--passphrase", type=Path, metavar="FILE", help="file with the words that encrypt the key")
    sign.add_argument("--because", default="", metavar="TEXT", help="why; needed to go back to an earlier version")
    command("activate", "put a version into force that two people signed for").add_argument("version", metavar="VERSION")
    command("rollback", "go back to an earlier one that two people signed for").add_argument("version", metavar="VERSION")
    command("list", "versions, who is on them, and what was signed about them")


def officers_command(options: argparse.Namespace) -> int:
    """Returns the exit status."""
    try:
        lines = list(_COMMANDS[options.officers](options))
    except (PkiError, ConfigError, OSError, ValueError) as error:
        print(f"autogate officers {options.officers}: {error.detail if isinstance(error, PkiError) else error}", file=sys.stderr)
        return EXIT_USAGE
    print(*lines, sep="\n")
    return EXIT_OK


def _store(options: argparse.Namespace) -> RosterVersions:
    """The folder that was named. Raises ConfigError, ValueError."""
    folder = options.store or (load_console(options.config).roster if options.config else None)
    if folder is None:
        raise ValueError("name the folder of versions: --store DIR, or --config FILE")
    if options.officers != "import" and not (folder / "versions").is_dir():
        raise ValueError(f"{folder}: no folder of rosters: autogate officers import makes one")
    return RosterVersions(folder)


def _signers(options: argparse.Namespace) -> dict[str, str]:
    configured = load_console(options.config).signers if options.config else ()
    return parse_signers((*configured, *options.signer))


def _import(options: argparse.Namespace) -> Iterator[str]:
    listed = parse_roster(read_file(options.file, MAX_ROSTER))
    version = _store(options).add(listed.officers, listed.viewers)
    yield f"version {version.number}, sha256 {version.digest}"
    yield f"next: {QUORUM} people sign it (autogate officers sign {version.number}), then autogate officers activate {version.number}"


def _password(_: argparse.Namespace) -> Iterator[str]:
    password = getpass.getpass("password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    yield f'"password": "{hashed(password)}"'


def _sign(options: argparse.Namespace) -> Iterator[str]:
    versions, signers = _store(options), _signers(options)
    key = key_of(options.name, options.key, options.passphrase, signers)
    signed = versions.sign(versions.find(options.version), key, now=datetime.now(UTC), because=options.because)
    yield from _statement(signed, signers, "signed")
    yield f"  as {options.name}:{public_hex(key)}"


def _activate(options: argparse.Namespace) -> Iterator[str]:
    versions, signers = _store(options), _signers(options)
    action: Action = "rollback" if options.officers == "rollback" else "activate"
    yield from _statement(versions.activate(versions.find(options.version), action, signers), signers, "in force")


def _list(options: argparse.Namespace) -> Iterator[str]:
    versions, signers = _store(options), _signers(options)
    signed = versions.in_force()
    yield str(versions.folder)
    for version in versions.versions():
        mark = "*" if signed and signed.statement.store == version.digest else " "
        yield f"{mark} {version.number:>4}  {version.digest[:16]}"
        listed = versions.read(version)
        people: tuple[Entry, ...] = (*listed.officers, *listed.viewers)
        for one in people:
            how = one.credential[:16] if isinstance(one, Officer) else "password: may look"
            yield f"        {one.name:<20} {one.role:<14} {one.since} to {one.until}, {one.shift}  {how}"
    for title, found in (("in force", [signed] if signed else []), ("pending", versions.pending())):
        for each in found:
            yield from _statement(each, signers, title)


def _statement(signed: SignedStatement[RosterStatement], signers: Mapping[str, str], title: str) -> Iterator[str]:
    one, people = signed.statement, ", ".join(signed.people(signers))
    because = f", because {one.because}" if one.because else ""
    yield f"{title}: statement {one.sequence} of {one.date}, to {one.action} version {one.version}{because}"
    yield f"  {len(signed.signatures)} signatures{f' by {people}' if people else ''}"


_COMMANDS: Mapping[str, Callable[[argparse.Namespace], Iterator[str]]] = {
    "import": _import,
    "list": _list,
    "password": _password,
    "sign": _sign,
    "activate": _activate,
    "rollback": _activate,
}
