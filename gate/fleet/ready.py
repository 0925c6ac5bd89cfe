"""Whether a gate could speak to its centre: what ``autogate doctor`` looks at. Nobody is asked, and nothing is signed."""

from __future__ import annotations

import importlib.util
from datetime import datetime

from gate.audit.chain import AuditError
from gate.audit.keys import open_signer
from gate.audit.log import FILE_NAME, open_readonly
from gate.config import Config
from gate.config_sections import Fleet
from gate.fleet.connection import BrokerError, ends, tls_context
from gate.fleet.keys.directory import KeysError
from gate.fleet.keys.file_keys import FileKeys
from gate.fleet.messages import EnvelopeError, gate_id, key_id
from gate.fleet.status import days_left
from gate.registries.sealed import private
from pki.errors import PkiError
from pki.signed_statement import parse_signers

LEAST_DAYS = 14.0
"""For so long a gate keeps what the centre cannot take."""


def unready(config: Config, now: datetime) -> str:
    """What is missing or wrong, in words; empty: nothing."""
    assert config.fleet is not None
    if config.fleet.updates is not None and importlib.util.find_spec("tuf") is None:
        return "tuf is not installed"
    try:
        return _certificate(config.fleet, now) or _key(config, config.fleet, now) or _room(config, now)
    except (AuditError, BrokerError, KeysError, OSError, ValueError) as error:
        return str(error)
    except PkiError as error:
        return error.detail


def _certificate(fleet: Fleet, now: datetime) -> str:
    """Raises BrokerError, OSError, ValueError."""
    if fleet.certificate is None or fleet.key is None:
        return ""
    private(fleet.key)
    tls_context(fleet)
    until = ends(fleet.certificate)
    return f"{fleet.certificate} ended on {until:%Y-%m-%d %H:%M} UTC" if until is not None and until <= now else ""


def _key(config: Config, fleet: Fleet, now: datetime) -> str:
    """Whether what this gate signs counts. Raises AuditError, KeysError, PkiError."""
    gate = gate_id(config.lane.checkpoint, config.lane.id)
    keys = FileKeys(fleet.keys, people=parse_signers(fleet.signers) or None, now=lambda: now)
    try:
        keys.public(key_id(open_signer(fleet.signing_key, gate).public), gate, "gate")
    except EnvelopeError as error:
        return f"{fleet.keys}: {error}"
    return ""


def _room(config: Config, now: datetime) -> str:
    """Whether the disk holds two weeks of records. Raises AuditError, OSError."""
    path = config.state_dir / FILE_NAME
    if not path.exists():
        return ""
    with open_readonly(path) as log:
        left = days_left(config.state_dir, log, path.stat().st_size, now)
    return (
        f"the disk takes records for {left:.0f} days more, and {LEAST_DAYS:.0f} are needed" if left and left < LEAST_DAYS else ""
    )
