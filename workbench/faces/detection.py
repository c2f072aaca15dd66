"""Detect faces, framed as FER2013 frames them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

import cv2
import numpy as np
from PIL import Image

from workbench.faces import cascade, yunet
from workbench.faces.boxes import Box

Align = Literal["none", "rotate"]
"""Whether the box of a face that is tilted only a little stays upright, or is rotated with the face."""

_LARGE, _MEDIUM, _SMALL = 320, 640, 1600  # longer sides of the copies in which faces are looked for, pixels
_MARGIN = 32  # pixels of replicated border round the smallest copy, for images that a face fills
_SMALL_FACE = 0.08  # of the longer side: below it the largest copy sees more
_LARGEST_SCALE = 6.0  # by which a small image is enlarged

_FACE = 0.6  # score from which a hit is a face ...
_SMALL_FACE_SCORE = 0.75  # ... and in the larger copies, where folds and textures reach 0.72
_LYING, _UPSIDE_DOWN = 0.8, 0.88  # scores that a hit in a rotated copy needs: the head of a cat reaches 0.84
_BETTER = 0.05  # by how much a face must score higher where it is rotated by more than 60 degrees than upright
_TURNS = (90, -90, 45, -45, 180, 135, -135)  # of the copies that are searched where no face is upright

_STEP = 30  # degrees between the copies from which the tilt of a face is estimated
_UPRIGHT = 0.88  # score that faces tilted by more than about 75 degrees do not reach
_SLIGHT = 15  # degrees; boxes of faces that are tilted less stay upright, unless they are to be aligned
_LOOK_SIDE = 64  # side of the frame in such a copy, in pixels
_SURROUNDINGS = 2.0  # side of the region that such a copy shows, in sides of the frame


def detect(picture: Image.Image, align: Align = "none") -> list[Box]:
    """Every face in the image, largest first; an empty list when none is found.

    YuNet looks at reduced copies of the image, in which a face of 2 % of the longer side is found. Where it finds
    nothing it looks at rotated copies; where it is in doubt, OpenCV's cascade has to agree. The tilt of each face is
    the angle of the copy of its surroundings in which YuNet's score is highest, because landmarks show it only in part.

    Args:
        picture: RGB.
        align: "none": the box of a face that is tilted by less than 15 degrees stays upright; "rotate": every box is
            rotated with its face.

    Returns:
        Squares with whole pixels, already framed as FER2013 frames faces: hand them to `crop` as they are.

    Raises:
        TypeError: it is no PIL image.
    """
    if not isinstance(picture, Image.Image):
        how = "faces.read makes one of a path, bytes or an array; faces.find takes any of them"
        raise TypeError(f"detect takes a PIL image, not {type(picture).__name__}: {how}.")
    scale = min(1.0, _SMALL / max(picture.size))
    work = resized(picture, scale)
    hits = _upright(work)
    found = merged([hit for hit in hits if score(hit) >= _FACE] or _in_doubt(work, hits))
    faces = merged(tilted(work, face, align) for face in found)
    boxes = [whole_pixels(scaled(face, 1 / scale)) for face in faces]
    return sorted(boxes, key=lambda box: (-box.area, box.left, box.top))


def score(box: Box) -> float:
    """The box's score; 0 where it has none."""
    return box.score or 0.0


def _upright(work: Image.Image) -> list[Box]:
    """Hits of YuNet, weak ones included, in copies of growing size as far as the image has the pixels."""
    longer = max(work.size)
    hits = in_copy(work, _LARGE, _MARGIN)
    if longer > _LARGE:
        hits += _surer(in_copy(work, min(_MEDIUM, longer)))
    if longer > 1.5 * _MEDIUM and (not hits or min(hit.side for hit in hits) < _SMALL_FACE * longer):
        hits += _surer(hit for hit in in_copy(work, longer) if hit.side < _SMALL_FACE * longer)
    return merged(hits)


def _surer(hits: Iterable[Box]) -> list[Box]:
    return [hit for hit in hits if score(hit) >= _SMALL_FACE_SCORE]


def in_copy(picture: Image.Image, side: int, margin: int = 0, turn: int = 0) -> list[Box]:
    """Hits of YuNet in one copy of the image.

    Args:
        picture: RGB.
        side: longer side of the copy in pixels, its margins included.
        margin: pixels of replicated border on each side.
        turn: degrees by which a face has to be rotated counter-clockwise in the image to be upright in the copy.
    """
    scale = min((side - 2 * margin) / max(picture.size), _LARGEST_SCALE)
    pixels = np.asarray(resized(picture, scale))
    matrix, size = _turning(pixels.shape[1], pixels.shape[0], -turn, margin)
    copy = cv2.warpAffine(pixels, matrix, size, borderMode=cv2.BORDER_REPLICATE) if turn or margin else pixels
    back = cv2.invertAffineTransform(matrix)
    return [scaled(_moved(box, back, turn), 1 / scale) for box in yunet.find(copy)]


def _in_doubt(work: Image.Image, weak: list[Box]) -> list[Box]:
    """Faces of an image in which YuNet found none upright: rotated ones, or those on which both detectors agree."""
    for turn in _TURNS:
        hits = in_copy(work, _LARGE, turn=turn)
        if found := [hit for hit in hits if score(hit) >= (_UPSIDE_DOWN if abs(turn) > 90 else _LYING)]:
            return found
    if not weak:
        return []
    scale = min(_LARGE / max(work.size), _LARGEST_SCALE)
    found = [scaled(box, 1 / scale) for box in cascade.find(np.asarray(resized(work, scale)))]
    return [box for box in found if any(same_face(box, hit) for hit in weak)]


def tilted(work: Image.Image, face: Box, align: Align) -> Box:
    """The face at the angle at which YuNet is surest of it; see `detect`."""
    around, looks = _surroundings(work, face), dict[float, Box | None]()

    def value(angle: float) -> float:
        angle = _within(angle)
        if angle not in looks:
            looks[angle] = _look(*around, face, angle)
        found = looks[angle]
        return score(found) if found else 0.0

    best = face.angle
    if value(best) < _UPRIGHT:  # a slope leads to other angles
        best = max(range(-150, 181, _STEP), key=lambda angle: value(angle) - _BETTER * (abs(angle) > 60))
    while (step := max((best, best - _STEP, best + _STEP), key=value)) != best:
        best = step
    found = looks[_within(best)]
    if found is None:
        return face
    angle = _within(best + _STEP * _peak(value(best - _STEP), value(best), value(best + _STEP)))
    if align == "none" and abs(angle) < _SLIGHT:
        return face if face.angle == 0 else replace(found, angle=0.0)
    return replace(found, angle=float(round(angle)))


def _within(angle: float) -> float:
    """The same angle in (-180, 180]."""
    return 180 - (180 - angle) % 360


def _peak(before: float, middle: float, after: float) -> float:
    """Where the parabola through three equally spaced values is highest, in steps from the middle, -0.5 to 0.5."""
    bend = before - 2 * middle + after
    return 0.0 if bend >= 0 else max(-0.5, min(0.5, (before - after) / (2 * bend)))


def _surroundings(work: Image.Image, face: Box) -> tuple[np.ndarray, np.ndarray]:
    """What all copies of a face's surroundings show, reduced once, and the matrix (2, 3) from there to the image."""
    (x, y), reach = face.center, face.side * _SURROUNDINGS / math.sqrt(2)  # half a diagonal: the copies are rotated
    left, top = max(0, math.floor(x - reach)), max(0, math.floor(y - reach))
    right, bottom = min(work.width, math.ceil(x + reach)), min(work.height, math.ceil(y + reach))
    region = work.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
    small = resized(region, min(1.0, _LOOK_SIDE / face.side))
    across, down = region.width / small.width, region.height / small.height
    return np.asarray(small), np.array([[across, 0, left], [0, down, top]])


def _look(around: np.ndarray, place: np.ndarray, face: Box, angle: float) -> Box | None:
    """The strongest hit in a copy of a face's surroundings that is rotated upright; None without a hit on the face.

    Args:
        around, place: the face's surroundings and their place in the image, as `_surroundings` returns them.
        face: box of the face on the image.
        angle: angle of the face in the copy that is looked at, in degrees.
    """
    size = round(_LOOK_SIDE * _SURROUNDINGS)
    turn = cv2.getRotationMatrix2D((0, 0), angle, face.side / _LOOK_SIDE)  # from the copy to the image
    turn[:, 2] = face.center - turn[:, :2] @ (size / 2, size / 2)
    pick = _composed(cv2.invertAffineTransform(place), turn)
    pick[:, 2] += pick[:, :2] @ (0.5, 0.5) - 0.5  # OpenCV has the center of the first pixel at 0
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    pixels = cv2.warpAffine(around, pick, (size, size), flags=how, borderMode=cv2.BORDER_REPLICATE)
    hits = (replace(_moved(hit, turn, angle), score=hit.score) for hit in yunet.find(pixels))
    return next((hit for hit in hits if same_face(hit, face)), None)


def _composed(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The affine matrix (2, 3) that applies `first`, then `second`."""
    return np.hstack([second[:, :2] @ first[:, :2], second[:, :2] @ first[:, 2:] + second[:, 2:]])


def _turning(width: int, height: int, turn: float, margin: int) -> tuple[np.ndarray, tuple[int, int]]:
    """The affine matrix (2, 3) that rotates an image, and the size (width, height) of the canvas that holds it."""
    cos, sin = abs(math.cos(math.radians(turn))), abs(math.sin(math.radians(turn)))
    canvas = round(width * cos + height * sin) + 2 * margin, round(width * sin + height * cos) + 2 * margin
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, 1.0)
    matrix[:, 2] += (canvas[0] - width) / 2, (canvas[1] - height) / 2
    return matrix, canvas


def _moved(box: Box, matrix: np.ndarray, angle: float) -> Box:
    """An upright box mapped by a similarity (2, 3), and its angle afterwards."""
    factor = math.hypot(*matrix[:, 0])
    x, y = matrix @ (*box.center, 1)
    side = box.side * factor
    points = None if box.landmarks is None else tuple(tuple((matrix @ (*p, 1)).tolist()) for p in box.landmarks)
    return Box(float(x - side / 2), float(y - side / 2), side, side, float(_within(angle)), box.score, points)


def scaled(box: Box, factor: float) -> Box:
    """The box on an image that is `factor` times as large."""
    return box if factor == 1 else _moved(box, np.diag([factor, factor, 1.0])[:2], box.angle)


def resized(picture: Image.Image, scale: float) -> Image.Image:
    """The image, `scale` times as large, each side at least one pixel."""
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture if size == picture.size else picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)


def whole_pixels(box: Box) -> Box:
    """The square in whole pixels round the same center."""
    (x, y), side = box.center, max(1, round(box.side))
    return replace(box, left=round(x - side / 2), top=round(y - side / 2), width=side, height=side)


def same_face(first: Box, second: Box) -> bool:
    """Whether one box's center is within half a side of the other's, or 30 % of the smaller are in the larger.

    Frames of faces that touch share less.
    """
    apart = [abs(a - b) for a, b in zip(first.center, second.center, strict=True)]
    reach, smaller = (first.side + second.side) / 2, min(first.side, second.side)
    shared = math.prod(min(smaller, max(0.0, reach - distance)) for distance in apart)  # of the upright squares
    return math.hypot(*apart) <= max(first.side, second.side) / 2 or shared > 0.3 * smaller**2


def merged(boxes: Iterable[Box]) -> list[Box]:
    """One box for each face, the one with the highest score; a mouth or a collar within a face is dropped."""
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda box: (-score(box), -box.side, box.left, box.top)):
        if not any(same_face(box, other) for other in kept):
            kept.append(box)
    return kept
