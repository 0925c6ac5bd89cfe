"""``autogate audit retain | order | show``: what is due to be destroyed, orders to destroy, and a record as it can still be read."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from gate.audit.keyring import FILE_NAME as KEYS
from gate.audit.keyring import Keyring
from gate.audit.log import FILE_NAME, AuditError, open_readonly
from gate.audit.order import MAX_BYTES, DestructionOrder, SignedOrder
from gate.audit.retain import carry_out, destroy_due, standing
from gate.audit.retention import load_retention
from gate.config import ConfigError, load_trust
from gate.signer_key import key_of, public_hex
from pki.durable import write_file
from pki.errors import PkiError
from pki.signed_statement import QUORUM, parse_signers

EXIT_OK = 0


def add_arguments(retain: argparse.ArgumentParser, order: argparse.ArgumentParser, show: argparse.ArgumentParser) -> None:
    """The options beyond ``--state``."""
    for parser in (retain, order):
        parser.add_argument("--config", type=Path, metavar="FILE", help="take those who sign from [trust] of this configuration")
        parser.add_argument(
            "--signer", action="append", default=[], metavar="NAME:KEY", help="whose signature counts; repeatable"
        )
    retain.add_argument("--retention", type=Path, metavar="FILE", help="the gate's file of periods, where it names one")
    retain.add_argument("--do", action="store_true", help="destroy what is due; a gate in operation wants an order for it")
    retain.add_argument("--order", type=Path, metavar="FILE", help="destroy what this order says")
    order.add_argument(
        "--file", type=Path, required=True, help="the order: made where it is absent, signed once more where it is there"
    )
    order.add_argument("--kind", action="append", default=[], help="of personal field; repeatable")
    order.add_argument("--transaction", action="append", default=[], metavar="ID", help="of one traveller; repeatable")
    order.add_argument("--until", default="", metavar="DATE", help="or of all days up to this one")
    order.add_argument("--because", default="", metavar="TEXT", help="why")
    order.add_argument("--key", type=Path, required=True, metavar="FILE", help="of who signs (autogate trust keygen)")
    order.add_argument("--name", required=True, metavar="WHO", help="who signs, as in trust.signers")
    order.add_argument("--passphrase", type=Path, metavar="FILE", help="file with the words that encrypt the key")
    show.add_argument("record", type=int, metavar="N")
    show.add_argument("--sealing-key", type=Path, metavar="FILE", help="what opens personal fields, where it lies elsewhere")


def retain_command(options: argparse.Namespace) -> int:
    """Raises AuditError, OSError, ValueError."""
    now = datetime.now(UTC)
    with Keyring(options.state / KEYS, None, "change") as ring:
        if options.order:
            return _by_order(options, ring, now)
        retention = load_retention(options.retention)
        for each in standing(ring, retention, now.date()):
            print(each)
        if options.do:
            if ring.wants_order:
                raise AuditError("this gate destroys nothing without an order that two people signed: autogate audit order")
            keys = sum(each.keys for each in destroy_due(ring, retention, now))
            print(f"{keys} keys destroyed; the gate puts it into its log")
    return EXIT_OK


def _by_order(options: argparse.Namespace, ring: Keyring, now: datetime) -> int:
    signed = SignedOrder.parse(_read(options.order))
    people = signed.enough(_signers(options))
    with open_readonly(options.state / FILE_NAME) as log:
        keys = carry_out(ring, log, signed.order, people, now)
    print(f"{keys} keys destroyed, as {' and '.join(people)} ordered; the gate puts it into its log")
    return EXIT_OK


def order_command(options: argparse.Namespace) -> int:
    """Raises AuditError, OSError, ValueError."""
    signers = _signers(options)
    key = key_of(options.name, options.key, options.passphrase, signers)
    signed = SignedOrder.parse(_read(options.file)) if options.file.exists() else SignedOrder(order=_drafted(options))
    signed = signed.signed_with(key)
    write_file(options.file, signed.encoded)
    print(f"order {signed.order.digest[:16]}: {_words(signed.order)}")
    print(f"  because {signed.order.because}")
    print(f"  {len(signed.signatures)} of {QUORUM} signatures, now as {options.name}:{public_hex(key)}")
    return EXIT_OK


def _drafted(options: argparse.Namespace) -> DestructionOrder:
    with open_readonly(options.state / FILE_NAME) as log:
        order = DestructionOrder(
            log=log.log_id(),
            kinds=tuple(options.kind),
            transactions=tuple(options.transaction),
            until=options.until,
            because=options.because,
            date=datetime.now(UTC).date().isoformat(),
        )
    order.check()
    return order


def _words(order: DestructionOrder) -> str:
    what = f"{len(order.transactions)} transactions" if order.transactions else f"the days up to {order.until}"
    return f"destroy {', '.join(order.kinds)} of {what} in the log {order.log}"


def _signers(options: argparse.Namespace) -> dict[str, str]:
    try:
        configured = load_trust(options.config).signers if options.config else ()
        return parse_signers((*configured, *options.signer))
    except PkiError as error:
        raise AuditError(error.detail) from error
    except ConfigError as error:
        raise AuditError(str(error)) from error


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def show_command(options: argparse.Namespace) -> int:
    """Raises AuditError."""
    with open_readonly(options.state / FILE_NAME, sealing_key=options.sealing_key) as log:
        record = log.record(options.record)
    print(record.body.decode())
    for kind in record.gone:
        print(f"{kind}: cannot be read: destroyed, never sealed, or the key is not at hand", file=sys.stderr)
    return EXIT_OK
