"""The gate's signing key in a token that never lets it go (PKCS#11 3.0: Ed25519), named as RFC 7512 names keys.

``pkcs11:token=gate;object=audit?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/etc/autogate/pin``: the token's label, the key's, the
library that speaks to the token, and a file with the PIN. A token that was pulled out is a signature that cannot be made now; the next one
looks for it again.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Self
from urllib.parse import unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gate.audit.chain import AuditError

SCHEME = "pkcs11:"
EDWARDS25519 = b"\x13\x0cedwards25519"
"""The curve by its name, as CKA_EC_PARAMS has it (PKCS#11 3.0 §2.3.10, PrintableString)."""
_PATH, _QUERY = {"token", "object"}, {"module-path", "pin-source"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenKey:
    """Where a key is."""

    token: str
    object: str
    module: str
    pin_source: Path

    @classmethod
    def parse(cls, uri: str) -> Self:
        """Raises AuditError for everything but a URI with exactly these four parts."""
        path, _, query = uri.removeprefix(SCHEME).partition("?")
        told = _parts(path, ";") | _parts(query, "&")
        if not uri.startswith(SCHEME) or told.keys() != _PATH | _QUERY or not all(told.values()):
            what = f"{SCHEME}token=…;object=…?module-path=…&pin-source=…"
            raise AuditError(f"audit.key: not the URI of a token's key: write {what}")
        source = told["pin-source"].removeprefix("file:")
        return cls(token=told["token"], object=told["object"], module=told["module-path"], pin_source=Path(source))


def _parts(text: str, between: str) -> dict[str, str]:
    pairs = (each.partition("=") for each in text.split(between) if each)
    return {name: unquote(value) for name, _, value in pairs}


class TokenSigner:
    """:class:`gate.audit.note.Signer`. For one thread."""

    def __init__(self, key: TokenKey, name: str) -> None:
        """Raises AuditError where the token, or the key in it, cannot be used."""
        self.name, self._where = name, key
        self._session: Any = None
        self._private: Any = None
        self.public = self._opened()

    def sign(self, message: bytes) -> bytes:
        """:meth:`gate.audit.note.Signer.sign`; what the token gave is checked before it counts."""
        pkcs11 = _library()
        try:
            if self._session is None and self._opened() != self.public:
                raise AuditError(f"{self._named}: the key is another than it was")
            signature = bytes(self._private.sign(message, mechanism=pkcs11.Mechanism.EDDSA))
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except pkcs11.PKCS11Error as error:
            self._session = None
            raise AuditError(f"{self._named}: cannot sign ({type(error).__name__})") from error
        except InvalidSignature:
            raise AuditError(f"{self._named}: what it signed is no signature") from None
        return signature

    def _opened(self) -> bytes:
        """Log in and find the key. Returns its public half. Raises AuditError."""
        pkcs11 = _library()
        try:
            session = _session(self._where)
            private = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=self._where.object)
            point = session.get_key(object_class=pkcs11.ObjectClass.PUBLIC_KEY, label=self._where.object)
            raw = bytes(point[pkcs11.Attribute.EC_POINT])
        except (pkcs11.PKCS11Error, OSError) as error:
            raise AuditError(
                f"{self._named}: cannot be used ({type(error).__name__}{f': {error}' if str(error) else ''})"
            ) from error
        if len(raw) not in {32, 34}:  # bare, or as an OCTET STRING
            raise AuditError(f"{self._named}: no Ed25519 key")
        self._session, self._private = session, private
        return raw[-32:]

    @property
    def _named(self) -> str:
        return f"audit.key: {self._where.object} in the token {self._where.token}"


def make_token_key(key: TokenKey) -> None:
    """A new key in the token, which never lets it go. Raises AuditError, also where one of that label is there already."""
    pkcs11 = _library()
    try:
        with _session(key, change=True) as session:
            if next(iter(session.get_objects({pkcs11.Attribute.LABEL: key.object})), None) is not None:
                raise AuditError(f"there is a key {key.object} in the token {key.token} already")
            curve = session.create_domain_parameters(
                pkcs11.KeyType.EC_EDWARDS, {pkcs11.Attribute.EC_PARAMS: EDWARDS25519}, local=True
            )
            curve.generate_keypair(mechanism=pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN, store=True, label=key.object)
    except (pkcs11.PKCS11Error, OSError) as error:
        raise AuditError(f"the token {key.token} makes no key ({type(error).__name__})") from error


def _session(key: TokenKey, *, change: bool = False) -> Any:
    pkcs11, pin = _library(), key.pin_source.read_text(encoding="utf-8").strip()
    token = pkcs11.lib(key.module).get_token(token_label=key.token)
    try:
        return token.open(user_pin=pin, rw=change)
    except pkcs11.UserAlreadyLoggedIn:  # a process logs in to a token once
        return token.open(rw=change)


def _library() -> ModuleType:
    try:
        return importlib.import_module("pkcs11")
    except ImportError as error:
        raise AuditError("audit.key: python-pkcs11 is not installed (make setup-pkcs11)") from error
