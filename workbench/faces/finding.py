"""From an image to its cropped faces, in one call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from workbench.faces.boxes import Box
from workbench.faces.cropped import detect_or_whole
from workbench.faces.cropping import Face, crop
from workbench.faces.decoding import Source, read, reduced_by
from workbench.faces.detection import Align


def find(
    source: Source,
    boxes: Iterable[Box | Sequence[float]] | None = None,
    cropped: bool | None = None,
    align: Align = "none",
) -> list[Face]:
    """The faces of an image, cropped, the largest first; an empty list when none is found.

    Args:
        source: the image, as for `read`: a path, bytes, an open file, an array or a PIL image.
        boxes: where the faces are, if that is known: no face is then looked for, and their order is kept. Each is a
            `Box`, or numbers (left, top, width, height) in pixels of the upright image, before `read` scales it down,
            with the angle in degrees as an optional fifth. The crop is the square around the center of the box with
            its longer side.
        cropped: whether the image is a cropped face. None: as `detect_or_whole` recognizes it.
        align: how the face is aligned, as in `detect`.

    Raises:
        PictureError: the image cannot be decoded, or a box is empty or outside of it. ValueError: a box does not have
            four or five numbers, or boxes are given for an image that is said to be a cropped face.
    """
    picture = read(source)
    if boxes is None:
        return [crop(picture, box) for box in detect_or_whole(picture, cropped, align)]
    if cropped:
        raise ValueError("A cropped face is used as a whole: give either boxes or cropped=True.")
    return [crop(picture, _box(given).scaled(1 / reduced_by(picture))) for given in boxes]


def _box(given: Box | Sequence[float]) -> Box:
    if isinstance(given, Box):
        return given
    numbers = [float(number) for number in given]
    if len(numbers) not in (4, 5):
        raise ValueError(f"A box is (left, top, width, height) or (left, top, width, height, angle), not {given!r}.")
    return Box(*numbers)
