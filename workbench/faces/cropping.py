"""Cut a face out of an image, upright."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from workbench.decoders.errors import PictureError
from workbench.faces.boxes import Box

MAX_FACE_SIDE = 512  # pixels; larger crops are reduced, the networks take 48 to 224


@dataclass(frozen=True, eq=False)
class Face:
    """A square RGB image of one face.

    Attributes:
        picture: the crop at its own resolution, at most 512 pixels a side.
        box: where it was cut out; None when the image was a face to begin with.
    """

    picture: Image.Image
    box: Box | None = None

    def gray(self, size: int) -> np.ndarray:
        """What a network sees: uint8 (size, size), luminance (ITU-R BT.601), reduced without aliasing (Lanczos)."""
        return np.asarray(self.picture.convert("L").resize((size, size), Image.Resampling.LANCZOS)).copy()

    def rgb(self, size: int) -> np.ndarray:
        """The face in color: uint8 (size, size, 3), reduced without aliasing (Lanczos)."""
        return np.asarray(self.picture.convert("RGB").resize((size, size), Image.Resampling.LANCZOS)).copy()

    @cached_property
    def key(self) -> str:
        """Hex digest of the pixels: equal for equal images, fit as the key of a cache."""
        return hashlib.sha256(f"{self.picture.size}".encode() + self.picture.tobytes()).hexdigest()


def crop(picture: Image.Image, box: Box) -> Face:
    """Cut out the square round the center of `box` whose side is the box's longer one, and turn it upright.

    A square box of whole pixels is cut out exactly as given; parts outside of the image repeat its border.

    Raises:
        PictureError: the box has no area or lies outside of the image.
    """
    _check_box(picture, box)
    (x, y), side = box.center, box.side
    factor = max(1, int(side / (2 * MAX_FACE_SIDE)))  # reduce first: a large box must not cost a large image
    if factor > 1:
        picture = picture.reduce(factor)
        x, y, side = x / factor, y / factor, side / factor
    cut = _cut(picture, x, y, side) if box.angle % 360 == 0 else _cut_turned(picture, x, y, side, box.angle)
    cut.thumbnail((MAX_FACE_SIDE, MAX_FACE_SIDE), Image.Resampling.LANCZOS)
    return Face(cut, box)


def _check_box(picture: Image.Image, box: Box) -> None:
    if not (math.isfinite(box.area) and math.isfinite(box.angle) and min(box.width, box.height) >= 1):
        raise PictureError("This box is empty. Draw a box of at least one pixel around the face.")
    (x, y), half = box.center, box.side / 2
    if not (-half < x < picture.width + half and -half < y < picture.height + half):
        raise PictureError("This box is outside of the image. Draw it around the face.")


def _cut(picture: Image.Image, x: float, y: float, side: float) -> Image.Image:
    """The upright RGB square of whole pixels round (x, y); beyond the image its border is repeated."""
    n = max(1, round(side))
    left, right, across = _span(round(x - n / 2), n, picture.width)
    top, bottom, down = _span(round(y - n / 2), n, picture.height)
    inside = picture.crop((left, top, right, bottom)).convert("RGB")  # first, as faces may be small on a large image
    if inside.size == (n, n):
        return inside
    return Image.fromarray(np.pad(np.asarray(inside), (down, across, (0, 0)), mode="edge"))


def _span(start: int, length: int, limit: int) -> tuple[int, int, tuple[int, int]]:
    """The part of `length` pixels from `start` that is in 0..limit, at least one, and how many are missing around."""
    first = min(max(start, 0), limit - 1)
    end = max(min(start + length, limit), first + 1)
    missing = length - (end - first)
    before = min(max(-start, 0), missing)
    return first, end, (before, missing - before)


def _cut_turned(picture: Image.Image, x: float, y: float, side: float, angle: float) -> Image.Image:
    """The square that is turned by `angle`: cut a larger upright one, turn it back, cut its middle."""
    n = max(1, round(side))
    margin = math.ceil(n * (math.sqrt(2) - 1) / 2) + 1
    upright = _cut(picture, x, y, n + 2 * margin).rotate(-angle, Image.Resampling.BICUBIC)
    return upright.crop((margin, margin, margin + n, margin + n))
