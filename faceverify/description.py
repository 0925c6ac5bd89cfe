"""What a pack declares: the types, and how its files are read. :mod:`faceverify.description_reader` makes them out of ``pack.toml``."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from faceverify.toml_table import PackError, Point

__all__ = [
    "DESCRIPTION",
    "Calibration",
    "DetectorSpec",
    "NetSpec",
    "Pack",
    "PackError",
    "PadSpec",
    "PictureSpec",
    "Point",
    "RecogniserSpec",
    "ReferenceRun",
    "SelfTest",
    "Threshold",
    "read_description",
    "read_file",
    "read_pinned",
]

DESCRIPTION = "pack.toml"
DESCRIPTION_LIMIT = 1 << 20
"""Bytes of ``pack.toml``; a thousand numbers of a reference vector take 10 kB."""
FILE_LIMIT = 512 << 20
"""Bytes of one file. The largest recogniser in use (ResNet-100) has 261 MB."""

Grant = Literal["open", "commercial", "non_commercial"]
"""What the weights' licence allows: use by anybody, use under a licence that was paid for, or research alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetSpec:
    """One weight file and what its input wants: (value - mean) / std for each channel, in ``colour_order``.

    ``source_sha256`` is that of the publisher's file; ``sha256`` differs from it where the graph was rewritten when installed.
    """

    file: str
    sha256: str
    source_sha256: str
    licence: str
    colour_order: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorSpec:
    """Pixels of the longer side at which a frame and a portrait are searched, and of the square in which a found face is looked
    at again; thresholds are the detector's own, in 0…1.
    """

    kind: str
    net: NetSpec
    frame_side: int
    portrait_side: int
    refine_side: int
    score_threshold: float
    overlap_threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RecogniserSpec:
    """``size``: side of the aligned square crop; ``template``: where its five points lie, pixels; ``features``: output width;
    ``output_norm``: ``unit`` where the network itself gives vectors of length 1, ``free`` where it does not.
    """

    net: NetSpec
    size: int
    template: tuple[Point, ...]
    features: int
    output_norm: str
    metric: str
    agreement: float | None = None
    """Score from which two frames of one moment show one person; None: that of the threshold, which is set for other moments, and higher."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PadSpec:
    """``crop``: side of the square crop as a multiple of the longer box side; an attack's score is at or above ``threshold``."""

    net: NetSpec
    size: int
    crop: float
    bona_fide_index: int
    threshold: float
    provenance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The data behind a threshold: false match rate measured, its upper 95 % confidence bound, on how many non-mated comparisons
    of which stratum of which data set (``dataset_sha256``: of its list of comparisons).
    """

    fmr: float
    fmr_upper: float
    dataset: str
    dataset_sha256: str
    comparisons: int
    stratum: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A comparison score at or above ``score`` is a match. ``provenance`` says who set it, when and how.

    Without ``calibration`` it is provisional: packs for trial or operation may not have such a one.
    """

    score: float
    provenance: str
    calibration: Calibration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSpec:
    """One face: a picture file and the face's box in it (left, top, width, height), pixels."""

    file: str
    sha256: str
    face: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceRun:
    """What others' code computed with the pack's networks for one picture of one face.

    ``features``: of the face whose five ``points`` were given. ``detected`` and ``score``: the points and the score that the
    detector finds at ``portrait_side``. ``pad``: each PAD network's attack score for the face box ``box``.
    """

    file: str
    sha256: str
    points: tuple[Point, ...]
    features: tuple[float, ...]
    detected: tuple[Point, ...]
    score: float
    box: tuple[float, ...]
    pad: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """``mated`` shows the same person as ``reference``, ``non_mated`` another. Where file and face are those of the reference,
    the mated picture is made from it: scaled, turned, in other light, recompressed. ``provenance``: by what the run was made.
    """

    reference: PictureSpec
    mated: PictureSpec
    non_mated: PictureSpec
    run: ReferenceRun
    provenance: str

    @property
    def pictures(self) -> dict[str, str]:
        """File names and their sha256."""
        return {part.file: part.sha256 for part in (self.reference, self.mated, self.non_mated, self.run)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """A checked pack. ``sha256`` is that of ``pack.toml``, which pins every other file.

    ``licensed_until``: last day of a grant that ends, None where it does not.
    """

    id: str
    title: str
    folder: Path
    licence: str
    grant: Grant
    licensed_until: date | None
    permitted_use: str
    detector: DetectorSpec
    recogniser: RecogniserSpec
    pad: tuple[PadSpec, ...]
    threshold: Threshold | None
    self_test: SelfTest | None
    sha256: str

    @property
    def demonstration(self) -> bool:
        """For showing how a gate works, not for deciding about real travellers."""
        return self.permitted_use == "demonstration"

    @property
    def nets(self) -> tuple[NetSpec, ...]:
        return (self.detector.net, self.recogniser.net, *(pad.net for pad in self.pad))

    @property
    def files(self) -> dict[str, str]:
        """Every declared file and its sha256."""
        pictures = self.self_test.pictures if self.self_test else {}
        return {net.file: net.sha256 for net in self.nets} | pictures

    def read(self, net: NetSpec) -> bytes:
        """The very bytes whose sha256 was checked. Raises PackError."""
        return read_pinned(self.folder / net.file, net.sha256)


def read_description(folder: Path) -> bytes:
    """The text of ``pack.toml``. Raises PackError."""
    return read_file(folder / DESCRIPTION, DESCRIPTION_LIMIT)


def read_pinned(path: Path, sha256: str) -> bytes:
    """The file's bytes if their sha256 is the pinned one. Raises PackError."""
    data = read_file(path)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise PackError(str(path), "sha256 differs from the pinned one", "restore the original file")
    return data


def read_file(path: Path, limit: int = FILE_LIMIT) -> bytes:
    """The bytes of a regular file, never followed through a link. Raises PackError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, so that what was looked at is what is read
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise PackError(str(path), "is no regular file", "put the file itself there")
            if status.st_size > limit:
                raise PackError(str(path), f"has {status.st_size} bytes, more than {limit}", "use another file")
            return file.read(limit)
    except OSError as error:
        what = "is a link" if error.errno == errno.ELOOP else f"cannot read: {error.strerror}"
        raise PackError(str(path), what, "install the pack again") from None
