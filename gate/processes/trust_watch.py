"""Which trust store the next document is judged by: looks whether people put another one into force, and hands it to the reader.

A document that lies there is judged to the end by the store that was in force when it was laid down. What cannot be proven is not gone by: the
store before it stays in force, and officers and the centre are told.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace

from gate.clock import SystemClock
from gate.config import Config
from gate.policy.schedule import Mark, store_mark
from gate.processes.messages import TrustReport
from gate.trust_store import OpenedStore, open_configured, read_deviations, remember
from pki.errors import PkiError
from pki.known_defects import DeviationList

LOOK_S, AGAIN_S = 2.0, 60.0
"""Between two looks at what is in force; between two examinations of a folder that was refused."""


class TrustWatch:
    """On the reader's loop; what takes time runs on a thread beside it. So it holds up no document, and no document is held up by a disk."""

    def __init__(
        self,
        config: Config,
        opened: OpenedStore,
        mark: Mark | None,
        *,
        idle: Callable[[], bool],
        take: Callable[[OpenedStore], None],
        tell: Callable[[TrustReport], None],
    ) -> None:
        """``opened``: by what the reader judges; ``mark``: of its folder, from before it was opened. ``idle``: whether no document lies there.

        ``take`` gets what judges from the next document on, ``tell`` what the lane shall know of it.
        """
        self._config, self._opened, self._looked = config, opened, mark
        self._idle, self._take, self._tell = idle, take, tell
        self._clock = SystemClock()
        self._problem, self._again = "", 0.0

    async def heed(self) -> None:
        """Look every :data:`LOOK_S`, for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Whether another store was brought into force. One that was refused is examined again every :data:`AGAIN_S`, and when it changed."""
        mark, now = store_mark(self._config.trust.store), self._clock.boot()
        due = mark != self._looked or (self._problem and now >= self._again)
        if not (due and self._idle()):
            return
        self._looked, self._again = mark, now + AGAIN_S
        opened, problem = await asyncio.to_thread(self._examined)
        if opened is not self._opened:
            self._take(opened)
        self._say(opened, problem)

    def _examined(self) -> tuple[OpenedStore, str]:
        """What judges from now on, proven as at the start and remembered; and why that is not all that the folders say, empty where it is."""
        try:
            opened = open_configured(self._config)
            deviations, problem = self._deviations(opened)
            remember(opened, self._config.state_dir)
        except PkiError as error:
            return self._opened, error.detail
        except OSError as error:
            return self._opened, str(error)
        return replace(opened, deviations=deviations), problem

    def _deviations(self, opened: OpenedStore) -> tuple[tuple[DeviationList, ...], str]:
        """Read anew under ``opened``. Where that fails those of before go on: they only ever add a doubt, and a revocation waits for no list."""
        try:
            return read_deviations(self._config, opened.store, self._clock.wall()), ""
        except PkiError as error:
            return self._opened.deviations, f"deviation lists: {error.detail}"

    def _say(self, opened: OpenedStore, problem: str) -> None:
        problem = problem.replace(f"{self._config.trust.store}/", "")
        if opened.label != self._opened.label:
            print(f"reader: trust: {opened.label}, from the next document on", file=sys.stderr, flush=True)
        if problem != self._problem:
            print(f"reader: trust: {problem or 'the newest store is gone by again'}", file=sys.stderr, flush=True)
        self._opened, self._problem = opened, problem
        self._tell(TrustReport(trust=opened.label, problem=problem))
