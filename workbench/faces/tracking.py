"""Follow one face through the frames of a camera."""

from __future__ import annotations

from dataclasses import replace

from PIL import Image

from workbench.faces.boxes import Box
from workbench.faces.decoding import MIN_SIDE
from workbench.faces.detection import Align, in_copy, score, tilted, whole_pixels

_SURROUNDINGS = 2.0  # side of the region around the last box, in sides of that box
_AROUND_LAST, _IN_FRAME = 128, 320  # longer sides of the copies in which the face is looked for, pixels
_STAYS, _APPEARS = 0.5, 0.6  # score of a face where it was a frame ago, and anywhere


class Follower:
    """Finds the face in each frame of a camera, quickly: first where it was a frame ago, then in the whole frame.

    For one camera and one thread; of several faces it stays with the one that it found first.

    Args:
        align: as in `detect`; "none" is faster.
    """

    def __init__(self, align: Align = "none") -> None:
        self._last: Box | None = None
        self._align = align

    def find(self, frame: Image.Image) -> Box | None:
        """The face in the next frame, framed as `detect` does; None where there is none."""
        hits = self._near(frame) or [hit for hit in in_copy(frame, _IN_FRAME) if score(hit) >= _APPEARS]
        found = max(hits, key=score, default=None)
        if found is not None and self._align == "rotate":
            found = tilted(frame, found, "rotate")
        self._last = None if found is None else whole_pixels(found)
        return self._last

    def _near(self, frame: Image.Image) -> list[Box]:
        if self._last is None:
            return []
        (x, y), half = self._last.centre, self._last.side * _SURROUNDINGS / 2
        left, top = max(0, round(x - half)), max(0, round(y - half))
        right, bottom = min(frame.width, round(x + half)), min(frame.height, round(y + half))
        if min(right - left, bottom - top) < MIN_SIDE:
            return []
        found = in_copy(frame.crop((left, top, right, bottom)), _AROUND_LAST)
        return [_shifted(box, left, top) for box in found if score(box) >= _STAYS]


def _shifted(box: Box, right: int, down: int) -> Box:
    points = None if box.landmarks is None else tuple((x + right, y + down) for x, y in box.landmarks)
    return replace(box, left=box.left + right, top=box.top + down, landmarks=points)
