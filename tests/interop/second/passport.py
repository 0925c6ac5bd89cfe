"""A whole chip and a whole inspection system: files behind BAC or PACE, chip authentication, all in octets (Doc 9303-10 §3.6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from second.bac import BacChip, BacReader
from second.chip_authentication import Chip as ChipAuthentication
from second.chip_authentication import run_terminal
from second.dialogue import OK, PaceChip, PaceReader
from second.dice import Dice
from second.groups import Refused
from second.messages import Command, do, objects

APPLICATION = bytes.fromhex("A0000002471001")
MASTER = {0x011C: 0x1C, 0x011D: 0x1D}
"""EF.CardAccess and EF.CardSecurity: identifier and short identifier."""
FIRST_ODD = 0x8000
CHUNK = 200
NOT_FOUND, DENIED, WRONG = b"\x6a\x82", b"\x69\x82", b"\x6a\x86"


class Card:
    """``master`` and ``application`` hold files by identifier (the short one is its last five bits). One of ``bac`` and ``pace`` opens."""

    def __init__(
        self,
        master: Mapping[int, bytes],
        application: Mapping[int, bytes],
        *,
        bac: BacChip | None = None,
        pace: PaceChip | None = None,
        chip_authentication: ChipAuthentication | None = None,
    ) -> None:
        self.master, self.application = master, application
        self.bac, self.pace, self.chip_authentication = bac, pace, chip_authentication
        self.files, self.current, self.channel = master, b"", None

    def transceive(self, raw: bytes) -> bytes:
        if not raw[0] & 0x0C:
            return self._answer(raw)
        channel = self.channel  # a new one counts from the next command on
        inner = channel.open(raw)
        return channel.seal(self._answer(inner), odd=inner[1] % 2 == 1)

    def reconnect(self, timeout: float) -> bool:
        return False

    def _answer(self, raw: bytes) -> bytes:
        command = Command.decode(raw)
        instruction, p1, p2 = raw[1:4]
        match instruction:
            case 0xA4:
                return self._select(p1, command.data)
            case 0xB0 | 0xB1:
                return self._read(command, p1, p2)
            case 0x84 if self.bac:
                return self.bac.nonce + OK
            case 0x82 if self.bac:
                answer, self.channel = self.bac.answer(command.data)
                return answer + OK
            case 0x22 | 0x86:
                return self._authenticate(raw)
        return WRONG

    def _authenticate(self, raw: bytes) -> bytes:
        protocol = self.chip_authentication if self.channel else self.pace
        if protocol is None:
            return WRONG
        answer = protocol.answer(raw)
        if protocol.done:
            self.channel = protocol.channel()
        return answer

    def _select(self, p1: int, data: bytes) -> bytes:
        if p1 == 4:
            self.files = self.application
            return OK if data == APPLICATION else NOT_FOUND
        if p1 == 0:
            self.files = self.master
            return OK
        return self._open(int.from_bytes(data, "big"))

    def _open(self, identifier: int) -> bytes:
        if self.files is self.application and self.channel is None:
            return DENIED
        if identifier not in self.files:
            return NOT_FOUND
        self.current = self.files[identifier]
        return OK

    def _read(self, command: Command, p1: int, p2: int) -> bytes:
        size = int.from_bytes(command.le, "big") or 256 ** len(command.le)
        if command.header[1] == 0xB1:
            [(_, offset)] = objects(command.data)
            start = int.from_bytes(offset, "big")
            head = 2 if size < 0x82 else 3 if size < 0x103 else 4  # tag and length count as well
            return do(0x53, self.current[start : start + size - head]) + OK
        start = p1 << 8 | p2
        if p1 & 0x80:
            names = MASTER if self.files is self.master else {each: each & 0x1F for each in self.files}
            opened = self._open(next((each for each, short in names.items() if short == p1 & 0x1F), 0))
            if opened != OK:
                return opened
            start = p2
        return self.current[start : start + size] + OK


class Inspection:
    """A reader over ``transceive``; every command goes through the channel once there is one."""

    def __init__(self, transceive: Callable[[bytes], bytes]) -> None:
        self._transceive, self.channel = transceive, None

    def exchange(self, raw: bytes) -> bytes:
        if self.channel is None:
            return self._transceive(raw)
        return self.channel.unwrap(self._transceive(self.channel.wrap(raw)))

    def select_application(self) -> None:
        self._done(self.exchange(Command(bytes.fromhex("00A4040C"), APPLICATION).encode()))

    def enter_by_bac(self, mrz_information: str, dice: Dice) -> None:
        self.select_application()
        reader = BacReader(mrz_information, dice)
        request = reader.request(self._done(self.exchange(bytes.fromhex("0084000008"))))
        answer = self._done(self.exchange(Command(bytes.fromhex("00820000"), request, b"\x28").encode()))
        self.channel = reader.finish(answer)

    def enter_by_pace(self, side, password: int) -> None:
        self.channel = PaceReader(side).run(self.exchange, password=password)
        self.select_application()

    def authenticate_chip(self, side, oid: bytes, chip_public: bytes, *, version: int, key_id: int | None) -> None:
        self.channel = run_terminal(side, self.exchange, oid, chip_public, version=version, key_id=key_id)

    def read(self, identifier: int) -> bytes:
        """By identifier, in short parts, to the end that its header states."""
        self._done(self.exchange(Command(bytes.fromhex("00A4020C"), identifier.to_bytes(2, "big")).encode()))
        content = self._part(0, 6)
        octets = content[1] - 0x80 if content[1] > 0x7F else 0
        total = 2 + octets + (int.from_bytes(content[2 : 2 + octets], "big") if octets else content[1])
        while len(content) < total:
            content += self._part(len(content), min(CHUNK, total - len(content)))
        return content[:total]

    def _part(self, offset: int, size: int) -> bytes:
        if offset + size <= FIRST_ODD:
            return self._done(self.exchange(bytes.fromhex("00B0") + offset.to_bytes(2, "big") + bytes([size])))
        data = do(0x54, offset.to_bytes(2, "big"))
        answer = self._done(self.exchange(Command(bytes.fromhex("00B10000"), data, bytes([size + 4])).encode()))
        [(_, part)] = objects(answer)
        return part[:size]

    @staticmethod
    def _done(response: bytes) -> bytes:
        if response[-2:] not in {OK, b"\x62\x82"}:
            raise Refused(f"status {response[-2:].hex()}")
        return response[:-2]
