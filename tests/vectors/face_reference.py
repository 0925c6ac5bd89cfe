"""Computes what the self-test of a face pack expects, with OpenCV's own networks and NumPy's own algebra: none of our code runs.

    python tests/vectors/face_reference.py recogniser NET.onnx PICTURE SIZE COLOUR MEAN STD x,y x,y x,y x,y x,y tx,ty (five times)
    python tests/vectors/face_reference.py detector YUNET.onnx PICTURE SIDE
    python tests/vectors/face_reference.py pad NET.onnx PICTURE SIZE COLOUR MEAN STD CROP BONA_FIDE_INDEX x,y,w,h

``recogniser`` prints the feature vector of the face whose five points are given, aligned to the five template points by least
squares (four unknowns, ``numpy.linalg.lstsq``); ``detector`` what ``cv2.FaceDetectorYN`` finds in the picture scaled to SIDE;
``pad`` the attack score for the square of CROP times the longer side of the box, mirrored where it leaves the picture.
Always the publishers' files, before any rewriting.
Picture and points of the packs shipped here: ``python -m faceverify.drawn_face > drawn_face.ppm``.
"""

from __future__ import annotations

import sys

import cv2
import numpy as np


def similarity(points: np.ndarray, template: np.ndarray) -> np.ndarray:
    """Rows (x, -y, 1, 0) and (y, x, 0, 1) times (a, b, u, v) are the wanted coordinates."""
    rows, wanted = [], []
    for (x, y), (u, v) in zip(points, template, strict=True):
        rows += [(x, -y, 1, 0), (y, x, 0, 1)]
        wanted += [u, v]
    a, b, u, v = np.linalg.lstsq(np.array(rows, float), np.array(wanted, float), rcond=None)[0]
    return np.array([[a, -b, u], [b, a, v]])


def recogniser(net: str, picture: str, size: str, colour: str, mean: str, std: str, *points: str) -> None:
    where = np.array([[float(value) for value in point.split(",")] for point in points])
    side = int(size)
    crop = cv2.warpAffine(cv2.imread(picture), similarity(where[:5], where[5:]), (side, side), flags=cv2.INTER_LINEAR)
    blob = cv2.dnn.blobFromImage(crop, 1 / float(std), (side, side), (float(mean),) * 3, swapRB=colour == "RGB")
    network = cv2.dnn.readNetFromONNX(net)
    network.setInput(blob)
    print("values = [" + ", ".join(f"{value:.6f}" for value in network.forward().ravel()) + "]")


def detector(net: str, picture: str, side: str) -> None:
    pixels = cv2.imread(picture)
    scale = int(side) / max(pixels.shape)
    small = cv2.resize(pixels, (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale)), interpolation=cv2.INTER_LINEAR)
    finder = cv2.FaceDetectorYN.create(net, "", (small.shape[1], small.shape[0]), 0.6, 0.3)
    _, found = finder.detect(small)
    for row in found if found is not None else ():
        print(
            "box",
            (row[:4] / scale).round(3).tolist(),
            "points",
            (row[4:14] / scale).round(3).tolist(),
            "score",
            round(float(row[14]), 6),
        )


def pad(net: str, picture: str, size: str, colour: str, mean: str, std: str, crop: str, index: str, box: str) -> None:
    x, y, w, h = (float(value) for value in box.split(","))
    pixels, side, border = cv2.imread(picture), round(float(crop) * max(w, h)), 200
    wide = cv2.copyMakeBorder(pixels, *(border,) * 4, cv2.BORDER_REFLECT_101)
    top, left = round(y + h / 2 - side / 2) + border, round(x + w / 2 - side / 2) + border
    square = cv2.resize(wide[top : top + side, left : left + side], (int(size),) * 2, interpolation=cv2.INTER_AREA)
    network = cv2.dnn.readNetFromONNX(net)
    network.setInput(cv2.dnn.blobFromImage(square, 1 / float(std), (int(size),) * 2, (float(mean),) * 3, swapRB=colour == "RGB"))
    logits = network.forward().ravel().astype(float)
    print("pad", round(1 - float(np.exp(logits[int(index)]) / np.exp(logits).sum()), 6))


if __name__ == "__main__":
    {"recogniser": recogniser, "detector": detector, "pad": pad}[sys.argv[1]](*sys.argv[2:])
