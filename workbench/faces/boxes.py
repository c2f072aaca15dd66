"""Where a face is on an image."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from PIL import Image


@dataclass(frozen=True)
class Box:
    """A rectangle on an image, in pixels of the upright image that `read` returns; it may reach beyond the border.

    Attributes:
        left, top: the upper left corner before the rectangle is turned.
        width, height: size of the rectangle.
        angle: degrees by which it is turned about its center, counter-clockwise on the screen, in (-180, 180].
        score: confidence of the detector, 0..1; None for a box drawn by hand or found by the cascade.
        landmarks: five points (x, y) on the image: the eye on the face's left in an upright image, the other eye, tip
            of the nose, corner of the mouth on that left, the other corner; None where `score` is None.
    """

    left: float
    top: float
    width: float
    height: float
    angle: float = 0.0
    score: float | None = None
    landmarks: tuple[tuple[float, float], ...] | None = None

    @property
    def area(self) -> float:
        """Square pixels."""
        return self.width * self.height

    @property
    def center(self) -> tuple[float, float]:
        """(x, y)."""
        return self.left + self.width / 2, self.top + self.height / 2

    @property
    def side(self) -> float:
        """Side of the square that `crop` cuts out: the longer one."""
        return max(self.width, self.height)

    @property
    def corners(self) -> tuple[tuple[float, float], ...]:
        """The four corners (x, y) on the image in drawing order, beginning at the face's upper left one."""
        x, y = self.center
        cos, sin = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
        offsets = [(sx * self.width / 2, sy * self.height / 2) for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        return tuple((x + dx * cos + dy * sin, y - dx * sin + dy * cos) for dx, dy in offsets)

    def scaled(self, by: float) -> Box:
        """The box on the same image, resized by a factor."""
        points = None if self.landmarks is None else tuple((x * by, y * by) for x, y in self.landmarks)
        left, top, width, height = (by * side for side in (self.left, self.top, self.width, self.height))
        return replace(self, left=left, top=top, width=width, height=height, landmarks=points)


def whole(picture: Image.Image) -> Box:
    """The largest centered square: where a crop by hand starts, and the face when none was found."""
    side = min(picture.size)
    return Box((picture.width - side) // 2, (picture.height - side) // 2, side, side)
