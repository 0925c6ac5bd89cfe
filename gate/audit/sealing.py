"""The lane's end of sealing: personal fields go to the audit's process over the local socket and come back in boxes.

The lane loads no cryptography. It takes the fields out of a record, waits for the boxes no longer than :data:`SEAL_S`, and writes what the
chain then hashes. A permit whose fields cannot be sealed is not written, so no door opens on it; any other record is written without
them, for what the lane did must stand in the log whoever is away, and must not stand there in the clear.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from gate.audit.chain import AuditError
from gate.audit.fields import Box, kinds, sealed, taken
from gate.processes.messages import FieldsSealed, SealFields
from gate.records import KeysDestroyed

SEAL_S = 1.5
"""The process answers in less than a millisecond; one that takes longer hangs. Shorter than a lane that ends waits for its log."""


MOST_OVERHEAD = 64
"""Bytes that a box has more than what is in it: AES-GCM takes 28."""
MOST_TOLD, LONGEST_WHY, LONGEST_WORD, MOST_SIGNED = 1000, 600, 64, 8
"""Of what is destroyed while the lane runs: eight months of days, and a reason as long as an order may give. More tells of nothing but a flood."""


class AskedSealer:
    """Runs on the lane's loop. ``tell`` sends to the audit's process; ``present`` says whether there is one."""

    def __init__(self, tell: Callable[[SealFields], None], present: Callable[[], bool]) -> None:
        self._tell, self._present = tell, present
        self._number = 0
        self._waiting: dict[int, asyncio.Future[dict[str, Box]]] = {}

    async def sealed(self, kind: str, transaction: str, body: bytes, *, whole: bool) -> bytes:
        """:meth:`gate.audit.log.FieldSealer.sealed`."""
        try:
            clear, parts = taken(kind, body)
        except msgspec.MsgspecError as error:
            raise AuditError(f"not recorded: its body cannot be read ({error})") from error
        if not parts:
            return body
        boxes = await self._boxes(kind, transaction, parts)
        if boxes is None and whole:
            raise AuditError("not recorded: its personal fields could not be sealed")
        return sealed(clear, boxes or dict.fromkeys(parts))

    async def _boxes(self, kind: str, transaction: str, parts: dict[str, bytes]) -> dict[str, Box] | None:
        """A box for each part, None where there is not one for each in time."""
        if not self._present():
            return None
        self._number += 1
        number, waiting = self._number, asyncio.get_running_loop().create_future()
        self._waiting[number] = waiting
        self._tell(SealFields(number=number, transaction=transaction, record=kind, parts=parts))
        await asyncio.wait({waiting}, timeout=SEAL_S)
        self._waiting.pop(number, None)
        boxes = waiting.result() if waiting.done() and not waiting.cancelled() else {}
        fits = boxes.keys() == parts.keys() and all(len(boxes[kind].box) <= len(parts[kind]) + MOST_OVERHEAD for kind in parts)
        return boxes if fits else None

    def heard(self, answer: FieldsSealed) -> None:
        """The boxes have come. What nobody waits for is dropped."""
        waiting = self._waiting.get(answer.number)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer.parts)

    def gone(self) -> None:
        """The process is gone, and with it whatever it owed."""
        for waiting in self._waiting.values():
            waiting.cancel()


class ToldDestroyed:
    """What the audit's process says that it destroyed: each time once, in bounded words, and no more than a log can bear."""

    def __init__(self) -> None:
        self._numbers: set[int] = set()

    def taken(self, told: KeysDestroyed) -> KeysDestroyed | None:
        """What is to be logged of it; None where that is nothing."""
        if told.field_kind not in kinds() or told.number in self._numbers or len(self._numbers) >= MOST_TOLD:
            return None
        self._numbers.add(told.number)
        return msgspec.structs.replace(
            told,
            until=_words(told.until, LONGEST_WORD),
            at=_words(told.at, LONGEST_WORD),
            why=_words(told.why, LONGEST_WHY),
            signed_by=tuple(_words(name, LONGEST_WORD) for name in told.signed_by[:MOST_SIGNED]),
        )


def _words(text: str, most: int) -> str:
    return "".join(each if each.isprintable() else "?" for each in text[:most])
