"""The lessons of the page Lessons, a module each. To add a lesson, add a module and a line."""

from . import (
    calibration,
    channels,
    convolution,
    frequency,
    imbalance,
    input_dependence,
    leakage,
    out_of_distribution,
    self_attention,
    separable,
    spatial_attention,
    svd,
    transfer,
)
from .overview import choose_lesson, overview
from .steps import Lesson, OpenLesson, choose_step, network_note, run

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
        input_dependence,
        transfer,
        imbalance,
        calibration,
        leakage,
        out_of_distribution,
    )
}
"""Key in the link → lesson, in the order in which they build on each other."""


def following(lesson: Lesson) -> Lesson | None:
    """The next lesson; None after the last."""
    keys = [*LESSONS]
    at = keys.index(lesson.key) + 1
    return LESSONS[keys[at]] if at < len(keys) else None
