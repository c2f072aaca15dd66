"""Faces found by OpenCV's cascade (Viola and Jones, 2001): a second detector for drawings that YuNet misses."""

from __future__ import annotations

import threading
from functools import lru_cache

import cv2
import numpy as np

from workbench.faces.boxes import Box

# How FER2013 frames a face, relative to the square that the cascade finds. Measured on 1500 Training images, enlarged
# four times, with their borders replicated (benchmarks/face_framing.py): in the 1065 that the cascade found, the median
# square is 0.974 of the frame wide and its center 0.008 of the frame above the frame's center.
_SQUARE = 0.974
_BELOW_SQUARE = 0.008  # of the frame's side, towards the chin
_LOCK = threading.Lock()  # a CascadeClassifier keeps the image it works on: one thread at a time


def find(pixels: np.ndarray, smallest: float = 0.1) -> list[Box]:
    """Framed faces in an upright RGB uint8 image (H, W, 3), those with most votes first.

    Args:
        pixels: the image, best with a longer side of about 320 pixels.
        smallest: side of the smallest face that is looked for, as a share of the longer side.
    """
    gray = cv2.equalizeHist(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))
    found = cascade_squares(gray, max(20, round(smallest * max(gray.shape))))
    frames = [(x, y + _BELOW_SQUARE * side / _SQUARE, side / _SQUARE) for _, x, y, side in found]
    return [Box(x - side / 2, y - side / 2, side, side) for x, y, side in frames]


def cascade_squares(gray: np.ndarray, smallest: int, votes: int = 6) -> list[tuple[int, float, float, float]]:
    """What the cascade alone finds in a gray uint8 image (H, W), before any framing.

    Returns:
        (votes, x of the center, y of the center, side) in pixels for each square, most votes first.
    """
    with _LOCK:
        squares, counts = _cascade().detectMultiScale2(gray, 1.1, votes, minSize=(smallest, smallest))
    pairs = zip(np.reshape(squares, (-1, 4)).tolist(), np.ravel(counts).tolist(), strict=True)
    return sorted(((votes, x + w / 2, y + w / 2, float(w)) for (x, y, w, _), votes in pairs), reverse=True)


@lru_cache(maxsize=1)
def _cascade() -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_alt2.xml")
