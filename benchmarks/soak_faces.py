"""Long suites on portraits: changed DG2 files on their whole way to a comparison, and pictures so small that a million are soon decoded.

A share of the cases has no change in it, so that a suite whose way is blocked somewhere turns red by what it never sees.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.soak_cases import METER, Case, spoil
from benchmarks.soak_trees import mutate
from faceverify.compare import FaceComparison
from faceverify.confined import ConfinedDecoder
from faceverify.image import ImageError, decode
from faceverify.packs import Pack, demo_pack, install_open_pack
from faceverify.samples import Probe, Reference
from faceverify.verifier import FaceVerifier
from gate.demo.faces import chip_portrait, cut_faces, probe_picture
from hardware.emrtd.errors import LdsError
from hardware.emrtd.lds_face import build_dg2, build_dg2_39794, dg2_image
from hardware.emrtd.lds_images import ImageKind

MODELS = Path(__file__).resolve().parent.parent.parent / "shared" / "models"
UNCHANGED = 0.02
PORTRAIT_PIXELS = 2_000_000
MEMORY_MIB = 96
"""What the process may grow by after its first cases: a picture of two megapixels and its copies, twice."""
SETTLED = 50
FEWEST = 4
MUST_SEE = frozenset({"match", "nobody else", "undecodable", "bad_header", "no_face", "DG2_IMAGE", "DG2_COUNT"})
TINY_MUST_SEE = frozenset({"good", "decoded", "undecodable", "bad_header", "unknown_format"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """DG2 by either standard with either kind of picture, and a probe."""

    files: tuple[tuple[bytes, bytes], ...]
    """Each with the picture in it."""
    probe: Probe


@contextmanager
def dg2() -> Iterator[Case]:
    """Whatever happens to a DG2, it is refused, gives no reference, or one that matches nobody else."""
    with tempfile.TemporaryDirectory() as folder:
        decoder = ConfinedDecoder(max_pixels=PORTRAIT_PIXELS)
        with FaceVerifier(_pack(Path(folder)), decoder=decoder) as verifier:
            verifier.warm_up()
            people = _people(verifier)
            memory = Memory()

            def case(dice: random.Random) -> str:
                memory.check()
                return _judge(verifier, people, dice)

            yield case


def _pack(folder: Path) -> Pack:
    return install_open_pack(MODELS, folder / "open") if MODELS.is_dir() else demo_pack(folder)


def _people(verifier: FaceVerifier) -> list[Person]:
    """Those whose portraits, as they are, match their probe."""
    people = []
    for seed, face in enumerate(cut_faces().values()):
        jp2 = chip_portrait(face, seed)
        jpeg = cv2.imencode(".jpg", decode(jp2), [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
        pictures: list[tuple[bytes, ImageKind]] = [(jp2, "jpeg2000"), (jpeg, "jpeg")]
        files = tuple((build(*picture), picture[0]) for picture in pictures for build in (build_dg2, build_dg2_39794))
        frame = np.full((720, 1280, 3), 118, np.uint8)
        frame[40:680, 391:889] = cv2.resize(probe_picture(face, seed + 100), (498, 640))
        probe = verifier.probe(frame)
        assert isinstance(probe, Probe), f"person {seed}: {probe}"
        references = [verifier.reference(picture) for picture, _ in pictures]
        if all(isinstance(each, Reference) and _matches(verifier.compare(each, probe)) for each in references):
            people.append(Person(files=files, probe=probe))
    assert len(people) >= FEWEST, f"only {len(people)} people match themselves"
    return people


def _judge(verifier: FaceVerifier, people: list[Person], dice: random.Random) -> str:
    holder = dice.choice(people)
    file, picture = dice.choice(holder.files)
    changed = dice.random() >= UNCHANGED
    METER.start()
    try:
        portrait = dg2_image(_changed(file, picture, dice) if changed else file)
    except LdsError as error:
        return error.code
    finally:
        METER.stop()
    reference = verifier.reference(portrait.image)
    if not isinstance(reference, Reference):
        assert changed, f"the portrait as it was: {reference}"
        return reference.detail if reference.reason == "bad_image" else reference.reason
    outcomes = {id(person): verifier.compare(reference, person.probe) for person in people}
    matched = [person for person in people if _matches(outcomes[id(person)])]
    assert all(person is holder for person in matched), "a changed portrait matches somebody else"
    assert matched or changed, "the portrait as it was matches nobody"
    return "match" if matched else "nobody else"


def _matches(outcome: object) -> bool:
    return isinstance(outcome, FaceComparison) and outcome.decision == "match"


def _changed(file: bytes, picture: bytes, dice: random.Random) -> bytes:
    """Half of the time the picture inside is changed and all lengths stay; else the file around it, or both."""
    at = file.index(picture)
    if dice.random() < 0.5:
        return file[:at] + _overwritten(picture, dice) + file[at + len(picture) :]
    return mutate(file, dice)


def _overwritten(picture: bytes, dice: random.Random) -> bytes:
    """One to sixteen octets replaced: in the headers, or anywhere."""
    octets = bytearray(picture)
    within = dice.choice((60, 300, len(octets)))
    for _ in range(dice.choice((1, 2, 4, 16))):
        octets[dice.randrange(within)] = dice.choice((dice.randrange(256), 0, 255))
    return bytes(octets)


@contextmanager
def tiny_images() -> Iterator[Case]:
    """Changed pictures of 16 by 16: pixels as large as promised or ImageError, and no process but the picture's own suffers."""
    y, x = np.mgrid[0:16, 0:16]
    picture = np.stack([x * 16, y * 16, (x + y) * 8], axis=2).astype(np.uint8)
    jp2 = cv2.imencode(".jp2", cv2.resize(picture, (32, 32)))[1].tobytes()
    good = [jp2, jp2[jp2.index(b"\xff\x4f\xff\x51") :], cv2.imencode(".jpg", picture)[1].tobytes()]
    progressive = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    seeds = [(image, decode(image)) for image in (*good, progressive)]
    with ConfinedDecoder(max_pixels=4096) as decoder:
        decoder.start()
        keeper, memory = decoder.pid, Memory()

        def case(dice: random.Random) -> str:
            memory.check()
            image, pixels = dice.choice(seeds)
            if dice.random() < UNCHANGED:
                assert (decoder.decode(image) == pixels).all()
                return "good"
            try:
                seen = decoder.decode(dice.choice((spoil, _overwritten))(image, dice))
            except ImageError as error:
                return error.code
            finally:
                assert decoder.pid == keeper, "an image ended more than its own process"
            assert seen.dtype == np.uint8
            assert seen.size <= 3 * 4096
            return "decoded"

        yield case


class Memory:
    """Whether this process keeps what it was given."""

    def __init__(self) -> None:
        self._cases = 0
        self._settled = 0.0

    def check(self) -> None:
        """Raises AssertionError where the process has grown since its first cases."""
        self._cases += 1
        if self._cases == SETTLED:
            self._settled = _resident_mib()
        elif self._cases % SETTLED == 0:
            grown = _resident_mib() - self._settled
            assert grown < MEMORY_MIB, f"{grown:.0f} MiB more than after the first {SETTLED} cases"


def _resident_mib() -> float:
    """proc(5): the second field of statm, in pages of 4 KiB."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) / 256
