"""Reading a passport chip: access, files, and the two proofs that the chip is no copy.

Nothing is judged here. What the chip says is handed over as it came; a file that it does not give is named in ``missing``, a proof
that it does not give is evidence that says so.

**Order, and why.** EF.SOD comes first, so that its signature is verified while the rest is on the line; DG1, DG14 and DG15 are small;
then DG2, nine tenths of all bytes. With it the face work can begin. EF.COM is unsigned and decides nothing: it follows, with whatever
else was wished for. Chip authentication and active authentication come last, always in the session that then stands: a chip that was
swapped while the tag was lost must prove itself, and what it said before is held by EF.SOD's hashes. The price: after BAC the files
travel under BAC's keys, whose entropy is that of the MRZ, and not under those of chip authentication; they hold what the printed page
shows to anybody who knows the MRZ. DG3 and DG4 are never read.

**Tag loss.** Contents stay, the session goes: access control runs again in the same way (``hardware.emrtd.access``), and the file that
was on the line goes on at its last authentic byte. A session that breaks for another reason is no such loss: that is an error of the
file or proof at hand, and only what comes after it gets a new session.

**Hashes** are left to whoever holds EF.SOD's algorithm: SHA-256 of a whole DG2 of 20 kB takes 0.02 ms, less than one command.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from types import MappingProxyType
from typing import TypeVar

from hardware.emrtd.access import BAC_WHERE_PACE_FAILED, CARD_ACCESS, Access, AccessEvidence
from hardware.emrtd.access_key import AccessKey
from hardware.emrtd.active_authentication import ActiveAuthenticationEvidence
from hardware.emrtd.channel import Channel
from hardware.emrtd.chip_authentication import ChipAuthenticationEvidence
from hardware.emrtd.errors import ChipChangedError, ChipError, FileUnavailableError
from hardware.emrtd.files import Download, FileReader, wipe
from hardware.emrtd.proofs import CARD_SECURITY, PaceCamEvidence, authenticate_actively, authenticate_chip, pace_cam
from hardware.emrtd.steps import Outcome, Steps, StepTiming
from hardware.ports import Clock, TagLost, Transceiver

__all__ = [
    "BAC_WHERE_PACE_FAILED",
    "AccessEvidence",
    "AccessKey",
    "ChipData",
    "ChipError",
    "PaceCamEvidence",
    "StepTiming",
    "read_chip",
]

T = TypeVar("T")

PORTRAIT_SHARE = 0.8
"""DG2's share of the progress: eight or nine tenths of all bytes."""
SMALL_FILES = ("EF.SOD", "DG1", "DG14", "DG15")
ESSENTIAL = ("EF.SOD", "DG1", "DG2")
"""Files that must be right where they are there; without the others the rest is still worth reading."""
DIRECTORY = "EF.DIR"
EXTRA = (DIRECTORY, "DG5", "DG7", "DG11", "DG12", "DG13", "DG16")
"""Files that are read on request."""
STEP_NAMES = {CARD_SECURITY: "card_security"}
MAX_LOSSES = 3
"""So often may the tag be lost in one reading: a hand that trembles, not one that lets go."""
RECONNECT_S = 2.0
"""Seconds that a chip has to come back: time to put a book down again, within a traveller's patience."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipData:
    """All that was read, unproven. Names are those of ``hardware.emrtd.lds.FILES``; each file asked for is in ``files`` or, with the
    reason, in ``missing``; EF.CardAccess and EF.CardSecurity only where the chip has and needs them. A proof is None where it was not run
    (no key, or one we cannot use: see ``steps``). ``last_byte_boot`` is when the chip had said all.

    The buffers in ``files`` hold the only copies made here: :meth:`wipe` overwrites them.
    """

    access: AccessEvidence
    files: Mapping[str, bytearray] = field(repr=False)
    missing: Mapping[str, str]
    active_authentication: ActiveAuthenticationEvidence | None
    chip_authentication: ChipAuthenticationEvidence | None
    pace_cam: PaceCamEvidence | None
    steps: tuple[StepTiming, ...]
    last_byte_boot: float

    def wipe(self) -> None:
        """Overwrite all contents with zeros. The names and lengths stay."""
        for content in self.files.values():
            wipe(content)


def read_chip(
    transceiver: Transceiver,
    key: AccessKey,
    *,
    on_file: Callable[[str, bytearray], None] | None = None,
    progress: Callable[[float], None] | None = None,
    clock: Clock,
    tolerances: frozenset[str] = frozenset(),
    extra: Sequence[str] = (),
    deadline_boot: float | None = None,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> ChipData:
    """Read the chip in the field: EF.CardAccess, EF.CardSecurity, EF.SOD, DG1, DG14, DG15, DG2, EF.COM, ``extra``; then the proofs.

    ``on_file(name, content)`` gets each file as soon as it is complete, ``progress`` a fraction that only grows and is 1 once DG2 is
    there, both on the calling thread. ``extra`` names files of :data:`EXTRA` (else ValueError), ``tolerances`` may hold
    :data:`BAC_WHERE_PACE_FAILED`. What EF.COM claims decides nothing: it is unsigned. Raises ChipError where the chip is wrong or
    refuses access; TagLost where it left and did not come back in time or left once too often, DeviceError as it comes; what was read
    is wiped then. The number of commands is bounded whatever the chip answers; none is sent once the clock has come to ``deadline_boot``
    (ChipError TOO_SLOW: a chip that drips sixteen bytes at a time takes thousands). ``random(n)`` gives n random bytes.
    """
    if unknown := set(extra) - set(EXTRA):
        raise ValueError(f"not a file to be read on request: {', '.join(sorted(unknown))}")
    reading = _Reading(
        transceiver,
        key,
        on_file=on_file or _ignore,
        progress=progress or _ignore,
        clock=clock,
        tolerances=frozenset(tolerances),
        extra=tuple(extra),
        deadline=inf if deadline_boot is None else deadline_boot,
        random=random,
    )
    try:
        return reading.run()
    except BaseException:
        for download in reading.downloads:
            wipe(download.content)
        raise


def _ignore(*_: object) -> None:
    pass


class _TooLateError(Exception):
    """No ChipError on its way up: those are taken for a missing file, a failed proof or a reason to try another way in."""


class _Reading:
    """One run of :func:`read_chip`."""

    def __init__(
        self,
        transceiver: Transceiver,
        key: AccessKey,
        *,
        on_file: Callable[[str, bytearray], None],
        progress: Callable[[float], None],
        clock: Clock,
        tolerances: frozenset[str],
        extra: tuple[str, ...],
        deadline: float,
        random: Callable[[int], bytes],
    ) -> None:
        self._transceiver, self._on_file, self._progress = transceiver, on_file, progress
        self._clock, self._deadline, self._random = clock, deadline, random
        self._steps = Steps(clock)
        self._channel = Channel(transceiver, self._in_time)
        self._reader = FileReader(self._channel)
        self._access = Access(self._channel, self._reader, key, steps=self._steps, tolerances=tolerances, random=random)
        self._extra = extra
        self._entered = False
        self._losses = 0
        self.downloads: list[Download] = []
        self._files: dict[str, bytearray] = {}
        self._missing: dict[str, str] = {}

    def run(self) -> ChipData:
        self._in_session(_ignore, application=False)
        if self._access.card_access:
            self._files[CARD_ACCESS] = self._access.card_access
            self._on_file(CARD_ACCESS, self._access.card_access)
        if self._maps_chip_authentication:
            self._read(CARD_SECURITY, application=False)
        for name in (*SMALL_FILES, "DG2", "EF.COM", *self._extra):
            if name != DIRECTORY:
                self._read(name)
        chip, active = self._in_session(self._proofs)
        mapped = self._pace_cam()
        self._access.close()
        last_byte = self._clock.boot()
        self._progress(1.0)
        return ChipData(
            access=self._access.evidence,
            files=MappingProxyType(self._files),
            missing=MappingProxyType(self._missing),
            active_authentication=active,
            chip_authentication=chip,
            pace_cam=mapped,
            steps=tuple(self._steps.taken),
            last_byte_boot=last_byte,
        )

    # --- sessions ---

    def _in_session(self, work: Callable[[], T], *, application: bool = True) -> T:
        """Do ``work`` in a session that stands, with the application selected or still the master file; where the tag is lost, once more
        in the next one.
        """
        while True:
            try:
                self._stand(application=application)
                return work()
            except TagLost:
                self._losses += 1
                if self._losses > MAX_LOSSES or not self._reset():
                    raise
            except _TooLateError as late:
                raise ChipError("TOO_SLOW", "the chip did not say all in the time that it had") from late

    def _in_time(self) -> None:
        """Raises _TooLateError once the reading has taken too long."""
        if self._clock.boot() >= self._deadline:
            raise _TooLateError

    def _stand(self, *, application: bool) -> None:
        if self._channel.broken and not self._reset():
            self._losses = MAX_LOSSES
            raise TagLost("chip", "the chip left the field", "place the document again")
        if not self._entered:
            self._access.look()
            self._read_directory()
            self._access.enter()
            self._entered = True
        if application:
            self._reader.enter_application()

    def _reset(self) -> bool:
        """Wait for a chip, as it is after power-on; False where none comes."""
        with self._steps.step("resume") as outcome:
            self._entered = False
            came = self._transceiver.reconnect(max(0.0, min(RECONNECT_S, self._deadline - self._clock.boot())))
            outcome.result = "successful" if came else "TAG_LOST"
            self._channel.restart()
        return came

    # --- files ---

    def _read_directory(self) -> None:
        """EF.DIR, in the master file and free to read: once, before access control moves on to the application."""
        if DIRECTORY in self._extra and DIRECTORY not in self._files and DIRECTORY not in self._missing:
            with self._steps.step(DIRECTORY) as outcome:
                download = self._begin(DIRECTORY)
                self._end(download, self._fetch(download), outcome)

    def _read(self, name: str, *, application: bool = True) -> None:
        """Read a file into ``files``, or say in ``missing`` why it is not there."""
        with self._steps.step(STEP_NAMES.get(name, name)) as outcome:
            download = self._begin(name)
            why = self._in_session(lambda: self._fetch(download), application=application)
            self._end(download, why, outcome)

    def _begin(self, name: str) -> Download:
        download = Download(name=name)
        self.downloads.append(download)
        return download

    def _end(self, download: Download, why: str, outcome: Outcome) -> None:
        if why:
            outcome.result = self._missing[download.name] = why
            wipe(download.content)
        else:
            self._files[download.name] = download.content
            self._on_file(download.name, download.content)

    def _fetch(self, download: Download) -> str:
        """Read on; return why the file is missing, or an empty string."""
        try:
            self._reader.read(download, self._follow(download.name))
        except ChipChangedError:
            raise
        except ChipError as error:
            if download.name in ESSENTIAL and not isinstance(error, FileUnavailableError):
                raise
            return error.code
        return ""

    def _follow(self, name: str) -> Callable[[int, int], None]:
        """Progress within ``name``: the small files in equal steps, DG2 by its bytes, the others none."""
        small = 1 - PORTRAIT_SHARE
        if name == "DG2":
            return lambda got, total: self._progress(min(small + PORTRAIT_SHARE * got / total, 1.0))
        if name not in SMALL_FILES:
            return _ignore
        done, share = small * SMALL_FILES.index(name) / len(SMALL_FILES), small / len(SMALL_FILES)
        return lambda got, total: self._progress(done + share * got / total)

    # --- the proofs ---

    def _proofs(self) -> tuple[ChipAuthenticationEvidence | None, ActiveAuthenticationEvidence | None]:
        """Both in one go, so that a tag lost in the second repeats the first; a failed one that broke the session spares the other."""
        chip = active = None
        if "DG14" in self._files:
            chip = authenticate_chip(self._channel, bytes(self._files["DG14"]), self._steps, self._random)
        self._stand(application=True)
        if "DG15" in self._files:
            active = authenticate_actively(self._channel, bytes(self._files["DG15"]), self._steps, self._random)
        return chip, active

    @property
    def _maps_chip_authentication(self) -> bool:
        return self._access.offer is not None and self._access.offer.protocol.mapping == "CAM"

    def _pace_cam(self) -> PaceCamEvidence | None:
        if not self._maps_chip_authentication or self._access.offer is None or self._access.session is None:
            return None
        return pace_cam(self._access.offer, self._access.session, bytes(self._files.get(CARD_SECURITY, b"")))
