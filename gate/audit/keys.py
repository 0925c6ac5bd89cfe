"""Where keys of the audit lie: the gate's signing key, in a file or a token, which is not the key of its chain, and the keys by which others check."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gate.audit.chain import AuditError
from gate.audit.note import MOST_BYTES, FileSigner, Signer, VerifierKey
from gate.audit.token import SCHEME, TokenKey, TokenSigner, make_token_key
from gate.signer_key import private_key

SIGNER_FILE = "audit.key"
"""Name of a demonstration's signing key within its state folder."""
VERIFIER_FILE = "audit.pub"
"""Name of a file beside the log with the key by which its checkpoints are checked: convenient, and no proof against who writes there."""


def open_signer(path: Path, name: str) -> Signer:
    """Sign as ``name`` with the key in a file, or in a token whose URI ``path`` is. Raises AuditError."""
    if str(path).startswith(SCHEME):
        return TokenSigner(TokenKey.parse(str(path)), name)
    try:
        return FileSigner(name=name, key=private_key(path, None))
    except (OSError, ValueError) as error:
        raise AuditError(f"audit.key: {error} (autogate audit keygen)") from error


def make_key(path: Path) -> None:
    """A new key: in a file (PEM, mode 0600), or in a token. Raises OSError, AuditError, also where it is there already."""
    if str(path).startswith(SCHEME):
        make_token_key(TokenKey.parse(str(path)))
        return
    raw = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(raw)


def tell_verifier(folder: Path, key: VerifierKey) -> None:
    """Lay the public key beside the log. Raises OSError."""
    (folder / VERIFIER_FILE).write_text(f"{key}\n", encoding="utf-8")


def read_verifier(path: Path) -> VerifierKey:
    """Raises AuditError."""
    try:
        with path.open("rb") as file:
            return VerifierKey.parse(file.read(MOST_BYTES).decode())
    except (OSError, UnicodeDecodeError) as error:
        raise AuditError(f"{path}: no key of an audit: {error}") from error
