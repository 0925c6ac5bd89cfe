"""Whether a collector's word was true when it gave it: what it acknowledges to the broker, and what it signs receipts for, is committed by then.

It looks at frames of a relay (:mod:`benchmarks.fleet_relay`) before they go on, and asks the database at once; later it would be too late, for
a collector that speaks too early commits a moment afterwards, if nothing comes between. Of very many promises it looks at some.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict

import msgspec
import psycopg

from gate.fleet.messages import RECEIPT_SUBJECT, Envelope, Parcel, Receipt, Row

MOST_KEPT, MOST_BROKEN = 10_000, 20
ACKS = (b"", b"+ACK")
HELD = "select e.hash from event e join gate_log l on l.no = e.log_no where l.gate = %s and l.log = %s and e.seq = %s"
PATIENCE = "-c lock_timeout=100ms -c statement_timeout=1s"
"""All frames wait meanwhile."""
_envelopes = msgspec.msgpack.Decoder(Envelope)
_told = msgspec.msgpack.Decoder(Parcel | Receipt)


class Promises:
    """One in ``every`` is looked at. ``broken`` says which were not kept."""

    def __init__(self, dsn: str, every: int = 20) -> None:
        self._dsn, self._every, self._count = dsn, every, 0
        self._database: psycopg.Connection[tuple[bytes]] | None = None
        self._delivered: OrderedDict[bytes, tuple[Parcel, Row]] = OrderedDict()
        self.looked, self.broken = {"acks": 0, "receipts": 0}, list[str]()

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def saw(self, verb: str, frame: bytes) -> None:
        """A frame of a collector's connection. Raises nothing."""
        with contextlib.suppress(msgspec.MsgspecError, ValueError):
            words, payload = opened(verb, frame)
            if verb in {"MSG", "HMSG"}:
                self._deliver(words, payload)
            elif words[1].startswith(b"$JS.ACK.EVENTS."):
                if payload in ACKS and (found := self._delivered.pop(words[1], None)):
                    parcel, row = found
                    self._hold("acks", parcel.gate, parcel.log, row.seq, row.hash)
            elif words[1].startswith(RECEIPT_SUBJECT.encode()) and self._is_turn():
                told = _told.decode(_envelopes.decode(payload).payload)
                if isinstance(told, Receipt):
                    self._hold("receipts", told.gate, told.log, told.through, told.hash)

    def _deliver(self, words: list[bytes], payload: bytes) -> None:
        """Remember what a reply subject stands for."""
        reply = next((word for word in words if word.startswith(b"$JS.ACK.EVENTS.")), None)
        if reply is not None and self._is_turn():
            told = _told.decode(_envelopes.decode(payload).payload)
            if isinstance(told, Parcel):
                self._delivered[reply] = told, told.rows[-1]
                if len(self._delivered) > MOST_KEPT:
                    self._delivered.popitem(last=False)

    def _is_turn(self) -> bool:
        self._count += 1
        return self._count % self._every == 0

    def _hold(self, what: str, gate: str, log: str, seq: int, hashed: bytes) -> None:
        try:
            if self._database is None:
                self._database = psycopg.connect(self._dsn, autocommit=True, connect_timeout=1, options=PATIENCE)
            found = {bytes(row[0]) for row in self._database.execute(HELD, (gate, log, seq))}
        except psycopg.Error:  # the database is away, or busy making a partition: nothing can be said
            self.close()
            return
        self.looked[what] += 1
        if found != {hashed} and len(self.broken) < MOST_BROKEN:
            self.broken.append(f"{what[:-1]} for record {seq} of {gate}, which is not there")


def opened(verb: str, frame: bytes) -> tuple[list[bytes], bytes]:
    """The words of a frame's first line, and its payload without headers. Raises ValueError."""
    line, _, rest = frame.partition(b"\r\n")
    words = line.split()
    headers = int(words[-2]) if verb in {"HPUB", "HMSG"} else 0
    return words, rest[headers : int(words[-1])]
