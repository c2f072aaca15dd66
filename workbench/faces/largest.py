"""The largest face of a photograph, for the import of datasets."""

from __future__ import annotations

from PIL import Image

from models.datasets.readers import FoundFace
from workbench.faces.cropped import detect_or_whole
from workbench.faces.cropping import crop


def largest_face(image: Image.Image) -> FoundFace | None:
    """The largest face of an upright RGB image, cropped as `ferscope explain` does; None where none is detected."""
    boxes = detect_or_whole(image)
    if not boxes:
        return None
    box = boxes[0]
    return FoundFace(crop(image, box).picture, (box.left, box.top, box.width, box.height, box.angle), len(boxes))
