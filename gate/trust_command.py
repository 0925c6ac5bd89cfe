"""``autogate trust``: what the gate believes, made here and put into force by two people.

``import`` makes a version, ``sign`` (by each of two people, on a machine of their own if they like: the store is a folder that can
be carried) says that it shall be in force, ``activate`` puts it into force. Nothing here is secret but a signer's key.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from gate import trust_tables
from gate.config import ConfigError, load_trust
from gate.signer_key import key_of, public_hex, words
from gate.trust_import import Progress, import_sources
from pki.errors import PkiError
from pki.trust_statement import Action, parse_signers
from pki.trust_versions import TrustVersions, Version

EXIT_OK, EXIT_FOUND, EXIT_USAGE = 0, 1, 2
DAYS = 180
"""How far ``check`` looks ahead: a State sends its new CSCA certificate 90 days before it signs with it (Doc 9303-12 §4.1.1)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``autogate trust``."""
    every = argparse.ArgumentParser(add_help=False)
    every.add_argument("--store", type=Path, metavar="DIR", help="the folder of versions")
    every.add_argument("--config", type=Path, metavar="FILE", help="take folder and signers from [trust] of this configuration")
    every.add_argument("--signer", action="append", default=[], metavar="NAME:KEY", help="whose signature counts; repeatable")
    every.add_argument("--json", action="store_true", help="everything, for machines")
    every.add_argument("--at", type=_time, metavar="ISO", help="moment to work at; without an offset UTC (default: now)")
    commands = parser.add_subparsers(dest="trust", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, parents=[every])

    imports = command("import", "make a version out of lists, directory files, certificates and folders of these")
    imports.add_argument("sources", type=Path, nargs="+", metavar="SOURCE")
    imports.add_argument(
        "--anchor", type=Path, action="append", default=[], metavar="CERT", help="whom a master list must come from"
    )
    imports.add_argument("--fresh", action="store_true", help="do not keep what the newest version holds")
    imports.add_argument("--demo", action="store_true", help="mark the store: nothing but a demonstration opens it")
    command("list", "versions, and what was signed about them")
    command("show", "what a version holds, or a certificate").add_argument("what", metavar="VERSION|CERT|COUNTRY")
    check = command("check", "States about to be without an anchor, certificates without issuer")
    check.add_argument("version", nargs="?", metavar="VERSION", help="default: the one in force, else the newest")
    check.add_argument("--days", type=int, default=DAYS, help=f"how far to look ahead (default: {DAYS})")
    diff = command("diff", "what the second version has and the first has not, and the other way round")
    diff.add_argument("first", metavar="A")
    diff.add_argument("second", metavar="B")
    sign = command("sign", "sign that a version shall be in force; two people must")
    sign.add_argument("version", metavar="VERSION")
    sign.add_argument("--key", type=Path, required=True, metavar="FILE")
    sign.add_argument("--name", required=True, metavar="WHO")
    sign.add_argument("--because", default="", metavar="TEXT", help="why; needed to go back to an earlier version")
    sign.add_argument(
        "--confirm", action="append", default=[], metavar="SHA256", help="a pinned certificate that its State confirmed"
    )
    command("activate", "put a version into force that two people signed for").add_argument("version", metavar="VERSION")
    command("rollback", "go back to an earlier one that two people signed for").add_argument("version", metavar="VERSION")
    keygen = command("keygen", "make a signer's key")
    keygen.add_argument("--name", required=True, metavar="WHO")
    keygen.add_argument("--key", type=Path, required=True, metavar="FILE", help="where to write the private key")
    for keyed in (sign, keygen):
        keyed.add_argument("--passphrase", type=Path, metavar="FILE", help="file with the words that encrypt the key")


def trust_command(options: argparse.Namespace) -> int:
    """Returns the exit status: 1 where ``check`` found something, 2 where it cannot be done as asked."""
    options.at = options.at or datetime.now(UTC)
    try:
        told = _COMMANDS[options.trust](options)
    except (PkiError, ConfigError, OSError, ValueError) as error:
        print(f"autogate trust {options.trust}: {error.detail if isinstance(error, PkiError) else error}", file=sys.stderr)
        return EXIT_USAGE
    lines = trust_tables.TABLES[options.trust](told)
    print(json.dumps(told, indent=2, default=str) if options.json else "\n".join(lines))
    return EXIT_FOUND if told.get("found") else EXIT_OK


def _store(options: argparse.Namespace) -> TrustVersions:
    """The folder that was named. Raises ConfigError, ValueError."""
    folder = options.store or (load_trust(options.config).store if options.config else None)
    if folder is None:
        raise ValueError("name the folder of versions: --store DIR, or --config FILE")
    if options.trust != "import" and not (folder / "versions").is_dir():
        raise ValueError(f"{folder}: no folder of trust stores: autogate trust import makes one")
    return TrustVersions(folder)


def _signers(options: argparse.Namespace) -> dict[str, str]:
    """Whose signatures count: public key → name."""
    configured = load_trust(options.config).signers if options.config else ()
    return parse_signers((*configured, *options.signer))


def _default(versions: TrustVersions) -> Version:
    """The version in force, else the newest."""
    if signed := versions.in_force():
        return versions.version(signed.statement.version, signed.statement.store)
    if not (known := versions.versions()):
        raise ValueError(f"{versions.folder}: holds no version: autogate trust import")
    return known[-1]


def _import(options: argparse.Namespace) -> dict[str, Any]:
    with Progress() as progress:
        return import_sources(_store(options), options, progress)


def _list(options: argparse.Namespace) -> dict[str, Any]:
    return trust_tables.overview(_store(options), _signers(options))


def _show(options: argparse.Namespace) -> dict[str, Any]:
    versions = _store(options)
    wanted: str = options.what
    if (wanted.isdecimal() and len(wanted) < 7) or any(
        len(wanted) >= 8 and one.digest.startswith(wanted) for one in versions.versions()
    ):
        version = versions.find(wanted)
        with Progress() as progress:
            progress.show(0, 1, f"version {version.number}")
            return trust_tables.version_details(version, versions.read(version))
    version = _default(versions)
    signed = versions.in_force()
    confirmed = frozenset(signed.statement.confirmed if signed else ())
    return trust_tables.certificate_details(version, versions.read(version), wanted, confirmed)


def _check(options: argparse.Namespace) -> dict[str, Any]:
    versions = _store(options)
    version = versions.find(options.version) if options.version else _default(versions)
    signed = versions.in_force()
    with Progress() as progress:
        progress.show(0, 1, f"version {version.number}")
        confirmed = frozenset(signed.statement.confirmed if signed else ())
        return trust_tables.findings(version, versions.read(version), options.at, options.days, confirmed)


def _diff(options: argparse.Namespace) -> dict[str, Any]:
    versions = _store(options)
    first, second = versions.find(options.first), versions.find(options.second)
    return {"first": first.number, "second": second.number} | trust_tables.differences(
        versions.read(first), versions.read(second)
    )


def _sign(options: argparse.Namespace) -> dict[str, Any]:
    versions = _store(options)
    version = versions.find(options.version)
    signers = _signers(options)
    key = key_of(options.name, options.key, options.passphrase, signers)
    public = public_hex(key)
    trust_tables.check_confirmable(versions.read(version), options.confirm)
    before = versions.in_force()
    signed = versions.sign(version, key, now=options.at, because=options.because, confirmed=tuple(options.confirm))
    told = {"signed_as": f"{options.name}:{public}", "signatures": len(signed.signatures)} | trust_tables.statement(
        signed, signers
    )
    if before is None:
        return told
    earlier = versions.read(versions.version(before.statement.version, before.statement.store))
    return told | trust_tables.differences(earlier, versions.read(version))


def _activate(options: argparse.Namespace) -> dict[str, Any]:
    versions, signers = _store(options), _signers(options)
    action: Action = "rollback" if options.trust == "rollback" else "activate"
    signed = versions.activate(versions.find(options.version), action, signers, now=options.at)
    return trust_tables.statement(signed, signers)


def _keygen(options: argparse.Namespace) -> dict[str, Any]:
    key = Ed25519PrivateKey.generate()
    locking = words(options.passphrase)
    locked: KeySerializationEncryption = BestAvailableEncryption(locking) if locking else NoEncryption()
    with os.fdopen(os.open(options.key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    signer = f"{options.name}:{public_hex(key)}"
    parse_signers([signer])
    return {"signer": signer, "key_file": str(options.key), "encrypted": bool(locking)}


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


_COMMANDS = {
    "import": _import,
    "list": _list,
    "show": _show,
    "check": _check,
    "diff": _diff,
    "sign": _sign,
    "activate": _activate,
    "rollback": _activate,
    "keygen": _keygen,
}
