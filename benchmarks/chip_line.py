"""Virtual chips of the plan's size, lines that tell the reader's own time from the chip's, and readings over them."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric import ec

from benchmarks.chip_plan import ACTIVE, FILES
from hardware.emrtd import tlv
from hardware.emrtd.access_key import AccessKey
from hardware.emrtd.domain_parameters import STANDARDIZED
from hardware.emrtd.lds import FILES as ELEMENTARY_FILES
from hardware.emrtd.reader import ChipData, read_chip
from hardware.emrtd.security_infos import encode_oid
from hardware.ports import Transceiver
from hardware.sim.chip import LinkModel, VirtualPassport

MRZ_INFORMATION = "L898902C3674081221204159"
"""Doc 9303-11, Appendix D: the specimen of Utopia."""
ID_PACE, ID_CA, ID_PK = "0.4.0.127.0.7.2.2.4", "0.4.0.127.0.7.2.2.3", "0.4.0.127.0.7.2.2.1"
STANDARDIZED_PARAMETERS = "0.4.0.127.0.7.1.2"
BP256 = 13
"""brainpoolP256r1 (Doc 9303-11, table 12)."""
UNKNOWN = "1.2.3.4"
SPIN_S = 300e-6
"""Longer than a sleep on a busy machine usually oversleeps: what is measured then is the reader's lateness, not the timer's."""
SEED = 1


def sequence(*parts: bytes) -> bytes:
    return tlv.encode(0x30, b"".join(parts))


def info(oid: str, *parts: bytes) -> bytes:
    """A SecurityInfo."""
    return sequence(tlv.encode(0x06, encode_oid(oid)), *parts)


def number(value: int) -> bytes:
    return tlv.encode(0x02, bytes([value]))


def public_key(parameter_id: int, element: bytes) -> bytes:
    """SubjectPublicKeyInfo that names standardized domain parameters (Doc 9303-11 §9.5.1)."""
    octets = element if parameter_id >= 8 else tlv.encode(0x02, b"\0" + element)
    return sequence(info(STANDARDIZED_PARAMETERS, number(parameter_id)), tlv.encode(0x03, b"\0" + octets))


def passport(
    pace: str = "2.4",
    parameter_id: int = BP256,
    link: LinkModel | None = None,
    *,
    kind: type[VirtualPassport] = VirtualPassport,
    active: bool = False,
    chip: str = "2.4",
    chip_parameters: int = BP256,
    spin_s: float = SPIN_S,
    **changes: object,
) -> VirtualPassport:
    """A chip with files of the plan's lengths. ``pace`` and ``chip``: last two arcs of its PACE and chip authentication protocols, no
    ``pace`` for BAC; ``active``: with active authentication, too.
    """
    key = STANDARDIZED[chip_parameters].random_key(secrets.token_bytes)
    infos = info(f"{ID_CA}.{chip}", number(1)) + info(f"{ID_PK}.{chip[0]}", public_key(chip_parameters, key.public))
    lengths = FILES | (ACTIVE if active else {})
    files = {name: _file(name, length) for name, length in lengths.items() if name != "DG14"} | {"DG14": _dg14(infos)}
    if pace:
        files["EF.CardAccess"] = tlv.encode(0x31, info(f"{ID_PACE}.{pace}", number(2), number(parameter_id)))
    active_key = ec.generate_private_key(ec.SECP256R1()) if active else None
    return kind(files, MRZ_INFORMATION, active_key, None, link, chip_keys={1: key}, cam_key=key, spin_s=spin_s, **changes)  # type: ignore[arg-type]  # the caller's keywords


def _file(name: str, length: int) -> bytes:
    """A file of ``length`` bytes in all, with the right header."""
    tag = ELEMENTARY_FILES[name].tag
    header = len(tlv.encode(tag, bytes(length - 4))) - (length - 4)
    return tlv.encode(tag, bytes(index * 7 % 251 for index in range(length - header)))


def _dg14(infos: bytes) -> bytes:
    """Filled up to the plan's length with something that no reader knows."""
    for filler in range(FILES["DG14"]):
        whole = tlv.encode(0x6E, tlv.encode(0x31, infos + info(UNKNOWN, tlv.encode(0x04, bytes(filler)))))
        if len(whole) >= FILES["DG14"]:
            return whole
    raise AssertionError("keys longer than the file")


class BootClock:
    """The clock that the measuring uses, too."""

    def boot(self) -> float:
        return time.perf_counter()

    def wall(self) -> datetime:
        return datetime.now(UTC)


def read(line: Transceiver, on_file: Callable[[str, bytearray], None] | None = None) -> ChipData:
    """A whole reading, the reader's random numbers always the same ones, so that it can be played back."""
    return read_chip(line, AccessKey(MRZ_INFORMATION), on_file=on_file, clock=BootClock(), random=random.Random(SEED).randbytes)


@dataclass(slots=True)
class Stopwatch:
    """A line to ``chip``. Keeps the answers and when each was there, the time spent waiting, and the processor time that the chip took."""

    chip: Transceiver
    answers: list[bytes] = field(default_factory=list)
    lengths: list[tuple[int, int, int]] = field(default_factory=list)
    waited_s: float = 0.0
    worked_s: float = 0.0
    arrivals: list[float] = field(default_factory=list)

    def transceive(self, command: bytes) -> bytes:
        begun, worked = time.perf_counter(), time.thread_time()
        answer = self.chip.transceive(command)
        self.worked_s += time.thread_time() - worked
        self.arrivals.append(time.perf_counter())
        self.waited_s += self.arrivals[-1] - begun
        self.answers.append(answer)
        self.lengths.append((len(command), len(answer), command[1]))
        return answer

    def reconnect(self, timeout: float) -> bool:
        return self.chip.reconnect(timeout)

    def link_s(self, link: LinkModel) -> float:
        """What the same exchanges take on the air, by the model."""
        return sum(link.seconds(*each) for each in self.lengths)


class Answers:
    """A chip that needs no time: says one after another what another one said, whatever it is asked."""

    def __init__(self, answers: Iterable[bytes]) -> None:
        self._answers = iter(answers)

    def transceive(self, _command: bytes) -> bytes:
        return next(self._answers)

    def reconnect(self, _timeout: float) -> bool:
        return False


def answers_to_reading(chip: VirtualPassport) -> list[bytes]:
    """What ``chip`` answers to :func:`read`."""
    line = Stopwatch(chip)
    data = read(line)
    assert data.chip_authentication is not None
    assert data.chip_authentication.succeeded
    return line.answers
