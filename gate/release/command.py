"""``autogate release sign | check | migrate``: what the people who release do, and what the package does with the state."""

from __future__ import annotations

import argparse
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from gate.release.install import Debian, digest
from gate.release.state import STATE, StateError, migrate
from gate.release.statement import SUFFIX, Release, ReleaseRefused, order, people, read_signers, read_statement
from gate.signer_key import private_key
from pki.durable import write_file
from pki.signed_statement import SignedStatement

EXIT_OK, EXIT_FOUND, EXIT_USAGE = 0, 1, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="release", required=True, metavar="COMMAND")
    sign = commands.add_parser("sign", help="one of two people signs for a package; its statement lies beside it")
    sign.add_argument("package", type=Path)
    sign.add_argument("--key", type=Path, required=True, metavar="FILE", help="as `autogate trust keygen` made it")
    sign.add_argument("--passphrase", type=Path, metavar="FILE", help="file with the words that encrypt the key")
    sign.add_argument("--after", type=Path, metavar="STATEMENT", help="of this package's release before; none: it is the first")
    sign.add_argument(
        "--minimum", default="", metavar="VERSION", help="the oldest that may run from then on; as before where it is not given"
    )
    sign.add_argument("--because", default="", help="why the oldest is another now")
    check = commands.add_parser("check", help="who signed for a package, and whether these are its octets")
    check.add_argument("package", type=Path)
    check.add_argument("--signers", type=Path, required=True, metavar="FILE", help="NAME:KEY, one a line")
    commands.add_parser("migrate", help="lead the state in /var/lib/autogate to this software's format (the package does it)")


def release_command(options: argparse.Namespace) -> int:
    """Returns 0, 1 where ``check`` found something, 2 where it cannot be done as asked."""
    try:
        match options.release:
            case "sign":
                return _sign(options)
            case "check":
                return _check(options)
            case _:
                print(f"state of format {migrate(STATE)}")
                return EXIT_OK
    except (ReleaseRefused, StateError, OSError, ValueError, subprocess.CalledProcessError) as error:
        print(f"autogate release {options.release}: {error}", file=sys.stderr)
        return EXIT_FOUND if options.release == "check" and isinstance(error, ReleaseRefused) else EXIT_USAGE


def drafted(
    package: Path, name: str, version: str, after: Release | None = None, *, minimum: str = "", because: str = ""
) -> Release:
    """The statement that people would sign about ``package``. Raises ReleaseRefused where it does not follow ``after``, OSError."""
    if after and (after.package != name or order(after.release) >= order(version)):
        raise ReleaseRefused("not_newer", f"{name} {version} does not come after {after.package} {after.release}")
    oldest = minimum or (after.minimum if after else version)
    if after and order(oldest) < order(after.minimum):
        raise ReleaseRefused("below_minimum", f"{after.minimum} was the oldest that may run, and {oldest} is older")
    number = after.version + 1 if after else 1
    one = Release(
        action="activate",
        version=number,
        sequence=number,
        store=digest(package),
        replaces=after.digest if after else "",
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        because=because,
        package=name,
        release=version,
        minimum=oldest,
    )
    if not one.is_sound():
        raise ReleaseRefused("malformed", f"{name} {version}, at least {oldest}: no release")
    return one


def _sign(options: argparse.Namespace) -> int:
    """The second person signs what the first one drafted, whatever else is asked."""
    package, path = options.package, options.package.with_name(options.package.name + SUFFIX)
    key = private_key(options.key, options.passphrase)
    name, version = Debian().contents(package)
    if path.exists():
        signed = read_statement(path)
        one = signed.statement
        if (one.package, one.release, one.store) != (name, version, digest(package)):
            raise ReleaseRefused("altered", f"{path} is about another package")
    else:
        after = read_statement(options.after).statement if options.after else None
        signed = SignedStatement(
            statement=drafted(package, name, version, after, minimum=options.minimum, because=options.because)
        )
    signed = signed.signed_with(key)
    write_file(path, signed.encoded)
    one = signed.statement
    print(f"{name} {version}, release {one.version}, nothing older than {one.minimum}: {len(signed.signatures)} signed, {path}")
    return EXIT_OK


def _check(options: argparse.Namespace) -> int:
    signed = read_statement(options.package.with_name(options.package.name + SUFFIX))
    one, names = signed.statement, people(signed, read_signers(options.signers))
    if digest(options.package) != one.store:
        raise ReleaseRefused("altered", f"{options.package} is not what they signed")
    print(
        f"{one.package} {one.release}, release {one.version}, nothing older than {one.minimum}: signed by {' and '.join(names)}"
    )
    return EXIT_OK
