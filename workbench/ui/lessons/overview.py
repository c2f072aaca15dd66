"""The overview of all lessons with this visitor's progress, and the choice of one."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from models.text import counted

from . import progress
from .progress import Progress
from .steps import OVERVIEW, STEPS, Lesson, open_step

_COLUMNS = 4


def choose_lesson(lessons: Mapping[str, Lesson]) -> Lesson | None:
    """Let the visitor choose a lesson, kept in the link as `lesson` by its key; None for the overview."""
    known = (OVERVIEW, *lessons)
    in_link = st.query_params.get("lesson")
    if in_link in known and in_link != st.session_state.get("lesson_in_link"):  # not the value written here last
        st.session_state["lesson"] = in_link
    if "opened" not in st.session_state:  # the first run of a visit: is the link for a later step?
        later = st.query_params.get("step") in STEPS[2:]
        st.session_state["opened"] = {in_link} if later and in_link in lessons else set()
    key = st.selectbox(
        "Lesson",
        known,
        format_func=lambda key: "All lessons" if key == OVERVIEW else numbered(lessons, key),
        key="lesson",
        persist_state="session",
        on_change=open_step,
        args=(STEPS[0],),
    )
    if in_link is not None or key != OVERVIEW:  # the overview needs no link
        st.query_params["lesson"] = st.session_state["lesson_in_link"] = key
    return lessons.get(key)


def numbered(lessons: Mapping[str, Lesson], key: str) -> str:
    """The label of a lesson in the list: its number and its title."""
    return f"{[*lessons].index(key) + 1} · {lessons[key].title}"


def overview(lessons: Mapping[str, Lesson]) -> None:
    """Draw a card for each lesson: title, question, progress, and the button that opens it."""
    states = {key: progress.of(key) for key in lessons}
    done, correct = (sum(getattr(s, name) for s in states.values()) for name in ("finished", "correct"))
    text = f"{done} of {counted(len(lessons), 'lesson')} finished, {counted(correct, 'first prediction')} correct"
    st.progress(done / len(lessons), text=f"{text}. Kept until this tab is closed.")
    following = next((key for key, state in states.items() if not state.finished), None)
    keys = [*lessons]
    for first in range(0, len(keys), _COLUMNS):
        for column, key in zip(st.columns(_COLUMNS), keys[first : first + _COLUMNS], strict=False):
            with column.container(border=True, height="stretch"):
                _card(lessons, key, states[key], key == following)


def _card(lessons: Mapping[str, Lesson], key: str, state: Progress, following: bool) -> None:
    st.markdown(f"**{numbered(lessons, key)}**  \n{lessons[key].question}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Again" if state.finished else "Open",
            key=f"open-{key}",
            on_click=open_step,
            args=(STEPS[0], key),
            type="primary" if following else "secondary",
        )
        st.markdown(state.words)
