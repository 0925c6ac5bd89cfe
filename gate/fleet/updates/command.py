"""``autogate fleet update …``: what gates may be given, and how it gets there by hand; ``autogate fleet rollout …``: who gets it when.

People ``allow`` and ``remove``, ``sign`` the draft that this makes (two of them), and ``publish`` it with the online key, which says so anew from a timer (``--refresh``). ``rollout begin`` starts
a plan, ``rollout run`` is the director's service, ``pause``, ``resume`` and ``undo`` are what a person may say to it.
"""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from gate.fleet.command import DSN
from gate.fleet.updates.targets import SIGNED, UpdateError

EXIT_OK, EXIT_CANNOT = 0, 2
Lines = Iterator[str]


def add_arguments(word: str, parser: argparse.ArgumentParser) -> None:
    """The options of ``autogate fleet update`` or ``rollout``."""
    commands = parser.add_subparsers(dest=word, required=True, metavar="COMMAND")
    (_update_arguments if word == "update" else _rollout_arguments)(commands)


def _update_arguments(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--repository", type=Path, required=True, metavar="DIR")
    key = argparse.ArgumentParser(add_help=False)
    key.add_argument("--key", type=Path, required=True, metavar="FILE")
    key.add_argument("--passphrase", type=Path, metavar="FILE", help="file with the words that encrypt the key")

    root = commands.add_parser(
        "root", parents=[where], help="begin with a root, or go on with the next one (autogate fleet keys)"
    )
    root.add_argument("file", type=Path)
    allow = commands.add_parser("allow", parents=[where], help="draft: what gates may have from now on, too")
    allow.add_argument("kind", choices=(*SIGNED, "config", "keys"))
    allow.add_argument("what", type=Path, help="the folder of signed versions, or the file")
    allow.add_argument("--gate", metavar="TPI.GATE", help="config: whose")
    allow.add_argument("--number", type=int, metavar="N", help="config: gates' files of one number are rolled out together")
    remove = commands.add_parser("remove", parents=[where], help="draft: what gates may have no more")
    remove.add_argument("path", nargs="+")
    delegate = commands.add_parser(
        "delegate", parents=[where], help="draft: whose key allows registries' lists for a checkpoint's gates"
    )
    delegate.add_argument("checkpoint", metavar="TPI")
    delegate.add_argument("public", metavar="KEY", help="64 hexadecimal digits")
    commands.add_parser("sign", parents=[where, key], help="sign the draft; two people must")
    publish = commands.add_parser(
        "publish", parents=[where, key], help="bring the draft into force and say that this is the newest"
    )
    publish.add_argument(
        "--refresh", action="store_true", help="only say anew that this is the newest, and leave a draft alone: from a timer"
    )
    lists = commands.add_parser(
        "lists", parents=[where, key], help="seal a registry's snapshots, FILE to the KEY of gate TPI.GATE each, and allow them"
    )
    lists.add_argument("registry")
    lists.add_argument("number", type=int)
    lists.add_argument("files", nargs="+", metavar="TPI.GATE=KEY=FILE")
    commands.add_parser("list", parents=[where], help="what is allowed now")
    commands.add_parser("key", help="at a gate: the key that lists are sealed to").add_argument("config", type=Path)
    take = commands.add_parser("take", parents=[where], help="at a gate: take from a folder that was carried there")
    take.add_argument("config", type=Path)
    take.add_argument(
        "--assignment", type=Path, required=True, metavar="FILE", help="as autogate fleet rollout assignment wrote it"
    )


def _rollout_arguments(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    database = argparse.ArgumentParser(add_help=False)
    database.add_argument("--dsn", default=os.environ.get(DSN, ""), help=f"the centre's database; else {DSN} says it")
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--repository", type=Path, required=True, metavar="DIR")
    person = argparse.ArgumentParser(add_help=False)
    person.add_argument("--by", default=getpass.getuser(), metavar="WHO")
    signing = argparse.ArgumentParser(add_help=False)
    signing.add_argument(
        "--key", type=Path, required=True, metavar="FILE", help="the director's: a file, or the URI of a token's key"
    )
    signing.add_argument("--name", default="director", help="as the directory of keys lists it")

    begin = commands.add_parser(
        "begin", parents=[database, where, person], help="start a plan (TOML); its way back must be allowed"
    )
    begin.add_argument("plan", type=Path)
    commands.add_parser("status", parents=[database], help="how the newest stands, and what it waits for")
    for order in ("pause", "resume", "undo"):
        commands.add_parser(order, parents=[database, person], help=f"{order} it").add_argument("which", metavar="NAME")
    assign = commands.add_parser("assign", parents=[database, where], help="give one gate something at once, without a roll-out")
    assign.add_argument("path")
    assign.add_argument("gates", nargs="+", metavar="TPI.GATE")
    wrote = commands.add_parser(
        "assignment", parents=[database, signing], help="write a gate's assignment into a file, to be carried there"
    )
    wrote.add_argument("gate", metavar="TPI.GATE")
    wrote.add_argument("file", type=Path)
    run = commands.add_parser("run", parents=[database, where, signing], help="the director's service")
    run.add_argument(
        "--every",
        type=float,
        metavar="S",
        help="between two looks at anything; else 5 s at what is to be laid out, 30 s at how gates do",
    )
    run.add_argument("--nats", default="nats://127.0.0.1:4222", metavar="URL")
    for name, what in (("ca", "whose certificates count"), ("certificate", "of this director"), ("certificate-key", "its key")):
        run.add_argument(f"--{name}", type=Path, metavar="FILE", help=what)


def run(word: str, options: argparse.Namespace) -> int:
    """Returns the exit status: 0 done, 2 cannot be done as asked."""
    from gate.audit.chain import AuditError
    from gate.config import ConfigError
    from pki.errors import PkiError

    options.now = datetime.now(UTC)
    wrong: tuple[type[Exception], ...] = (UpdateError, AuditError, ConfigError, OSError, ValueError, *_of_the_database(word))
    try:
        for line in _COMMANDS[word, getattr(options, word)](options):
            print(line, flush=True)
    except wrong as error:
        return _cannot(word, str(error))
    except PkiError as error:
        return _cannot(word, error.detail)
    return EXIT_OK


def _of_the_database(word: str) -> tuple[type[Exception], ...]:
    """Its errors; a machine that only allows, or takes, needs no database."""
    if word == "update":
        return ()
    import psycopg

    return (psycopg.Error,)


def _cannot(word: str, what: str) -> int:
    print(f"autogate fleet {word}: {what}", file=sys.stderr)
    return EXIT_CANNOT


# --- update -----------------------------------------------------------------------------------------------------------------------------------


def _root(options: argparse.Namespace) -> Lines:
    from gate.fleet.updates.repository import Repository

    version = Repository(options.repository).add_root(options.file.read_bytes())
    yield f"{options.repository}: root {version}"


def _allow(options: argparse.Namespace) -> Lines:
    from gate.fleet.updates import packing
    from gate.fleet.updates.repository import Repository
    from gate.fleet.updates.targets import KEYS

    match options.kind:
        case "keys":
            path, raw = KEYS, options.what.read_bytes()
        case "config":
            if not options.gate or not options.number:
                raise UpdateError("malformed", "a configuration is one gate's: --gate TPI.GATE --number N")
            path, raw = packing.pack_config(options.gate, options.number, options.what)
        case kind:
            path, raw = packing.pack_folder(kind, options.what)
    drafted = Repository(options.repository).draft(options.now, add={path: raw})
    yield from _drafted(drafted.signed.version, f"+ {path}")


def _remove(options: argparse.Namespace) -> Lines:
    from gate.fleet.updates.repository import Repository

    drafted = Repository(options.repository).draft(options.now, remove=options.path)
    yield from _drafted(drafted.signed.version, *(f"- {path}" for path in options.path))


def _delegate(options: argparse.Namespace) -> Lines:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from gate.fleet.updates.repository import Repository

    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(options.public))
    drafted = Repository(options.repository).draft(options.now, lists={options.checkpoint: key})
    yield from _drafted(drafted.signed.version, f"lists of {options.checkpoint}: {options.public}")


def _drafted(version: int, *changes: str) -> Lines:
    yield from changes
    yield f"targets {version} drafted; next: two people sign (autogate fleet update sign), then publish"


def _sign(options: argparse.Namespace) -> Lines:
    from gate.fleet.updates.repository import Repository
    from gate.signer_key import private_key

    have, need = Repository(options.repository).sign(private_key(options.key, options.passphrase))
    yield f"signed: {have} of {need}"


def _publish(options: argparse.Namespace) -> Lines:
    from gate.fleet.updates.repository import Repository
    from gate.signer_key import private_key

    repository, key = Repository(options.repository), private_key(options.key, options.passphrase)
    (repository.refresh if options.refresh else repository.publish)(key, options.now)
    for role, until in repository.until().items():
        yield f"{role} counts until {until:%Y-%m-%d %H:%M} UTC"


def _lists(options: argparse.Namespace) -> Lines:
    from gate.fleet.updates.packing import pack_snapshot
    from gate.fleet.updates.repository import Repository
    from gate.signer_key import private_key

    given = [each.split("=", 2) for each in options.files]
    if any(len(each) < 3 for each in given):
        raise UpdateError(
            "malformed", "TPI.GATE=KEY=FILE: the gate's status tells its key, and so does autogate fleet update key"
        )
    files = dict(
        pack_snapshot(gate, options.registry, options.number, Path(file).read_bytes(), public) for gate, public, file in given
    )
    checkpoints = {gate.partition(".")[0] for gate, _, _ in given}
    if len(checkpoints) != 1:
        raise UpdateError("malformed", "gates of one checkpoint at a time")
    key = private_key(options.key, options.passphrase)
    Repository(options.repository).publish_lists(checkpoints.pop(), files, key, options.now)
    yield from (f"+ {path}" for path in files)


def _list(options: argparse.Namespace) -> Lines:
    from gate.fleet.updates.repository import Repository

    repository = Repository(options.repository)
    repository.root()  # or it is none
    yield from (f"{info.length:>10}  {path}" for path, info in sorted(repository.allowed().items()))


def _key(options: argparse.Namespace) -> Lines:
    from gate.config import load
    from gate.fleet.updates.sealing import public_half

    section = load(options.config).registries.snapshots
    if section is None:
        raise UpdateError("not_configured", f"{options.config}: no [registries.snapshots]")
    yield public_half(section.key_file)


def _take(options: argparse.Namespace) -> Lines:
    from gate.config import load
    from gate.fleet.updates.sources import Folder
    from gate.fleet.updates.updater import Updater

    config = load(options.config)
    if config.fleet is None or config.fleet.updates is None:
        raise UpdateError("not_configured", f"{options.config}: no [fleet] with updates")
    updater = Updater(config, None, config_path=options.config)
    raw = options.assignment.read_bytes()
    updater.look(Folder(options.repository), lambda _: raw)
    if updater.trouble:
        raise UpdateError("refused", updater.trouble)
    yield "all taken"


# --- rollout ----------------------------------------------------------------------------------------------------------------------------------


def _begin(options: argparse.Namespace) -> Lines:
    import psycopg

    from gate.fleet.updates import ledger
    from gate.fleet.updates.repository import Repository
    from gate.fleet.updates.rollout import check_plan, read_plan

    with psycopg.connect(options.dsn, autocommit=True) as connection:
        plan = read_plan(options.plan.read_bytes(), ledger.known_gates(connection))
        check_plan(plan, Repository(options.repository).allowed())
        ledger.begin(connection, plan, options.by, options.now)
    yield from (f"{plan.name}: stage {stage.name}: {len(stage.gates)} gates" for stage in plan.stages)
    yield "begun; the director moves it (autogate fleet rollout run)"


def _status(options: argparse.Namespace) -> Lines:
    import psycopg

    from gate.fleet.updates import ledger

    with psycopg.connect(options.dsn, autocommit=True) as connection:
        found = ledger.newest(connection)
    if found is None:
        yield "no roll-out yet"
        return
    plan, state = found.plan, found.state
    yield f"{plan.name}: {state.phase}, stage {state.stage + 1} of {len(plan.stages)} ({plan.stages[state.stage].name}) since {state.since}"
    yield f"  {plan.target}"
    if state.why:
        yield f"  {state.why}"


def _order(options: argparse.Namespace) -> Lines:
    import psycopg

    from gate.fleet.updates import ledger
    from gate.fleet.updates.rollout import Order, ordered

    order: Order = options.rollout
    with psycopg.connect(options.dsn, autocommit=True) as connection, connection.transaction():
        found = ledger.named(connection, options.which)
        after = ordered(found.state, order, options.by, options.now)
        ledger.keep(connection, found.plan.name, found.state, after)
    yield f"{found.plan.name}: {after.why}"


def _assign(options: argparse.Namespace) -> Lines:
    import psycopg

    from gate.fleet.updates import ledger
    from gate.fleet.updates.repository import Repository
    from gate.fleet.updates.targets import Target

    target = Target.parse(options.path)
    if options.path not in Repository(options.repository).allowed():
        raise UpdateError("not_allowed", f"{options.path}: is not allowed")
    if target.gate not in {"", *options.gates} or (target.gate and len(options.gates) > 1):
        raise UpdateError("other_gate", f"{options.path}: of {target.gate} alone")
    with psycopg.connect(options.dsn, autocommit=True) as connection:
        ledger.assign(connection, target.kind, dict.fromkeys(options.gates, options.path))
    yield f"{options.path}: assigned to {', '.join(options.gates)}"


def _assignment(options: argparse.Namespace) -> Lines:
    import psycopg

    from gate.audit.keys import open_signer
    from gate.fleet.updates.director import signed_assignment
    from gate.fleet.updates.ledger import sign_one
    from pki.durable import write_file

    signer = open_signer(options.key, f"director {options.name}")
    with psycopg.connect(options.dsn, autocommit=True) as connection:
        number, targets = sign_one(connection, options.gate)
    write_file(options.file, signed_assignment(signer, options.gate, number, targets, options.now))
    yield f"{options.file}: assignment {number} of {options.gate}"


def _run(options: argparse.Namespace) -> Lines:
    import asyncio

    from gate.audit.keys import open_signer
    from gate.fleet.nats_client import Tls
    from gate.fleet.updates.director import serve
    from gate.fleet.updates.repository import Repository

    tls = Tls.given(options.ca, options.certificate, options.certificate_key)
    signer = open_signer(options.key, f"director {options.name}")
    yield f"directing over {options.nats}"
    pace = {"every_s": options.every, "move_s": options.every} if options.every else {}
    repository = Repository(options.repository)
    asyncio.run(
        serve(
            options.dsn, options.nats, options.name, tls.context() if tls else None, signer=signer, repository=repository, **pace
        )
    )


_COMMANDS: dict[tuple[str, str], Callable[[argparse.Namespace], Lines]] = {
    ("update", "root"): _root,
    ("update", "allow"): _allow,
    ("update", "remove"): _remove,
    ("update", "delegate"): _delegate,
    ("update", "sign"): _sign,
    ("update", "publish"): _publish,
    ("update", "lists"): _lists,
    ("update", "list"): _list,
    ("update", "key"): _key,
    ("update", "take"): _take,
    ("rollout", "begin"): _begin,
    ("rollout", "status"): _status,
    ("rollout", "pause"): _order,
    ("rollout", "resume"): _order,
    ("rollout", "undo"): _order,
    ("rollout", "assign"): _assign,
    ("rollout", "assignment"): _assignment,
    ("rollout", "run"): _run,
}
