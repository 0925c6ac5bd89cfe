"""``autogate audit``: examine a log, prove and export its records, make keys, be a witness."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gate.audit.export import export, lines, proof
from gate.audit.keys import VERIFIER_FILE, make_key, open_signer, read_verifier
from gate.audit.ledger import Ledger
from gate.audit.log import FILE_NAME, KEY_FILE, AuditError, AuditReader, Head, gate_key, open_readonly
from gate.audit.note import GATE, WITNESS, VerifierKey
from gate.audit.retain_command import add_arguments as add_retain_arguments
from gate.audit.retain_command import order_command, retain_command, show_command
from gate.audit.store import TreeStore, tree_path
from gate.audit.verify import Evidence, Verdict, verify_log
from gate.audit.witness import WitnessServer

EXIT_OK, EXIT_FOUND, EXIT_USAGE = 0, 1, 2


def add_arguments(parser: argparse.ArgumentParser, state: Path) -> None:
    """The options of ``autogate audit``; ``state``: the folder of logs where none is named."""
    commands = parser.add_subparsers(dest="audit", required=True, metavar="COMMAND")
    own = argparse.ArgumentParser(add_help=False)
    own.add_argument("--state", type=Path, default=state, metavar="DIR", help="the gate's state folder, or a copy of it")
    own.add_argument("--gate", metavar="KEY", help=f"the key that signs for the gate (default: what {VERIFIER_FILE} there says)")
    own.add_argument("--witness-key", metavar="KEY", help="the key of a witness that countersigns")
    verify = commands.add_parser("verify", parents=[own], help="find every change, deletion, reordering, fork and cut")
    verify.add_argument("--witness", type=Path, metavar="FILE", help="what the witness has seen, fetched from the witness")
    verify.add_argument(
        "--earlier",
        action="append",
        default=[],
        metavar="ID",
        help="an earlier log of this gate that is kept elsewhere; repeatable",
    )
    verify.add_argument(
        "--receipts", action="append", type=Path, default=[], metavar="FILE", help="a receipt of the fleet's centre; repeatable"
    )
    verify.add_argument("--keys", type=Path, metavar="FILE", help="the fleet's directory of keys: whose receipts count")
    prove = commands.add_parser("prove", parents=[own], help="a record and its path to a signed checkpoint, as JSON")
    prove.add_argument("record", type=int, metavar="N")
    exports = commands.add_parser(
        "export", parents=[own], help="records and their proofs, a line of JSON each (docs/audit.md checks them)"
    )
    exports.add_argument("--from", type=int, default=1, dest="first", metavar="N")
    exports.add_argument("--to", type=int, dest="last", metavar="N", help="default: the last under the checkpoint")
    exports.add_argument("--transaction", metavar="ID", help="the records of one traveller alone")
    add_retain_arguments(
        commands.add_parser("retain", parents=[own], help="which personal fields are due to be destroyed; destroy them"),
        commands.add_parser("order", parents=[own], help="sign that personal fields are to be destroyed; two people must"),
        commands.add_parser("show", parents=[own], help="a record, its personal fields opened where their keys are there"),
    )
    keygen = commands.add_parser("keygen", help="make a signing key, and print the key by which others check")
    keygen.add_argument("--name", required=True, help="autogate/LANE for the gate of that lane; any name for a witness")
    keygen.add_argument(
        "--key",
        type=Path,
        required=True,
        metavar="FILE",
        help="where to write the private key: a file, or the URI of a key in a token (pkcs11:…)",
    )
    keygen.add_argument("--for", choices=("gate", "witness"), default="gate", dest="whom")
    witness = commands.add_parser("witness", help="be a witness: remember and countersign checkpoints of gates, over HTTP")
    witness.add_argument("--file", type=Path, required=True, help="what was seen, appended to")
    witness.add_argument("--key", type=Path, required=True, metavar="FILE")
    witness.add_argument("--name", required=True)
    witness.add_argument("--gate", action="append", required=True, metavar="KEY", help="a gate that is witnessed; repeatable")
    witness.add_argument("--host", default="127.0.0.1")
    witness.add_argument("--port", type=int, default=8430)


def audit_command(options: argparse.Namespace) -> int:
    """Returns the exit status: 1 where ``verify`` found something, 2 where it cannot be done as asked."""
    try:
        return _COMMANDS[options.audit](options)
    except (AuditError, OSError, ValueError) as error:
        print(f"autogate audit {options.audit}: {error}", file=sys.stderr)
        return EXIT_USAGE


def verify_command(state_dir: Path) -> int:
    """``autogate audit verify --state DIR``."""
    parser = argparse.ArgumentParser()
    add_arguments(parser, state_dir)
    return audit_command(parser.parse_args(["verify"]))


def _received(options: argparse.Namespace) -> tuple[tuple[str, Head], ...]:
    """What the receipts say, each proven. Raises AuditError, ValueError."""
    if not options.receipts:
        return ()
    if options.keys is None:
        raise ValueError("whose receipts count? --keys FILE, the fleet's directory of keys")
    from gate.fleet.receipts import read_receipt

    told = [read_receipt(path, options.keys) for path in options.receipts]
    return tuple((each.log, Head(seq=each.through, hash=each.hash)) for each in told)


@contextmanager
def opened(state: Path, key: bytes | None) -> Iterator[tuple[AuditReader, TreeStore | None]]:
    """The log in a state folder and its tree, where it has one. Raises AuditError."""
    with open_readonly(state / FILE_NAME, key) as log:
        path = tree_path(state / FILE_NAME, log.log_id())
        if not path.exists():
            yield log, None
            return
        with TreeStore(path) as tree:
            yield log, tree


def _keys(options: argparse.Namespace) -> tuple[VerifierKey | None, VerifierKey | None]:
    beside = options.state / VERIFIER_FILE
    gate = VerifierKey.parse(options.gate) if options.gate else read_verifier(beside) if beside.exists() else None
    return gate, VerifierKey.parse(options.witness_key) if options.witness_key else None


def _verify(options: argparse.Namespace) -> int:
    gate, witness = _keys(options)
    if options.witness and gate is None:
        raise ValueError("whose checkpoints are they? --gate KEY, as autogate audit keygen printed it")
    evidence = Evidence(
        gate=gate, witness=witness, ledger=options.witness, earlier=frozenset(options.earlier), received=_received(options)
    )
    key = gate_key(options.state / KEY_FILE)
    try:
        with opened(options.state, key) as (log, tree):
            verdict = verify_log(log, tree, evidence)
            told = tree is not None
    except AuditError as error:
        raise AuditError(f"{error}{_known(options.state)}") from error
    _print(verdict, options.state / FILE_NAME, told=told)
    return EXIT_FOUND if verdict.findings else EXIT_OK


def _known(state: Path) -> str:
    """How many records a log had of which nothing can be read."""
    sizes = []
    for path in sorted(state.glob(tree_path(state / FILE_NAME, "*").name)):
        with TreeStore(path) as tree:
            sizes.append(f"{path.name} knows of {tree.size} records")
    return f"; {', '.join(sizes)}" if sizes else ""


def _print(verdict: Verdict, path: Path, *, told: bool) -> None:
    for finding in verdict.findings:
        print(f"record {finding.seq}: {finding.what}")
    print(f"{path}: {verdict.head.seq} records, {len(verdict.findings)} findings, head {verdict.head.hash.hex()}")
    if lost := sum(last - first + 1 for first, last in verdict.lost):
        print(f"{lost} records are lost: {', '.join(f'{first}-{last}' for first, last in verdict.lost)}")
    if not told:
        print("no checkpoints: a tail that was cut off, or a log written anew with the gate's key, would not be found")
    else:
        print(f"log {verdict.origin}: {verdict.checkpoints} checkpoints, witnessed up to record {verdict.witnessed}")


def _prove(options: argparse.Namespace) -> int:
    with opened(options.state, None) as (log, tree):
        print(next(lines(iter([proof(log, _there(tree), options.record)]))))
    return EXIT_OK


def _export(options: argparse.Namespace) -> int:
    keys = tuple(key for key in _keys(options) if key)
    with opened(options.state, None) as (log, tree):
        kept = _there(tree).witnessed() or _there(tree).newest()
        wanted = range(options.first, (options.last or (kept.size if kept else 0)) + 1)
        if options.transaction:
            chosen = [record.seq for record in log.records() if record.transaction == options.transaction]
            wanted_of = iter([seq for seq in chosen if seq in wanted])
        else:
            wanted_of = iter(wanted)
        for line in lines(export(log, _there(tree), keys, wanted_of)):
            print(line)
    return EXIT_OK


def _there(tree: TreeStore | None) -> TreeStore:
    if tree is None:
        raise AuditError("the log has no checkpoints: [audit] key in the gate's configuration makes them")
    return tree


def _keygen(options: argparse.Namespace) -> int:
    make_key(options.key)
    signer = open_signer(options.key, options.name)
    key = VerifierKey.parse(str(VerifierKey.of(signer, GATE if options.whom == "gate" else WITNESS)))
    print(key)
    return EXIT_OK


def _witness(options: argparse.Namespace) -> int:
    signer = open_signer(options.key, options.name)
    ledger = Ledger(options.file, [VerifierKey.parse(key) for key in options.gate], signer)
    with WitnessServer((options.host, options.port), ledger) as server:
        print(f"witness {VerifierKey.of(signer, WITNESS)} on {options.host}:{server.server_address[1]}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return EXIT_OK
    return EXIT_OK


_COMMANDS = {
    "verify": _verify,
    "prove": _prove,
    "export": _export,
    "keygen": _keygen,
    "witness": _witness,
    "retain": retain_command,
    "order": order_command,
    "show": show_command,
}
