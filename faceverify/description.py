"""What a pack declares: the types, and the strict reader of ``pack.toml``. Whatever is missing, unknown or out of range is refused."""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMAT = 1
DESCRIPTION = "pack.toml"
_USES = ("demonstration", "test", "trial", "operation")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

Point = tuple[float, float]


class PackError(Exception):
    """A pack cannot be used: says which file or key, what is wrong and what to do."""

    def __init__(self, where: str, what: str, remedy: str) -> None:
        super().__init__(f"{where}: {what} ({remedy})")
        self.where, self.what, self.remedy = where, what, remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class NetSpec:
    """One weight file and what its input wants: (value - mean) / std for each channel, in ``colour_order``."""

    file: str
    sha256: str
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
    """``size``: side of the aligned square crop; ``template``: where its five points lie, pixels; ``features``: output width."""

    net: NetSpec
    size: int
    template: tuple[Point, ...]
    features: int
    metric: str


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
class Threshold:
    """A comparison score at or above ``score`` is a match. ``provenance`` says on what data it rests."""

    score: float
    provenance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """A checked pack. ``sha256`` is that of ``pack.toml``, which pins every other file."""

    id: str
    title: str
    folder: Path
    licence: str
    permitted_use: str
    detector: DetectorSpec
    recogniser: RecogniserSpec
    pad: tuple[PadSpec, ...]
    threshold: Threshold | None
    sha256: str

    @property
    def demonstration(self) -> bool:
        """For showing how a gate works, not for deciding about real travellers."""
        return self.permitted_use == "demonstration"

    @property
    def nets(self) -> tuple[NetSpec, ...]:
        return (self.detector.net, self.recogniser.net, *(pad.net for pad in self.pad))

    def read(self, net: NetSpec) -> bytes:
        """The very bytes whose sha256 was checked. Raises PackError."""
        return read_pinned(self.folder / net.file, net.sha256)


def parse_pack(text: bytes, folder: Path) -> Pack:
    """The description alone, no weight file touched. Raises PackError, never another exception, whatever the bytes."""
    try:
        root = _Table(str(folder / DESCRIPTION), tomllib.loads(text.decode()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise PackError(str(folder / DESCRIPTION), f"not TOML: {error}", "correct the file") from None
    if root.integer("format") != FORMAT:
        raise root.error("format", f"must be {FORMAT}")
    pack = Pack(
        id=root.matching("id", _NAME),
        title=root.text("title"),
        folder=folder,
        licence=root.text("licence"),
        permitted_use=root.one_of("permitted_use", _USES),
        detector=_detector(root.table("detector")),
        recogniser=_recogniser(root.table("recogniser")),
        pad=tuple(_pad(table) for table in root.tables("pad")),
        threshold=_threshold(root.table("threshold")) if "threshold" in root else None,
        sha256=hashlib.sha256(text).hexdigest(),
    )
    root.close()
    return pack


def read_pinned(path: Path, sha256: str) -> bytes:
    """The file's bytes if their sha256 is the pinned one. Raises PackError."""
    data = read_file(path)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise PackError(str(path), "sha256 differs from the pinned one", "restore the original file")
    return data


def read_file(path: Path) -> bytes:
    """The file's bytes. Raises PackError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise PackError(str(path), f"cannot read: {error.strerror}", "install the pack again") from None


class _Table:
    """A TOML table read key by key; a key that nobody asked for is an error."""

    def __init__(self, where: str, values: dict[str, Any]) -> None:
        self.where, self.values, self.seen = where, values, set[str]()

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def error(self, key: str, what: str) -> PackError:
        return PackError(f"{self.where}: {key}", what, "correct the description")

    def take(self, key: str, kind: type) -> Any:
        self.seen.add(key)
        value = self.values.get(key)
        if value is None:
            raise self.error(key, "is missing")
        if type(value) is not kind:
            raise self.error(key, f"must be {kind.__name__}")
        return value

    def close(self) -> None:
        for key in self.values.keys() - self.seen:
            raise self.error(key, "is unknown")

    def text(self, key: str) -> str:
        value = str(self.take(key, str))
        if not value.strip():
            raise self.error(key, "is empty")
        return value

    def matching(self, key: str, pattern: re.Pattern[str]) -> str:
        value = self.text(key)
        if not pattern.fullmatch(value):
            raise self.error(key, f"must look like {pattern.pattern}")
        return value

    def one_of(self, key: str, words: tuple[str, ...]) -> str:
        value = self.text(key)
        if value not in words:
            raise self.error(key, f"must be one of {', '.join(words)}")
        return value

    def integer(self, key: str, low: int = 0, high: int = 4096) -> int:
        value = int(self.take(key, int))
        if not low <= value <= high:
            raise self.error(key, f"must be {low}…{high}")
        return value

    def number(self, key: str, low: float, high: float) -> float:
        value = float(self.take(key, float))
        if not low <= value <= high:
            raise self.error(key, f"must be {low}…{high}")
        return value

    def numbers(self, key: str, count: int) -> tuple[float, ...]:
        return self._numbers(key, self.take(key, list), count)

    def points(self, key: str, count: int) -> tuple[Point, ...]:
        rows = self.take(key, list)
        if len(rows) != count or not all(isinstance(row, list) for row in rows):
            raise self.error(key, f"must be {count} points")
        return tuple((x, y) for x, y in (self._numbers(key, row, 2) for row in rows))

    def _numbers(self, key: str, values: list[Any], count: int) -> tuple[float, ...]:
        if len(values) != count or not all(type(value) is float and abs(value) < 1e6 for value in values):
            raise self.error(key, f"must be {count} decimal numbers")
        return tuple(values)

    def table(self, key: str) -> _Table:
        return _Table(f"{self.where}: {key}", self.take(key, dict))

    def tables(self, key: str) -> list[_Table]:
        rows = self.take(key, list)
        if not all(isinstance(row, dict) for row in rows):
            raise self.error(key, "must be tables")
        return [_Table(f"{self.where}: {key}[{index}]", row) for index, row in enumerate(rows)]


def _net(table: _Table) -> NetSpec:
    net = NetSpec(
        file=table.matching("file", _NAME),
        sha256=table.matching("sha256", _SHA256),
        licence=table.text("licence"),
        colour_order=table.one_of("colour_order", ("BGR", "RGB")),
        mean=table.numbers("mean", 3),
        std=table.numbers("std", 3),
    )
    if min(net.std) <= 0:
        raise table.error("std", "must be above 0")
    return net


def _detector(table: _Table) -> DetectorSpec:
    spec = DetectorSpec(
        kind=table.one_of("kind", ("centerface", "yunet")),
        net=_net(table),
        frame_side=table.integer("frame_side", 64, 1920),
        portrait_side=table.integer("portrait_side", 64, 1920),
        refine_side=table.integer("refine_side", 64, 512),
        score_threshold=table.number("score_threshold", 0.01, 1.0),
        overlap_threshold=table.number("overlap_threshold", 0.01, 1.0),
    )
    table.close()
    return spec


def _recogniser(table: _Table) -> RecogniserSpec:
    spec = RecogniserSpec(
        net=_net(table),
        size=table.integer("size", 32, 512),
        template=table.points("template", 5),
        features=table.integer("features", 16),
        metric=table.one_of("metric", ("cosine", "euclidean")),
    )
    table.close()
    return spec


def _pad(table: _Table) -> PadSpec:
    spec = PadSpec(
        net=_net(table),
        size=table.integer("size", 32, 512),
        crop=table.number("crop", 1.0, 5.0),
        bona_fide_index=table.integer("bona_fide_index", 0, 2),
        threshold=table.number("threshold", 0.0, 1.0),
        provenance=table.text("provenance"),
    )
    table.close()
    return spec


def _threshold(table: _Table) -> Threshold:
    threshold = Threshold(score=table.number("score", -10.0, 1.0), provenance=table.text("provenance"))
    table.close()
    return threshold
