"""A certificate's successor, over the broker: asked for with a request that the listed event key signs, answered by the authority.

A certificate lives for weeks, an approved key for a year. What asks is who was approved, with the key that was approved, and gets a certificate
for the same name and key and for nothing else; so nobody approves it again. A request that somebody else sends again yields at most a
certificate without its key.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from gate.fleet.keys.authority import Authority, is_renewal_due, load_key, request_for
from gate.fleet.keys.directory import KeyDirectory, KeysError, Purpose
from gate.fleet.keys.enrolment import MOST_BYTES, asked, encoded, parse_enrolment
from gate.fleet.keys.names import RENEW_SUBJECT
from gate.fleet.messages import Signs
from pki.durable import read_file, write_file

FRESH = timedelta(minutes=10)
"""Between a request and the authority's clock."""
MOST_PEM = 16_384
"""Bytes of a certificate, or of a file of authorities."""


def renewed(raw: bytes, directory: KeyDirectory, authority: Authority, now: datetime) -> bytes:
    """The next certificate (PEM) for who signed the request ``raw``. Raises KeysError."""
    request = parse_enrolment(raw[: MOST_BYTES + 1]).request
    listed = next((one for one in directory.live(request.purpose) if one.public == request.public), None)
    if listed is None or listed.name != request.name:
        raise KeysError(f"{request.name}: no key of that name counts that signed this")
    if not request.certificate or abs(now - request.at) > FRESH:
        raise KeysError(f"{request.name}: asks for no certificate, or at {request.at.isoformat()}, which is not now")
    return authority.issue(request.certificate.encode(), listed, now)


class Renewer:
    """The holder's side: says when to ask and what, and takes the answer. The key stays; only the certificate's file is replaced."""

    def __init__(self, signer: Signs, purpose: Purpose, name: str, *, ca: Path, certificate: Path, key: Path) -> None:
        self._signer, self._purpose, self._name = signer, purpose, name
        self._ca, self._certificate, self._key = ca, certificate, key

    def request(self, now: datetime) -> bytes:
        """What to send to :func:`gate.fleet.keys.names.renewal_subject`; empty where it is too early. Raises KeysError, PkiError, OSError, and what
        the signer raises.
        """
        if not is_renewal_due(read_file(self._certificate, MOST_PEM), now):
            return b""
        wished = request_for(load_key(self._key), self._name)
        return encoded(asked(self._signer, self._purpose, self._name, now, certificate=wished))

    def take(self, answer: bytes, now: datetime) -> None:
        """Put what came in the old one's place, where it is its successor. Raises KeysError, PkiError, OSError; then the old one stays."""
        try:
            found = x509.load_pem_x509_certificate(answer[:MOST_PEM])
            before = x509.load_pem_x509_certificate(read_file(self._certificate, MOST_PEM))
            issuers = x509.load_pem_x509_certificates(read_file(self._ca, MOST_PEM))
            same = found.public_key() == load_key(self._key).public_key() and _names(found) == _names(before)
            right = any(_issued(found, issuer) for issuer in issuers)
        except ValueError as error:
            raise KeysError(f"the authority gave no certificate: {error}") from None
        if not (same and right and found.not_valid_before_utc <= now < found.not_valid_after_utc):
            raise KeysError("the authority gave a certificate that is not this one's successor")
        write_file(self._certificate, found.public_bytes(Encoding.PEM))


class Asked(Protocol):
    """A request as the broker hands it over."""

    @property
    def data(self) -> bytes: ...

    @property
    def subject(self) -> str: ...

    async def respond(self, data: bytes, /) -> None: ...


class Connection(Protocol):
    """The part of ``nats.aio.client.Client`` that the service needs."""

    async def subscribe(self, subject: str, queue: str, cb: Callable[..., Awaitable[None]]) -> object: ...


class Renewals:
    """The authority's service. A request that it does not believe is answered with nothing, and counted in ``refused``."""

    def __init__(
        self,
        directory: Callable[[], KeyDirectory],
        authority: Authority,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._directory, self._authority, self._now = directory, authority, now
        self.issued, self.refused = 0, Counter[str]()
        """``refused``: by the subject under which it came."""

    async def serve(self, connection: Connection) -> None:
        """Until it is cancelled."""
        await connection.subscribe(f"{RENEW_SUBJECT}.>", queue="authority", cb=self._answer)
        await asyncio.Event().wait()

    async def _answer(self, request: Asked) -> None:
        try:
            certificate = renewed(request.data, self._directory(), self._authority, self._now())
        except KeysError as error:
            certificate = b""
            self.refused[request.subject] += 1
            print(f"autogate fleet: {request.subject}: {error}", file=sys.stderr)
        else:
            self.issued += 1
        await request.respond(certificate)


def _names(certificate: x509.Certificate) -> list[x509.GeneralName]:
    try:
        return list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
