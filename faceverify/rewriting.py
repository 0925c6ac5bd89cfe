"""Whether a rewritten network still gives the same numbers: both run on real faces, never on noise or zeros."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from faceverify.examiner import Examiner
from faceverify.nets import Blob, Net, open_session, run_session
from faceverify.pad import crop_square

if TYPE_CHECKING:
    from faceverify.description import NetSpec, Pack

REWRITE_TOLERANCE = 1e-5


def largest_difference(pack: Pack, net: NetSpec, rewritten: bytes) -> float:
    """Largest absolute difference of any output value, over the faces of the group picture. Raises PackError."""
    before = Net(pack, net, size=_size(pack, net))
    after = open_session(rewritten, net.file)
    worst = 0.0
    for blob in _inputs(pack, net, before):
        pairs = zip(before.run(blob), run_session(after, blob, net.file), strict=True)
        worst = max(worst, *(float(np.abs(a - b).max()) for a, b in pairs))
    return worst


def _size(pack: Pack, net: NetSpec) -> int | None:
    sizes = {pack.recogniser.net: pack.recogniser.size, **{pad.net: pad.size for pad in pack.pad}}
    return sizes.get(net)


def _inputs(pack: Pack, net: NetSpec, prepared: Net) -> Iterator[Blob]:
    """What the network gets at the gate: aligned crops, crops for PAD, or the scaled picture."""
    examiner = Examiner(pack)
    picture, faces = examiner.group()
    for face in faces:
        if net == pack.recogniser.net:
            yield prepared.blob(examiner.crop(picture, face.points))
        for pad in pack.pad:
            if net == pad.net:
                yield prepared.blob(crop_square(picture, face.box, pad.crop, pad.size))
    if net == pack.detector.net:
        yield prepared.blob(picture[: picture.shape[0] // 32 * 32, : picture.shape[1] // 32 * 32])
