"""``autogate collect`` and ``autogate fleet verify | alerts | retain | destroy``: the centre's service, and what people ask of its database.

The database is named by ``--dsn``, or by AUTOGATE_DSN where others could read a password among the arguments of a process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from gate.fleet.command import COLLECT, DSN

if TYPE_CHECKING:
    from gate.audit.note import VerifierKey

EXIT_OK, EXIT_FOUND, EXIT_CANNOT, EXIT_AGAIN = 0, 1, 2, 75
"""``EXIT_AGAIN`` (EX_TEMPFAIL of ``sysexits.h``): it may pass by itself, and the service manager starts the collector again."""


def add_arguments(word: str, parser: argparse.ArgumentParser) -> None:
    """The options of ``word``."""
    parser.add_argument(
        "--dsn", default=os.environ.get(DSN, ""), help=f"the database, as PostgreSQL names it; else {DSN} says it"
    )
    {"collect": _collect_arguments, "verify": _verify_arguments, "alerts": _alerts_arguments}.get(word, _order_arguments)(parser)


def _collect_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--name", default="centre", help="of this collector, among those that share the work: letters, digits, - and _"
    )
    parser.add_argument(
        "--nats", default="nats://127.0.0.1:4222", metavar="URL", help="the broker; tls:// with the three files below"
    )
    for name, what in (("ca", "whose certificates count"), ("certificate", "of this collector"), ("certificate-key", "its key")):
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", help=what)
    parser.add_argument("--key", metavar="FILE", help="signs receipts: a file, or the URI of a token's key")
    _directory(parser)
    parser.add_argument("--migrate", action="store_true", help="make or update the database's tables, and go on")
    parser.add_argument("--migrate-only", action="store_true", help="and end; needs nothing but the database")


def _verify_arguments(parser: argparse.ArgumentParser) -> None:
    _directory(parser)
    parser.add_argument("--gate", default="", metavar="TPI.GATE", help="only this one")
    parser.add_argument(
        "--grace", type=float, default=60.0, metavar="S", help="for so long a record may wait for those before it"
    )
    parser.add_argument("--json", action="store_true")


def _alerts_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--closed", action="store_true", help="those that ended, too")
    parser.add_argument("--settle", type=int, metavar="N", help="somebody has looked at it: a fork, a gate that was taken away")
    parser.add_argument("--json", action="store_true")


def _order_arguments(parser: argparse.ArgumentParser) -> None:
    """Of ``retain`` and ``destroy``."""
    parser.add_argument("--days", type=int, help="retain: so many days stay")
    parser.add_argument("--do", action="store_true", help="retain: drop what is due")
    parser.add_argument("--order", type=Path, metavar="FILE", help="destroy: what two people signed (autogate audit order)")
    parser.add_argument(
        "--signer", action="append", default=[], metavar="NAME:KEY", help="destroy: whose signature counts; repeatable"
    )


def _directory(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--keys", type=Path, metavar="FILE", help="the key directory")
    parser.add_argument(
        "--person",
        action="append",
        default=[],
        metavar="NAME:KEY",
        help="of whom two must have signed for a key; none: a demonstration",
    )


def run(word: str, options: argparse.Namespace) -> int:
    """Returns the exit status: 0 done, 1 found something, 2 cannot be done as asked, 75 cannot be done now."""
    import psycopg

    from gate.audit.chain import AuditError
    from gate.fleet.centre.database import DatabaseError
    from gate.fleet.keys.directory import KeysError
    from pki.errors import PkiError

    if not options.dsn:
        return _cannot(f"which database? --dsn, or {DSN}")
    commands: dict[str, Callable[[argparse.Namespace], int]] = {
        "collect": _collect,
        "verify": _verify,
        "alerts": _alerts,
        "retain": _retain,
        "destroy": _destroy,
    }
    try:
        return commands[word](options)
    except psycopg.Error as error:
        again = word == COLLECT and isinstance(error, psycopg.OperationalError)
        why = f"the database: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        return _cannot(why, EXIT_AGAIN if again else EXIT_CANNOT)
    except (AuditError, DatabaseError, KeysError, PkiError, OSError, ValueError) as error:
        return _cannot(str(error))


def _collect(options: argparse.Namespace) -> int:
    from gate.fleet.centre.database import check_schema, migrate

    if options.migrate or options.migrate_only:
        for name in migrate(options.dsn):
            print(f"applied {name}", flush=True)
    if options.migrate_only:
        return EXIT_OK
    if options.key is None or options.keys is None:
        return _cannot("collecting needs --key, which signs receipts, and --keys, by which gates are believed")
    check_schema(options.dsn)
    return asyncio.run(_collecting(options))


async def _collecting(options: argparse.Namespace) -> int:
    from nats.errors import Error as NatsError

    from gate.audit.keys import open_signer
    from gate.fleet.centre.broker import connect, prepare_if_possible
    from gate.fleet.centre.collector import Collector
    from gate.fleet.keys.file_keys import FileKeys
    from gate.fleet.nats_client import Tls

    if not options.person:
        print("no --person: keys count although nobody approved them, as in a demonstration", file=sys.stderr, flush=True)
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    keys = FileKeys(options.keys, people=_people(options))
    signer = open_signer(Path(options.key), f"collector {options.name}")
    tls = Tls.given(options.ca, options.certificate, options.certificate_key)
    client, connecting = None, asyncio.create_task(connect(options.nats, options.name, tls))

    def end() -> None:
        stop.set()
        connecting.cancel()  # a broker that is away is waited for

    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, end)
    try:
        client = await connecting
        await prepare_if_possible(client)
        collector = Collector(client, options.dsn, keys, signer, options.name)
        print(f"collecting from {options.nats}", flush=True)
        await collector.run(stop)
        with suppress(NatsError):  # what it does not hear any more it hands out again
            await client.flush()
    except asyncio.CancelledError:
        return EXIT_OK
    except NatsError as error:
        return _cannot(f"the broker: {error or type(error).__name__}", EXIT_AGAIN)
    finally:
        if client:
            await client.close()
    print(f"{collector.events} records, {collector.refused} messages refused")
    return EXIT_OK


def _people(options: argparse.Namespace) -> dict[str, str] | None:
    from pki.signed_statement import parse_signers

    return parse_signers(options.person) if options.person else None


def _verify(options: argparse.Namespace) -> int:
    from gate.fleet.centre.verify import summary, verify

    report = verify(options.dsn, _audit_keys(options), options.gate, options.grace)
    if options.json:
        print(json.dumps(summary(report, datetime.now(UTC))))
    else:
        print(f"gates {report.gates}, events {report.events}, gaps {report.gaps}, forks {report.forks}")
        signed = f"{report.checkpoints - report.unsigned} of {report.checkpoints} checkpoints by their gates' keys"
        print(
            f"{report.waiting} ahead of their turn, {report.dropped} dropped, {report.destroyed} without personal fields; {signed}"
        )
        for each in report.findings:
            print(f"{each.gate} {each.log} record {each.seq}: {each.kind}: {each.what}")
    return EXIT_OK if report.good else EXIT_FOUND


def _audit_keys(options: argparse.Namespace) -> Callable[[str], tuple[VerifierKey, ...]]:
    from gate.fleet.keys.directory import KeyDirectory, read_directory

    if options.keys is None:
        return lambda _gate: ()
    return KeyDirectory(read_directory(options.keys), people=_people(options)).audit_keys


def _alerts(options: argparse.Namespace) -> int:
    import psycopg

    from gate.fleet.centre.alerts import alerts, settle

    with psycopg.connect(options.dsn, autocommit=True, connect_timeout=5, options="-c timezone=UTC") as connection:
        if options.settle is not None:
            return EXIT_OK if settle(connection, options.settle) else _cannot(f"there is no open alert {options.settle}")
        found = list(alerts(connection, closed=options.closed))
    for each in found:
        times = {"opened": each.opened.isoformat(), "closed": each.closed.isoformat() if each.closed else None}
        told = {"id": each.id, "kind": each.kind, "gate": each.gate, "log": each.log, "detail": each.detail} | times
        end = f" to {each.closed:%Y-%m-%d %H:%M}" if each.closed else ""
        print(
            json.dumps(told)
            if options.json
            else f"{each.id} {each.opened:%Y-%m-%d %H:%M}{end} UTC {each.kind} {each.gate}: {each.detail}"
        )
    return EXIT_FOUND if any(each.closed is None for each in found) else EXIT_OK


def _retain(options: argparse.Namespace) -> int:
    import psycopg

    from gate.fleet.centre.retention import drop, due

    if options.days is None or options.days < 1:
        return _cannot("how many days shall stay? --days")
    before = datetime.now(UTC).date() - timedelta(days=options.days)
    with psycopg.connect(options.dsn, autocommit=True, connect_timeout=5) as connection:
        count, days = due(connection, before)
        print(f"{count} records of {len(days)} days before {before} are due")
        if options.do:
            print(f"{drop(connection, before)} dropped")
    return EXIT_OK


def _destroy(options: argparse.Namespace) -> int:
    import psycopg

    from gate.audit.order import MAX_BYTES, SignedOrder
    from gate.fleet.centre.destruction import destroy
    from pki.durable import read_file
    from pki.signed_statement import parse_signers

    if options.order is None:
        return _cannot("which order? --order")
    signed = SignedOrder.parse(read_file(options.order, MAX_BYTES))
    with psycopg.connect(options.dsn, autocommit=True, connect_timeout=5) as connection:
        records = destroy(connection, signed, parse_signers(options.signer))
    print(f"personal fields of {records} records destroyed")
    return EXIT_OK


def _cannot(why: str, status: int = EXIT_CANNOT) -> int:
    print(f"autogate: {why}", file=sys.stderr)
    return status
