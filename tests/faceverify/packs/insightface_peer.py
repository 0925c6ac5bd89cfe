"""Run by the interpreter of the environment that holds insightface: one person's frame by our backend on it, and by itself; JSON.

Arguments: the pack's folder, a chip portrait, a frame. Whoever asks the network for anything ends the run.
"""

import json
import socket
import sys
from pathlib import Path

import cv2

from faceverify.insightface_backend import InsightfaceVerifier, open_analysis
from faceverify.packs import load_pack
from faceverify.verifier import Probe, Reference


def offline(*_: object) -> None:
    raise SystemExit("the network was asked")


def main() -> None:
    socket.getaddrinfo = socket.socket.connect = offline
    from insightface.app.common import Face

    pack, frame = load_pack(Path(sys.argv[1])), cv2.imread(sys.argv[3])
    with InsightfaceVerifier(pack) as verifier:
        verifier.warm_up()
        reference, probe = verifier.reference(Path(sys.argv[2]).read_bytes()), verifier.probe(frame)
        assert isinstance(reference, Reference), reference
        assert isinstance(probe, Probe), probe
        followed = verifier.track().see(frame)
        alone = open_analysis(pack).models["recognition"].get(frame, Face(kps=probe.face.points))
        told = {
            "points": probe.face.points.tolist(),
            "features": probe.features.tolist(),
            "reference": reference.features.tolist(),
            "followed": followed.face.points.tolist(),
            "insightface alone": alone.tolist(),
            "comparison": type(verifier.compare(reference, probe)).__name__,
            "home": (Path.home() / ".insightface").exists(),
        }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
