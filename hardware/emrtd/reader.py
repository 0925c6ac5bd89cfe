"""Reading a passport chip: access, files, and the two proofs that the chip is no copy.

Nothing is judged here. What the chip says is handed over as it came; a file that it does not give is named in ``missing``, a proof
that it does not give is evidence that says so.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType

from hardware.emrtd import active_authentication, chip_authentication
from hardware.emrtd.active_authentication import ActiveAuthenticationEvidence
from hardware.emrtd.apdu import OK, SECURITY_STATUS, CommandApdu
from hardware.emrtd.bac import KEYING, NONCE, AccessKey, BacExchange
from hardware.emrtd.channel import Channel
from hardware.emrtd.chip_authentication import ChipAuthenticationEvidence
from hardware.emrtd.curves import EcKey
from hardware.emrtd.errors import AccessError, ChipError, FileUnavailableError, SecureMessagingError
from hardware.emrtd.files import READ_BINARY, FileReader, select_application
from hardware.emrtd.lds import FILES
from hardware.ports import Clock, Transceiver

__all__ = ["AccessKey", "ChipData", "ChipError", "StepTiming", "read_chip"]

GET_CHALLENGE, EXTERNAL_AUTHENTICATE = 0x84, 0x82
SEALED = 40
"""Bytes of EXTERNAL AUTHENTICATE's data, either way."""
PORTRAIT_SHARE = 0.8
"""DG2's share of the progress: eight or nine tenths of all bytes."""
SMALL_FILES = ("EF.COM", "EF.SOD", "DG14", "DG15", "DG1")
KEY_FILES = ("DG14", "DG15")
"""Files without which the rest is still worth reading, whatever the chip does when asked for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTiming:
    """One step: start in boot seconds, duration in seconds, and ``successful`` or a code that says how it ended.

    Names: ``capabilities``, ``bac`` (again after each session that broke), each file's, ``chip_authentication``,
    ``active_authentication``.
    """

    name: str
    start_boot: float
    duration_s: float
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipData:
    """All that was read, unproven. Names are ``EF.COM``, ``EF.SOD``, ``DG1``, ``DG2``, ``DG14``, ``DG15``; each is in ``files`` or,
    with the reason, in ``missing``. A proof is None where it was not run (no key, or one we cannot use: see ``steps``).
    """

    access: str
    files: Mapping[str, bytes] = field(repr=False)
    missing: Mapping[str, str]
    active_authentication: ActiveAuthenticationEvidence | None
    chip_authentication: ChipAuthenticationEvidence | None
    steps: tuple[StepTiming, ...]
    last_byte_boot: float


def read_chip(
    transceiver: Transceiver,
    key: AccessKey,
    *,
    on_file: Callable[[str, bytes], None] | None = None,
    progress: Callable[[float], None] | None = None,
    clock: Clock,
) -> ChipData:
    """Read the chip in the field: EF.COM, EF.SOD, DG14, chip authentication, DG15, active authentication, DG1, DG2.

    ``on_file(name, bytes)`` gets each file as soon as it is complete, ``progress`` a fraction that only grows, both on the calling
    thread. What EF.COM claims decides nothing: it is unsigned. Raises ChipError where the chip is wrong or refuses access; TagLost and
    DeviceError pass through. The number of commands is bounded whatever the chip answers.
    """
    return _Reading(transceiver, key, on_file or _ignore, progress or _ignore, clock).run()


def _ignore(*_: object) -> None:
    pass


@dataclass(slots=True)
class _Outcome:
    result: str = "successful"


class _Reading:
    """One run of :func:`read_chip`."""

    def __init__(
        self,
        transceiver: Transceiver,
        key: AccessKey,
        on_file: Callable[[str, bytes], None],
        progress: Callable[[float], None],
        clock: Clock,
    ) -> None:
        self._key, self._on_file, self._progress, self._clock = key, on_file, progress, clock
        self._channel = Channel(transceiver)
        self._reader = FileReader(self._channel)
        self._files: dict[str, bytes] = {}
        self._missing: dict[str, str] = {}
        self._steps: list[StepTiming] = []

    def run(self) -> ChipData:
        with self._step("capabilities"):
            self._reader.learn_length()
        self._open()
        self._read("EF.COM")
        self._read("EF.SOD")
        self._read("DG14")
        chip = self._chip_authentication()
        self._read("DG15")
        active = self._active_authentication()
        self._read("DG1")
        self._read("DG2")
        last_byte = self._clock.boot()
        self._progress(1.0)
        return ChipData(
            access="bac",
            files=MappingProxyType(self._files),
            missing=MappingProxyType(self._missing),
            active_authentication=active,
            chip_authentication=chip,
            steps=tuple(self._steps),
            last_byte_boot=last_byte,
        )

    @contextmanager
    def _step(self, name: str) -> Iterator[_Outcome]:
        outcome, start = _Outcome(), self._clock.boot()
        try:
            yield outcome
        except ChipError as error:
            outcome.result = error.code
            raise
        finally:
            duration = self._clock.boot() - start
            self._steps.append(StepTiming(name=name, start_boot=start, duration_s=duration, result=outcome.result))

    # --- access ---

    def _open(self) -> None:
        """Select the application and pass access control; also what puts a broken session right. PACE will stand here too."""
        with self._step("bac"):
            self._channel.restart()
            sw = self._channel.exchange(select_application()).sw
            if sw not in {OK, SECURITY_STATUS}:  # a plain SELECT that ends a session may be answered 6982 (§4.3.2)
                raise AccessError("NO_APPLICATION", f"no eMRTD application: status {sw:04X}")
            self._basic_access_control()

    def _basic_access_control(self) -> None:
        rnd_ic = self._command(CommandApdu(ins=GET_CHALLENGE, ne=NONCE), "GET CHALLENGE")
        if len(rnd_ic) != NONCE:
            raise AccessError("ACCESS_REPLY_WRONG", f"a challenge of {len(rnd_ic)} bytes")
        cipher = self._key.cipher()
        exchange = BacExchange(rnd_ic=rnd_ic, rnd_ifd=secrets.token_bytes(NONCE), k_ifd=secrets.token_bytes(KEYING))
        request = CommandApdu(ins=EXTERNAL_AUTHENTICATE, data=exchange.request(cipher), ne=SEALED)
        self._channel.secure(exchange.session(cipher, self._command(request, "EXTERNAL AUTHENTICATE")))

    def _command(self, command: CommandApdu, name: str) -> bytes:
        response = self._channel.exchange(command)
        if response.sw != OK:
            raise AccessError("ACCESS_DENIED", f"{name} ended with status {response.sw:04X}")
        return response.data

    # --- files ---

    def _read(self, name: str) -> None:
        with self._step(name) as outcome:
            try:
                self._files[name] = self._reader.read(name, self._follow(name))
            except FileUnavailableError as error:
                outcome.result = self._missing[name] = error.code
            except ChipError as error:
                if name not in KEY_FILES:
                    raise
                outcome.result = self._missing[name] = error.code
        if name in self._files:
            self._on_file(name, self._files[name])
        elif self._channel.broken:
            self._open()

    def _follow(self, name: str) -> Callable[[int, int], None]:
        """Progress within ``name``: the small files in equal steps, DG2 by its bytes."""
        small = 1 - PORTRAIT_SHARE
        done, share = (small, PORTRAIT_SHARE)
        if name in SMALL_FILES:
            done, share = small * SMALL_FILES.index(name) / len(SMALL_FILES), small / len(SMALL_FILES)
        return lambda got, total: self._progress(min(done + share * got / total, 1.0))

    # --- the two proofs ---

    def _chip_authentication(self) -> ChipAuthenticationEvidence | None:
        if "DG14" not in self._files:
            return None
        with self._step("chip_authentication") as outcome:
            try:
                choice = chip_authentication.choose(self._files["DG14"])
            except ChipError as error:
                outcome.result = error.code
                return None
            if choice is None:
                outcome.result = "not_supported"
                return None
            succeeded = self._prove(choice)
            outcome.result = "successful" if succeeded else "failed"
        if self._channel.broken:
            self._open()
        return choice.evidence(succeeded=succeeded)

    def _prove(self, choice: chip_authentication.Choice) -> bool:
        """Agree on keys, then read four bytes under them: only an authentic answer shows that the chip holds its key (§6.2.2)."""
        key = EcKey.generate(choice.curve)
        try:
            for command in choice.commands(key.point):
                if self._channel.exchange(command).sw != OK:
                    return False
            self._channel.secure(choice.session(key))
            self._channel.exchange(CommandApdu(ins=READ_BINARY, p1=0x80 | FILES["EF.COM"].sfi, ne=4))
        except SecureMessagingError:
            return False
        return True

    def _active_authentication(self) -> ActiveAuthenticationEvidence | None:
        if "DG15" not in self._files:
            return None
        challenge, response = active_authentication.new_challenge(), b""
        command = active_authentication.command(challenge, self._files["DG15"])
        with self._step("active_authentication") as outcome:
            try:
                answer = self._channel.exchange(command)
                response = answer.data if answer.sw == OK else b""
            except SecureMessagingError as error:
                outcome.result = error.code
            if not response and outcome.result == "successful":
                outcome.result = "refused"
        if self._channel.broken:
            self._open()
        return ActiveAuthenticationEvidence(challenge=challenge, response=response)
