"""The simulated document scanner: the stage on which a director lays documents, and the reader's side of it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from hardware.ports import DeviceError, ScannedDocument, TagLost, Transceiver
from hardware.sim.server import DeviceClient, Header, Message

SOCKET = "scanner.sock"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    number: int
    mrz_lines: tuple[str, ...] = field(repr=False)
    chip: Transceiver | None


class ScannerStage:
    """The glass. ``handle`` answers the reader's side; ``place`` and ``remove`` are the director's."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._document: _Document | None = None
        self._number = 0

    def place(self, mrz_lines: tuple[str, ...], chip: Transceiver | None) -> None:
        with self._changed:
            self._number += 1
            self._document = _Document(number=self._number, mrz_lines=mrz_lines, chip=chip)
            self._changed.notify_all()

    def remove(self) -> None:
        with self._changed:
            self._document = None
            self._changed.notify_all()

    def handle(self, header: Header, bodies: list[bytes]) -> Message:
        match header["do"]:
            case "document":
                return self._wait(float(header["timeout"]), present=True), []
            case "removal":
                return self._wait(float(header["timeout"]), present=False), []
            case "apdu":
                return self._apdu(header["document"], bodies[0])
            case "reconnect":
                return self._reconnect(header["document"], float(header["timeout"])), []
            case other:
                raise ValueError(f"the scanner cannot {other!r}")

    def _wait(self, timeout: float, *, present: bool) -> Header:
        with self._changed:
            self._changed.wait_for(lambda: (self._document is not None) is present, timeout)
            document = self._document
        if document is None:
            return {"document": None}
        return {"document": document.number, "mrz_lines": document.mrz_lines, "chip": document.chip is not None}

    def _apdu(self, number: int, command: bytes) -> Message:
        document = self._document
        if document is None or document.number != number or document.chip is None:
            return {"lost": True}, []
        try:
            response = document.chip.transceive(command)
        except TagLost:
            return {"lost": True}, []
        # The air takes time, and the book may have been lifted meanwhile.
        return ({"lost": False}, [response]) if self._document is document else ({"lost": True}, [])

    def _reconnect(self, number: int, timeout: float) -> Header:
        document = self._document
        if document is None or document.number != number or document.chip is None:
            return {"reconnected": False}
        return {"reconnected": document.chip.reconnect(timeout)}


class RemoteTransceiver:
    """The chip of one document on the scanner; TagLost for ever once that document was lifted."""

    def __init__(self, line: DeviceClient, document: int) -> None:
        self._line, self._document = line, document

    def transceive(self, command: bytes) -> bytes:
        header, bodies = self._line.ask({"do": "apdu", "document": self._document}, [command])
        if header.get("lost") is not False or len(bodies) != 1:
            raise TagLost("chip", "the document was lifted")
        return bodies[0]

    def reconnect(self, timeout: float) -> bool:
        header, _ = self._line.ask({"do": "reconnect", "document": self._document, "timeout": timeout}, within=timeout)
        return header.get("reconnected") is True


class SimulatedScanner:
    """A :class:`hardware.ports.DocumentScanner`. ``folder`` is where the simulated world has its sockets."""

    def __init__(self, folder: Path, secret: str) -> None:
        self._line, self._air = DeviceClient(folder / SOCKET, secret), DeviceClient(folder / SOCKET, secret)
        self._lying: int | None = None

    def wait_for_document(self, timeout: float) -> ScannedDocument | None:
        header, _ = self._line.ask({"do": "document", "timeout": timeout}, within=timeout)
        match header:
            case {"document": None}:
                return None
            case {"document": int(number), "mrz_lines": [*lines], "chip": bool(chip)} if all(isinstance(x, str) for x in lines):
                self._lying = number
                return ScannedDocument(mrz_lines=tuple(lines), chip=RemoteTransceiver(self._air, number) if chip else None)
            case _:
                raise DeviceError("scanner", "the simulated scanner answers nonsense")

    def wait_for_removal(self, timeout: float) -> bool:
        header, _ = self._line.ask({"do": "removal", "timeout": timeout}, within=timeout)
        return header.get("document") != self._lying  # a book that was swapped for another has been taken away

    def close(self) -> None:
        self._line.close()
        self._air.close()
