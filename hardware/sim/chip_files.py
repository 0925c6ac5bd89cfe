"""The file system of the virtual passport (Doc 9303-10 §3.6 to §3.11): a master file, the eMRTD application in it, who may read what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from hardware.emrtd import tlv
from hardware.emrtd.apdu import (
    BEYOND_END,
    CONDITIONS_OF_USE,
    END_OF_FILE,
    FILE_NOT_FOUND,
    OK,
    SECURITY_STATUS,
    WRONG_LENGTH,
    CommandApdu,
    ResponseApdu,
)
from hardware.emrtd.errors import ChipError
from hardware.emrtd.files import EF_ATR_INFO, EMRTD_APPLICATION, EXTENDED_LENGTH_INFORMATION, READ_BINARY_ODD
from hardware.emrtd.lds import FILES

WRONG_DATA = 0x6A80
WRONG_PARAMETERS = 0x6A86
WRONG_LE = 0x6C00
MASTER_FILE = b"\x3f\x00"
ATR_INFO, ATR_INFO_SFI = "EF.ATR/INFO", 0x01
LONGEST = 0x8000
"""Bytes of a command or response that EF.ATR/INFO promises."""
DO_OFFSET, DO_DISCRETIONARY = 0x54, 0x53

IDENTIFIERS = {(file.master, file.fid): name for name, file in FILES.items()} | {(True, EF_ATR_INFO): ATR_INFO}
SHORT_IDENTIFIERS = {(file.master, file.sfi): name for name, file in FILES.items()} | {(True, ATR_INFO_SFI): ATR_INFO}
"""By whether the file lies in the master file: 1D and 1E mean one file there and another one in the application."""
FREE = frozenset({ATR_INFO, "EF.DIR", "EF.CardAccess"})
"""Read by anybody; EF.CardSecurity after PACE only, the rest under any secure messaging (Doc 9303-10 §3.11, -11 §4.2)."""
BIOMETRICS = frozenset({"DG3", "DG4"})
"""Under extended access control, which no terminal of ours has."""

Access = Literal["", "bac", "pace"]


class FileSystem:
    """SELECT and READ BINARY, both instructions. ``files`` are whole elementary files by name.

    What starts out as None, False, zero or empty spoils the chip; it may be set at any time.
    """

    def __init__(self, files: Mapping[str, bytes], *, extended_length: bool, bac: bool) -> None:
        self.files = dict(files)
        self.extended_length, self.bac = extended_length, bac
        self.stingy: int | None = None
        """At most this many bytes for each READ BINARY, whatever was asked for."""
        self.endless = False
        """Files have no end: beyond their last byte come zeros."""
        self.wrong_le: int | None = None
        """Answer each READ BINARY with 6Cxx, this being xx."""
        self.takes: int | None = None
        """Refuse (6700) to be asked for more than this many bytes, whatever EF.ATR/INFO promises."""
        self.announced: dict[str, int] = {}
        """File → the length that its header states instead of its own."""
        self.file_statuses: dict[str, int] = {}
        """File → status that whoever wants it gets."""
        self._access: Access = ""
        self._protected = False
        self._selected = False  # is the application current, or the master file?
        self._file: bytes | None = None
        self._name = ""
        self._sent = 0

    def _select(self, command: CommandApdu) -> ResponseApdu:
        if command.p1 == 0x04:
            return self._select_application(command.data)
        if command.p1 == 0x00 and command.data in {b"", MASTER_FILE}:
            self._enter(application=False)
            return ResponseApdu()
        if command.p1 not in {0x00, 0x02}:
            return ResponseApdu(sw=WRONG_PARAMETERS)
        return self._open_file(IDENTIFIERS.get((not self._selected, int.from_bytes(command.data)), ""))

    def _select_application(self, name: bytes) -> ResponseApdu:
        if name != EMRTD_APPLICATION:
            return ResponseApdu(sw=FILE_NOT_FOUND)
        if not self.bac and not self._protected:
            return ResponseApdu(sw=SECURITY_STATUS)
        self._enter(application=True)
        return ResponseApdu()

    def _enter(self, *, application: bool) -> None:
        self._selected, self._file, self._name = application, None, ""

    def _open_file(self, name: str) -> ResponseApdu:
        """Make a file the current one, if it may be read and is there."""
        self._file, self._name = None, name
        if not self._may_read(name):
            return ResponseApdu(sw=SECURITY_STATUS)
        if (sw := self.file_statuses.get(name, OK)) != OK:
            return ResponseApdu(sw=sw)
        content = self._content(name)
        if content is None:
            return ResponseApdu(sw=FILE_NOT_FOUND)
        if name in BIOMETRICS:
            return ResponseApdu(sw=SECURITY_STATUS)
        self._file = content
        return ResponseApdu()

    def _may_read(self, name: str) -> bool:
        return name in FREE or (self._protected and (name != "EF.CardSecurity" or self._access == "pace"))

    def _content(self, name: str) -> bytes | None:
        content = self.files.get(name)
        if content is None:
            return atr_info() if name == ATR_INFO and self.extended_length else None
        return _announcing(content, self.announced[name]) if name in self.announced else content

    def _read_binary(self, command: CommandApdu) -> ResponseApdu:
        offset = command.p1 << 8 | command.p2
        if command.ins == READ_BINARY_ODD:
            try:
                offset = int.from_bytes(tlv.only(command.data, DO_OFFSET))
            except ChipError:
                return ResponseApdu(sw=WRONG_DATA)
        elif command.p1 & 0x80:
            opened = self._open_file(SHORT_IDENTIFIERS.get((not self._selected, command.p1 & 0x1F), ""))
            if opened.sw != OK:
                return opened
            offset = command.p2
        if self._file is None or command.ne is None:
            return ResponseApdu(sw=CONDITIONS_OF_USE)
        if self.wrong_le is not None:
            return ResponseApdu(sw=WRONG_LE | self.wrong_le)
        if self.takes is not None and command.ne > self.takes:
            return ResponseApdu(sw=WRONG_LENGTH)
        return self._part(self._file, offset, command)

    def _part(self, file: bytes, offset: int, command: CommandApdu) -> ResponseApdu:
        odd = command.ins == READ_BINARY_ODD
        want = _fitting(command.ne or 0) if odd else command.ne or 0
        most = min(want, self.stingy or want)
        part = file[offset : offset + most]
        if self.endless:
            part = part.ljust(most, b"\0")
        elif offset >= len(file):
            return ResponseApdu(sw=BEYOND_END)
        self._sent += len(part)
        sw = END_OF_FILE if offset + want > len(file) and not self.endless else OK
        return ResponseApdu(data=tlv.encode(DO_DISCRETIONARY, part) if odd else part, sw=sw)


def atr_info(limit: int = LONGEST) -> bytes:
    """EF.ATR/INFO with the extended length information alone (Doc 9303-10 §3.6.4): ``limit`` bytes, either way."""
    number = tlv.encode(tlv.INTEGER, limit.to_bytes(3).removeprefix(b"\0"))
    return tlv.encode(EXTENDED_LENGTH_INFORMATION, number + number)


def _announcing(content: bytes, length: int) -> bytes:
    """The file with another length in its header, if it has one."""
    try:
        tag, start, _ = tlv.read_header(content)
    except ChipError:
        return content
    return tag.to_bytes(2 if tag > 0xFF else 1) + b"\x83" + length.to_bytes(3) + content[start:]


def _fitting(ne: int) -> int:
    """The most bytes whose DO'53' is no longer than ``ne``."""
    header = len(tlv.encode(DO_DISCRETIONARY, bytes(ne))) - ne
    return max(0, ne - header)
