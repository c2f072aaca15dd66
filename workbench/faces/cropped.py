"""Images that are a cropped face already, as those of FER2013."""

from __future__ import annotations

from PIL import Image

from workbench.faces.boxes import Box, whole
from workbench.faces.detection import Align, detect

_SMALL = 64  # pixels a side: below it, and nearly square, an image is a crop
_NEARLY_SQUARE = 0.8  # shorter by longer side
_COVERED = 0.9  # of the image by the face's box


def detect_or_whole(picture: Image.Image, cropped: bool | None = None, align: Align = "none") -> list[Box]:
    """The faces of an image: the largest centered square if it is a cropped face, otherwise those that `detect` finds.

    Args:
        picture: RGB.
        cropped: whether the image is a cropped face. None: it is one if it is nearly square and either has at most 64
            pixels a side, or a detected face whose box covers over nine tenths of it.
        align: how the face is aligned, as in `detect`.
    """
    square = min(picture.size) >= _NEARLY_SQUARE * max(picture.size)
    if cropped or (cropped is None and square and max(picture.size) <= _SMALL):
        return [whole(picture)]
    boxes = detect(picture, align)
    if cropped is None and square and boxes and covered(picture, boxes[0]) > _COVERED:
        return [whole(picture)]
    return boxes


def covered(picture: Image.Image, box: Box) -> float:
    """Share of the image that lies in an upright box, 0..1; 0 for a rotated box."""
    width = min(picture.width, box.left + box.width) - max(0, box.left)
    height = min(picture.height, box.top + box.height) - max(0, box.top)
    return 0.0 if box.angle else max(0.0, width) * max(0.0, height) / (picture.width * picture.height)
