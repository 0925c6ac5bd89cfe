"""A virtual passport: the chip's side of everything the reader speaks, behind the reader's own port.

It answers APDUs as a chip does (ISO/IEC 7816-4, Doc 9303-10 and -11): files only after basic access control and under secure
messaging, a session gone at the first broken message. Chips of an attacker are this one with an attribute changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hardware.emrtd import tlv
from hardware.emrtd.active_authentication import CHALLENGE, INTERNAL_AUTHENTICATE
from hardware.emrtd.apdu import (
    BEYOND_END,
    CONDITIONS_OF_USE,
    END_OF_FILE,
    FILE_NOT_FOUND,
    KEY_NOT_FOUND,
    OK,
    SECURITY_STATUS,
    SM_OBJECTS_MISSING,
    SM_OBJECTS_WRONG,
    WRONG_LENGTH,
    CommandApdu,
    ResponseApdu,
)
from hardware.emrtd.chip_authentication import (
    DO_DYNAMIC,
    GENERAL_AUTHENTICATE,
    MANAGE_SECURITY_ENVIRONMENT,
    SET_AUTHENTICATION,
    SET_KEY_AGREEMENT,
)
from hardware.emrtd.curves import EcKey
from hardware.emrtd.errors import ApduError, ChipError, SecureMessagingError
from hardware.emrtd.files import EF_ATR_INFO, EMRTD_APPLICATION, EXTENDED_LENGTH_INFORMATION, READ_BINARY, READ_BINARY_ODD, SELECT
from hardware.emrtd.lds import FILES
from hardware.emrtd.reader import EXTERNAL_AUTHENTICATE, GET_CHALLENGE
from hardware.emrtd.secure_messaging import SM_CLASS, SecureMessaging
from hardware.ports import TagLost
from hardware.sim.chip_protocols import BasicAccessControl, ChipAuthentication, active_signature, chip_authentication_key

NOT_VERIFIED = 0x6300
WRONG_DATA = 0x6A80
WRONG_PARAMETERS = 0x6A86
UNKNOWN_INSTRUCTION = 0x6D00
WRONG_LE = 0x6C00
LONGEST = 0x8000
"""Bytes of a command or response that EF.ATR/INFO promises."""
DO_OFFSET, DO_DISCRETIONARY = 0x54, 0x53
PROTECTED_DATA = 231
"""Data bytes above which a protected response may not fit the 256 of a short one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkModel:
    """How long ISO/IEC 14443-4 takes at ``kbit_s`` (106, 212, 424 or 848), the chip computing in no time: each byte is 9 bits,
    a frame carries 253 data bytes, 3 of its own and 100 µs of guard time, and each chained one is acknowledged.
    """

    kbit_s: float

    def seconds(self, command_length: int, response_length: int) -> float:
        return self._direction(command_length) + self._direction(response_length)

    def _direction(self, length: int) -> float:
        frames = max(1, -(-length // 253))
        acknowledgements = frames - 1
        octets = length + 3 * (frames + acknowledgements)
        return octets * 9 / (self.kbit_s * 1000) + 100e-6 * (frames + acknowledgements)


class VirtualPassport:
    """A chip in the field. Implements :class:`hardware.ports.Transceiver`.

    ``files`` are whole elementary files by name (``EF.COM``, ``EF.SOD``, ``DG1`` …); a name that is absent is a file the chip lacks.
    ``active_key`` and ``chip_key`` are the private keys to DG15 and DG14; without one the chip refuses that proof, as a clone does.
    With a ``link`` each exchange takes as long as on the air: what is left of that time by ``timer`` is spent in ``sleep``. The attributes that start out as None, False or
    empty spoil it; they may be set at any time.
    """

    def __init__(
        self,
        files: Mapping[str, bytes],
        mrz_information: str,
        active_key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | None = None,
        chip_key: ec.EllipticCurvePrivateKey | EcKey | None = None,
        link: LinkModel | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        timer: Callable[[], float] = time.perf_counter,
        active_hash: hashes.HashAlgorithm | None = None,
        extended_length: bool = True,
    ) -> None:
        self.files = dict(files)
        self.active_key, self.active_hash = active_key, active_hash or hashes.SHA256()
        self.link, self.extended_length = link, extended_length
        self.lost_after: int | None = None
        """The link is gone for good once this many bytes of files were sent."""
        self.stingy: int | None = None
        """At most this many bytes for each READ BINARY, whatever was asked for."""
        self.endless = False
        """Files have no end: beyond their last byte come zeros."""
        self.wrong_le: int | None = None
        """Answer each READ BINARY with 6Cxx, this being xx."""
        self.statuses: dict[int, int] = {}
        """Instruction → status that it gets instead of an answer, protected where it should be."""
        self.plain_statuses: dict[int, int] = {}
        """The same, but never protected."""
        self.wrong_mac = False
        """Spoil the MAC of each protected response."""
        self._sleep, self._timer = sleep, timer
        self._bac = BasicAccessControl(mrz_information)
        self._chip_authentication = None if chip_key is None else ChipAuthentication(chip_authentication_key(chip_key))
        self._session: SecureMessaging | None = None
        self._next_session: SecureMessaging | None = None
        self._protected = self._selected = False
        self._file: bytes | None = None
        self._sent = 0
        self._handlers: dict[int, Callable[[CommandApdu], ResponseApdu]] = {
            SELECT: self._select,
            READ_BINARY: self._read_binary,
            READ_BINARY_ODD: self._read_binary,
            GET_CHALLENGE: self._get_challenge,
            EXTERNAL_AUTHENTICATE: self._external_authenticate,
            MANAGE_SECURITY_ENVIRONMENT: self._manage_security_environment,
            GENERAL_AUTHENTICATE: self._general_authenticate,
            INTERNAL_AUTHENTICATE: self._internal_authenticate,
        }

    def transceive(self, command: bytes) -> bytes:
        """Answer one command APDU, whatever its bytes. Raises TagLost once the link is gone."""
        start = self._timer()
        response = self._answer(command).encode()
        if self.lost_after is not None and self._sent >= self.lost_after:
            raise TagLost("virtual passport", "the chip left the field", "place the document again")
        if self.link is not None:
            self._sleep(max(0.0, start + self.link.seconds(len(command), len(response)) - self._timer()))
        return response

    def reconnect(self, timeout: float) -> bool:  # noqa: ARG002 - what is gone stays gone
        """A chip in the field is reset; one that left does not come back."""
        if self.lost_after is not None and self._sent >= self.lost_after:
            return False
        self._drop(OK)
        self._selected, self._file = False, None
        return True

    # --- secure messaging ---

    def _answer(self, raw: bytes) -> ResponseApdu:
        try:
            command = CommandApdu.decode(raw)
        except ApduError:
            return self._drop(WRONG_LENGTH)
        if command.ins in self.plain_statuses:
            return self._drop(self.plain_statuses[command.ins])
        if command.extended and not self.extended_length:
            return self._drop(WRONG_LENGTH)
        if command.cla & SM_CLASS == SM_CLASS:
            return self._protected_answer(command)
        self._session, self._protected = None, False
        return self._execute(command)

    def _protected_answer(self, command: CommandApdu) -> ResponseApdu:
        if self._session is None:
            return self._drop(SM_OBJECTS_MISSING)
        try:
            inner = self._session.open_command(command)
        except SecureMessagingError:
            return self._drop(SM_OBJECTS_WRONG)
        self._protected = True
        response = self._execute(inner)
        if len(response.data) > PROTECTED_DATA and not command.extended:
            response = ResponseApdu(sw=WRONG_LENGTH)
        sealed = self._session.seal_response(response, odd=bool(inner.ins & 1))
        self._session, self._next_session = self._next_session or self._session, None
        if self.wrong_mac:
            return ResponseApdu(data=sealed.data[:-1] + bytes([sealed.data[-1] ^ 1]), sw=sealed.sw)
        return sealed

    def _drop(self, sw: int) -> ResponseApdu:
        self._session = self._next_session = None
        return ResponseApdu(sw=sw)

    # --- commands ---

    def _execute(self, command: CommandApdu) -> ResponseApdu:
        if command.ins in self.statuses:
            return ResponseApdu(sw=self.statuses[command.ins])
        handler = self._handlers.get(command.ins)
        return ResponseApdu(sw=UNKNOWN_INSTRUCTION) if handler is None else handler(command)

    def _select(self, command: CommandApdu) -> ResponseApdu:
        if command.p1 == 0x04:
            found = command.data == EMRTD_APPLICATION
            self._selected, self._file = found, None
            return ResponseApdu() if found else ResponseApdu(sw=FILE_NOT_FOUND)
        fid = int.from_bytes(command.data)
        if fid == EF_ATR_INFO and self.extended_length:
            self._file = _atr_info()
            return ResponseApdu()
        return self._open_file(next((name for name, file in FILES.items() if file.fid == fid and not file.master), ""))

    def _open_file(self, name: str) -> ResponseApdu:
        """Make a file the current one; only under secure messaging (Doc 9303-11 §4.3.2)."""
        if not self._protected:
            return ResponseApdu(sw=SECURITY_STATUS)
        self._file = self.files.get(name)
        return ResponseApdu(sw=FILE_NOT_FOUND if self._file is None else OK)

    def _read_binary(self, command: CommandApdu) -> ResponseApdu:
        offset = command.p1 << 8 | command.p2
        if command.ins == READ_BINARY_ODD:
            try:
                offset = int.from_bytes(tlv.only(command.data, DO_OFFSET))
            except ChipError:
                return ResponseApdu(sw=WRONG_DATA)
        elif command.p1 & 0x80:
            name = next((name for name, file in FILES.items() if file.sfi == command.p1 & 0x1F and not file.master), "")
            if (opened := self._open_file(name)).sw != OK:
                return opened
            offset = command.p2
        if self._file is None or command.ne is None:
            return ResponseApdu(sw=CONDITIONS_OF_USE)
        if self.wrong_le is not None:
            return ResponseApdu(sw=WRONG_LE | self.wrong_le)
        return self._part(self._file, offset, command)

    def _part(self, file: bytes, offset: int, command: CommandApdu) -> ResponseApdu:
        odd = command.ins == READ_BINARY_ODD
        want = _fitting(command.ne or 0) if odd else command.ne or 0
        part = file[offset : offset + min(want, self.stingy or want)]
        if self.endless:
            part = part.ljust(want, b"\0")
        elif offset >= len(file):
            return ResponseApdu(sw=BEYOND_END)
        self._sent += len(part)
        sw = END_OF_FILE if offset + want > len(file) and not self.endless else OK
        return ResponseApdu(data=tlv.encode(DO_DISCRETIONARY, part) if odd else part, sw=sw)

    def _get_challenge(self, _command: CommandApdu) -> ResponseApdu:
        return ResponseApdu(data=self._bac.challenge()) if self._selected else ResponseApdu(sw=CONDITIONS_OF_USE)

    def _external_authenticate(self, command: CommandApdu) -> ResponseApdu:
        agreed = self._bac.authenticate(command.data)
        if agreed is None or not self._selected:
            return ResponseApdu(sw=NOT_VERIFIED)
        answer, self._session = agreed
        return ResponseApdu(data=answer)

    def _manage_security_environment(self, command: CommandApdu) -> ResponseApdu:
        chip = self._chip_authentication
        if chip is None or not self._protected:
            return ResponseApdu(sw=KEY_NOT_FOUND)
        try:
            if (command.p1, command.p2) == SET_KEY_AGREEMENT:
                self._next_session = chip.set_key_agreement(command.data)
            elif (command.p1, command.p2) == SET_AUTHENTICATION:
                chip.set_authentication(command.data)
            else:
                return ResponseApdu(sw=WRONG_PARAMETERS)
        except ChipError:
            return ResponseApdu(sw=WRONG_DATA)
        return ResponseApdu()

    def _general_authenticate(self, command: CommandApdu) -> ResponseApdu:
        chip = self._chip_authentication
        if chip is None or not self._protected:
            return ResponseApdu(sw=KEY_NOT_FOUND)
        try:
            self._next_session = chip.general_authenticate(command.data)
        except ChipError:
            return ResponseApdu(sw=WRONG_DATA)
        return ResponseApdu(data=tlv.encode(DO_DYNAMIC, b""))

    def _internal_authenticate(self, command: CommandApdu) -> ResponseApdu:
        if self.active_key is None or not self._protected:
            return ResponseApdu(sw=KEY_NOT_FOUND)
        if len(command.data) != CHALLENGE:
            return ResponseApdu(sw=WRONG_DATA)
        return ResponseApdu(data=active_signature(self.active_key, command.data, self.active_hash))


def _fitting(ne: int) -> int:
    """The most bytes whose DO'53' is no longer than ``ne``."""
    header = len(tlv.encode(DO_DISCRETIONARY, bytes(ne))) - ne
    return max(0, ne - header)


def _atr_info() -> bytes:
    limit = tlv.encode(0x02, LONGEST.to_bytes(2))
    return tlv.encode(EXTENDED_LENGTH_INFORMATION, limit + limit)
