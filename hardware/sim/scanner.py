"""The simulated document scanner: the stage on which a director lays documents, and the reader's side of it.

One stage plays two devices, as its client was opened: one that reads the zone by itself and says its text, or one that hands over pictures.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from hardware.ports import DeviceError, Light, PageFrame, ScannedDocument, TagLost, Transceiver
from hardware.sim.server import DeviceClient, Header, Message

if TYPE_CHECKING:  # who takes text alone needs neither numpy nor cv2
    from hardware.sim.glass import Conditions, Glass

SOCKET = "scanner.sock"
EXPOSURE_S = 0.02
"""How long one picture takes; a real reader needs 0.1 to 0.3 s."""

LIGHTS = cast("tuple[Light, ...]", get_args(Light))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    number: int
    mrz_lines: tuple[str, ...] = field(repr=False)
    chip: Transceiver | None
    glass: Glass
    conditions: tuple[Conditions, ...]
    taken: dict[Light, int]
    """How many pictures each light has seen: the n-th meets the n-th conditions, all further ones the last."""


class ScannerStage:
    """The glass. ``handle`` answers the reader's side; ``place`` and ``remove`` are the director's."""

    def __init__(self, exposure_s: float = EXPOSURE_S) -> None:
        self._changed = threading.Condition()
        self._drawing = threading.Lock()
        self._document: _Document | None = None
        self._number = 0
        self._exposure_s = exposure_s

    def place(
        self,
        mrz_lines: tuple[str, ...],
        chip: Transceiver | None,
        look: Mapping[str, Any] | None = None,
        conditions: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Lay a document down. ``look`` holds what :class:`hardware.sim.page.Look` does, each of ``conditions`` what
        :class:`hardware.sim.glass.Conditions` does. Raises TypeError, ValueError.
        """
        from hardware.sim.glass import Conditions, Glass
        from hardware.sim.page import DataPage, Look

        glass = Glass(DataPage(mrz_lines=mrz_lines, look=Look(**(look or {}))))
        met = tuple(Conditions.of(told) for told in conditions) or (Conditions(),)
        with self._drawing:
            for light in LIGHTS:  # a page is there, and needs not be drawn, when a lamp shines on it
                glass.lay(light, met[0])
        with self._changed:
            self._number += 1
            self._document = _Document(
                number=self._number, mrz_lines=mrz_lines, chip=chip, glass=glass, conditions=met, taken=dict.fromkeys(LIGHTS, 0)
            )
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
            case "capture":
                return self._capture(header["document"], header["light"], float(header["timeout"]))
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

    def _capture(self, number: int, light: Light, timeout: float) -> Message:
        if light not in LIGHTS:
            raise ValueError(f"the scanner has no {light!r} light")
        time.sleep(max(0.0, min(self._exposure_s, timeout)))
        document = self._document
        if document is None or document.number != number or timeout < self._exposure_s:
            return {"shape": None}, []
        with self._drawing:
            pixels = self._draw(document, light)
        taken = time.clock_gettime(time.CLOCK_BOOTTIME)
        return {"shape": pixels.shape, "dpi": document.glass.look.dpi, "boot": taken}, [pixels.tobytes()]

    def _draw(self, document: _Document, light: Light) -> Any:
        import numpy as np

        count = document.taken[light]
        document.taken[light] = count + 1
        dice = np.random.default_rng((document.glass.look.seed, count, LIGHTS.index(light)))
        return document.glass.capture(light, document.conditions[min(count, len(document.conditions) - 1)], dice)

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


class RemotePage:
    """A :class:`hardware.ports.Page`: pictures of one document on the scanner, none any more once it was lifted."""

    def __init__(self, line: DeviceClient, document: int) -> None:
        self._line, self._document = line, document

    def capture(self, light: Light, timeout: float) -> PageFrame | None:
        import numpy as np

        header = {"do": "capture", "document": self._document, "light": light, "timeout": timeout}
        answer, bodies = self._line.ask(header, within=timeout)
        match answer, bodies:
            case {"shape": None}, []:
                return None
            case {"shape": [*shape], "dpi": int(dpi), "boot": float(boot)}, [raw] if _fits(shape, len(raw)):
                return PageFrame(pixels=np.frombuffer(raw, np.uint8).reshape(shape).copy(), light=light, dpi=dpi, boot=boot)
            case _:
                raise _nonsense()


def _fits(shape: list[Any], size: int) -> bool:
    """Is it (height, width) or (height, width, 3), and ``size`` the bytes of it?"""
    match shape:
        case [int(height), int(width)]:
            return height > 0 and height * width == size
        case [int(height), int(width), 3]:
            return height > 0 and height * width * 3 == size
        case _:
            return False


class SimulatedScanner:
    """A :class:`hardware.ports.DocumentScanner`. ``folder`` is where the simulated world has its sockets.

    With ``pictures`` it is a device that hands over pictures of the page and says nothing of the zone, else one that reads it by itself.
    """

    def __init__(self, folder: Path, secret: str, *, pictures: bool = False) -> None:
        self._line, self._air = DeviceClient(folder / SOCKET, secret), DeviceClient(folder / SOCKET, secret)
        self._lamp = DeviceClient(folder / SOCKET, secret)
        self._pictures = pictures
        self._lying: int | None = None

    def wait_for_document(self, timeout: float) -> ScannedDocument | None:
        header, _ = self._line.ask({"do": "document", "timeout": timeout}, within=timeout)
        match header:
            case {"document": None}:
                return None
            case {"document": int(number), "mrz_lines": [*lines], "chip": bool(chip)} if all(isinstance(x, str) for x in lines):
                self._lying = number
                return ScannedDocument(
                    mrz_lines=() if self._pictures else tuple(lines),
                    page=RemotePage(self._lamp, number) if self._pictures else None,
                    chip=RemoteTransceiver(self._air, number) if chip else None,
                )
            case _:
                raise _nonsense()

    def wait_for_removal(self, timeout: float) -> bool:
        header, _ = self._line.ask({"do": "removal", "timeout": timeout}, within=timeout)
        return header.get("document") != self._lying  # a book that was swapped for another has been taken away

    def close(self) -> None:
        for line in (self._line, self._air, self._lamp):
            line.close()


def _nonsense() -> DeviceError:
    return DeviceError("scanner", "the simulated scanner answers nonsense")
