"""A visitor's progress through the lessons, for as long as the browser tab is open."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st


@dataclass(frozen=True)
class Progress:
    """Progress in one lesson.

    Attributes:
        finished: whether the last step was reached.
        verdict: verdict on the first prediction; "" if a link opened the result without one, None if it was not
            revealed yet.
    """

    finished: bool
    verdict: str | None

    @property
    def correct(self) -> bool:
        """Whether the first prediction was correct."""
        return self.verdict == "Correct."

    @property
    def words(self) -> str:
        """The progress in a few words."""
        if self.verdict is None:
            return "finished" if self.finished else "not started"
        seen = f"predicted: {self.verdict[0].lower()}{self.verdict[1:].rstrip('.')}" if self.verdict else "result seen"
        return f"finished, {seen}" if self.finished else seen


def of(lesson: str) -> Progress:
    """The progress in a lesson by its key."""
    return Progress(lesson in _finished(), _verdicts().get(lesson))


def revealed(lesson: str, verdict: str) -> None:
    """Store the verdict on the prediction in a lesson; a first one is kept, unless there was no prediction."""
    if not _verdicts().get(lesson):
        _verdicts()[lesson] = verdict


def finished(lesson: str) -> None:
    """Store that the last step of a lesson was reached."""
    _finished().add(lesson)


def _finished() -> set[str]:
    return st.session_state.setdefault("lessons-finished", set())


def _verdicts() -> dict[str, str]:
    return st.session_state.setdefault("lessons-verdicts", {})
