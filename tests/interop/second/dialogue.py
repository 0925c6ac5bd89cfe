"""The dialogue of PACE in APDUs (Doc 9303-11 §4.4.4), for any ``side`` that computes like :class:`second.pace.Side`."""

from __future__ import annotations

from collections.abc import Callable

from second.groups import Refused
from second.messages import Command, do, objects
from second.pace import ECDH_CAM

MRZ, CAN = 1, 2
OK = b"\x90\0"


class PaceReader:
    """The terminal."""

    def __init__(self, side) -> None:
        self.side = side

    def run(self, exchange: Callable[[bytes], bytes], *, password: int, name_parameters: bool = True):
        """All five commands; returns the side's channel. Raises Refused."""
        protocol, side = self.side.protocol, self.side
        naming = do(0x84, bytes([protocol.parameter_id])) if name_parameters else b""
        select = do(0x80, protocol.oid) + do(0x83, bytes([password])) + naming
        if exchange(Command(bytes.fromhex("0022C1A4"), select).encode()) != OK:
            raise Refused("MSE:Set AT")
        side.open_nonce(self._step(exchange, None, b"", 0x80))
        side.map(self._step(exchange, 0x81, side.mapping_data(), 0x82))
        side.agree(self._step(exchange, 0x83, side.make_key(), 0x84))
        answer = self._objects(exchange, 0x85, side.token(), last=True)
        if not side.proves(answer.pop(0x86, b"")):
            raise Refused("the chip's token is wrong")
        if protocol.kind == ECDH_CAM:
            side.open_cam(answer.pop(0x8A, b""))
        if answer:
            raise Refused("more than was asked for")
        return side.channel()

    def _step(self, exchange, tag: int | None, value: bytes, expected: int) -> bytes:
        found = self._objects(exchange, tag, value)
        if list(found) != [expected]:
            raise Refused("not the data object of this step")
        return found[expected]

    @staticmethod
    def _objects(exchange, tag: int | None, value: bytes, *, last: bool = False) -> dict[int, bytes]:
        body = do(0x7C, b"" if tag is None else do(tag, value))
        le = bytes(2) if len(body) > 0xFF else bytes(1)
        raw = exchange(Command(bytes.fromhex("00860000" if last else "10860000"), body, le).encode())
        if raw[-2:] != OK:
            raise Refused(f"GENERAL AUTHENTICATE: {raw[-2:].hex()}")
        return inside(raw[:-2])


class PaceChip:
    """The chip: :meth:`answer` takes the five commands in turn; ``done`` once all went well."""

    def __init__(self, side, *, password: int) -> None:
        self.side, self.password, self.done = side, password, False
        self.steps = [self._select, self._nonce, self._map, self._key, self._prove]

    def channel(self):
        return self.side.channel()

    def answer(self, raw: bytes) -> bytes:
        try:
            return self.steps.pop(0)(Command.decode(raw).data) + OK
        except (Refused, IndexError, KeyError, ValueError):
            self.steps = []
            return b"\x63\0"

    def _select(self, data: bytes) -> bytes:
        found, protocol = dict(objects(data)), self.side.protocol
        parameters = bytes([protocol.parameter_id])
        wanted = {0x80: protocol.oid, 0x83: bytes([self.password]), 0x84: found.get(0x84, parameters)}
        if found | {0x84: parameters} != wanted:
            raise Refused("another protocol, password or group")
        return b""

    def _nonce(self, data: bytes) -> bytes:
        if inside(data):
            raise Refused("no data belongs here")
        return do(0x7C, do(0x80, self.side.seal_nonce()))

    def _map(self, data: bytes) -> bytes:
        mine = self.side.mapping_data()
        self.side.map(inside(data)[0x81])
        return do(0x7C, do(0x82, mine))

    def _key(self, data: bytes) -> bytes:
        mine = self.side.make_key()
        self.side.agree(inside(data)[0x83])
        return do(0x7C, do(0x84, mine))

    def _prove(self, data: bytes) -> bytes:
        if not self.side.proves(inside(data)[0x85]):
            raise Refused("the terminal's token is wrong")
        self.done = True
        more = do(0x8A, self.side.seal_cam()) if self.side.protocol.kind == ECDH_CAM else b""
        return do(0x7C, do(0x86, self.side.token()) + more)


def inside(data: bytes) -> dict[int, bytes]:
    """The objects in the one template of dynamic authentication data."""
    [(tag, content)] = objects(data)
    if tag != 0x7C:
        raise Refused("not dynamic authentication data")
    return dict(objects(content))
