"""Follow one face through the frames of a camera."""

from __future__ import annotations

from dataclasses import replace

from PIL import Image

from workbench.faces.boxes import Box
from workbench.faces.decoding import MIN_SIDE
from workbench.faces.detection import AROUND_LAST, IN_FRAME, hits_of

_SURROUNDINGS = 2.0  # side of the region around the last box, in sides of that box


class Follower:
    """Finds the face in each frame of a camera, quickly: first where it was a frame ago, then in the whole frame.

    For one camera and one thread; of several faces it stays with the one that it found first.
    """

    def __init__(self) -> None:
        self._last: Box | None = None

    def find(self, frame: Image.Image) -> Box | None:
        """The face in the next frame, framed as `detect` does; None where there is none."""
        hits = self._near(frame) or hits_of(frame.convert("L"), IN_FRAME)
        self._last = max(hits, key=lambda hit: hit[0])[1] if hits else None
        return self._last

    def _near(self, frame: Image.Image) -> list[tuple[int, Box]]:
        if self._last is None:
            return []
        (x, y), half = self._last.centre, self._last.side * _SURROUNDINGS / 2
        left, top = max(0, round(x - half)), max(0, round(y - half))
        right, bottom = min(frame.width, round(x + half)), min(frame.height, round(y + half))
        if min(right - left, bottom - top) < MIN_SIDE:
            return []
        region = frame.crop((left, top, right, bottom)).convert("L")
        found = hits_of(region, AROUND_LAST)
        return [(votes, replace(box, left=box.left + left, top=box.top + top)) for votes, box in found]
