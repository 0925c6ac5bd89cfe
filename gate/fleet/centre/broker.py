"""The centre's end of the broker: its streams and consumers, and messages pulled ahead of their turn.

What keeps a message until it is acknowledged, gives it to one collector of many and to another one when that is gone, is JetStream's business:
durable pull consumers that all collectors share.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import msgspec
import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

from gate.fleet import nats_client
from gate.fleet.centre.turns import Turns
from gate.fleet.keys import names
from gate.fleet.messages import MOST_MESSAGE, RECEIPT_SUBJECT, SUBJECT
from gate.fleet.nats_client import Tls

EVENTS, STATUS, RECEIPTS = "EVENTS", "STATUS", "RECEIPTS"
CONSUMERS = {"crossing": EVENTS, "record": EVENTS, "checkpoint": EVENTS, "status": STATUS}
"""Kind of message → its stream, in the order in which a gate's own are taken. Each has one durable consumer of its name."""
MOST_BYTES = 4 << 30
"""Of events in the broker: it is a way, not a store. When it is full gates keep what they have, as they do in any case until the receipt."""
MOST_OF_A_GATE = 64
"""Messages of one gate and kind in the broker: one that was away for two weeks waits before it, and no other waits long behind it."""
MOST_AGE_S = 86_400.0
"""What nobody took within a day goes: a broker that was killed may hold messages that no consumer is offered any more, and they would keep
their gate from sending. Gates keep what they have until its receipt, and send it again.
"""
DUPLICATES_S = 120.0
REDELIVER_S = 10.0
"""What a collector has not acknowledged by then goes to another."""
PULL, PULL_BYTES = 512, 8 << 20
"""Of a kind that are asked for at once, and at which no more are: what waits here is taken long before :data:`REDELIVER_S`."""
PULL_S, LOST_S = 1.0, 0.5
"""How long the broker keeps a question, and after how much longer it has forgotten it."""
UNACKNOWLEDGED = 4096
"""Of a kind, out with all collectors together."""
WAIT_S, FULL_S = 1, 0.01
PATIENCE = 4
"""Questions in a row without any answer: the consumer is gone."""
OVER = "408"
"""The time of a question is over; any other status without a message says that something is missing."""


async def connect(url: str, name: str, tls: Tls | None = None) -> Client:
    """As the collector ``name``. Raises as :func:`gate.fleet.nats_client.connect`."""
    context = tls.context() if tls else None
    return await nats_client.connect(
        url, f"collector {name}", context, inbox=names.inbox("collector", name), again=prepare_if_possible
    )


def streams(most_bytes: int = MOST_BYTES) -> tuple[StreamConfig, ...]:
    """As the centre wants them."""
    kinds = [f"{SUBJECT}.*.*.{kind}" for kind, stream in CONSUMERS.items() if stream == EVENTS]
    newest = StreamConfig(max_msgs_per_subject=1, storage=StorageType.FILE, allow_direct=True, max_msg_size=MOST_MESSAGE)
    return (
        StreamConfig(
            name=EVENTS,
            subjects=kinds,
            retention=RetentionPolicy.WORK_QUEUE,
            discard=DiscardPolicy.NEW,
            discard_new_per_subject=True,
            max_msgs_per_subject=MOST_OF_A_GATE,
            max_bytes=most_bytes,
            max_age=MOST_AGE_S,
            max_msg_size=MOST_MESSAGE,
            duplicate_window=DUPLICATES_S,
            storage=StorageType.FILE,
        ),
        newest.evolve(name=STATUS, subjects=[f"{SUBJECT}.*.*.status"]),
        newest.evolve(name=RECEIPTS, subjects=[f"{RECEIPT_SUBJECT}.*.*"]),
    )


async def prepare(client: Client, most_bytes: int = MOST_BYTES) -> None:
    """Make streams and consumers that are not there, and have those that are as this release wants them. Raises nats.errors.Error."""
    stream = client.jetstream()
    for config in streams(most_bytes):
        try:
            await stream.stream_info(str(config.name))
        except NotFoundError:
            await stream.add_stream(config)
        else:
            await stream.update_stream(config)
    for kind, name in CONSUMERS.items():
        consumer = ConsumerConfig(
            durable_name=kind,
            filter_subject=f"{SUBJECT}.*.*.{kind}",
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=REDELIVER_S,
            max_ack_pending=UNACKNOWLEDGED,
        )
        await stream.add_consumer(name, consumer)


async def prepare_if_possible(client: Client) -> None:
    """As :func:`prepare`; what fails now is tried again when something is seen to be missing (:meth:`Intake.run`)."""
    try:
        await prepare(client)
    except nats.errors.Error as error:
        print(f"broker: not prepared: {type(error).__name__}: {error}"[:200], flush=True)


class Intake:
    """Messages that were pulled and wait for their turn."""

    def __init__(self, client: Client) -> None:
        self._client, self._waiting, self._came = client, Turns(tuple(CONSUMERS)), asyncio.Event()

    async def run(self) -> None:
        """Pull, until cancelled. Where nobody takes, nothing more is pulled; what the broker lacks is made again."""
        await asyncio.gather(*(self._pull(kind, stream) for kind, stream in CONSUMERS.items()))

    async def _pull(self, kind: str, stream: str) -> None:
        """One question after the other: each is answered message by message as they come, and by a status when its time is over."""
        over, inbox = asyncio.Event(), self._client.new_inbox()
        question = msgspec.json.encode({"batch": PULL, "max_bytes": PULL_BYTES, "expires": int(PULL_S * 1e9)})
        owed, status, unanswered = PULL, None, 0

        async def came(message: Msg) -> None:
            nonlocal owed, status
            status = (message.headers or {}).get("Status") if message.subject == inbox else None  # gates write headers, too
            if status is None:
                self._waiting.add(kind, message)
                self._came.set()
                owed -= 1
            if status or not owed:
                over.set()

        await self._client.subscribe(inbox, cb=came, pending_bytes_limit=4 * PULL_BYTES)
        while True:
            while self._full(kind):  # noqa: ASYNC110 - nobody is told when one is taken
                await asyncio.sleep(FULL_S)
            owed, status = PULL, None
            over.clear()
            await self._client.publish(f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{kind}", question, inbox)
            with suppress(TimeoutError):  # the broker was away meanwhile, or nobody took what came
                async with asyncio.timeout(PULL_S + LOST_S):
                    await over.wait()
            answered = owed < PULL or status == OVER
            unanswered = 0 if answered else unanswered + 1
            if not answered and (status or unanswered == PATIENCE):
                await asyncio.sleep(WAIT_S)
                await prepare_if_possible(self._client)
                unanswered = 0

    def _full(self, kind: str) -> bool:
        messages, octets = self._waiting.waiting(kind)
        return messages >= PULL or octets >= PULL_BYTES

    async def come(self, within_s: float) -> bool:
        """Whether something waits; returns at once then."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._came.wait()
        return self._came.is_set()

    def take(self, most: int, most_bytes: int) -> list[Msg]:
        """What waits, as :meth:`gate.fleet.centre.turns.Turns.take` has it."""
        taken = self._waiting.take(most, most_bytes)
        if not self._waiting:
            self._came.clear()
        return taken


async def acknowledge(messages: Sequence[Msg], *, terminate: frozenset[int] = frozenset()) -> None:
    """Say that they are done, those at the places ``terminate`` because nobody shall try them again. What does not arrive is sent us again."""
    with suppress(nats.errors.Error, OSError):
        for place, message in enumerate(messages):
            await (message.term() if place in terminate else message.ack())
