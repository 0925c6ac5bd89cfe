"""The licence file of insightface weights, ``MODEL.LICENSE``: JSON signed by the publisher (Ed25519 over RFC 8785 bytes).

Without the file the weights are for non-commercial research. A file that is malformed, forged, for another model or out of date
never falls back to that: it is an error. The fields are those that insightface 2.1 reads.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceverify.description import PackError, read_file

if TYPE_CHECKING:
    from faceverify.description import Grant

FILE = "MODEL.LICENSE"
PUBLISHER_KEY = base64.b64decode("JyP2ZksitIXEOZX1cOauRUbsnmNvNmEAA5aXvcNUsA8=")
"""Ed25519, as the package insightface 2.1 carries it among its trusted keys."""
_LIMIT = 64 << 10
_REQUIRED = {"license_version", "license_id", "issuer", "model_id", "grant", "valid_from", "signature"}
_OPTIONAL = {"customer", "reference", "valid_until"}
_VERSION, _ISSUER = 1, "InsightFace"
_TEXT_LIMIT = 256
_SIGNATURE = re.compile(r"[A-Za-z0-9_-]{86}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLicence:
    """What an operator may do with the weights; ``text`` names licence and customer; ``until`` is the last day, None: no end."""

    grant: Grant
    text: str
    until: date | None


NO_FILE = ModelLicence(
    grant="non_commercial", text="non-commercial research only: no MODEL.LICENSE came with the weights", until=None
)


def read_licence(folder: Path, model: str, now: datetime, key: bytes = PUBLISHER_KEY) -> ModelLicence:
    """Raises PackError. ``model``: the pack's name at its publisher; ``now``: aware."""
    path = folder / FILE
    if not (path.exists() or path.is_symlink()):
        return NO_FILE
    document = _document(path)
    _check_signature(path, document, key)
    if document["license_version"] != _VERSION or document["issuer"] != _ISSUER or document["model_id"] != model:
        raise _error(path, f"is not for {model}")
    begin, end = _time(path, document["valid_from"]), _time(path, document["valid_until"]) if "valid_until" in document else None
    if now < begin or (end is not None and now >= end):
        raise _error(path, "is not valid now")
    until = (end - timedelta(seconds=1)).date() if end else None  # one that ends at midnight does not cover the day that begins
    match document["grant"]:
        case "commercial" if "customer" in document:
            text = f"commercial licence {document['license_id']} for {document['customer']}"
            return ModelLicence(grant="commercial", text=text, until=until)
        case "non-commercial":
            text = f"non-commercial licence {document['license_id']}"
            return ModelLicence(grant="non_commercial", text=text, until=until)
        case _:
            raise _error(path, "grants nothing that is known")


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_file(path, _LIMIT), object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError):
        raise _error(path, "is not JSON") from None
    if not isinstance(document, dict) or not _REQUIRED <= document.keys() <= _REQUIRED | _OPTIONAL:
        raise _error(path, "has not the fields of a licence")
    texts = [value for name, value in document.items() if name != "license_version"]
    if type(document["license_version"]) is not int or not all(
        isinstance(text, str) and 0 < len(text) <= _TEXT_LIMIT for text in texts
    ):
        raise _error(path, "has not the fields of a licence")
    return document


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name twice")
    return dict(pairs)


def _check_signature(path: Path, document: dict[str, Any], key: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if not _SIGNATURE.fullmatch(document["signature"]):
        raise _error(path, "has no signature")
    try:
        signature = base64.urlsafe_b64decode(document["signature"] + "==")
        Ed25519PublicKey.from_public_bytes(key).verify(signature, signed_bytes(document))
    except (InvalidSignature, UnicodeEncodeError):
        raise _error(path, "is not signed by the publisher") from None


def signed_bytes(document: dict[str, Any]) -> bytes:
    """RFC 8785, for objects of ASCII names whose values are texts and small whole numbers; the signature itself left out."""
    unsigned = {name: value for name, value in document.items() if name != "signature"}
    return json.dumps(unsigned, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _time(path: Path, text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise _error(path, f"has no UTC time in {text!r}") from None


def _error(path: Path, what: str) -> PackError:
    return PackError(str(path), what, "ask the publisher for a valid one")
