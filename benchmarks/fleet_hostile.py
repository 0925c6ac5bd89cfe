"""``python -m benchmarks.fleet_hostile --nats URL [--seed 7] [--per-second 20]``: somebody at the broker who is none of the fleet.

It hears what gates send, and sends it again as it is, altered, and under another gate's name; and signed by a key of its own, of a newer format, too
long, under subjects that name nobody, and as mere noise. Prints at its end (SIGTERM) as JSON how many of each. In operation the broker's
permissions would stop nearly all of it.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import signal
import sys
from collections import Counter, deque
from collections.abc import Callable

import msgspec
import nats
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nats.aio.msg import Msg

from gate.audit.note import FileSigner
from gate.fleet.messages import MOST_MESSAGE, SUBJECT, Envelope, Parcel, sealed

KEPT = 100
_envelopes = msgspec.msgpack.Decoder(Envelope)
_parcels = msgspec.msgpack.Decoder(Parcel)
Heard = tuple[str, bytes]
"""Subject and message."""


class Hostile:
    """Draws what it sends."""

    def __init__(self, dice: random.Random) -> None:
        self._dice, self.heard = dice, deque[Heard](maxlen=KEPT)
        self._signer = FileSigner(name="nobody", key=Ed25519PrivateKey.generate())
        self.kinds: dict[str, Callable[[str, bytes], Heard]] = {
            "replayed": lambda subject, raw: (subject, raw),
            "altered": self._altered,
            "of another gate": self._of_another,
            "signed by nobody": self._signed,
            "of a newer format": self._newer,
            "noise": lambda subject, _raw: (subject, self._dice.randbytes(self._dice.randrange(500))),
            "of nobody": lambda _subject, raw: (f"{SUBJECT}.x.{'y' * 200}.record", raw),
            "oversized": lambda subject, raw: (subject, (raw * (1 + MOST_MESSAGE // max(len(raw), 1)))[: MOST_MESSAGE - 1]),
        }

    def draw(self) -> tuple[str, Heard]:
        """Its kind, and what is to be sent. Needs something that was heard."""
        kind = self._dice.choice(list(self.kinds))
        return kind, self.kinds[kind](*self._dice.choice(self.heard))

    def _altered(self, subject: str, raw: bytes) -> Heard:
        changed = bytearray(raw)
        changed[self._dice.randrange(len(raw))] ^= 1 << self._dice.randrange(8)
        return subject, bytes(changed)

    def _of_another(self, subject: str, raw: bytes) -> Heard:
        return self._dice.choice(self.heard)[0].rpartition(".")[0] + "." + subject.rpartition(".")[2], raw

    def _signed(self, subject: str, raw: bytes) -> Heard:
        return subject, sealed(self._signer, _parcel(raw))

    def _newer(self, subject: str, raw: bytes) -> Heard:
        return subject, sealed(self._signer, msgspec.structs.replace(_parcel(raw), format=2))


def _parcel(raw: bytes) -> Parcel:
    return _parcels.decode(_envelopes.decode(raw).payload)


async def attack(url: str, seed: int, per_second: float) -> Counter[str]:
    """Until SIGTERM. A broker that is away is waited for."""
    hostile, sent, own, ended = Hostile(random.Random(seed)), Counter[str](), set[bytes](), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)

    async def hear(message: Msg) -> None:
        is_own = hashlib.sha256(message.data).digest() in own
        if message.subject.endswith((".crossing", ".record")) and not is_own:
            hostile.heard.append((message.subject, bytes(message.data)))

    async def ignore(_error: Exception) -> None:
        """The broker is killed now and then."""

    client = await nats.connect(url, max_reconnect_attempts=-1, reconnect_time_wait=1, error_cb=ignore)
    await client.subscribe(f"{SUBJECT}.>", cb=hear)
    while not ended.is_set():
        await asyncio.sleep(1 / per_second)
        if hostile.heard and client.is_connected:
            kind, (subject, raw) = hostile.draw()
            own.add(hashlib.sha256(raw).digest())
            await client.publish(subject, raw)
            sent[kind] += 1
    await client.close()
    return sent


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet_hostile", description=__doc__)
    parser.add_argument("--nats", required=True, metavar="URL")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--per-second", type=float, default=10.0)
    options = parser.parse_args()
    sent = asyncio.run(attack(options.nats, options.seed, options.per_second))
    print(json.dumps({"sent": dict(sorted(sent.items()))}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
