"""The Protocols between the gate and its devices. A simulator implements the same Protocol as the device it stands for.

A device that breaks or vanishes raises :class:`DeviceError`; what a device *says* (an APDU status, an obstruction) is a value.
All methods block; each device is driven by one long-lived thread of its own (ARCHITECTURE.md, "Processes").
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:  # the lane process loads this module and must stay free of numpy
    import numpy as np
    from numpy.typing import NDArray


class DeviceError(Exception):
    """A device is missing, broke or was unplugged: says which device, what happened and what to do.

    ``device`` is the configured name or path, ``what`` one sentence, ``remedy`` one sentence (may be empty).
    """

    def __init__(self, device: str, what: str, remedy: str = "") -> None:
        super().__init__(f"{device}: {what}" + (f" ({remedy})" if remedy else ""))
        self.device, self.what, self.remedy = device, what, remedy


class DeviceLost(DeviceError):
    """The device was there and is gone (unplugged, hung up). It may come back; the lane waits for it."""


class TagLost(DeviceLost):
    """The chip left the field in mid-exchange (ISO/IEC 14443-4 link gone)."""


class Clock(Protocol):
    """Two clocks that must not be mixed."""

    def boot(self) -> float:
        """Seconds since boot, suspended time included; for deadlines and freshness. Never goes back."""
        ...

    def wall(self) -> datetime:
        """Aware UTC time; for validity of certificates and permits."""
        ...


class BytePort(Protocol):
    """A serial line, as bytes."""

    def read(self, limit: int, timeout: float) -> bytes:
        """Return 1…``limit`` bytes as soon as any are there, ``b""`` after ``timeout`` seconds. Raises DeviceLost."""
        ...

    def write(self, data: bytes) -> None:
        """Write all of ``data``. Raises DeviceLost."""
        ...

    def close(self) -> None: ...


class Transceiver(Protocol):
    """A contactless chip in the field of a reader: command APDU in, response APDU (data ‖ SW1 SW2) out.

    One that cannot carry every response has an attribute ``longest_response``, see :func:`longest_response`.
    """

    def transceive(self, command: bytes) -> bytes:
        """Send one command APDU, return the response with its two status bytes. Raises TagLost, DeviceError."""
        ...

    def reconnect(self, timeout: float) -> bool:
        """After TagLost: wait up to ``timeout`` seconds for *a* chip in the field and reset it, so that it is as after power-on.

        False where none came, or the document was taken away. Nothing says that it is the chip that was lost. Raises DeviceError.
        """
        ...


def longest_response(transceiver: Transceiver) -> int:
    """The most data bytes (status words not counted) that ``transceiver`` carries back in one response APDU: its attribute of this
    name where it has one, else 65,536, all that there can be.
    """
    return int(getattr(transceiver, "longest_response", 65_536))


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupancy:
    """What a sensor says of the persons in the space it watches: ``count`` of them, and how sure it is (0 … 1) of neither more nor fewer."""

    count: int
    confidence: float


class OccupancySensor(Protocol):
    """Counts the persons between the doors, or before a single one. ``hardware.occupancy`` says what several come to."""

    def occupancy(self) -> Occupancy:
        """The newest count. Raises DeviceError."""
        ...


Light = Literal["white", "infrared"]
"""What a page is lit with. Infrared is the band near 900 nm (B900) that the ink of a machine readable zone absorbs (Doc 9303-3 §4.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFrame:
    """A picture of what lies on the glass. ``pixels`` is uint8, grey of shape (height, width) or BGR of shape (height, width, 3).

    The array is the receiver's own, and is overwritten once it was looked at: it shows the portrait. ``dpi``: pixels to the inch on the
    glass, 0 where the device does not say; ``boot``: its capture time in boot seconds.
    """

    pixels: NDArray[np.uint8] = field(repr=False)
    light: Light
    dpi: int
    boot: float


class Page(Protocol):
    """One document on the glass, to be pictured as often as wanted."""

    def capture(self, light: Light, timeout: float) -> PageFrame | None:
        """Take a new picture. None where that document was taken away, where none came in ``timeout`` seconds, and where the device has no
        such light. Raises DeviceError.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedDocument:
    """A document lying on the scanner.

    ``mrz_lines``: what a device that reads the zone by itself says of it (may be malformed), empty where it does not. ``page`` is None where
    the device hands over no pictures, ``chip`` where no chip answered.
    """

    mrz_lines: tuple[str, ...] = field(repr=False)
    page: Page | None = None
    chip: Transceiver | None


class DocumentScanner(Protocol):
    """Full-page reader with a chip antenna."""

    def wait_for_document(self, timeout: float) -> ScannedDocument | None:
        """Block until a document lies on the glass; None after ``timeout`` seconds. Raises DeviceError."""
        ...

    def wait_for_removal(self, timeout: float) -> bool:
        """Block until the glass is empty; False after ``timeout`` seconds. Raises DeviceError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One camera frame. ``pixels`` is uint8 BGR of shape (height, width, 3); ``boot`` is its capture time in boot seconds."""

    pixels: NDArray[np.uint8] = field(repr=False)
    boot: float

    def wipe(self) -> None:
        """Overwrite the picture, where that is possible: whoever was handed it is the last who has it."""
        if self.pixels.flags.writeable:
            self.pixels.fill(0)


class FrameSource(Protocol):
    """A camera that always hands over its newest frame; the receiver wipes it."""

    def newest(self, timeout: float) -> Frame | None:
        """Return the newest frame not yet handed over, None after ``timeout`` seconds. Raises DeviceError."""
        ...

    def close(self) -> None: ...


LampColour = Literal["off", "red", "green", "amber", "blue", "white"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelSignal:
    """What a reader's panel shows: its lamp's colour, steady or blinking, and how often its buzzer sounds when that begins."""

    lamp: LampColour
    blink: bool = False
    beeps: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelStatus:
    """How a panel stands. ``fault`` is one sentence, empty while it obeys; ``shown`` the newest signal that it took: it showed
    the lamp, and its beeps are over or missed.

    ``assistance``: the button by which a traveller calls for help is held down; ``tamper``: the enclosure is open, None: the panel
    has not said yet. ``missed``: how many signals' beeps may not have sounded; they are never sent twice, for a buzzer must not sound
    twice.
    """

    fault: str = ""
    shown: PanelSignal | None = None
    assistance: bool = False
    tamper: bool | None = None
    missed: int = 0


class ReaderPanel(Protocol):
    """Lamp, buzzer and inputs beside a document scanner. A panel that is gone is a status, and is waited for."""

    def show(self, signal: PanelSignal) -> None:
        """Have it show ``signal`` from now on; the newest counts. Does not wait, and may be called from any thread."""
        ...

    def work(self, timeout: float) -> PanelStatus:
        """Serve the panel for up to ``timeout`` seconds; returns at once when its status changed."""
        ...

    def close(self) -> None: ...
