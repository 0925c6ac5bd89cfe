"""The process that a cold start measures: ``PYTHON benchmarks/face_first.py PACK PORTRAIT FRAME`` prints one score and waits."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import numpy as np

    from faceverify.compare import FaceComparison
    from faceverify.packs import load_pack
    from faceverify.verifier import FaceVerifier

    folder, portrait, frame = map(Path, sys.argv[1:])
    with FaceVerifier(load_pack(folder)) as verifier:
        compared = verifier.compare(verifier.reference(portrait.read_bytes()), verifier.probe(np.load(frame)))
        assert isinstance(compared, FaceComparison), compared
        print(compared.score, flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    main()
