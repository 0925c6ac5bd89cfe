"""Secure messaging (Doc 9303-11 §9.8) over whole APDUs as octets, terminal's and chip's side."""

from __future__ import annotations

from second.groups import Refused
from second.messages import Command, do, objects
from second.suite import Suite, unpad


class Channel:
    """One session. The send sequence counter goes up before each command and before each response."""

    def __init__(self, suite: Suite, k_enc: bytes, k_mac: bytes, counter: int = 0) -> None:
        self.suite, self.k_enc, self.k_mac, self.counter = suite, k_enc, k_mac, counter

    @classmethod
    def agreed(cls, suite: Suite, secret: bytes, counter: int = 0) -> Channel:
        return cls(suite, suite.derive(secret, 1), suite.derive(secret, 2), counter)

    def wrap(self, raw: bytes) -> bytes:
        """Terminal: a command as it goes over the air."""
        command, header = Command.decode(raw), bytes([raw[0] | 0x0C]) + raw[1:4]
        self._count()
        body = self._cryptogram(command.data, odd=raw[1] % 2 == 1) + (do(0x97, command.le) if command.le else b"")
        body += do(0x8E, self._mac(self.suite.pad(header) + body))
        wide = len(body) > 0xFF or len(command.le) > 1 or len(command.data) > 0xFF
        return Command(header, body, bytes(2 if wide else 1)).encode()

    def unwrap(self, raw: bytes) -> bytes:
        """Terminal: the response inside."""
        self._count()
        found = self._checked(b"", raw[:-2])
        if found.pop(0x99, None) != raw[-2:]:
            raise Refused("the status is not protected")
        return self._plain(found) + raw[-2:]

    def open(self, raw: bytes) -> bytes:
        """Chip: the command inside."""
        self._count()
        found = self._checked(self.suite.pad(raw[:4]), Command.decode(raw).data)
        le = found.pop(0x97, b"")
        return Command(bytes([raw[0] & ~0x0C]) + raw[1:4], self._plain(found), le).encode()

    def seal(self, raw: bytes, *, odd: bool = False) -> bytes:
        """Chip: a response as it goes over the air."""
        self._count()
        body = self._cryptogram(raw[:-2], odd=odd) + do(0x99, raw[-2:])
        return body + do(0x8E, self._mac(body)) + raw[-2:]

    def _count(self) -> None:
        self.counter += 1

    @property
    def _ssc(self) -> bytes:
        return self.counter.to_bytes(self.suite.block, "big")

    def _start(self) -> bytes | None:
        return self.suite.ecb(self.k_enc, self._ssc) if self.suite.block == 16 else None

    def _encrypt(self, padded: bytes) -> bytes:
        return self.suite.encrypt(self.k_enc, padded, self._start())

    def _decrypt(self, cipher: bytes) -> bytes:
        return self.suite.decrypt(self.k_enc, cipher, self._start())

    def _mac(self, message: bytes) -> bytes:
        message = self._ssc + message
        return self.suite.mac(self.k_mac, message if self.suite.block == 8 else self.suite.pad(message))

    def _cryptogram(self, data: bytes, *, odd: bool) -> bytes:
        if not data:
            return b""
        cipher = self._encrypt(self.suite.pad(data))
        return do(0x85, cipher) if odd else do(0x87, b"\x01" + cipher)

    def _checked(self, prefix: bytes, body: bytes) -> dict[int, bytes]:
        found = dict(objects(body))
        if found.pop(0x8E, None) != self._mac(prefix + body[:-10]):
            raise Refused("the MAC is wrong")
        return found

    def _plain(self, found: dict[int, bytes]) -> bytes:
        cipher = found.pop(0x85, b"") or found.pop(0x87, b"\x01")[1:]
        if found:
            raise Refused("more than was asked for")
        return unpad(self._decrypt(cipher)) if cipher else b""
