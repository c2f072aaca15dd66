"""Follow every face through the frames of a video or a camera."""

from __future__ import annotations

import math
from collections.abc import Sequence

from workbench.faces.boxes import Box

_NEAR = 0.7  # distance of the centers, in sides of the larger box
_RATIO = 1.8  # of the sides
_PATIENCE = 1.0  # seconds for which a face that is not found keeps its number, and at least one frame


class Tracks:
    """Numbers the faces of one video: the same number for the box that is nearest to where the face was.

    For one video or camera, frame after frame.
    """

    def __init__(self) -> None:
        self._last: dict[int, tuple[float, Box]] = {}
        self._previous = 0.0
        self._count = 0

    def update(self, boxes: Sequence[Box], time: float) -> list[int]:
        """The number of each face of the next frame, from 1 on; a face that was not there before gets a new one.

        Args:
            boxes: boxes of the faces, as `detect` returns them.
            time: time of the frame in seconds.
        """
        recent = max(0.0, min(time - _PATIENCE, self._previous))
        self._last = {n: seen for n, seen in self._last.items() if seen[0] >= recent}
        self._previous = time
        pairs = sorted(
            (distance, number, i)
            for number, (_, last) in self._last.items()
            for i, box in enumerate(boxes)
            if (distance := _distance(last, box)) is not None
        )
        numbers: dict[int, int] = {}
        for _, number, i in pairs:
            if i not in numbers and number not in numbers.values():
                numbers[i] = number
        for i, box in enumerate(boxes):
            if i not in numbers:
                self._count += 1
                numbers[i] = self._count
            self._last[numbers[i]] = time, box
        return [numbers[i] for i in range(len(boxes))]


def _distance(last: Box, box: Box) -> float | None:
    """Distance of the centers in sides of the larger box; None where they cannot be the same face."""
    larger, smaller = max(last.side, box.side), min(last.side, box.side)
    distance = math.dist(last.center, box.center) / larger
    return distance if distance < _NEAR and larger < _RATIO * smaller else None
