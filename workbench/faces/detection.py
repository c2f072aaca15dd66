"""Detect faces, framed as FER2013 frames them."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image

from workbench.faces.boxes import Box

# How FER2013 frames a face, relative to the square that the cascade finds. Measured on 1500 Training images, enlarged
# four times, with their borders replicated (benchmarks/face_framing.py): in the 1065 that the cascade found, the median
# square is 0.974 of the frame wide and its center 0.008 of the frame above the frame's center.
_FRAME_PER_SQUARE = 1 / 0.974
_FRAME_BELOW_SQUARE = 0.008  # of the frame's side, towards the chin

_CASCADE_LOCK = threading.Lock()  # a CascadeClassifier keeps the image it works on: one thread at a time


@dataclass(frozen=True)
class _Look:
    """One pass of the cascade over a copy of the image.

    Attributes:
        side: longer side of the copy before it gets its margin and is turned, in pixels.
        turn: degrees by which the copy is turned, counter-clockwise.
        margin: border added on each side, as a share of the longer side.
        votes: how many overlapping hits make a face; a turned copy gives noise another chance, so it needs more.
        smallest: side of the smallest face that is looked for, as a share of the copy's longer side.
    """

    side: int
    turn: float = 0.0
    margin: float = 0.0
    votes: int = 6
    smallest: float = 0.05


# Upright first; then, unless a face was found beyond doubt, tilted heads and lying cameras. The margin is for images
# that a face fills: without it the cascade's square cannot be as large as the face.
_UPRIGHT = _Look(margin=0.125, side=560)
_TURNED = tuple(_Look(turn=turn, side=320, votes=8) for turn in (-15, 15, -30, 30, -45, 45, -90, 90, -180))
_SURE = 20  # votes; most faces get 20 to 80, folds of cloth seen upside down up to 15, noise up to 12

# In a camera's image: the whole frame for one face near the camera, then only the surroundings of where it was.
IN_FRAME = _Look(margin=0.0625, side=320, smallest=0.1)
AROUND_LAST = _Look(side=96, votes=4, smallest=0.35)


def detect(picture: Image.Image) -> list[Box]:
    """Every face in the image, largest first; an empty list when none is found.

    OpenCV's frontal cascade (Viola and Jones, 2001; the `alt2` tree) on an equalised gray copy. When it finds nothing
    or is in doubt, it looks again at rotated copies, whose boxes are mapped back to the image. A head that is tilted
    by more than about 60 degrees, but not lying, is not found.

    Returns:
        Squares with whole pixels, already framed as FER2013 frames faces: hand them to `crop` as they are.
    """
    gray = picture.convert("L")
    hits = hits_of(gray, _UPRIGHT)
    if all(votes < _SURE for votes, _ in hits):
        hits += [hit for look in _TURNED for hit in hits_of(gray, look)]
    return sorted(_merged(hits), key=lambda box: (-box.area, box.left, box.top))


def cascade_squares(gray: np.ndarray, smallest: int, votes: int = 6) -> list[tuple[int, float, float, float]]:
    """What the cascade alone says of a gray uint8 image (H, W), before any framing.

    Returns:
        (votes, x of the center, y of the center, side) in pixels for each square, most votes first.
    """
    with _CASCADE_LOCK:
        squares, counts = _cascade().detectMultiScale2(gray, 1.1, votes, minSize=(smallest, smallest))
    pairs = zip(np.reshape(squares, (-1, 4)).tolist(), np.ravel(counts).tolist(), strict=True)
    return sorted(((votes, x + w / 2, y + w / 2, float(w)) for (x, y, w, _), votes in pairs), reverse=True)


@lru_cache(maxsize=1)
def _cascade() -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_alt2.xml")


def hits_of(gray: Image.Image, look: _Look) -> list[tuple[int, Box]]:
    """(votes, box on the image) for each face that one pass finds."""
    scale = min(look.side / max(gray.size), 4.0)  # small images are enlarged: the cascade's window is 20 pixels
    small = gray.resize([max(1, round(n * scale)) for n in gray.size], Image.Resampling.BILINEAR, reducing_gap=2.0)
    pixels = cv2.equalizeHist(np.asarray(small))
    matrix, size = _turning(small.size, look)
    copy = cv2.warpAffine(pixels, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    back = cv2.invertAffineTransform(matrix)
    hits = []
    for votes, x, y, side in cascade_squares(copy, max(20, round(look.smallest * max(size))), look.votes):
        frame = side * _FRAME_PER_SQUARE
        x, y = back @ (x, y + _FRAME_BELOW_SQUARE * frame, 1)
        hits.append((votes, _square(x / scale, y / scale, frame / scale, 0.0 - look.turn)))
    return hits


def _turning(size: tuple[int, int], look: _Look) -> tuple[np.ndarray, tuple[int, int]]:
    """The affine matrix (2, 3) of a look, and the size (width, height) of the canvas that holds the turned copy."""
    width, height = size
    cos, sin = abs(math.cos(math.radians(look.turn))), abs(math.sin(math.radians(look.turn)))
    margin = 2 * look.margin * max(size)
    canvas = round(width * cos + height * sin + margin), round(width * sin + height * cos + margin)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), look.turn, 1.0)
    matrix[:, 2] += (canvas[0] - width) / 2, (canvas[1] - height) / 2
    return matrix, canvas


def _square(x: float, y: float, side: float, angle: float) -> Box:
    """The square in whole pixels round a center."""
    side = max(1, round(side))
    return Box(round(x - side / 2), round(y - side / 2), side, side, float(angle))


def _merged(hits: list[tuple[int, Box]]) -> list[Box]:
    """One box for each face, from the hits of all looks, those with most votes first.

    Of boxes whose centers lie within half a side of each other one stays; that also drops a mouth or a collar that
    passed for a small face. A hit that stands at another angle than the strongest one needs 60 % of its votes: upside
    down, a shoulder can look like a face.
    """
    kept: list[Box] = []
    hits = sorted(hits, key=lambda hit: (-hit[0], -hit[1].side, hit[1].left, hit[1].top, hit[1].angle))
    for votes, box in hits:
        likely = box.angle == hits[0][1].angle or votes >= 0.6 * hits[0][0]
        if likely and all(math.dist(box.centre, other.centre) > max(box.side, other.side) / 2 for other in kept):
            kept.append(box)
    return kept
