"""Our implementation in the manner of the others: whole APDUs as octets in and out."""

from __future__ import annotations

from collections.abc import Callable

from second.groups import Refused
from second.messages import do

from hardware.emrtd import chip_authentication, pace
from hardware.emrtd.access_key import AccessKey
from hardware.emrtd.apdu import CommandApdu, ResponseApdu
from hardware.emrtd.domain_parameters import STANDARDIZED
from hardware.emrtd.errors import ChipError
from hardware.emrtd.secure_messaging import SecureMessaging
from hardware.emrtd.security_infos import parse_security_infos
from hardware.sim.chip_pace import PaceChip
from hardware.sim.chip_protocols import ChipAuthentication

MANAGE, AUTHENTICATE = 0x22, 0x86
KEY_AGREEMENT_TEMPLATE = 0xA6

ID_PK_ECDH = bytes.fromhex("04007F000702020102")
REFUSED = b"\x63\0"


class OurChannel:
    """:class:`SecureMessaging` over octets."""

    def __init__(self, session: SecureMessaging) -> None:
        self._session = session

    def wrap(self, raw: bytes) -> bytes:
        return self._session.protect(CommandApdu.decode(raw)).encode()

    def unwrap(self, raw: bytes) -> bytes:
        return self._session.unprotect(ResponseApdu.decode(raw)).encode()

    def open(self, raw: bytes) -> bytes:
        return self._session.open_command(CommandApdu.decode(raw)).encode()

    def seal(self, raw: bytes, *, odd: bool = False) -> bytes:
        return self._session.seal_response(ResponseApdu.decode(raw), odd=odd).encode()


def over_octets(exchange: Callable[[bytes], bytes]) -> Callable[[CommandApdu], ResponseApdu]:
    return lambda command: ResponseApdu.decode(exchange(command.encode()))


class OurPaceReader:
    """Our terminal. ``key`` is the password."""

    def __init__(self, protocol, key: AccessKey, random: Callable[[int], bytes]) -> None:
        self.key, self._random = key, random
        [self.offer] = pace.offers(protocol.card_access())

    def run(self, exchange: Callable[[bytes], bytes]) -> OurChannel:
        self.result = pace.establish(over_octets(exchange), self.offer, self.key, random=self._random)
        return OurChannel(self.result.session)

    def cam_key_fits(self, public_key: bytes) -> bool:
        """Is ``public_key`` (SubjectPublicKeyInfo) the chip's?"""
        entry = do(0x30, do(0x06, ID_PK_ECDH) + public_key)
        infos = parse_security_infos(do(0x31, entry), "EF.CardSecurity")
        return pace.cam_public_key(self.result, infos, self.offer) == public_key


class OurPaceChip:
    """Our virtual chip's PACE; ``passwords`` by reference, ``static`` its private key for the chip authentication mapping."""

    def __init__(self, protocol, passwords: dict[int, bytes], random: Callable[[int], bytes], *, static: int = 0) -> None:
        infos = parse_security_infos(protocol.card_access(), "EF.CardAccess").pace
        cam_key = STANDARDIZED[protocol.parameter_id].key(static) if static else None
        self._chip, self._session = PaceChip(infos, passwords, cam_key, random), None

    def answer(self, raw: bytes) -> bytes:
        command = CommandApdu.decode(raw)
        try:
            if command.ins == MANAGE:
                self._chip.set_authentication(command.data)
                return b"\x90\0"
            data, self._session = self._chip.general_authenticate(command.data, last=command.cla == 0)
        except ChipError:
            return REFUSED
        return data + b"\x90\0"

    def channel(self) -> OurChannel:
        if self._session is None:
            raise Refused("PACE did not end")
        return OurChannel(self._session)


def run_chip_authentication(exchange: Callable[[bytes], bytes], dg14: bytes, random: Callable[[int], bytes]) -> OurChannel:
    """Our terminal, from DG14 to the new session."""
    choice = chip_authentication.choose(dg14)
    assert choice is not None
    return OurChannel(chip_authentication.run(over_octets(exchange), choice, random))


class OurChipAuthentication:
    """Our virtual chip's part; ``key`` is its static private key, which goes by the id ``key_id``."""

    def __init__(self, parameter_id: int, scalar: int, version: int, key_id: int | None, random: Callable[[int], bytes]) -> None:
        key = STANDARDIZED[parameter_id].key(scalar)
        keys = {} if key_id is None else {key_id: key}
        self._chip = ChipAuthentication(key, version=version, keys=keys, random=random)
        self._session = None

    def answer(self, raw: bytes) -> bytes:
        command = CommandApdu.decode(raw)
        if command.ins == AUTHENTICATE:
            data, self._session = self._chip.authenticate(command.data)
            return data + b"\x90\0"
        if command.p2 == KEY_AGREEMENT_TEMPLATE:
            self._session = self._chip.set_key_agreement(command.data)
        else:
            self._chip.set_authentication(command.data)
        return b"\x90\0"

    def channel(self) -> OurChannel:
        if self._session is None:
            raise Refused("no keys were agreed")
        return OurChannel(self._session)
