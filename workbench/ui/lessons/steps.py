"""How every lesson runs: try, predict, reveal, why, take away; the answer opens when the student has committed.

Lesson and step stand in the link (`?lesson=frequency&step=reveal`). Who comes by such a link sees any step at once, as
a teacher wants; who walks through the lesson sees what lies behind a prediction after making one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from workbench import services
from workbench.faces import Face
from workbench.services.lessons import Symbol

from .. import charts, model_picker, page_content, views
from .commitment import Guess, Said

STEPS = ("try", "predict", "reveal", "why", "take-away")
_COLUMNS = (3, 5)  # widths of words and pictures
_BEFORE = STEPS[:2]  # what is open to everybody


@dataclass(frozen=True)
class Steps:
    """What a lesson shows, step by step. They draw into the columns that they are given; `found` is what was computed.

    Attributes:
        attempt: (found, words, pictures) → None: one control and what it changes.
        think: (found, pictures) → None: what helps to predict, and does not tell.
        guess: found → what the student is asked, with the answer.
        reveal: (found, said, words, pictures) → None: what came out, beside what was said (None: nothing was).
        why: found → equations, in LaTeX, and a few sentences; the table of symbols is drawn by the frame.
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
        key: its word in the link.
        title: its subject and what it is about, in a few words, for the list.
        question: what it answers; a page's title.
        needs: what a network must have, for the sentence "this lesson needs …".
        network: name of the chosen network → of the one that the lesson takes.
        find: (face, network) → all that is computed, `found`; it has the `symbols` of the equations.
        steps: what is shown.
        code: "module:name" of what computes it.
        of_face: whether another face is another question.
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


JUDGED = {
    "needs": "stored answers to FER2013's PrivateTest",
    "network": lambda chosen: services.lessons.own_or_first(chosen, services.lessons.with_predictions),
}
"""Of lessons that judge a network by its answers to a test set, and need no picture."""


@dataclass(frozen=True)
class Commitment:
    """What a student predicted.

    Attributes:
        first: before the answer was open.
        now: the same, or what it was changed to with the answer open.
        changes: how often it was changed.
    """

    first: Said
    now: Said
    changes: int = 0


@dataclass(frozen=True)
class Place:
    """Where a visitor stands: the lesson, and what it is about.

    Attributes:
        lesson: which.
        network: that it takes.
        about: key of the face, or "" where the face does not matter.
    """

    lesson: Lesson
    network: str
    about: str

    @property
    def commitment(self) -> Commitment | None:
        """What was predicted here; None: nothing yet."""
        return st.session_state.setdefault("commitments", {}).get(self._key)

    def commit(self, said: Said) -> None:
        """Keep a prediction; a second one is kept beside the first."""
        before = self.commitment
        if before is None:
            after = Commitment(said, said)
        elif said == before.now:
            after = before
        else:
            after = replace(before, now=said, changes=before.changes + 1)
        st.session_state["commitments"][self._key] = after

    @property
    def _key(self) -> tuple[str, str, str]:
        return self.lesson.key, self.network, self.about


def side_by_side(pictures: Any, *shown: tuple[go.Figure, str, str], wide: bool = False) -> None:
    """Draw one or two charts into a column: figure, key, and what is in it. One alone takes half, or all if `wide`."""
    for column, (figure, key, alt) in zip(pictures.columns(1 if wide else 2), shown, strict=False):
        with column:
            charts.show(figure, key, alt)


def count(label: str, most: int, start: int, key: str) -> int:
    """A slider from 1 to `most`, in the link as `key`; another network may have fewer, and then it starts anew."""
    if st.session_state.get(key, 1) > most:
        st.session_state[key] = start
    return st.slider(label, 1, most, start, key=key, bind="query-params")


def choose_lesson(lessons: dict[str, Lesson]) -> Lesson:
    """Let the visitor choose a lesson; it stands in the link as `lesson`, by its key and not by its title."""
    in_link = st.query_params.get("lesson")
    if in_link in lessons and in_link != st.session_state.get("lesson_in_link"):  # not what was written here last
        st.session_state["lesson"] = in_link
    if "opened" not in st.session_state:  # the first run of a visit: was the link for a later step?
        asked = st.query_params.get("lesson", next(iter(lessons)))
        st.session_state["opened"] = {asked} if st.query_params.get("step") in STEPS[2:] else set()
    key = st.selectbox(
        "What would you like to understand?",
        [*lessons],
        format_func=lambda key: numbered(lessons, key),
        key="lesson",
        persist_state="session",
        on_change=_go,
        args=(STEPS[0],),
    )
    if in_link is not None or key != next(iter(lessons)):  # the first one needs no link
        st.query_params["lesson"] = st.session_state["lesson_in_link"] = key
    return lessons[key]


def numbered(lessons: dict[str, Lesson], key: str) -> str:
    """A lesson as the list names it: its number and its title."""
    return f"{[*lessons].index(key) + 1} · {lessons[key].title}"


def choose_step(place: Place) -> str:
    """Let the visitor choose among the steps that are open; the step stands in the link as `step`."""
    everything = place.commitment is not None or place.lesson.key in st.session_state["opened"]
    steps = STEPS if everything else _BEFORE
    if st.session_state.get("step", STEPS[0]) not in steps:  # another face or network: a new question
        st.session_state["step"] = "predict"
    return views.choose_one("Step", steps, default=STEPS[0], key="step")


def _go(step: str, lesson: str | None = None) -> None:
    st.session_state["step"] = step
    views.go_up()
    if lesson is not None:
        st.session_state["lesson"] = lesson


def whose(place: Place, chosen: str) -> None:
    """Say which network the lesson takes where that is not the chosen one, and warn of random weights."""
    if place.network != chosen:
        title, other = (services.networks.get_spec(name).title for name in (chosen, place.network))
        st.markdown(f"{title} is chosen; this lesson needs {place.lesson.needs}, and takes **{other}**.")
    if not services.networks.open_network(place.network).trained:
        model_picker.random_weights_banner(place.network)


def run(place: Place, step: str, found: Any, following: Lesson) -> None:
    """Show one step of a lesson; `following` is the next lesson."""
    if step == "try":
        _attempt(place.lesson, found)
        _next("Predict", "predict")
    elif step == "predict":
        _predict(place, found)
    elif step == "reveal":
        _reveal(place, found)
        _next("Why", "why")
    elif step == "why":
        _why(place.lesson, found)
        _next("Take away", "take-away")
    else:
        st.subheader(place.lesson.steps.take_away(found))
        _next(f"Next lesson: {following.title}", STEPS[0], following.key)


def _next(label: str, step: str, lesson: str | None = None) -> None:
    st.button(label, key=f"to-{step}", on_click=_go, args=(step, lesson), type="primary")


@page_content.fragment
def _attempt(lesson: Lesson, found: Any) -> None:
    words, pictures = st.columns(_COLUMNS)
    lesson.steps.attempt(found, words, pictures)


def _predict(place: Place, found: Any) -> None:
    words, pictures = st.columns(_COLUMNS)
    guess, before = place.lesson.steps.guess(found), place.commitment
    place.lesson.steps.think(found, pictures)
    with words:
        if before is not None:
            st.markdown(f"You committed to **{guess.words(before.now)}**, and the answer is open now.")
            if not st.toggle("Change it all the same", key="change"):
                return
        key = f"guess-{place.lesson.key}"
        with st.form("prediction", border=False, clear_on_submit=True):
            st.markdown(guess.question)
            guess.ask(key)
            label = "Commit, and open the answer" if before is None else "Commit the change"
            st.form_submit_button(label, type="primary", on_click=_commit, args=(place, key))
        if st.session_state.pop("nothing_said", False):
            st.warning("Choose an answer first: the prediction comes before the answer.")
        st.caption("What you commit to stays; a later change is shown as one.")


def _commit(place: Place, key: str) -> None:
    said = st.session_state.get(key)
    if said is None:  # the form stays
        st.session_state["nothing_said"] = True
        return
    place.commit(said)
    _go("reveal")


def _reveal(place: Place, found: Any) -> None:
    words, pictures = st.columns(_COLUMNS)
    guess, made = place.lesson.steps.guess(found), place.commitment
    said = made and made.now
    with words:
        if made is None:
            views.caption(
                f"**Nothing was predicted here;** a link opened this step. **Answer:** {guess.words(guess.answer)}."
            )
        else:
            changed = (
                f" Changed {'once' if made.changes == 1 else f'{made.changes} times'} with the answer open; "
                f"at first: {guess.words(made.first)}."
                if made.changes
                else ""
            )
            views.caption(
                f"**You predicted:** {guess.words(said)}.{changed}\n\n**Answer:** {guess.words(guess.answer)}. "
                f"{guess.verdict(said)}"
            )
    place.lesson.steps.reveal(found, said, words, pictures)


def _why(lesson: Lesson, found: Any) -> None:
    equations, text = lesson.steps.why(found)
    left, right = st.columns(2)
    with left:
        for equation in equations:
            st.latex(equation)
        views.caption(text)
    with right:
        views.caption(_table(found.symbols))
    with views.computed(*lesson.code):
        st.markdown("What this lesson computes, as it stands in the repository:")


_GAP = "\N{NO-BREAK SPACE}"


def _table(symbols: tuple[Symbol, ...]) -> str:
    """The symbols with what they stand for here, their shapes and ranges, as a table in Markdown."""
    rows = ["| symbol | here: (shape) range |", "|---|---|"]
    for s in symbols:
        shape = f"({f'{_GAP}×{_GAP}'.join(map(str, s.shape))}) " if s.shape else ""
        values = _number(s.low) if s.low == s.high else f"{_number(s.low)}{_GAP}…{_GAP}{_number(s.high)}"
        rows.append(f"| ${s.name}$ | {s.meaning}: **{shape}{values}** |")
    return "\n".join(rows)


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}".replace("-", "−", 1)
