"""Makes answers, signs them, and spoils them where the data file says so."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from joserfc.jwk import OKPKey

from gate.registries import snapshot, watchlist
from gate.registries.base import Contract
from gate.registries.envelope import VALID_S, Asked, Claims, signed
from gate.registries.matching import check
from gate.registries.reference.data import Behaviour, Data

STRANGER = OKPKey.generate_key("Ed25519")
"""Signs what is forged."""


def reply_to(contract: Contract[Any], question: Any, data: Data, now: datetime) -> Any:
    """What an honest registry replies at ``now``."""
    if contract.name == watchlist.CONTRACT.name:
        match = check(question.person, data.watchlist, question.list, now)
        return watchlist.WatchlistReply(answer=match.word, list=question.list)
    assert contract.judged is not None
    book = (question.issuing_state, question.document_number)
    denied = data.behaviour.get(contract.name, Behaviour()).deny
    return contract.judged(() if denied else data.records.get(contract.name, {}).get(book, ()), question)


class Answerer:
    """Signs one registry's answers with its ``key``."""

    def __init__(self, contract: Contract[Any], key: OKPKey) -> None:
        self._contract, self._key = contract, key
        self._last = ""

    def token(self, asked: Asked[Any], body: bytes, reply: Any, data: Data) -> str:
        """The answer to the request ``body``, as its registry behaves at the moment."""
        behaviour = data.behaviour.get(self._contract.name, Behaviour())
        now = data.clock() + timedelta(seconds=behaviour.clock_s)
        ends = now + timedelta(seconds=VALID_S)
        claims = Claims(
            registry="another" if behaviour.mix else self._contract.name,
            gate="another" if behaviour.misaddress else asked.gate,
            nonce=asked.nonce,
            question=hashlib.sha256(body).hexdigest(),
            signed_at=now,
            expires=now - timedelta(hours=1) if behaviour.expire else ends,
            as_of=behaviour.as_of or now,
            reply=msgspec.Raw(msgspec.json.encode(reply)),
        )
        token = signed(msgspec.json.encode(claims), STRANGER if behaviour.forge else self._key, "answer")
        if behaviour.replay and self._last:
            return self._last
        self._last = token
        return token[: len(token) // 2] if behaviour.half else token


def snapshot_of(name: str, gate: str, data: Data, keys: Mapping[str, OKPKey]) -> Iterator[bytes]:
    """The registry's snapshot for ``gate``, as it is sent."""
    people = name == watchlist.CONTRACT.name
    entries: tuple[Any, ...] = data.watchlist if people else data.entries.get(name, ())
    now = data.clock()
    as_of = data.behaviour.get(name, Behaviour()).as_of or now
    assert data.snapshots.version is not None
    return snapshot.published(
        [msgspec.json.encode(entry) for entry in entries],
        keys[name],
        registry=name,
        gate=gate,
        version=data.snapshots.version,
        as_of=as_of,
        expires=as_of + timedelta(seconds=data.snapshots.lasts_s),
    )
