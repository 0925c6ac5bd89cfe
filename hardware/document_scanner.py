"""A document scanner made of two devices: one reads the page, a PC/SC reader beneath the glass the chip."""

from __future__ import annotations

from hardware.emrtd.pcsc import PcscTransceiver
from hardware.ports import DocumentScanner, ScannedDocument

CHIP_S = 1.5
"""How long a chip may take to be noticed beneath a page that lies there: pcscd looks every 0.4 s only, and a virtual reader stays
empty for 0.5 s first."""


class ScannerWithPcsc:
    """A :class:`hardware.ports.DocumentScanner`: the page from ``page``, the chip from ``chip``, whatever ``page`` says of one."""

    def __init__(self, page: DocumentScanner, chip: PcscTransceiver) -> None:
        self._page, self._chip = page, chip

    def wait_for_document(self, timeout: float) -> ScannedDocument | None:
        document = self._page.wait_for_document(timeout)
        if document is None:
            return None
        chip = self._chip if self._chip.reconnect(CHIP_S) else None
        return ScannedDocument(mrz_lines=document.mrz_lines, chip=chip)

    def wait_for_removal(self, timeout: float) -> bool:
        removed = self._page.wait_for_removal(timeout)
        if removed:
            self._chip.disconnect()
        return removed
