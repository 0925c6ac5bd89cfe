"""``autogate fleet keys init | list | broker | serve | renew | sign | rotate``: the fleet's folder, its broker, and the root above all.

``init`` makes a fleet of three people or more, its authority, its broker's files and a root that is still to be signed. ``sign`` adds one person's
signature to a root, or to targets. ``rotate`` drafts the next root. ``broker`` says how nats-server runs and makes its configuration; ``serve``
answers whoever asks for the next certificate, and ``renew`` asks.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from nats.aio.client import Client
from nats.errors import Error as NatsError

from gate.audit.keys import make_key, open_signer
from gate.fleet.keys.authority import load_key, request_for, write_key
from gate.fleet.keys.command import AUTHORITY, CERTIFICATE, EVENT_KEY, FLEET, TLS_KEY
from gate.fleet.keys.directory import KeysError, Purpose
from gate.fleet.keys.file_keys import FileKeys
from gate.fleet.keys.folder import FleetFolder, utc_now
from gate.fleet.keys.names import inbox, renewal_subject
from gate.fleet.keys.nats_config import BROKERED, Broker
from gate.fleet.keys.renewal import Renewals, Renewer
from gate.fleet.keys.roots import MOST_METADATA, keys_of, new_root, sign, signed_by
from gate.fleet.nats_client import Tls, connect
from gate.signer_key import private_key, public_hex
from pki.durable import read_file, write_file
from pki.signed_statement import parse_signers

ANSWER_S = 10.0
"""The authority may take so long for one certificate."""
ONLINE = "online.key"
"""Signs snapshot and timestamp."""


def add_keys_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``autogate fleet keys``."""
    fleet = argparse.ArgumentParser(add_help=False)
    fleet.add_argument(
        "--fleet", dest="folder", type=Path, default=FLEET, metavar="DIR", help="the authority's folder (default: %(default)s)"
    )
    commands = parser.add_subparsers(dest="keys", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, parents=[fleet])

    init = command("init", "a new fleet: people, authority, directory, and a root to be signed")
    init.add_argument("--name", required=True, metavar="TEXT", help="of the authority, as certificates name it")
    init.add_argument("--signer", action="append", required=True, metavar="NAME:KEY", help="a person; three or more")
    command("list", "who is listed, and who signed the root")
    broker = command("broker", "how nats-server runs: its certificate and configuration")
    broker.add_argument("--host", action="append", required=True, metavar="NAME", help="name or address by which gates know it")
    broker.add_argument("--listen", default="0.0.0.0", metavar="ADDRESS")  # noqa: S104 - gates are on other machines
    broker.add_argument("--port", type=int, default=4222)
    broker.add_argument("--store", type=Path, required=True, metavar="DIR", help="where JetStream keeps what it holds")
    serve = command("serve", "answer gates that ask for their next certificate")
    renewing = command("renew", "ask for the next certificate, where it is time")
    renewing.add_argument("--purpose", choices=BROKERED, default="gate")
    renewing.add_argument("--token", metavar="URI", help="where the event key is in a token")
    for who in (serve, renewing):
        who.add_argument("--url", required=True, metavar="URL", help="tls://broker:4222")
        who.add_argument(
            "--state", type=Path, required=True, metavar="DIR", help="with the keys and the certificate of whoever connects"
        )
        who.add_argument("--name", required=True, metavar="NAME", help="as it is listed")
    rotate = command("rotate", "the next root: people come, people go, the online key is made anew")
    rotate.add_argument("--add", action="append", default=[], metavar="NAME:KEY")
    rotate.add_argument("--remove", action="append", default=[], metavar="NAME")
    rotate.add_argument(
        "--lost", action="store_true", help="what those approved counts no more: their keys may be in other hands"
    )
    rotate.add_argument("--online", action="store_true", help="a new key of snapshot and timestamp")
    signing = commands.add_parser("sign", help="one person's signature on a root, or on targets")
    signing.add_argument("file", type=Path, metavar="FILE")
    signing.add_argument("--key", type=Path, required=True, metavar="FILE")
    signing.add_argument("--passphrase", type=Path, metavar="FILE")


def run_keys(options: argparse.Namespace) -> Iterator[str]:
    """Lines to print. Raises KeysError, AuditError, PkiError, OSError, ValueError."""
    if options.keys == "sign":
        key = private_key(options.key, options.passphrase)
        write_file(options.file, sign(read_file(options.file, MOST_METADATA), key))
        yield f"{options.file}: signed with {public_hex(key)}"
        return
    folder = FleetFolder(options.folder)
    match options.keys:
        case "init":
            yield from _init(folder, options)
        case "list":
            yield from _list(folder)
        case "broker":
            yield from _broker(folder, options)
        case "rotate":
            yield from _rotate(folder, options)
        case "renew":
            yield asyncio.run(_renew(options))
        case _:
            asyncio.run(_serve(folder, options))


def _init(folder: FleetFolder, options: argparse.Namespace) -> Iterator[str]:
    people = parse_signers(options.signer)
    folder.make(options.name, people, utc_now())
    with folder.locked():
        write_file(folder.root, new_root(people, people, _online(folder.folder / ONLINE), utc_now()))
    yield f"{folder.root}: two of {', '.join(sorted(people.values()))} sign it (autogate fleet keys sign)"
    yield f"{folder.keys}: nobody is listed yet (autogate fleet enrol, approve, admit)"


def _list(folder: FleetFolder) -> Iterator[str]:
    known, now = folder.directory(), utc_now()
    yield f"{folder.keys}: directory {known.directory.sequence}"
    unapproved = {entry.id for entry in known.unapproved}
    for entry in known.directory.entries:
        state = "unapproved" if entry.id in unapproved else "counts" if entry.is_live(now) else "ended"
        if entry.revoked:
            state = f"revoked {entry.revoked.at.date()}: {entry.revoked.because}"
        yield f"  {entry.purpose:<10} {entry.name:<20} {entry.id.hex()}  {entry.since.date()} to {entry.until.date()}  {state}"
    root = read_file(folder.root, MOST_METADATA)
    before = read_file(folder.root_before, MOST_METADATA) if folder.root_before.exists() else None
    counts, by = signed_by(root, folder.people, before)
    yield f"{folder.root}: {'in force' if counts else 'to be signed'}, signed by {', '.join(by) or 'nobody'}"


def _broker(folder: FleetFolder, options: argparse.Namespace) -> Iterator[str]:
    with folder.locked():
        key, certificate = folder.folder / "broker.key", folder.folder / "broker.pem"
        if not key.exists():
            write_key(key, ec.generate_private_key(ec.SECP256R1()))
        request = request_for(load_key(key), options.host[0])
        write_file(certificate, folder.authority().issue_server(request, options.host, utc_now()))
        told = folder.set_broker(
            Broker(
                certificate=str(certificate.resolve()),
                key=str(key.resolve()),
                authority=str((folder.folder / "authority.pem").resolve()),
                store=str(options.store.resolve()),
                pid_file=str((folder.folder / "broker.pid").resolve()),
                host=options.listen,
                port=options.port,
            )
        )
    yield f"{folder.configuration}: {'the broker was told' if told else 'nats-server -c ' + str(folder.configuration)}"


def _rotate(folder: FleetFolder, options: argparse.Namespace) -> Iterator[str]:
    with folder.locked():
        (before, drafted), people = folder.roots(), folder.people
        if drafted:
            raise KeysError(f"{folder.root}: is still to be signed: one root after another")
        if unknown := set(options.remove) - set(people.values()):
            raise KeysError(f"{', '.join(sorted(unknown))}: no person of this fleet")
        known = people | parse_signers(options.add)
        after = {key: known[key] for key in (*keys_of(before, "root"), *parse_signers(options.add))}
        after = {key: name for key, name in after.items() if name not in options.remove}
        drafted = new_root(after, after, keys_of(before, "timestamp")[0], utc_now(), before=before)
        if options.online:
            drafted = new_root(after, after, _online(folder.folder / ONLINE, anew=True), utc_now(), before=before)
        if options.lost:
            known = {key: name for key, name in known.items() if name not in options.remove}
        folder.set_people(known)
        write_file(folder.root_before, before)
        write_file(folder.root, drafted)
        unapproved = folder.directory().unapproved
        folder.tell_broker()
    yield f"{folder.root}: two people of the old root and two of the new one sign it (autogate fleet keys sign)"
    for entry in unapproved:
        yield f"counts no more, for whoever approved it is gone: {entry.purpose} {entry.name}: enrol it anew"


async def _serve(folder: FleetFolder, options: argparse.Namespace) -> None:
    keys = FileKeys(folder.keys, people=folder.people)
    async with _connected(options, "authority", attempts=-1) as connection:
        await Renewals(keys.directory, folder.authority()).serve(connection)


async def _renew(options: argparse.Namespace) -> str:
    signer = open_signer(Path(options.token) if options.token else options.state / EVENT_KEY, options.name)
    certificate = options.state / CERTIFICATE
    renewer = Renewer(
        signer,
        options.purpose,
        options.name,
        ca=options.state / AUTHORITY,
        certificate=certificate,
        key=options.state / TLS_KEY,
    )
    if not (request := renewer.request(utc_now())):
        return f"{certificate}: it is too early for the next one"
    async with _connected(options, options.purpose) as connection:
        answer = await connection.request(renewal_subject(options.purpose, options.name), request, timeout=ANSWER_S)
    renewer.take(answer.data, utc_now())
    return f"{certificate}: replaced"


@asynccontextmanager
async def _connected(options: argparse.Namespace, purpose: Purpose, *, attempts: int = 1) -> AsyncIterator[Client]:
    """As whose keys lie in ``--state``; ``attempts`` to come, and to come back, -1: without end. Raises KeysError, OSError."""
    tls = Tls(ca=options.state / AUTHORITY, certificate=options.state / CERTIFICATE, key=options.state / TLS_KEY)
    try:
        client = await connect(
            options.url, f"{purpose} {options.name}", tls.context(), inbox=inbox(purpose, options.name), attempts=attempts
        )
        try:
            yield client
        finally:
            await client.close()
    except NatsError as error:
        raise KeysError(f"the broker: {type(error).__name__} {error}") from error


def _online(path: Path, *, anew: bool = False) -> str:
    """Make an online key. Returns its public half."""
    if anew:
        path.replace(path.with_suffix(".key.before"))
    make_key(path)
    return public_hex(private_key(path, None))
