"""Reading elementary files in as few commands as the chip allows (Doc 9303-10 §3.6.3), and never without end.

A chip's habits are learned once: the length it can answer, and whether it minds being asked for more than a file holds. Contents go
from the cipher into one buffer for each file, by way of one small buffer that is wiped after each part, so that whoever wipes the
file's buffer has wiped the file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

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
from hardware.emrtd.errors import AccessError, ChipChangedError, ChipError, FileUnavailableError, TlvError
from hardware.emrtd.lds import FILES, ElementaryFile

SELECT, READ_BINARY, READ_BINARY_ODD = 0xA4, 0xB0, 0xB1
EMRTD_APPLICATION = bytes.fromhex("A0000002471001")
MASTER_FILE = bytes.fromhex("3F00")
EF_ATR_INFO, SFI_ATR_INFO = 0x2F01, 0x01

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
REFUSED = frozenset({*UNAVAILABLE.values(), "STATUS", "LENGTH_REFUSED"})
"""Codes of a chip that answered by a status alone; all others tell of an answer that is no file."""
EXTENDED_LENGTH_INFORMATION = 0x7F66


class _TooMuchAskedError(ChipError):
    """The chip minds being asked for more than the file may hold."""


@dataclass(slots=True, kw_only=True)
class Download:
    """A file on its way. ``content`` has its full length once the header is known; the first ``got`` bytes of it have come."""

    name: str
    content: bytearray = field(default_factory=bytearray, repr=False)
    got: int = 0


class FileReader:
    """Reads files over one channel and remembers what the chip can do."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._chunk = SHORT_CHUNK
        self._hasty = True  # ask for a whole chunk before the file's length is known
        self._in_application = self._in_master_file = False
        self._current: Download | None = None
        self._room = bytearray(EXTENDED_CHUNK + SM_OVERHEAD)

    def restart(self) -> None:
        """The chip was reset, or is to be read anew: the master file should be selected, and no file in it."""
        self._in_application = self._in_master_file = False
        self._current = None

    def learn_length(self) -> None:
        """Read EF.ATR/INFO (Doc 9303-10 §3.6.4), where a chip that takes extended length says how much. In the clear and unproven:
        a lie costs a retry, silence means short.
        """
        try:
            response = self._channel.exchange(CommandApdu(ins=READ_BINARY, p1=0x80 | SFI_ATR_INFO, ne=SHORT_NE))
            if response.sw not in {OK, END_OF_FILE}:
                if self._select_in_master_file(EF_ATR_INFO) != OK:
                    return
                response = self._channel.exchange(CommandApdu(ins=READ_BINARY, ne=SHORT_NE))
            if len(response.data) > SHORT_NE:
                return
            limit = min(_response_limit(response.data), self._channel.longest_response)
        except ChipError:
            return
        chunk = min(EXTENDED_CHUNK, limit - SM_OVERHEAD)
        self._chunk = chunk if chunk > SHORT_NE else SHORT_CHUNK

    def enter_application(self) -> None:
        """SELECT the eMRTD application, unless it is selected (Doc 9303-10 §3.6.1.2). Raises AccessError."""
        if self._in_application:
            return
        sw = self._channel.exchange(select_application()).sw
        if sw not in {OK, SECURITY_STATUS}:  # 6982: a chip that wants access control first; what follows will tell
            raise AccessError("NO_APPLICATION", f"no eMRTD application: status {sw:04X}")
        self._in_application, self._in_master_file, self._current = True, False, None

    def read(self, download: Download, on_part: Callable[[int, int], None] = lambda *_: None) -> None:
        """Go on with ``download``, from its first byte or, in another session, from where it stands; ``on_part(bytes so far, bytes
        in all)`` before each command and at the end. The file must belong to what is selected.

        Raises FileUnavailableError where the chip has none or keeps it, ChipError for anything else that is not the file
        (CHIP_CHANGED: not the file that it was); TagLost passes through, and what came until then stays.
        """
        file = FILES[download.name]
        try:
            if not download.content:
                self._start(download, file)
            elif self._current is not download:
                self._take_up(download, file)
            self._current = download
            while download.got < len(download.content):
                on_part(download.got, len(download.content))
                _append(download, self._part(file, download.got, len(download.content) - download.got))
            on_part(download.got, download.got)
        except ChipError as error:
            error.file = error.file or download.name
            raise
        finally:
            wipe(self._room)

    def _start(self, download: Download, file: ElementaryFile) -> None:
        part = self._first_chunk(file)
        download.content = bytearray(_announced(file, part))
        _append(download, part)

    def _first_chunk(self, file: ElementaryFile) -> memoryview:
        if self._hasty:
            try:
                return self._first_part(file, None)
            except _TooMuchAskedError:
                self._hasty = False
        return self._first_part(file, tlv.MAX_HEADER)

    def _take_up(self, download: Download, file: ElementaryFile) -> None:
        """Make the file current once more: its header is read again, and must be what it was."""
        try:
            part = self._first_part(file, min(tlv.MAX_HEADER, download.got))
        except FileUnavailableError as error:
            raise ChipChangedError("CHIP_CHANGED", f"the file was there before the tag was lost: {error.what}") from error
        if part != memoryview(download.content)[: len(part)]:
            raise ChipChangedError("CHIP_CHANGED", "not the file that was being read when the tag was lost", offset=0)

    def _first_part(self, file: ElementaryFile, missing: int | None) -> memoryview:
        """The part at offset 0, by short identifier, which makes the file the current one. In the master file, where not every chip
        takes short identifiers, by SELECT if need be.
        """
        try:
            return self._part(file, 0, missing)
        except ChipError as refusal:
            if not file.master or refusal.code not in REFUSED:
                raise
        sw = self._select_in_master_file(file.fid)
        if sw != OK:
            raise FileUnavailableError(UNAVAILABLE.get(sw, "FILE_NOT_FOUND"), f"status {sw:04X}", offset=0)
        return self._part(file, 0, missing, selected=True)

    def _select_in_master_file(self, fid: int) -> int:
        """SELECT a file in the master file; returns the status. A chip that was read before, and not reset since, still has the
        application selected; one that does not know how to SELECT the master file (6A87 and the like) never leaves it.
        """
        if not self._in_master_file:
            self._channel.exchange(CommandApdu(ins=SELECT, p1=0x00, p2=0x0C, data=MASTER_FILE))
            self._in_master_file = True
        return self._channel.exchange(select_file(fid)).sw

    def _part(self, file: ElementaryFile, offset: int, missing: int | None, *, selected: bool = False) -> memoryview:
        """One part from ``offset``, in the room: a chunk, or what is ``missing`` of the file where that is known and less."""
        odd = offset >= FIRST_ODD_OFFSET  # the two instructions need not overlap (§3.6.6, note 1)
        chunk = self._chunk - ODD_OVERHEAD if odd else min(self._chunk, FIRST_ODD_OFFSET - offset)
        want = chunk if missing is None else min(chunk, missing)
        for _ in range(MAX_ASKS):
            command = _read_odd(offset, want) if odd else _read_even(file, offset, want, selected=selected)
            length, sw = self._channel.receive(command, self._room)
            if sw in {OK, END_OF_FILE}:
                part = memoryview(self._room)[:length]
                return _checked(_discretionary(part) if odd else part, offset, want, missing)
            want = self._smaller(sw, want, offset, exact=missing is not None)
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


def wipe(buffer: bytearray) -> None:
    """Overwrite with zeros, in place."""
    buffer[:] = bytes(len(buffer))


def select_file(fid: int) -> CommandApdu:
    """SELECT an EF under the current application, no data back (Doc 9303-10 §3.6.2)."""
    return CommandApdu(ins=SELECT, p1=0x02, p2=0x0C, data=fid.to_bytes(2))


def select_application() -> CommandApdu:
    """SELECT the eMRTD application by its name, no data back (Doc 9303-10 §3.6.1.2)."""
    return CommandApdu(ins=SELECT, p1=0x04, p2=0x0C, data=EMRTD_APPLICATION)


def _read_even(file: ElementaryFile, offset: int, want: int, *, selected: bool) -> CommandApdu:
    """READ BINARY: the first by short identifier, which makes the file current; the next ones by offset."""
    if offset == 0 and not selected:
        return CommandApdu(ins=READ_BINARY, p1=0x80 | file.sfi, ne=want)
    return CommandApdu(ins=READ_BINARY, p1=offset >> 8, p2=offset & 0xFF, ne=want)


def _read_odd(offset: int, want: int) -> CommandApdu:
    """READ BINARY with odd instruction: the offset in DO'54', the data in DO'53' (Doc 9303-10 §3.6.6)."""
    header = len(tlv.encode(0x53, bytes(want))) - want
    return CommandApdu(ins=READ_BINARY_ODD, data=tlv.encode(0x54, offset.to_bytes(2)), ne=want + header)


def _discretionary(part: memoryview) -> memoryview:
    """The value of the one DO'53' that ``part`` is. Raises TlvError."""
    tag, start, length = tlv.read_header(part)
    if tag != 0x53 or start + length != len(part):
        raise TlvError("TLV_TAG", f"tag {tag:02X} of {length} bytes where DO'53' must stand alone", offset=0)
    return part[start:]


def _checked(part: memoryview, offset: int, want: int, missing: int | None) -> memoryview:
    if len(part) > want:
        raise ChipError("RESPONSE_TOO_LONG", f"{len(part)} bytes where {want} were asked for", offset=offset)
    least = 2 if missing is None else 1 if missing <= LEAST_PROGRESS else min(want, LEAST_PROGRESS)
    if len(part) < least:
        raise ChipError("FILE_ENDS_EARLY", f"{len(part)} bytes where {want} were asked for", offset=offset)
    return part


def _append(download: Download, part: memoryview) -> None:
    """Copy ``part`` to its place, without a copy beside it; what follows the announced end is left."""
    count = min(len(part), len(download.content) - download.got)
    memoryview(download.content)[download.got : download.got + count] = part[:count]
    download.got += count


def _announced(file: ElementaryFile, data: memoryview) -> int:
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
            limits = [int.from_bytes(limit.value) for limit in tlv.children(item.value) if limit.tag == tlv.INTEGER]
            return limits[1] if len(limits) == 2 else 0
    return 0
