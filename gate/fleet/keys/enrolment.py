"""How a key gets into the directory: its holder asks, two people approve what they compared, and then it is admitted.

The request is made where the keys are made and signed with the event key, so that who approves one approves the certificate request in it as well.
Nothing is trusted because it came first: each person gives the fingerprint that the gate showed to whoever stands before it, and signs the
entry that shall stand in the directory. The same form of request, signed with a key that is listed already, renews a certificate (:mod:`.renewal`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Meta

from gate.fleet.keys.authority import MOST_REQUEST, SKEW, requested_key
from gate.fleet.keys.directory import At, Directory, Entry, KeysError, Name, PublicKey, Purpose, Revoked, Signature, check_entry
from gate.fleet.messages import Signs
from gate.signer_key import public_hex
from pki.signed_statement import QUORUM

KEY_LIFE = timedelta(days=400)
"""For how long a key is approved where nobody says otherwise: a year, and a month in which to do it again."""
MOST_BYTES = 16_384
"""Of a request with its approvals."""
_CONTEXT = b"autogate fleet request 1\n"


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody asks to be listed as."""

    purpose: Purpose
    name: Name
    public: PublicKey
    certificate: Annotated[str, Meta(max_length=MOST_REQUEST)] = ""
    """A certificate request (PEM) for the way to the broker; empty for people and registries, who do not go there."""
    audit: Annotated[str, Meta(max_length=300)] = ""
    at: At

    @property
    def message(self) -> bytes:
        return _CONTEXT + _encode(self)

    @property
    def fingerprint(self) -> str:
        """Of all of it, to be read aloud: 128 bits in eight groups."""
        digest = hashlib.sha256(self.message).hexdigest()[:32]
        return " ".join(digest[at : at + 4] for at in range(0, 32, 4))


class Enrolment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file that is carried from the gate to two people and to the fleet's authority."""

    format: Literal[1] = 1
    request: Request
    signature: Signature
    """With the key that asks."""
    entry: Entry | None = None
    """What people have approved."""


def asked(signer: Signs, purpose: Purpose, name: str, now: datetime, *, certificate: bytes = b"", audit: str = "") -> Enrolment:
    """A request for ``signer``'s key. Raises KeysError, and what the signer raises."""
    request = Request(
        purpose=purpose,
        name=name,
        public=signer.public.hex(),
        certificate=certificate.decode("ascii"),
        audit=audit,
        at=now.replace(microsecond=0),
    )
    return parse_enrolment(encoded(Enrolment(request=request, signature=signer.sign(request.message).hex())))


def encoded(enrolment: Enrolment) -> bytes:
    return _encode(enrolment) + b"\n"


def parse_enrolment(raw: bytes) -> Enrolment:
    """What its maker signed, and people approved just that. Raises KeysError."""
    try:
        found = _decoder.decode(raw[: MOST_BYTES + 1])
        request = found.request
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(request.public)).verify(bytes.fromhex(found.signature), request.message)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, OverflowError) as error:
        raise KeysError(f"no request: {error}") from None
    except InvalidSignature:
        raise KeysError(f"no request: not signed by {request.public}") from None
    if request.certificate:
        requested_key(request.certificate.encode())
    check_entry(_entry(request, request.at, request.at))
    if found.entry and found.entry.message != _entry(request, found.entry.since, found.entry.until).message:
        raise KeysError("no request: what was approved is not what was asked for")
    return found


def approve(
    enrolment: Enrolment, fingerprint: str, key: Ed25519PrivateKey, now: datetime, life: timedelta = KEY_LIFE
) -> Enrolment:
    """With one more person's signature. ``fingerprint`` is what the person was told by whoever made the request; the first one to sign
    says for how long. Raises KeysError.
    """
    told = enrolment.request.fingerprint
    if "".join(fingerprint.split()).lower() != told.replace(" ", ""):
        raise KeysError(f"the request's fingerprint is {told}, not that: approve nothing that nobody before the gate read to you")
    since = now.replace(microsecond=0) - SKEW
    entry = enrolment.entry or _entry(enrolment.request, since, since + life)
    approvals = {**entry.approvals, public_hex(key): key.sign(entry.message).hex()}
    return msgspec.structs.replace(enrolment, entry=msgspec.structs.replace(entry, approvals=approvals))


def approved(enrolment: Enrolment, people: Mapping[str, str]) -> Entry:
    """The entry, once two of ``people`` (public key → name) signed for it. Raises KeysError."""
    by = enrolment.entry.approved_by(people) if enrolment.entry else ()
    if enrolment.entry is None or len(by) < QUORUM:
        said = f" ({', '.join(by)})" if by else ""
        raise KeysError(f"{enrolment.request.name}: approved by {len(by)} of {QUORUM} people{said}")
    return enrolment.entry


def admitted(directory: Directory, entry: Entry, now: datetime, *, rotated: Revoked | None = None) -> Directory:
    """The directory with ``entry``. ``rotated``: what is then said of the gate's key before; without it a gate with a key gets no second
    one. Raises KeysError.
    """
    if any(one.id == entry.id for one in directory.entries):
        raise KeysError(f"{entry.name}: this key has been listed already, and no key comes back")
    if not entry.is_live(now):
        raise KeysError(f"{entry.name}: approved from {entry.since.isoformat()} to {entry.until.isoformat()}, which is not now")
    before = [one for one in directory.entries if (one.purpose, one.name) == (entry.purpose, entry.name) and one.is_live(now)]
    if rotated:
        directory = revoked(directory, [one.id.hex() for one in before], rotated)
    elif before and entry.purpose == "gate":
        raise KeysError(f"{entry.name}: has a key: autogate fleet rotate, or revoke that one first")
    return directory.with_entries((*directory.entries, entry))


def revoked(directory: Directory, whom: list[str], why: Revoked) -> Directory:
    """The directory in which none of ``whom`` (names, or ids of keys) counts. Raises KeysError where there is none such."""
    hit = {one.id for one in directory.entries if not one.revoked and (one.name in whom or one.id.hex() in whom)}
    if not hit:
        raise KeysError(f"{', '.join(whom) or 'nobody'}: no key of that name that is not revoked already")
    return directory.with_entries(
        msgspec.structs.replace(one, revoked=why) if one.id in hit else one for one in directory.entries
    )


def _entry(request: Request, since: datetime, until: datetime) -> Entry:
    return Entry(purpose=request.purpose, name=request.name, public=request.public, since=since, until=until, audit=request.audit)


_encode = msgspec.json.Encoder(order="sorted").encode
_decoder = msgspec.json.Decoder(Enrolment)
