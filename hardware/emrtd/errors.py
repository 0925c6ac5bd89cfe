"""What a chip can do wrong. Lost links and broken readers are ``hardware.ports.TagLost`` and ``DeviceError``, never a ChipError."""

from __future__ import annotations


class ChipError(Exception):
    """The chip's bytes are wrong, or it refuses.

    ``code`` is a stable upper-case word for reports, ``what`` one sentence, ``file`` the elementary file concerned (may be
    empty) and ``offset`` the byte in it or in the structure (None where it has none).
    """

    def __init__(self, code: str, what: str, *, file: str = "", offset: int | None = None) -> None:
        super().__init__(code, what, file, offset)
        self.code, self.what, self.file, self.offset = code, what, file, offset

    def __str__(self) -> str:
        place = " ".join(part for part in (self.file, "" if self.offset is None else f"at {self.offset}") if part)
        return f"{self.code}: {self.what}" + (f" ({place})" if place else "")


class TlvError(ChipError):
    """Bytes that are no BER-TLV within our bounds."""


class ApduError(ChipError):
    """Bytes that are no command or response APDU."""


class SecureMessagingError(ChipError):
    """A message that is not authentic under the session keys. The session is over; nothing of the message is used."""


class AccessError(ChipError):
    """Access control failed: a wrong password, a chip that does not know it, or an offer that we cannot or may not take."""


class ChipChangedError(ChipError):
    """The chip that came back after the tag was lost is not the one that left."""


class FileUnavailableError(ChipError):
    """The chip says, by an authentic status, that it has no such file or does not give it."""


class LdsError(ChipError):
    """A file of the logical data structure that is not what Doc 9303-10 says."""
