"""A document scanner made of two devices: one reads the page, a PC/SC reader beneath the glass the chip."""

from __future__ import annotations

import time
from dataclasses import replace

from hardware.emrtd.pcsc import ChipInUse, PcscTransceiver
from hardware.ports import DocumentScanner, ScannedDocument, TagLost, longest_response

CHIP_S = 1.5
"""How long a chip may take to be noticed beneath a page that lies there: pcscd looks every 0.4 s only, and a virtual reader stays
empty for 0.5 s first."""
LOOK_S = 0.25
"""How often to look, while a lost chip is waited for, whether its page still lies there: no hand swaps two books faster."""


class ChipOfDocument:
    """The chip beneath one document, a :class:`hardware.ports.Transceiver`; TagLost for ever once that document was taken away, so that
    the next traveller's chip is never tried with this one's key.
    """

    def __init__(self, page: DocumentScanner, chip: PcscTransceiver) -> None:
        self._page, self._chip = page, chip
        self._gone = False

    @property
    def longest_response(self) -> int:
        return longest_response(self._chip)

    def transceive(self, command: bytes) -> bytes:
        if self._gone:
            raise TagLost("chip", "the document was lifted")
        return self._chip.transceive(command)

    def reconnect(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while not self._removed():
            left = deadline - time.monotonic()
            if self._answers(left):
                return not self._removed()
            if left <= 0:
                return False
        return False

    def _answers(self, left: float) -> bool:
        try:
            return self._chip.reconnect(max(0.0, min(LOOK_S, left)))
        except ChipInUse:
            if left <= 0:
                raise
            return False

    def leave(self) -> None:
        """The document was taken away."""
        self._gone = True
        self._chip.disconnect()

    def _removed(self) -> bool:
        if not self._gone and self._page.wait_for_removal(0.0):
            self.leave()
        return self._gone


class ScannerWithPcsc:
    """A :class:`hardware.ports.DocumentScanner`: the page from ``page``, the chip from ``chip``, whatever ``page`` says of one."""

    def __init__(self, page: DocumentScanner, chip: PcscTransceiver) -> None:
        self._page, self._chip = page, chip
        self._lying: ChipOfDocument | None = None

    def wait_for_document(self, timeout: float) -> ScannedDocument | None:
        document = self._page.wait_for_document(timeout)
        if document is None:
            return None
        if self._lying is not None:
            self._lying.leave()
        answers = self._chip.reconnect(CHIP_S)
        self._lying = ChipOfDocument(self._page, self._chip) if answers else None
        return replace(document, chip=self._lying)

    def wait_for_removal(self, timeout: float) -> bool:
        removed = self._page.wait_for_removal(timeout)
        if removed and self._lying is not None:
            self._lying.leave()
        return removed
