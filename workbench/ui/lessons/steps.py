"""The steps of every lesson: try, predict, reveal, why, take away; the result is shown after the prediction.

Lesson and step are in the link (`?lesson=frequency&step=reveal`). A link opens any step at once, for teachers; without
one, the later steps open after a prediction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from workbench import services
from workbench.faces import Face

from .. import charts, model_picker, page_content, views
from . import progress
from .commitment import Guess, Predicted
from .symbols import symbol_table

STEPS = ("try", "predict", "reveal", "why", "take-away")
_COLUMNS = (3, 5)  # widths of text and charts
_BEFORE = STEPS[:2]  # open before a prediction
OVERVIEW = "overview"
"""Value in the link in place of a lesson."""


@dataclass(frozen=True)
class Steps:
    """The functions that draw each step of a lesson into given columns; `found` is the result of `Lesson.find`.

    Attributes:
        attempt: (found, left, right) → None: one control and its effect.
        think: (found, right) → None: charts that help to predict without showing the result.
        guess: found → the question with its answer.
        reveal: (found, predicted, left, right) → None: the result beside the prediction (None: there was none).
        why: found → equations in LaTeX, and a few sentences; the table of symbols is drawn below.
        take_away: found → one sentence.
    """

    attempt: Callable[..., None]
    think: Callable[..., None]
    guess: Callable[[Any], Guess]
    reveal: Callable[..., None]
    why: Callable[[Any], tuple[tuple[str, ...], str]]
    take_away: Callable[[Any], str]


@dataclass(frozen=True)
class Lesson:
    """One lesson.

    Attributes:
        key: its value in the link.
        title: subject in a few words, for the list.
        question: the question that it answers, below the title.
        needs: requirement on the network, for the sentence "this lesson needs …".
        network: name of the chosen network → name of the one that the lesson uses.
        find: (face, network) → everything that is computed; has the `symbols` of the equations.
        steps: functions that draw the steps.
        code: "module:name" of the functions that compute it.
        of_face: whether the answer depends on the face.
        uses_face: whether anything in it does; False: it opens without a face, and `find` gets None.
    """

    key: str
    title: str
    question: str
    needs: str
    network: Callable[[str], str]
    find: Callable[[Face, str], Any]
    steps: Steps
    code: tuple[str, ...]
    of_face: bool = True
    uses_face: bool = True


JUDGED = {
    "needs": "stored predictions on FER2013's PrivateTest",
    "network": lambda chosen: services.lessons.own_or_first(chosen, services.lessons.with_predictions),
}
"""Arguments of `Lesson` for lessons that evaluate a network by its predictions on a test set, without a face."""


@dataclass(frozen=True)
class Commitment:
    """A student's prediction.

    Attributes:
        first: the first one, made before the result was shown.
        now: the current one, possibly changed afterwards.
        changes: number of changes.
    """

    first: Predicted
    now: Predicted
    changes: int = 0


@dataclass(frozen=True)
class OpenLesson:
    """The lesson that a visitor has open, with its network and face.

    Attributes:
        lesson: the lesson.
        network: name of the network that it uses.
        about: key of the face, or "" if the face does not matter.
    """

    lesson: Lesson
    network: str
    about: str

    @property
    def commitment(self) -> Commitment | None:
        """The prediction made here; None: none yet."""
        return st.session_state.setdefault("commitments", {}).get(self._key)

    def commit(self, predicted: Predicted) -> None:
        """Store a prediction; a second one is stored beside the first."""
        before = self.commitment
        if before is None:
            after = Commitment(predicted, predicted)
        elif predicted == before.now:
            after = before
        else:
            after = replace(before, now=predicted, changes=before.changes + 1)
        st.session_state["commitments"][self._key] = after

    @property
    def _key(self) -> tuple[str, str, str]:
        return self.lesson.key, self.network, self.about


def side_by_side(right: Any, *shown: tuple[go.Figure, str, str], wide: bool = False) -> None:
    """Draw one or two charts (figure, key, alternative text); a single one takes half the width, or all if `wide`."""
    for column, (figure, key, alt) in zip(right.columns(1 if wide else 2), shown, strict=False):
        with column:
            charts.show(figure, key, alt)


def count(label: str, most: int, start: int, key: str) -> int:
    """A slider from 1 to `most`, kept in the link as `key`; reset to `start` if the network has fewer."""
    if st.session_state.get(key, 1) > most:
        st.session_state[key] = start
    return st.slider(label, 1, most, start, key=key, bind="query-params")


def choose_step(open_lesson: OpenLesson) -> str:
    """Let the visitor choose among the open steps, kept in the link as `step`."""
    everything = open_lesson.commitment is not None or open_lesson.lesson.key in st.session_state["opened"]
    steps = STEPS if everything else _BEFORE
    if st.session_state.get("step", STEPS[0]) not in steps:  # another face or network: no prediction yet
        st.session_state["step"] = "predict"
    return views.choose_one("Step", steps, default=STEPS[0], key="step")


def open_step(step: str, lesson: str | None = None) -> None:
    """Open a step, of another lesson if one is given, at the next run; `OVERVIEW` leads to all lessons."""
    st.session_state["step"] = step
    views.go_up()
    if lesson is not None:
        st.session_state["lesson"] = lesson


def network_note(open_lesson: OpenLesson, chosen: str) -> None:
    """Say which network the lesson uses if it is not the chosen one, and warn of random weights."""
    if open_lesson.network != chosen:
        title, other = (services.networks.get_spec(name).title for name in (chosen, open_lesson.network))
        st.markdown(f"This lesson needs {open_lesson.lesson.needs}, so it uses **{other}** instead of {title}.")
    if not services.networks.open_network(open_lesson.network).trained:
        model_picker.random_weights_banner(open_lesson.network)


def run(open_lesson: OpenLesson, step: str, found: Any, following: Lesson | None) -> None:
    """Show one step of a lesson; `following` is the next lesson, None after the last."""
    if step == "try":
        _attempt(open_lesson.lesson, found)
    elif step == "predict":
        _predict(open_lesson, found)
    elif step == "reveal":
        _reveal(open_lesson, found)
    elif step == "why":
        _why(open_lesson.lesson, found)
    else:
        _take_away(open_lesson.lesson, found, following)


def _next(label: str, step: str, lesson: str | None = None, **more: Any) -> None:
    """The button to the next step; it stands beside the charts, above the fold, and before them on a phone."""
    style = {"key": f"to-{step}", "type": "primary", **more}
    if st.button(label, on_click=open_step, args=(step, lesson), **style):
        st.rerun()  # of the whole page, where the button stands in a fragment


@page_content.fragment
def _attempt(lesson: Lesson, found: Any) -> None:
    left, right = st.columns(_COLUMNS)
    lesson.steps.attempt(found, left, right)
    with left:
        _next("Predict", "predict")


def _predict(open_lesson: OpenLesson, found: Any) -> None:
    left, right = st.columns(_COLUMNS)
    guess, before = open_lesson.lesson.steps.guess(found), open_lesson.commitment
    open_lesson.lesson.steps.think(found, right)
    with left:
        if before is not None:
            st.markdown(f"You predicted **{guess.words(before.now)}**. The result has been shown.")
            if not st.toggle("Change the prediction", key="change"):
                return
        key = f"guess-{open_lesson.lesson.key}"
        with st.form("prediction", border=False, clear_on_submit=True):
            st.markdown(guess.question)
            guess.ask(key)
            label = "Submit and reveal" if before is None else "Submit the change"
            st.form_submit_button(label, type="primary", on_click=_commit, args=(open_lesson, key))
        if st.session_state.pop("nothing_said", False):
            st.warning("Make a prediction first.")
        st.caption("Your first prediction is kept; later changes are marked.")


def _commit(open_lesson: OpenLesson, key: str) -> None:
    predicted = st.session_state.get(key)
    if predicted is None:  # the form stays
        st.session_state["nothing_said"] = True
        return
    open_lesson.commit(predicted)
    open_step("reveal")


def _reveal(open_lesson: OpenLesson, found: Any) -> None:
    left, right = st.columns(_COLUMNS)
    guess, made = open_lesson.lesson.steps.guess(found), open_lesson.commitment
    predicted = made and made.now
    with left:
        if made is None:
            views.caption(
                f"**No prediction was made;** a link opened this step. **Result:** {guess.words(guess.answer)}."
            )
        else:
            changed = (
                f" Changed {'once' if made.changes == 1 else f'{made.changes} times'} after the reveal; "
                f"first prediction: {guess.words(made.first)}."
                if made.changes
                else ""
            )
            views.caption(
                f"**You predicted:** {guess.words(predicted)}.{changed}\n\n**Result:** {guess.words(guess.answer)}. "
                f"{guess.verdict(predicted)}"
            )
        progress.revealed(open_lesson.lesson.key, guess.verdict(made.first) if made else "")
    open_lesson.lesson.steps.reveal(found, predicted, left, right)
    with left:
        _next("Why", "why")


def _why(lesson: Lesson, found: Any) -> None:
    equations, text = lesson.steps.why(found)
    left, right = st.columns(2)
    with left:
        for equation in equations:
            st.latex(equation)
        views.caption(text)
        _next("Take away", "take-away")
    with right:
        views.caption(symbol_table(found.symbols))
    views.how_computed("Source code of this lesson:", *lesson.code)


def _take_away(lesson: Lesson, found: Any, following: Lesson | None) -> None:
    progress.finished(lesson.key)
    st.header(lesson.steps.take_away(found))
    with st.container(horizontal=True):
        if following:
            _next(f"Next lesson: {following.title}", STEPS[0], following.key)
        st.button("All lessons", key="to-overview", on_click=open_step, args=(STEPS[0], OVERVIEW))
