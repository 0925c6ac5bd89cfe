"""A virtual passport: the chip's side of everything the reader speaks, behind the reader's own port.

It answers APDUs as a chip does (ISO/IEC 7816-4, Doc 9303-10 and -11): files only after access control and under secure messaging, a
session gone at the first broken or plain message. Chips of an attacker are this one with an attribute changed (``SPOILABLE``).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from cryptography.hazmat.primitives import hashes

from hardware.emrtd.access import EXTERNAL_AUTHENTICATE, GET_CHALLENGE
from hardware.emrtd.active_authentication import INTERNAL_AUTHENTICATE
from hardware.emrtd.apdu import EXTENDED_NE, OK, SM_OBJECTS_MISSING, SM_OBJECTS_WRONG, WRONG_LENGTH, CommandApdu, ResponseApdu
from hardware.emrtd.errors import ApduError, SecureMessagingError
from hardware.emrtd.files import READ_BINARY, READ_BINARY_ODD, SELECT, SM_OVERHEAD
from hardware.emrtd.groups import Random
from hardware.emrtd.pace import CHAINED, GENERAL_AUTHENTICATE, MANAGE_SECURITY_ENVIRONMENT
from hardware.emrtd.secure_messaging import SM_CLASS, SecureMessaging
from hardware.ports import TagLost
from hardware.sim.chip_access import AccessCommands, ActiveKey, AgreementKey
from hardware.sim.chip_attack import HONEST, Attack
from hardware.sim.chip_attacks import ATTACKS
from hardware.sim.chip_link import LinkModel, Pacer

__all__ = ["SPOILABLE", "LinkModel", "VirtualPassport"]

UNKNOWN_INSTRUCTION, UNKNOWN_CLASS = 0x6D00, 0x6E00
PROTECTED_DATA = 231
"""Data bytes above which a protected response may not fit the 256 of a short one."""
LONG_PROTECTED_DATA = EXTENDED_NE - SM_OVERHEAD
"""… nor the 65,536 of an extended one."""

SPOILABLE: Final = frozenset(
    {
        *("lost_after", "lost_after_each", "lost_at_command", "returns", "mute", "slow_s"),
        *("stingy", "endless", "wrong_le", "takes", "announced", "file_statuses", "extended_length", "bac"),
        *("wrong_mac", "clone", "attack", "attacked_file"),
    }
)
"""Attributes that spoil a chip and take values that JSON can carry: those that a director may set."""


class VirtualPassport(AccessCommands):
    """A chip in the field. Implements :class:`hardware.ports.Transceiver`.

    ``files`` are whole elementary files by name (``EF.COM``, ``EF.SOD``, ``DG1`` …), EF.CardAccess among them where the chip shall speak
    PACE; a name that is absent is a file the chip lacks. ``active_key`` and ``chip_key`` are the private keys to DG15 and DG14
    (``chip_keys``: several, by their id), ``cam_key`` the one to EF.CardSecurity; without one the chip refuses that proof, as a clone
    does. ``can`` opens PACE besides the MRZ; ``bac`` False leaves PACE alone. With a ``link`` each exchange takes as long as on the
    air (``spin_s``: see :class:`Pacer`). What starts out as None, False, zero or empty spoils the chip; it may be set at any time.
    """

    def __init__(
        self,
        files: Mapping[str, bytes],
        mrz_information: str,
        active_key: ActiveKey | None = None,
        chip_key: AgreementKey | None = None,
        link: LinkModel | None = None,
        *,
        can: str = "",
        cam_key: AgreementKey | None = None,
        chip_keys: Mapping[int, AgreementKey] = MappingProxyType({}),
        chip_version: int = 1,
        bac: bool = True,
        active_hash: hashes.HashAlgorithm | None = None,
        extended_length: bool = True,
        sleep: Callable[[float], None] = time.sleep,
        timer: Callable[[], float] = time.perf_counter,
        spin_s: float = 0.0,
        random: Random = secrets.token_bytes,
    ) -> None:
        super().__init__(
            files,
            mrz_information,
            active_key,
            chip_key,
            can=can,
            cam_key=cam_key,
            chip_keys=chip_keys,
            chip_version=chip_version,
            bac=bac,
            active_hash=active_hash,
            extended_length=extended_length,
            random=lambda length: self._mounted().drawn(random(length)),
        )
        self.link, self._pacer = link, Pacer(sleep=sleep, timer=timer, spin_s=spin_s)
        self.lost_after: int | None = None
        """The link is lost once this many bytes of files were sent in all; what was being sent then is lost with it."""
        self.lost_after_each: int | None = None
        """… and again whenever this many more were sent after a return."""
        self.lost_at_command: int | None = None
        """The link is lost at this command, counted from the first one (1)."""
        self.returns = False
        """A chip that was lost can be had back by :meth:`reconnect`."""
        self.replaced_by: VirtualPassport | None = None
        """After a loss another chip answers, this one."""
        self._successor: VirtualPassport | None = None
        self.mute: int | None = None
        """This instruction is never answered: the reader's own time limit ends the wait, as TagLost."""
        self.slow_s = 0.0
        """Seconds for which the chip thinks about each command, beyond what the link takes."""
        self.statuses: dict[int, int] = {}
        """Instruction → status that it gets instead of an answer, protected where it should be."""
        self.plain_statuses: dict[int, int] = {}
        """The same, but never protected."""
        self.wrong_mac = False
        """Spoil the MAC of each protected response."""
        self.attacked_file = ""
        """The attack is kept for the time in which this file is the current one; empty: always."""
        self._attack_name, self._attack = "", HONEST
        self._session: SecureMessaging | None = None
        self._commands, self._lost = 0, False
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

    @property
    def attack(self) -> str:
        """The attack that is mounted, a name of ``ATTACKS``; empty for none. Setting it raises ValueError for an unknown one."""
        return self._attack_name

    @attack.setter
    def attack(self, name: str) -> None:
        if name and name not in ATTACKS:
            raise ValueError(f"no such attack: {name!r}")
        self._attack_name, self._attack = name, ATTACKS[name]() if name else HONEST

    # --- the field ---

    def transceive(self, command: bytes) -> bytes:
        """Answer one command APDU, whatever its bytes. Raises TagLost once the link is gone."""
        if self._successor is not None:
            return self._successor.transceive(command)
        start, ins = self._pacer.timer(), command[1] if len(command) > 1 else None
        self._commands += 1
        response = b"" if self._lost else self._answer(command).encode()
        response = self._mounted().said(command, response)  # only now is it known which file is the current one
        self._lost = self._lost or self._loses()
        if self._lost or (ins is not None and ins == self.mute):
            raise TagLost("virtual passport", "the chip left the field", "place the document again")
        duration = self.slow_s + (0.0 if self.link is None else self.link.seconds(len(command), len(response), ins))
        if duration:
            self._pacer.until(start + duration)
        return response

    def reconnect(self, timeout: float) -> bool:
        """Reset the chip. One that was lost comes back only where it ``returns``, or another one comes in its place."""
        if self._lost and self.replaced_by is not None:
            self._successor = self.replaced_by
        if self._successor is not None:
            return self._successor.reconnect(timeout)
        if self._lost and not self.returns:
            return False
        if self.lost_after is not None and self._sent >= self.lost_after:
            self.lost_after = None if self.lost_after_each is None else self._sent + self.lost_after_each
        self._lost = False
        self._power_on()
        return True

    def _loses(self) -> bool:
        return self._commands == self.lost_at_command or (self.lost_after is not None and self._sent >= self.lost_after)

    def _mounted(self) -> Attack:
        return self._attack if self.attacked_file in {"", self._name} else HONEST

    # --- secure messaging ---

    def _answer(self, raw: bytes) -> ResponseApdu:
        try:
            command = CommandApdu.decode(raw)
        except ApduError:
            return self._drop(WRONG_LENGTH)
        if command.cla & ~(SM_CLASS | CHAINED):
            return self._drop(UNKNOWN_CLASS)
        if command.ins in self.plain_statuses:
            return self._drop(self.plain_statuses[command.ins])
        if command.extended and not self.extended_length:
            return self._drop(WRONG_LENGTH)
        if command.cla & SM_CLASS == SM_CLASS:
            return self._protected_answer(command)
        self._drop(OK)
        response = self._execute(command)
        self._session, self._next_session = self._next_session, None
        return response

    def _protected_answer(self, command: CommandApdu) -> ResponseApdu:
        if self._session is None:
            return self._drop(SM_OBJECTS_MISSING)
        try:
            inner = self._session.open_command(command)
        except SecureMessagingError:
            return self._mounted().unheard(self._session) or self._drop(SM_OBJECTS_WRONG)
        self._protected = True
        response = self._execute(inner)
        if len(response.data) > (LONG_PROTECTED_DATA if command.extended else PROTECTED_DATA):
            response = ResponseApdu(sw=WRONG_LENGTH)
        sealed = self._mounted().seal(self._session, response, odd=bool(inner.ins & 1))
        self._session, self._next_session = self._next_session or self._session, None
        if self.wrong_mac:
            return ResponseApdu(data=sealed.data[:-1] + bytes([sealed.data[-1] ^ 1]), sw=sealed.sw)
        return sealed

    def _power_on(self) -> None:
        super()._power_on()
        self._drop(OK)

    def _drop(self, sw: int) -> ResponseApdu:
        """End the session, and with it all access."""
        self._session = self._next_session = None
        self._protected, self._access = False, ""
        return ResponseApdu(sw=sw)

    # --- commands ---

    def _execute(self, command: CommandApdu) -> ResponseApdu:
        if command.ins in self.statuses:
            return ResponseApdu(sw=self.statuses[command.ins])
        handler = self._handlers.get(command.ins)
        if handler is None:
            return ResponseApdu(sw=UNKNOWN_INSTRUCTION)
        attack = self._mounted()
        return attack.answered(command, handler(attack.heard(command)))
