"""Receipts: what the centre has on its disk, signed. Given only for what is committed and linked without a gap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import nats
from nats.aio.client import Client

from gate.audit.chain import AuditError
from gate.fleet.centre.store import Held
from gate.fleet.messages import Receipt, Signs, receipt_subject, sealed


class Receipts:
    """Signs and sends; waits for nobody. A receipt that got lost is given again when the gate sends its records again."""

    def __init__(self, client: Client, signer: Signs, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._client, self._signer, self._clock = client, signer, clock
        self.problem = ""
        """Why none can be given now; empty: they can."""

    async def give(self, held: Sequence[Held]) -> None:
        """One for each log."""
        at = self._clock().isoformat()
        for one in held:
            receipt = Receipt(gate=one.gate, log=one.log, through=one.through, hash=one.hash, at=at)
            try:
                raw = sealed(self._signer, receipt)
            except AuditError as error:
                self.problem = str(error)
                return
            with suppress(nats.errors.Error, OSError):
                await self._client.publish(receipt_subject(one.gate), raw)
        self.problem = ""
