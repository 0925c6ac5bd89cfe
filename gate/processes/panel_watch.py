"""What the lane knows of the reader's panel: for the officer's page and the log. No door and no decision ever asks it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gate.processes.bounds import bounded_words
from gate.processes.messages import PanelReport, PanelWord
from gate.records import PanelEvent

CALL_S = 30.0
"""How long a call for assistance stays on the officer's page after the button was let go."""
NOTES, NOTE_EVERY_S = 12, 10.0
"""Records that may be written at once, and the time in which one more is allowed: a mad panel must not keep permits from the disk."""
NOT_THERE = "the panel's process is not running"


class PanelWatch:
    """``boot`` tells boot seconds; ``note`` puts an event into the log."""

    def __init__(self, boot: Callable[[], float], note: Callable[[PanelEvent], None]) -> None:
        self._boot, self._note = boot, note
        self._last = PanelReport(fault=NOT_THERE)
        self._called_until = float("-inf")
        self._allowed, self._since, self._left_out = float(NOTES), boot(), 0

    def peer(self, *, joined: bool) -> None:
        """The panel's process came, and will say how things are, or went."""
        if not joined:
            self.report(PanelReport(fault=NOT_THERE))

    def report(self, told: PanelReport) -> None:
        """Take what the panel's process says; what changed goes into the log."""
        before = self._last
        tamper = (
            before.tamper if told.tamper is None else told.tamper
        )  # a panel that was opened is so until it says that it is shut
        self._last = msgspec.structs.replace(told, fault=bounded_words(told.fault), tamper=tamper)
        if told.assistance:
            self._called_until = self._boot() + CALL_S
        if self.fault != before.fault:
            self._write("fault" if self.fault else "obeys", self.fault)
        if told.assistance > before.assistance:
            self._write("assistance", "")
        if bool(tamper) != bool(before.tamper):
            self._write("opened" if tamper else "shut", "")

    def _write(self, what: str, detail: str) -> None:
        now = self._boot()
        self._allowed = min(NOTES, self._allowed + (now - self._since) / NOTE_EVERY_S)
        self._since = now
        if self._allowed < 1:
            self._left_out += 1
            return
        self._note(PanelEvent(what=what, detail=detail, left_out=self._left_out))
        self._allowed, self._left_out = self._allowed - 1, 0

    @property
    def word(self) -> PanelWord:
        """For the officer's page. That the enclosure is open counts most, for it may say why the rest is so."""
        return "tamper" if self._last.tamper else "fault" if self._last.fault else "ready"

    @property
    def fault(self) -> str:
        """Why it does not obey; empty where it does."""
        return self._last.fault

    @property
    def called(self) -> bool:
        """A traveller calls for assistance, or did a moment ago."""
        return self._last.assistance or self._boot() < self._called_until
