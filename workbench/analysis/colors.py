"""Colors of classes, the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

EMOTION_COLORS = {
    "angry": "#D55E00",
    "disgust": "#009E73",
    "fear": "#CC79A7",
    "happy": "#E69F00",
    "neutral": "#7F7F7F",
    "sad": "#0072B2",
    "surprise": "#56B4E9",
    "contempt": "#6A4C93",
}
"""Safe for the color-blind; always shown together with the word."""

_OTHER_COLORS = ("#332288", "#117733", "#CC6677", "#DDCC77", "#882255", "#44AA99", "#999933", "#AA4499", "#661100")


def class_colors(classes: Sequence[str]) -> tuple[str, ...]:
    """The color of each class: that of the emotion, for others in turn those of Paul Tol's muted palette."""
    others = cycle(_OTHER_COLORS)
    return tuple(EMOTION_COLORS.get(name) or next(others) for name in classes)
