"""Find every face in the frames of a video or a camera, one frame after another."""

from __future__ import annotations

import math
from dataclasses import replace

from PIL import Image

from workbench.faces.boxes import Box
from workbench.faces.cropped import detect_or_whole
from workbench.faces.decoding import MIN_SIDE
from workbench.faces.detection import in_copy, merged, same_face, score, whole_pixels

LIVE = 1.0
"""Seconds between two searches of the whole frame of a camera."""

_SURROUNDINGS = 2.0  # side of the region around the last box, in sides of that box
_AROUND_LAST = 128  # longer side of the copy of that region, pixels
_STAYS = 0.5  # score of a face where it was a frame ago


class Follower:
    """Finds the faces in each frame: by `detect_or_whole`, or quickly where they were a frame ago.

    For one video or camera and one thread.

    Args:
        every: seconds for which a face is only looked for around its last box, at the same tilt. The whole frame is
            searched when they are over and as soon as a face is not found there. 0: each frame is searched as a whole.
    """

    def __init__(self, every: float = 0.0) -> None:
        self._every = every
        self._last: list[Box] = []
        self._searched = -math.inf

    def find(self, frame: Image.Image, time: float) -> list[Box]:
        """The faces in the next frame, framed as `detect_or_whole` does, the largest first.

        Args:
            frame: RGB.
            time: time of the frame in seconds.
        """
        found = _all_near(frame, self._last) if 0 <= time - self._searched < self._every else None
        if found is None:
            found, self._searched = detect_or_whole(frame), time
        self._last = found
        return found


def _all_near(frame: Image.Image, last: list[Box]) -> list[Box] | None:
    """Each face near its last box; None where one is not found, or two are found as one."""
    found: list[Box] = []
    for box in last:
        hit = _near(frame, box)
        if hit is None or any(same_face(hit, other) for other in found):
            return None
        found.append(hit)
    return sorted(found, key=lambda box: (-box.area, box.left, box.top))


def _near(frame: Image.Image, last: Box) -> Box | None:
    """The face that is nearest to its last box, within its surroundings; none for a box that YuNet did not find."""
    if last.score is None:
        return None
    (x, y), half = last.center, last.side * _SURROUNDINGS / 2
    left, top = max(0, round(x - half)), max(0, round(y - half))
    right, bottom = min(frame.width, round(x + half)), min(frame.height, round(y + half))
    if min(right - left, bottom - top) < MIN_SIDE:
        return None
    hits = in_copy(frame.crop((left, top, right, bottom)), _AROUND_LAST, turn=round(last.angle))
    sure = [_shifted(box, left, top) for box in hits if score(box) >= _STAYS]
    nearest = min(merged(sure), key=lambda box: math.dist(box.center, last.center), default=None)
    return nearest and whole_pixels(nearest)


def _shifted(box: Box, right: int, down: int) -> Box:
    points = None if box.landmarks is None else tuple((x + right, y + down) for x, y in box.landmarks)
    return replace(box, left=box.left + right, top=box.top + down, landmarks=points)
