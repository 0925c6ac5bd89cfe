"""What registries sign: compact JWS (RFC 7515) with Ed25519 (RFC 8037, RFC 9864), and what an answer must be bound to before it counts.

An answer's payload is a :class:`Claims`. It holds for one registry, one gate, one question (its nonce and the SHA-256 of its bytes) and
for a minute; so an answer that was kept, sent on, or meant for another gate is refused, and each refusal has its word. The header's
``typ`` says what was signed: an answer is never taken for a snapshot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Generic, Literal, Protocol, TypeVar

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from gate.registries.base import FRESH_S, MAX_AGE_S, MAX_SKEW_S, Contract, Found, Instant, NotListed, R, Why

ALGORITHM = "Ed25519"
VALID_S = 60.0
"""How long the reference server's answers hold; the clocks may differ by :data:`MAX_SKEW_S` besides."""
LONGEST_PAYLOAD = 65_536
Kind = Literal["answer", "snapshot"]
_WRONG = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What joserfc raises for bytes that are no JWS; a header may be any JSON, and not only an object."""


class EnvelopeError(Exception):
    """What was received counts for nothing, and why."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


class _Headers(jws.JWSRegistry):
    """``alg`` and ``typ`` and nothing else: no key of the sender's, no unencoded payload, no critical extension."""

    default_header_registry = {name: jws.JWSRegistry.default_header_registry[name] for name in ("alg", "typ")}  # noqa: RUF012 - as the base has it
    max_payload_length = LONGEST_PAYLOAD


_HEADERS = _Headers(algorithms=[ALGORITHM])


def public_key(path: Path) -> OKPKey:
    """A registry's public key out of a PEM file. Raises OSError, or ValueError where it holds none for Ed25519."""
    return _key(path, private=False)


def private_key(path: Path) -> OKPKey:
    """A registry's private key, for who signs. Raises as :func:`public_key`."""
    return _key(path, private=True)


def _key(path: Path, *, private: bool) -> OKPKey:
    pem = path.read_bytes()
    try:
        key = OKPKey.import_key(pem)
        fits = key.curve_name == ALGORITHM and key.is_private is private
    except _WRONG:
        fits = False
    if not fits:
        raise ValueError(f"{path}: no {'private' if private else 'public'} Ed25519 key in PEM")
    return key


def signed(payload: bytes, key: OKPKey, kind: Kind) -> str:
    """``payload`` as a compact JWS. ``key``: the registry's private one."""
    header = {"alg": ALGORITHM, "typ": f"registry-{kind}"}
    return jws.serialize_compact(header, payload, key, registry=_HEADERS)


def verified(token: bytes, key: OKPKey, kind: Kind) -> bytes:
    """The payload. Raises EnvelopeError: ``malformed`` for what is no JWS, ``forged`` for one that ``key`` did not sign as ``kind``."""
    try:
        content = jws.extract_compact(token, registry=_HEADERS)
    except _WRONG:
        raise EnvelopeError("malformed") from None
    try:
        genuine = jws.validate_compact(content, key, registry=_HEADERS)
        genuine = genuine and content.headers().get("typ") == f"registry-{kind}"
    except _WRONG:
        genuine = False
    if not genuine:
        raise EnvelopeError("forged")
    return content.payload


# --- answers ---------------------------------------------------------------------------------------------------------------

Q = TypeVar("Q")
Nonce = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z", description="128 random bits, in hexadecimal")]
Gate = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}\Z", description="name of the gate, as in its certificate")
]
Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z", description="SHA-256 in hexadecimal")]


class Asked(msgspec.Struct, Generic[Q], frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a request."""

    gate: Gate
    nonce: Nonce
    question: Q


class Claims(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a registry signs when it answers. ``question``: SHA-256 of the request's body; ``as_of``: state of the data that was asked."""

    registry: str
    gate: Gate
    nonce: Nonce
    question: Digest
    signed_at: Instant
    expires: Instant
    as_of: Instant
    reply: msgspec.Raw


class Floor(Protocol):
    """The newest state of its data that a registry ever answered from (:class:`gate.clock.WallFloor` keeps it on disk)."""

    @property
    def readable(self) -> bool: ...
    @property
    def highest(self) -> datetime: ...
    def raise_to(self, seen: datetime) -> None: ...


_CLAIMS = msgspec.json.Decoder(Claims)
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class AnswerReader(Generic[R]):
    """Reads one registry's answers to one gate. ``saw`` hears of every signed time, for whoever doubts the gate's clock."""

    def __init__(
        self,
        contract: Contract[R],
        gate: str,
        key: OKPKey,
        *,
        wall: Callable[[], datetime],
        max_age_s: float = MAX_AGE_S,
        floor: Floor | None = None,
        saw: Callable[[datetime], None] = lambda _: None,
    ) -> None:
        self._contract, self._gate, self._key = contract, gate, key
        self._wall, self._max_age_s, self._floor, self._saw = wall, max_age_s, floor, saw
        self._newest = floor.highest if floor else None
        self._replies = msgspec.json.Decoder(contract.reply)

    def read(self, token: bytes, body: bytes, nonce: str, latency_ms: float) -> Found[R] | NotListed:
        """The answer in ``token`` to the request ``body``. Raises EnvelopeError for whatever is not exactly right."""
        try:
            claims = _CLAIMS.decode(verified(token, self._key, "answer"))
            reply = self._replies.decode(claims.reply)
        except _UNREADABLE:
            raise EnvelopeError("malformed") from None
        self._check_bound(claims, body, nonce)
        self._saw(claims.signed_at)
        age = self._checked_age(claims)
        name, copied = self._contract.name, age > FRESH_S
        if reply.answer == self._contract.nothing:
            return NotListed(source=name, as_of=claims.as_of, latency_ms=latency_ms, freshness_s=age, from_snapshot=copied)
        return Found(source=name, as_of=claims.as_of, latency_ms=latency_ms, freshness_s=age, reply=reply, from_snapshot=copied)

    def _check_bound(self, claims: Claims, body: bytes, nonce: str) -> None:
        if (claims.registry, claims.gate) != (self._contract.name, self._gate):
            raise EnvelopeError("misaddressed")
        if (claims.nonce, claims.question) != (nonce, hashlib.sha256(body).hexdigest()):
            raise EnvelopeError("replayed")

    def _checked_age(self, claims: Claims) -> float:
        """Seconds since the state of the data that spoke."""
        now = self._wall()
        if abs((claims.signed_at - now).total_seconds()) > MAX_SKEW_S:
            raise EnvelopeError("clock")
        if (now - claims.expires).total_seconds() > MAX_SKEW_S or claims.expires < claims.signed_at:
            raise EnvelopeError("expired")
        age = (now - claims.as_of).total_seconds()
        if age < -MAX_SKEW_S:
            raise EnvelopeError("clock")
        self._check_rolled_back(claims.as_of)
        if age > self._max_age_s:
            raise EnvelopeError("stale")
        return max(0.0, age)

    def _check_rolled_back(self, as_of: datetime) -> None:
        """Data never grow younger; copies of a registry behind one address may lie :data:`MAX_SKEW_S` apart."""
        if self._floor is not None and not self._floor.readable:
            raise EnvelopeError("rolled_back")
        if self._newest is not None and (self._newest - as_of).total_seconds() > MAX_SKEW_S:
            raise EnvelopeError("rolled_back")
        if self._newest is None or as_of > self._newest:
            self._newest = as_of
        if self._floor is not None and (as_of - self._floor.highest).total_seconds() > MAX_SKEW_S:
            with suppress(OSError):  # a disk that refuses keeps no permit either; in memory it is remembered
                self._floor.raise_to(as_of)
