"""The signed waiver under which a gate may use a link that proves nothing: made by ``autogate lane waive``, examined before the lane starts.

Somebody who signs for the trust store takes it upon them, by name, for one lane, until a day. The signature stops nobody who may write
the configuration from naming a key of their own there; it stops an unsigned line from being enough, and says afterwards who it was.

The lane process loads no cryptography. It has this module examine its configuration in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date, datetime
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gate.clock import civil_date
from gate.config import EXIT_BROKEN, EXIT_OK, Config, ConfigError, Lane, LinkWaiver, Words, load_lane, load_trust
from gate.signer_key import private_key, public_hex
from pki.errors import PkiError
from pki.trust_statement import parse_signers

CONTEXT = b"autogate link waiver 1\n"
"""Goes before what is signed, so that such a signature is good for nothing else."""
LINK = "modbus"


def signed_text(lane: Lane, granted_by: str, reason: str, until: date) -> bytes:
    """What is signed: the lane, who, why, until when, as JSON with sorted keys and no spaces, in ASCII."""
    told = {"checkpoint": lane.checkpoint, "granted_by": granted_by, "lane": lane.id, "link": LINK, "reason": reason}
    text = json.dumps(told | {"until": until.isoformat()}, separators=(",", ":"), sort_keys=True)
    return CONTEXT + text.encode("ascii")


def problem(config: Config, now: datetime) -> str:
    """Why the waiver in ``config`` is none; empty where it holds, or where there is none. ``now``: aware."""
    waiver = config.controller.waiver
    if waiver is None:
        return ""
    if ended := waiver.ended(civil_date(now, config.lane.checkpoint)):
        return ended
    try:
        keys = {name: key for key, name in parse_signers(config.trust.signers).items()}
    except PkiError as error:
        return error.detail
    if waiver.granted_by not in keys:
        return f"{waiver.granted_by} is not among trust.signers"
    if not _is_signed(waiver, config.lane, keys[waiver.granted_by]):
        return (
            f"not signed by {waiver.granted_by} for lane {config.lane.id} at {config.lane.checkpoint}, this reason and this day"
        )
    return ""


def _is_signed(waiver: LinkWaiver, lane: Lane, key: str) -> bool:
    text = signed_text(lane, waiver.granted_by, waiver.reason, waiver.until)
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(waiver.signature), text)
    except (InvalidSignature, ValueError):
        return False
    return True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``autogate lane waive``."""
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="of the lane; it need not be complete yet")
    parser.add_argument("--name", required=True, metavar="WHO", help="who grants it, as in trust.signers")
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="that person's key (autogate trust keygen)")
    parser.add_argument("--passphrase", type=Path, metavar="FILE", help="file with the words that encrypt the key")
    parser.add_argument("--because", required=True, metavar="TEXT", help="why")
    parser.add_argument("--until", type=date.fromisoformat, required=True, metavar="DATE", help="the last day")


def waive_command(options: argparse.Namespace) -> int:
    """Print the section to be put into the configuration. Returns the exit status."""
    try:
        key, reason = _key_of(options), _words(options.because)
        text = signed_text(load_lane(options.config), options.name, reason, options.until)
    except (ConfigError, PkiError, OSError, ValueError) as error:
        print(f"autogate lane waive: {error.detail if isinstance(error, PkiError) else error}", file=sys.stderr)
        return EXIT_BROKEN
    print("[controller.waiver]")
    print(f"granted_by = {json.dumps(options.name, ensure_ascii=False)}")
    print(f"reason = {json.dumps(reason, ensure_ascii=False)}")
    print(f"until = {options.until}")
    print(f'signature = "{key.sign(text).hex()}"')
    return EXIT_OK


def _words(text: str) -> str:
    """``text``, if a configuration can hold it. Raises ValueError."""
    try:
        return msgspec.convert(text, Words)
    except msgspec.ValidationError:
        raise ValueError("--because: 1 to 120 characters, none of them a control character") from None


def _key_of(options: argparse.Namespace) -> Ed25519PrivateKey:
    key = private_key(options.key, options.passphrase)
    signers = parse_signers(load_trust(options.config).signers)
    if signers.get(public_hex(key)) != options.name:
        raise ValueError(f"the key in {options.key} is not the one of {options.name} among trust.signers")
    return key


def main() -> int:
    """``python -m gate.link_waiver TIME``, the configuration on standard input: says what is wrong with its waiver, nothing where it holds."""
    config = msgspec.json.decode(sys.stdin.buffer.read(), type=Config, dec_hook=lambda kind, text: kind(text))
    print(problem(config, datetime.fromisoformat(sys.argv[1])), end="")
    return EXIT_OK


if __name__ == "__main__":
    raise SystemExit(main())
