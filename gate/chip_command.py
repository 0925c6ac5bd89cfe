"""``autogate chip``: read one chip and tell what it said, in which order and how fast. For setting up a reader, and for reports of trouble.

What opens a chip is never an argument: other users of the machine could read it in the list of processes, and the shell would keep it.
It comes from a file or is asked for. What the chip holds of a person is shown only on request, kept nowhere, and unproven.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import mrz
from gate.clock import SystemClock
from hardware.emrtd.domain_parameters import STANDARDIZED
from hardware.emrtd.errors import ChipError
from hardware.emrtd.lds import dg1_mrz
from hardware.emrtd.pace_offers import PROTOCOLS
from hardware.emrtd.reader import EXTRA, AccessEvidence, AccessKey, ChipData, read_chip
from hardware.emrtd.transcript import Exchange, Transcript
from hardware.ports import DeviceError, TagLost, Transceiver

EXIT_OK, EXIT_CHIP, EXIT_USAGE = 0, 1, 2
EXIT_INTERRUPTED = 130
"""128 and the number of SIGINT, as shells have it."""
CHIP_S = 30.0
"""How long to wait for somebody to lay a document on the reader."""
LAST = 6
"""Exchanges that are told where a reading failed."""
MRZ_WIDTHS = {88: 44, 90: 30, 72: 36}
NOTE = "read, not proven: neither signature nor hashes were checked"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``autogate chip``."""
    commands = parser.add_subparsers(dest="chip", required=True, metavar="COMMAND")
    commands.add_parser("readers", help="list the PC/SC readers")
    read = commands.add_parser("read", help="read one chip: its files, the protocols that ran, the times")
    source = read.add_mutually_exclusive_group(required=True)
    source.add_argument("--reader", metavar="NAME", help="the chip in this PC/SC reader")
    source.add_argument("--specimen", type=Path, metavar="DIR", help="a virtual chip with the files of this folder")
    key = read.add_mutually_exclusive_group()
    key.add_argument(
        "--mrz", type=Path, metavar="FILE", help="file with the lines of the MRZ (else number and dates are asked for)"
    )
    key.add_argument("--can", type=Path, metavar="FILE", help="file with the card access number")
    read.add_argument("--extra", nargs="+", default=[], choices=EXTRA, metavar="FILE", help=f"further files: {', '.join(EXTRA)}")
    read.add_argument("--show", action="store_true", help="print the MRZ in DG1, too: personal data")
    read.add_argument("--json", action="store_true")


def chip_command(options: argparse.Namespace) -> int:
    """Returns the exit status: 1 where the chip refused or is none, 2 where it cannot be done as asked, 130 after Ctrl-C."""
    try:
        if options.chip == "readers":
            return _list_readers()
        return _read(options)
    except (ChipError, TagLost) as error:
        print(f"autogate chip: {error}", file=sys.stderr)
        return EXIT_CHIP
    except (DeviceError, mrz.MrzError, OSError, ValueError) as error:
        print(f"autogate chip: {error}", file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt:
        print("autogate chip: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


def _list_readers() -> int:
    from hardware.emrtd.pcsc import list_readers

    readers = list_readers()
    print(*readers or ["no PC/SC reader is plugged in"], sep="\n")
    return EXIT_OK if readers else EXIT_CHIP


def _read(options: argparse.Namespace) -> int:
    if options.specimen:
        from hardware.sim.specimen import load_specimen

        specimen = load_specimen(options.specimen)
        key = AccessKey(specimen.mrz_information) if not (options.mrz or options.can) else _key(options)
        return _report(options, specimen.chip(), key, {"chip": f"specimen {options.specimen.name}, virtual"})
    from hardware.emrtd.pcsc import PcscTransceiver, backend

    with closing(PcscTransceiver(options.reader)) as reader:
        key = _key(options)
        try:
            if not reader.reconnect(CHIP_S):
                raise TagLost(options.reader, f"no eMRTD answered within {CHIP_S:.0f} s", "lay the document on the reader")
            source = {"chip": f"{options.reader} ({backend()})", "answer_to_reset": reader.atr.hex()}
            return _report(options, reader, key, source)
        finally:
            key.wipe()


def _key(options: argparse.Namespace) -> AccessKey:
    """From the file that was named, else from who sits there. Raises OSError, MrzError, ValueError."""
    if options.can:
        return AccessKey.from_can(options.can.read_text(encoding="ascii").strip())
    if options.mrz:
        return AccessKey(mrz.parse(options.mrz.read_text(encoding="ascii")).mrz_information())
    number, birth, expiry = (_ask(what) for what in ("document number", "date of birth (YYMMDD)", "date of expiry (YYMMDD)"))
    return AccessKey("".join(field + mrz.check_digit(field) for field in (number.ljust(9, "<"), birth, expiry)))


def _ask(what: str) -> str:
    """One line of the standard input; the prompt goes where it is not taken for output. Raises ValueError where nothing was typed."""
    print(f"{what}: ", end="", file=sys.stderr, flush=True)
    if answer := sys.stdin.readline().strip().upper():
        return answer
    raise ValueError(f"no {what} was typed")


def _report(options: argparse.Namespace, chip: Transceiver, key: AccessKey, source: dict[str, str]) -> int:
    """Read, wipe, tell. The key is wiped, too. What DG1 holds must not keep anybody from hearing how the reading went."""
    transcript = Transcript(chip, clock := SystemClock())
    try:
        data = read_chip(transcript, key, clock=clock, extra=options.extra)
    except (ChipError, TagLost):
        print(*_last(transcript.exchanges), sep="\n", file=sys.stderr)
        raise
    finally:
        key.wipe()
    try:
        told = source | as_json(data, transcript.exchanges)
        if options.show and "DG1" in data.files:
            told["mrz"] = _mrz(data.files["DG1"])
    finally:
        data.wipe()
    print(json.dumps(told, indent=2) if options.json else "\n".join(as_text(told)))
    return EXIT_OK


def _mrz(dg1: bytearray) -> list[str]:
    """The lines of the MRZ in DG1, or why there are none."""
    try:
        text = dg1_mrz(bytes(dg1))
    except ChipError as error:
        return [f"no MRZ in DG1: {error}"]
    width = MRZ_WIDTHS[len(text)]
    return [text[start : start + width] for start in range(0, len(text), width)]


def _last(exchanges: Sequence[Exchange]) -> list[str]:
    """Where a reading ended: lengths, status and time of the newest exchanges, nothing of what they held."""
    lines = [f"{len(exchanges)} APDUs, the last ones:"]
    for exchange in exchanges[-LAST:]:
        status = "no answer" if exchange.sw is None else f"{exchange.sw:04X}"
        lengths = f"{exchange.command_length:>5} bytes sent, {exchange.response_length:>5} received"
        lines.append(f"  {lengths}, {status}, {exchange.duration_s * 1000:.1f} ms")
    return lines


def as_json(data: ChipData, exchanges: Sequence[Exchange]) -> dict[str, Any]:
    """All that may be told of a reading: nothing that the chip holds of a person, and no key."""
    zero = data.steps[0].start_boot
    active, chip, cam = data.active_authentication, data.chip_authentication, data.pace_cam
    times = [exchange.duration_s * 1000 for exchange in exchanges]
    return {
        "note": NOTE,
        "access": asdict(data.access) | {"name": access_name(data.access)},
        "files": {name: len(content) for name, content in data.files.items()},
        "missing": dict(data.missing),
        "proofs": {
            "active_authentication": None if active is None else {"response_bytes": len(active.response)},
            "chip_authentication": None
            if chip is None
            else {"oid": chip.oid, "key_id": chip.key_id, "succeeded": chip.succeeded},
            "pace_cam": None if cam is None else {"oid": cam.oid, "succeeded": cam.succeeded},
        },
        "steps": [
            {
                "name": step.name,
                "start_ms": round((step.start_boot - zero) * 1000, 2),
                "duration_ms": round(step.duration_s * 1000, 2),
                "result": step.result,
            }
            for step in data.steps
        ],
        "exchanges": {
            "count": len(exchanges),
            "bytes_sent": sum(exchange.command_length for exchange in exchanges),
            "bytes_received": sum(exchange.response_length for exchange in exchanges),
            "total_ms": round(sum(times), 2),
            "median_ms": round(statistics.median(times), 3),
            "slowest_ms": round(max(times), 2),
        },
    }


def access_name(access: AccessEvidence) -> str:
    """The access protocol in the words of Doc 9303-11."""
    if access.protocol == "bac" or access.parameter_id is None:
        return "BAC, 3DES, password from the MRZ"
    pace, group = PROTOCOLS[access.oid], STANDARDIZED[access.parameter_id]
    cipher = "3DES" if pace.suite.cipher == "3DES" else f"AES-{pace.suite.key_length * 8}"
    name = f"PACE-{pace.agreement}-{pace.mapping}, {cipher}, {group.name} (set {access.parameter_id})"
    return f"{name}, password from the {access.password.upper()}"


def as_text(told: dict[str, Any]) -> list[str]:
    """The same for people, by line."""
    access, exchanges = told["access"], told["exchanges"]
    lines = [f"chip      {told['chip']}"]
    lines += [f"          answer to reset {told['answer_to_reset']}"] if "answer_to_reset" in told else []
    lines += [f"access    {access['name']}" + (f", {access['sessions']} sessions" if access["sessions"] > 1 else "")]
    lines += [f"          tolerance {access['tolerance']}"] if access["tolerance"] else []
    lines += ["files"] + [f"  {name:<22} {size:>7} bytes" for name, size in told["files"].items()]
    lines += [f"  {name:<22} missing: {reason}" for name, reason in told["missing"].items()]
    lines += ["proofs"] + [f"  {name:<22} {_proof(proof)}" for name, proof in told["proofs"].items()]
    lines += ["steps                     from ms    for ms"]
    lines += [
        f"  {step['name']:<22} {step['start_ms']:>8.1f}  {step['duration_ms']:>8.1f}  {step['result']}" for step in told["steps"]
    ]
    volume = f"{exchanges['bytes_sent']} bytes sent, {exchanges['bytes_received']} received"
    lines += [f"APDUs     {exchanges['count']} in {exchanges['total_ms']:.1f} ms: {volume}"]
    lines += [f"          median {exchanges['median_ms']:.3f} ms, slowest {exchanges['slowest_ms']:.1f} ms"]
    return [*lines, *told.get("mrz", ()), told["note"]]


def _proof(proof: dict[str, Any] | None) -> str:
    if proof is None:
        return "not run"
    if "response_bytes" in proof:
        return f"answered with {proof['response_bytes']} bytes" if proof["response_bytes"] else "refused"
    return f"{'successful' if proof['succeeded'] else 'failed'}, {proof['oid']}"
