"""One contestant in a process of its own: ``PYTHON benchmarks/face_worker.py CONTESTANT FOLDER PROCESSOR``.

Lines of JSON: which inputs are worked on comes in, milliseconds by the clock and of the processor go out, with what was found where that
is asked. FOLDER holds one network with its crops (``face_networks``), or is the pack. Nothing of ours is imported but by ours.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", ORT_DISABLE_TELEMETRY="1")

PATIENCE_S = 20.0
"""For one portrait: a busy machine shall be seen in the figures, and not end the run."""
APART_S = 0.15
"""Between two portraits: travellers come apart, and the next decoder gets ready meanwhile, as it does at a gate."""
Call = Callable[[int], Any]
"""Works on the input of that number."""


class Network:
    """A folder of :mod:`benchmarks.face_networks`."""

    def __init__(self, folder: Path) -> None:
        import numpy as np

        told = json.loads((folder / "told.json").read_text(encoding="utf-8"))
        self.mean, self.std, self.order = told["mean"], told["std"], told["order"]
        self.published, self.rewritten = folder / "published.onnx", folder / "rewritten.onnx"
        self.crops = np.load(folder / "crops.npy")
        self.size = self.crops.shape[1]

    def blobs(self) -> Any:
        """Every crop as the network's input, made beforehand."""
        import numpy as np

        ordered = self.crops[..., ::-1] if self.order == "RGB" else self.crops
        return [
            np.ascontiguousarray(((one.astype(np.float32) - self.mean) / self.std).transpose(2, 0, 1)[None]) for one in ordered
        ]


def session(path: Path) -> Any:
    """One thread, as every contestant has it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


# --- an aligned face to features


def features_autogate(folder: Path) -> Call:
    """The verifier's extractor, on the network as an installed pack has it."""
    from faceverify.extract import Extractor

    network = Network(folder)
    spec = SimpleNamespace(file="rewritten.onnx", colour_order=network.order, mean=(network.mean,) * 3, std=(network.std,) * 3)
    recogniser = SimpleNamespace(net=spec, size=network.size)
    pack: Any = SimpleNamespace(folder=folder, recogniser=recogniser, read=lambda net: (folder / net.file).read_bytes())
    extractor = Extractor(pack)
    return lambda index: extractor.features(network.crops[index])


def features_insightface(folder: Path) -> Call:
    """ArcFaceONNX. Its guess at the preprocessing is corrected and, where a network wants BGR, it is given a picture that has them."""
    import numpy as np
    from insightface.model_zoo import ArcFaceONNX

    network = Network(folder)
    model = ArcFaceONNX(str(network.published), session(network.published))
    model.input_mean, model.input_std = network.mean, network.std
    crops = network.crops if network.order == "RGB" else np.ascontiguousarray(network.crops[..., ::-1])
    return lambda index: model.get_feat(crops[index])


def features_opencv(folder: Path) -> Call:
    """cv2.dnn."""
    import cv2

    network = Network(folder)
    cv2.setNumThreads(1)
    net = cv2.dnn.readNetFromONNX(str(network.published))
    side, mean, swap = (network.size, network.size), (network.mean,) * 3, network.order == "RGB"

    def call(index: int) -> Any:
        net.setInput(cv2.dnn.blobFromImage(network.crops[index], 1 / network.std, side, mean, swapRB=swap))
        return net.forward()

    return call


def features_onnxruntime(folder: Path, *, rewritten: bool = False) -> Call:
    """ONNX Runtime alone: the inputs are made beforehand."""
    network = Network(folder)
    blobs, bare = network.blobs(), session(network.rewritten if rewritten else network.published)
    name = bare.get_inputs()[0].name
    return lambda index: bare.run(None, {name: blobs[index]})[0]


def features_onnxruntime_rewritten(folder: Path) -> Call:
    """As above, on the rewritten network: the least that ours can take."""
    return features_onnxruntime(folder, rewritten=True)


# --- a 1080p frame to faces


def faces_autogate(folder: Path) -> Call:
    from benchmarks.face_pictures import frames
    from faceverify.detect import Detector
    from faceverify.packs import load_pack

    detector, pictures = Detector(load_pack(folder)), frames()
    return lambda index: detector.in_frame(pictures[index])[0].points


def faces_opencv(folder: Path) -> Call:
    """FaceDetectorYN on the same network, on the frame scaled down to the same size."""
    import cv2

    from benchmarks.face_pictures import frames
    from faceverify.packs import load_pack

    cv2.setNumThreads(1)
    spec, pictures = load_pack(folder).detector, frames()
    scale = spec.frame_side / max(pictures[0].shape)
    size = (spec.frame_side, round(pictures[0].shape[0] * scale))
    detector = cv2.FaceDetectorYN.create(str(folder / spec.net.file), "", size, spec.score_threshold, spec.overlap_threshold)

    def call(index: int) -> Any:
        found = detector.detect(cv2.resize(pictures[index], size))[1]
        return found[0][4:14].reshape(5, 2) / scale

    return call


# --- the whole way


def _verifier(folder: Path, *, pad: bool = True) -> Any:
    import dataclasses

    from faceverify.confined import ConfinedDecoder
    from faceverify.packs import load_pack
    from faceverify.verifier import FaceVerifier

    pack = load_pack(folder)
    decoder = ConfinedDecoder(timeout_s=PATIENCE_S)
    verifier = FaceVerifier(pack if pad else dataclasses.replace(pack, pad=()), decoder=decoder)
    verifier.warm_up()
    return verifier


def _done(result: Any) -> Any:
    """The result, unless it says that nothing could be measured: that would be a fast one."""
    assert type(result).__name__ != "NotPerformed", result
    return result


def frame_to_comparison(folder: Path, *, pad: bool = False) -> Call:
    """Searched, looked at again, aligned, judged, features, compared."""
    from benchmarks.face_pictures import frames, portraits

    verifier, pictures = _verifier(folder, pad=pad), frames()
    references = [_done(verifier.reference(portrait)) for portrait in portraits()]
    return lambda index: _done(verifier.compare(references[index], _done(verifier.probe(pictures[index])))).score


def frame_to_comparison_with_pad(folder: Path) -> Call:
    return frame_to_comparison(folder, pad=True)


def sighted_frame_to_comparison(folder: Path) -> Call:
    """As above, without PAD, where a track has found the face already."""
    from benchmarks.face_pictures import frames, portraits

    verifier, pictures = _verifier(folder, pad=False), frames()
    references = [_done(verifier.reference(portrait)) for portrait in portraits()]
    sightings = [_done(verifier.track().see(picture)) for picture in pictures]
    return lambda index: (
        _done(verifier.compare(references[index], _done(verifier.probe(pictures[index], sightings[index])))).score
    )


def tracked_frame(folder: Path) -> Call:
    """The next frame of somebody who walks in, quality included: every fifth is searched whole."""
    from benchmarks.face_pictures import people, walk

    verifier = _verifier(folder, pad=False)
    steps = list(walk(people()["group-1"], 16))
    there_and_back = steps + steps[::-1]
    track, taken = verifier.track(), iter(range(1 << 30))
    return lambda _: _done(track.see(there_and_back[next(taken) % len(there_and_back)])).face.points


def portrait_to_reference(folder: Path) -> Call:
    """Decoded in its confined process, found, aligned, features."""
    from benchmarks.face_pictures import portraits

    verifier, encoded = _verifier(folder, pad=False), portraits()
    return lambda index: _done(verifier.reference(encoded[index])).features


def portrait_decoded(folder: Path) -> Call:
    """The first part of it by the bare decoder, without confinement."""
    del folder
    from benchmarks.face_pictures import portraits
    from faceverify.image import decode

    encoded = portraits()
    return lambda index: decode(encoded[index])[0, 0]


CONTESTANTS = {
    make.__name__: make
    for make in (
        features_autogate,
        features_insightface,
        features_opencv,
        features_onnxruntime,
        features_onnxruntime_rewritten,
        faces_autogate,
        faces_opencv,
        frame_to_comparison,
        frame_to_comparison_with_pad,
        sighted_frame_to_comparison,
        tracked_frame,
        portrait_to_reference,
        portrait_decoded,
    )
}


def timed(call: Call, indices: list[int], *, tell: bool, apart_s: float = 0.0) -> dict[str, Any]:
    """Each call by the clock, and what it took of the processor in this process's threads; before each a rest of ``apart_s``."""
    import numpy as np

    clock, processor, told = [], [], []
    for index in indices:
        time.sleep(apart_s)
        begun, worked = time.perf_counter(), time.process_time()
        result = call(index)
        ended = time.perf_counter()
        processor.append((time.process_time() - worked) * 1000)
        clock.append((ended - begun) * 1000)
        if tell:
            told.append(np.asarray(result, float).ravel().tolist())
    return {"ms": clock, "processor": processor, "told": told}


def main() -> None:
    name, folder, processor = sys.argv[1:]
    os.sched_setaffinity(0, {int(processor)})
    answers, sys.stdout = sys.stdout, sys.stderr  # what a peer prints is no answer
    call = CONTESTANTS[name](Path(folder))
    apart_s = APART_S if name == portrait_to_reference.__name__ else 0.0
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        print(json.dumps(timed(call, **json.loads(line), apart_s=apart_s)), file=answers, flush=True)


if __name__ == "__main__":
    main()
