"""Reading elementary files in as few commands as the chip allows (Doc 9303-10 §3.6.3), and never without end.

A chip's habits are learned once: the length it can answer, and whether it minds being asked for more than a file holds.
"""

from __future__ import annotations

from collections.abc import Callable

from hardware.emrtd import tlv
from hardware.emrtd.apdu import (
    BEYOND_END,
    CONDITIONS_OF_USE,
    END_OF_FILE,
    FILE_NOT_FOUND,
    OK,
    SECURITY_STATUS,
    SHORT_NE,
    WRONG_LENGTH,
    CommandApdu,
)
from hardware.emrtd.channel import Channel
from hardware.emrtd.errors import ChipError, FileUnavailableError, TlvError
from hardware.emrtd.lds import FILES, ElementaryFile

SELECT, READ_BINARY, READ_BINARY_ODD = 0xA4, 0xB0, 0xB1
EMRTD_APPLICATION = bytes.fromhex("A0000002471001")
EF_ATR_INFO = 0x2F01

SHORT_CHUNK = 223
"""The most data in a short response under AES: 224 bytes padded, DO'87', status and MAC make 242; 240 would make 258 of 256."""
EXTENDED_CHUNK = 4096
"""Even where a chip takes more: beyond, nothing is gained, and a lost tag costs more (85 ms at 424 kbit/s)."""
SM_OVERHEAD = 48
"""Bytes that protection can add to a response: padding, DO'87', DO'99', DO'8E', status."""
ODD_OVERHEAD = 16
"""What DO'53' and one more block take from a chunk read with the odd instruction."""
FIRST_ODD_OFFSET = 0x8000
"""Where the 15 bits of READ BINARY's offset end."""
LEAST_PROGRESS = 16
"""Bytes that each response must bring, unless the file ends: bounds the commands a chip can make us send."""
MAX_ASKS = 6
"""How often one part is asked for with another length."""
UNAVAILABLE = {FILE_NOT_FOUND: "FILE_NOT_FOUND", SECURITY_STATUS: "SECURITY_STATUS", CONDITIONS_OF_USE: "CONDITIONS_OF_USE"}
EXTENDED_LENGTH_INFORMATION = 0x7F66


class _TooMuchAskedError(ChipError):
    """The chip minds being asked for more than the file may hold."""


class FileReader:
    """Reads files over one channel and remembers what the chip can do."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._chunk = SHORT_CHUNK
        self._hasty = True  # ask for a whole chunk before the file's length is known

    def learn_length(self) -> None:
        """Read EF.ATR/INFO (Doc 9303-10 §3.6.4), where a chip that takes extended length says how much. In the clear and unproven:
        a lie costs a retry, silence means short.
        """
        try:
            if self._channel.exchange(select_file(EF_ATR_INFO)).sw != OK:
                return
            response = self._channel.exchange(CommandApdu(ins=READ_BINARY, ne=SHORT_NE))
            chunk = min(EXTENDED_CHUNK, _response_limit(response.data) - SM_OVERHEAD)
            self._chunk = chunk if chunk > SHORT_NE else SHORT_CHUNK
        except ChipError:
            return

    def read(self, name: str, on_part: Callable[[int, int], None]) -> bytes:
        """Return the file ``name`` (a key of ``FILES``); ``on_part(bytes so far, bytes in all)`` after each command.

        Raises FileUnavailableError where the chip has none or keeps it, ChipError for anything else that is not the file.
        """
        try:
            return self._read(FILES[name], on_part)
        except ChipError as error:
            error.file = error.file or name
            raise

    def _read(self, file: ElementaryFile, on_part: Callable[[int, int], None]) -> bytes:
        data = self._first_part(file)
        total = _announced(file, data)
        while len(data) < total:
            on_part(len(data), total)
            data += self._part(file, len(data), total - len(data))
        on_part(total, total)
        return data[:total]

    def _first_part(self, file: ElementaryFile) -> bytes:
        if self._hasty:
            try:
                return self._part(file, 0, None)
            except _TooMuchAskedError:
                self._hasty = False
        return self._part(file, 0, tlv.MAX_HEADER)

    def _part(self, file: ElementaryFile, offset: int, missing: int | None) -> bytes:
        """One part from ``offset``: a chunk, or what is ``missing`` of the file where that is known and less."""
        odd = offset >= FIRST_ODD_OFFSET  # the two instructions need not overlap (§3.6.6, note 1)
        chunk = self._chunk - ODD_OVERHEAD if odd else min(self._chunk, FIRST_ODD_OFFSET - offset)
        want = chunk if missing is None else min(chunk, missing)
        for _ in range(MAX_ASKS):
            response = self._channel.exchange(_read_odd(offset, want) if odd else _read_even(file, offset, want))
            if response.sw in {OK, END_OF_FILE}:
                part = _discretionary(response.data) if odd else response.data
                return _checked(part, offset, want, missing)
            want = self._smaller(response.sw, want, offset, exact=missing is not None)
        raise ChipError("LENGTH_REFUSED", f"the chip refused {MAX_ASKS} lengths", offset=offset)

    def _smaller(self, sw: int, want: int, offset: int, *, exact: bool) -> int:
        """The length to ask for after the status ``sw``; remembers it where it is the chip's limit. Raises ChipError."""
        if sw in UNAVAILABLE:
            raise FileUnavailableError(UNAVAILABLE[sw], f"status {sw:04X}", offset=offset)
        if sw >> 8 == 0x6C:
            less = sw & 0xFF or SHORT_NE
        elif sw == WRONG_LENGTH and want > SHORT_CHUNK:
            less = SHORT_CHUNK
            self._chunk = SHORT_CHUNK
        elif sw == WRONG_LENGTH and exact and want > LEAST_PROGRESS:
            less = max(LEAST_PROGRESS, want // 2)
        elif sw in {WRONG_LENGTH, BEYOND_END} and offset == 0:
            raise _TooMuchAskedError("LENGTH_REFUSED", f"status {sw:04X}", offset=offset)
        else:
            raise ChipError("FILE_ENDS_EARLY" if sw == BEYOND_END else "STATUS", f"status {sw:04X}", offset=offset)
        if less >= want or (exact and less < LEAST_PROGRESS):
            raise ChipError("LENGTH_LOOP", f"asked for {want}, the chip wants {less}", offset=offset)
        if exact:
            self._chunk = min(self._chunk, less)
        return less


def select_file(fid: int) -> CommandApdu:
    """SELECT an EF under the current application, no data back (Doc 9303-10 §3.6.2)."""
    return CommandApdu(ins=SELECT, p1=0x02, p2=0x0C, data=fid.to_bytes(2))


def select_application() -> CommandApdu:
    """SELECT the eMRTD application by its name, no data back (Doc 9303-10 §3.6.1.2)."""
    return CommandApdu(ins=SELECT, p1=0x04, p2=0x0C, data=EMRTD_APPLICATION)


def _read_even(file: ElementaryFile, offset: int, want: int) -> CommandApdu:
    """READ BINARY: the first by short identifier, which makes the file current; the next ones by offset."""
    if offset == 0:
        return CommandApdu(ins=READ_BINARY, p1=0x80 | file.sfi, ne=want)
    return CommandApdu(ins=READ_BINARY, p1=offset >> 8, p2=offset & 0xFF, ne=want)


def _read_odd(offset: int, want: int) -> CommandApdu:
    """READ BINARY with odd instruction: the offset in DO'54', the data in DO'53' (Doc 9303-10 §3.6.6)."""
    header = len(tlv.encode(0x53, bytes(want))) - want
    return CommandApdu(ins=READ_BINARY_ODD, data=tlv.encode(0x54, offset.to_bytes(2)), ne=want + header)


def _discretionary(data: bytes) -> bytes:
    return tlv.only(data, 0x53)


def _checked(part: bytes, offset: int, want: int, missing: int | None) -> bytes:
    if len(part) > want:
        raise ChipError("RESPONSE_TOO_LONG", f"{len(part)} bytes where {want} were asked for", offset=offset)
    least = 2 if missing is None else 1 if missing <= LEAST_PROGRESS else min(want, LEAST_PROGRESS)
    if len(part) < least:
        raise ChipError("FILE_ENDS_EARLY", f"{len(part)} bytes where {want} were asked for", offset=offset)
    return part


def _announced(file: ElementaryFile, data: bytes) -> int:
    """Bytes in all, by the file's own header. Raises ChipError for a wrong tag or a length above the cap."""
    try:
        tag, start, length = tlv.read_header(data)
    except TlvError as error:
        raise ChipError("FILE_HEADER", error.what, offset=0) from error
    if tag != file.tag:
        raise ChipError("FILE_TAG", f"tag {tag:02X} where {file.tag:02X} must stand", offset=0)
    if start + length > file.cap:
        raise ChipError("FILE_TOO_LONG", f"{start + length} bytes, at most {file.cap} are read", offset=0)
    return start + length


def _response_limit(atr_info: bytes) -> int:
    """The response length that EF.ATR/INFO states: the second INTEGER of DO'7F66'; 0 where it states none. Raises TlvError."""
    for item in tlv.children(atr_info):
        if item.tag == EXTENDED_LENGTH_INFORMATION:
            limits = [int.from_bytes(limit.value) for limit in tlv.children(item.value) if limit.tag == 0x02]
            return limits[1] if len(limits) == 2 else 0
    return 0
