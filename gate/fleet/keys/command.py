"""``autogate fleet enrol | approve | admit | revoke | rotate | keys``: how keys come into a fleet, and out of it.

``enrol`` at the gate makes its keys and a request, and shows a fingerprint. Two people ``approve`` the request, each with a key of their own
(``autogate trust keygen``) and the fingerprint as somebody at the gate read it to them. ``admit`` lists the key and issues the gate's certificate.
``revoke`` takes keys out at once; ``rotate`` admits a new key and takes out the one before.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from gate.audit.chain import AuditError
from gate.fleet.keys import authority, enrolment
from gate.fleet.keys.directory import PURPOSES, Entry, KeysError, Revoked
from gate.fleet.keys.enrolment import KEY_LIFE, Enrolment, admitted, approve, approved, parse_enrolment, revoked
from gate.fleet.keys.folder import FleetFolder, utc_now
from gate.signer_key import key_of
from pki.durable import read_file, write_file
from pki.errors import PkiError

EXIT_OK, EXIT_USAGE = 0, 2
FLEET = Path("/var/lib/autogate/fleet")
"""Where the authority's folder is where nobody says otherwise."""
EVENT_KEY, TLS_KEY, CERTIFICATE, AUTHORITY = "fleet-events.key", "fleet-tls.key", "fleet-tls.pem", "authority.pem"
"""Names in a gate's state folder."""


def add_arguments(word: str, parser: argparse.ArgumentParser) -> None:
    """The options of ``autogate fleet WORD``."""
    if word == "keys":
        from gate.fleet.keys.fleet_command import add_keys_arguments

        add_keys_arguments(parser)
        return
    if word == "enrol":
        parser.add_argument("name", metavar="NAME", help="CGK.D07, or the name of a collector …")
        parser.add_argument("--purpose", choices=PURPOSES, default="gate")
        parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="where the keys go")
        parser.add_argument("--token", metavar="URI", help="make the event key in a token (pkcs11:…), which never lets it go")
        parser.add_argument(
            "--audit", type=Path, metavar="FILE", help="the audit's public key, as autogate audit keygen printed it"
        )
        parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the request")
        return
    if word != "revoke":
        parser.add_argument("request", type=Path, metavar="REQUEST")
    if word == "approve":
        parser.add_argument("--fingerprint", required=True, metavar="TEXT", help="as read to you by somebody at the gate")
        parser.add_argument("--name", required=True, metavar="WHO")
        parser.add_argument("--key", type=Path, required=True, metavar="FILE")
        parser.add_argument("--passphrase", type=Path, metavar="FILE", help="file with the words that encrypt the key")
        parser.add_argument("--days", type=int, default=KEY_LIFE.days, help="for how long, where you are the first")
        return
    parser.add_argument(
        "--fleet", dest="folder", type=Path, default=FLEET, metavar="DIR", help="the authority's folder (default: %(default)s)"
    )
    if word == "revoke":
        parser.add_argument("whom", nargs="+", metavar="NAME|KEY", help="every key of a name, or one key by its id")
    else:
        parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the certificate goes")
    if word in {"revoke", "rotate"}:
        parser.add_argument("--because", required=word == "revoke", default="rotated", metavar="TEXT")
        parser.add_argument("--by", default=os.environ.get("USER", ""), metavar="WHO")


def run(word: str, options: argparse.Namespace) -> int:
    """Returns the exit status."""
    try:
        if word == "keys":
            from gate.fleet.keys.fleet_command import run_keys

            lines = list(run_keys(options))
        else:
            lines = list(_COMMANDS[word](options))
    except (KeysError, AuditError, PkiError, OSError, ValueError) as error:
        print(f"autogate fleet {word}: {error.detail if isinstance(error, PkiError) else error}", file=sys.stderr)
        return EXIT_USAGE
    print(*lines, sep="\n")
    return EXIT_OK


def _enrol(options: argparse.Namespace) -> Iterator[str]:
    from cryptography.hazmat.primitives.asymmetric import ec

    from gate.audit.keys import make_key, open_signer

    options.state.mkdir(parents=True, exist_ok=True)
    where = Path(options.token) if options.token else options.state / EVENT_KEY
    tls = ec.generate_private_key(ec.SECP256R1())
    make_key(where)
    authority.write_key(options.state / TLS_KEY, tls)
    audit = options.audit.read_text(encoding="utf-8").strip() if options.audit else ""
    made = enrolment.asked(
        open_signer(where, options.name),
        options.purpose,
        options.name,
        utc_now(),
        certificate=authority.request_for(tls, options.name),
        audit=audit,
    )
    write_file(options.out, enrolment.encoded(made))
    yield f"{options.out}: {options.purpose} {options.name} asks to be listed"
    yield f"fingerprint: {made.request.fingerprint}"
    yield "next: read the fingerprint to each of two people, who approve the request (autogate fleet approve)"


def _approve(options: argparse.Namespace) -> Iterator[str]:
    key = key_of(options.name, options.key, options.passphrase, {})
    signed = approve(_read(options.request), options.fingerprint, key, utc_now(), timedelta(days=options.days))
    write_file(options.request, enrolment.encoded(signed))
    assert signed.entry is not None
    yield f"{options.request}: {_described(signed.entry)}"
    yield f"signatures: {len(signed.entry.approvals)}"


def _admit(options: argparse.Namespace) -> Iterator[str]:
    yield from _taken(options, None)


def _rotate(options: argparse.Namespace) -> Iterator[str]:
    yield from _taken(options, Revoked(at=utc_now(), because=options.because, by=options.by))


def _taken(options: argparse.Namespace, rotated: Revoked | None) -> Iterator[str]:
    """Admit what was approved, and issue its certificate."""
    folder, asked, now = FleetFolder(options.folder), _read(options.request), utc_now()
    with folder.locked():
        entry = approved(asked, folder.approvers())
        after = admitted(folder.directory().directory, entry, now, rotated=rotated)
        issuer, certificate = folder.authority(), b""
        if asked.request.certificate:
            certificate = issuer.issue(asked.request.certificate.encode(), entry, now)
        told = folder.put(after)
    yield f"admitted: {_described(entry)}"
    if certificate:
        options.out.mkdir(parents=True, exist_ok=True)
        write_file(options.out / CERTIFICATE, certificate)
        write_file(options.out / AUTHORITY, issuer.pem)
        yield f"{options.out / CERTIFICATE}, {AUTHORITY}: carry them back to {entry.name}"
    yield from _told(folder, told)


def _revoke(options: argparse.Namespace) -> Iterator[str]:
    folder = FleetFolder(options.folder)
    with folder.locked():
        before = folder.directory().directory
        after = revoked(before, options.whom, Revoked(at=utc_now(), because=options.because, by=options.by))
        told = folder.put(after)
    known = {one.id for one in before.entries if one.revoked}
    for entry in after.entries:
        if entry.revoked and entry.id not in known:
            yield f"revoked: {entry.purpose} {entry.name}, key {entry.id.hex()}: {options.because}"
    yield from _told(folder, told)


def _told(folder: FleetFolder, told: bool) -> Iterator[str]:
    yield f"{folder.keys}: in force for collectors that read it, from their next message on"
    if told:
        yield f"{folder.configuration}: the broker was told; who is gone is cut off"
    elif folder.configuration.exists():
        yield f"{folder.configuration}: no broker runs here: carry it there, and nats-server --signal reload"
    yield "next: two people sign the targets that hold it, for the gates (autogate fleet update)"


def _read(path: Path) -> Enrolment:
    return parse_enrolment(read_file(path, enrolment.MOST_BYTES))


def _described(entry: Entry) -> str:
    return f"{entry.purpose} {entry.name}, key {entry.id.hex()}, until {entry.until.date().isoformat()}"


_COMMANDS: dict[str, Callable[[argparse.Namespace], Iterator[str]]] = {
    "enrol": _enrol,
    "approve": _approve,
    "admit": _admit,
    "revoke": _revoke,
    "rotate": _rotate,
}
