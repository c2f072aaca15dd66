"""The lessons of the page Lessons, a module each. To add a lesson, add a module and a line."""

from . import (
    calibration,
    channels,
    convolution,
    frequency,
    imbalance,
    leakage,
    self_attention,
    separable,
    spatial_attention,
    svd,
)
from .steps import Lesson, OpenLesson, choose_lesson, choose_step, network_note, run

LESSONS: dict[str, Lesson] = {
    module.LESSON.key: module.LESSON
    for module in (
        convolution,
        separable,
        channels,
        spatial_attention,
        frequency,
        svd,
        self_attention,
        imbalance,
        calibration,
        leakage,
    )
}
"""Key in the link → lesson, in the order in which they build on each other."""


def following(lesson: Lesson) -> Lesson:
    """The next lesson; after the last, the first."""
    keys = [*LESSONS]
    return LESSONS[keys[(keys.index(lesson.key) + 1) % len(keys)]]
