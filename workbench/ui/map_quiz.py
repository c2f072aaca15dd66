"""Predict first: visitors predict the class and the strongest cells of its map, then see how far they were right."""

from __future__ import annotations

import streamlit as st

from models.text import counted
from workbench import services
from workbench.faces import Face
from workbench.services.explain import Explanation
from workbench.services.map_quiz import GRID, Guess, Score

from . import charts, views

_CELLS = tuple(services.map_quiz.cell_name(cell) for cell in range(GRID * GRID))


def revealed(face: Face, network: str, method: str) -> bool:
    """Whether the visitor has submitted a guess for this face, network and method."""
    return st.session_state.get("revealed", (None,))[0] == (face.key, network, method)


def ask(explanation: Explanation, face: Face, network: str, method: str) -> None:
    """Draw the classes to choose one, the face under a grid of cells to pick, and the button that reveals both."""
    left, right = st.columns([1, 1])
    with right:
        st.markdown("**Which class will the network predict?**")
        class_ = st.segmented_control(
            "Your prediction",
            explanation.prediction.classes,
            key="class-guess",
            label_visibility="collapsed",
            wrap=True,
        )
        st.markdown(
            "**Where will the map for that class be strongest?** Pick cells on the face or by name below, then reveal. "
            "Prediction and map are hidden until then."
        )
        names = st.multiselect("Cells", _CELLS, key="cells", bind="query-params", placeholder="A1 is the upper left")
        key, cells = (face.key, network, method), _numbers(names)
        st.button(
            "Reveal", type="primary", on_click=_reveal, args=(key, cells, class_), key="reveal",
            disabled=not (names and class_), help="Choose a class and at least one cell first.",
        )  # fmt: skip
        st.caption("Pick about four to eight cells; picking all of them scores 100 % and says nothing.")
    with left:
        figure = charts.gridded(charts.face(explanation.pixels, ""), len(explanation.pixels), GRID, cells)
        clicks = st.session_state.setdefault("grid_clicks", 0)  # a new key after each click, with nothing selected
        charts.show_to_click(figure, f"grid-{clicks}", "The face under a grid of cells", _clicked)


def _reveal(key: tuple[str, str, str], cells: list[int], class_: str) -> None:
    st.session_state["revealed"] = (key, cells, class_)


def _again() -> None:
    st.session_state.update(revealed=(None,), cells=[])


def _clicked() -> None:
    """Pick the cell that was clicked, or unpick it."""
    clicks = st.session_state["grid_clicks"]
    data = [point["customdata"] for point in st.session_state[f"grid-{clicks}"]["selection"]["points"]]
    clicked = {name if isinstance(name, str) else name[0] for name in data}
    picked = clicked ^ set(st.session_state.get("cells", ()))
    st.session_state.update(grid_clicks=clicks + 1, cells=[name for name in _CELLS if name in picked])


def _numbers(names: list[str]) -> list[int]:
    return [_CELLS.index(name) for name in names]


def show(explanation: Explanation, face: Face, class_: str, method: str, opacity: float) -> None:
    """Draw the guess beside the map, and for a drawn face beside the features that were drawn."""
    _, cells, guessed = st.session_state["revealed"]
    found = services.map_quiz.guess(explanation, face, class_, cells, method)
    prediction = explanation.prediction
    share, chance = (charts.percent(p) for p in (float(prediction.probabilities.max()), 1 / len(prediction.classes)))
    views.caption(
        f"**Prediction: {prediction.predicted}, {share}. You predicted {guessed}:** "
        f"{'right' if guessed == prediction.predicted else 'wrong'}; by chance {chance} are right."
    )
    first, second, third = st.columns(3)
    with first:
        _map(explanation, found, class_, method, opacity)
    with second:
        _truth(explanation, found, class_)
    with third:
        _scores(found, class_)
        st.button("Guess again", on_click=_again, key="again")


def _map(explanation: Explanation, found: Guess, class_: str, method: str, opacity: float) -> None:
    heat = explanation.map_of(class_, method)
    figure = charts.face_with_map(explanation.pixels, heat, float(heat.max()), opacity)
    strongest = found.map.strongest if found.map else ()
    figure = charts.gridded(figure, len(heat), GRID, found.picked, strongest)
    charts.show(figure, "guessed-map", f"The map for {class_}, with the picked and the strongest cells framed")
    if found.map is None:
        views.caption(f"**The map for {class_} is blank,** so no guess can agree with it.")
    else:
        views.caption(
            f"**Solid green: the map's strongest {counted(len(strongest), 'cell')}; dashed red: yours.** "
            f"{_in_common(found.map, found.picked)} Agreement does not prove the map right."
        )


def _in_common(score: Score, picked: tuple[int, ...]) -> str:
    common = len(set(picked) & set(score.strongest))
    return (
        f"{common} in common: intersection over union {score.overlap:.2f}; random baseline {score.random_overlap:.2f}."
    )


def _truth(explanation: Explanation, found: Guess, class_: str) -> None:
    pixels = explanation.pixels
    if found.truth is None:
        figure = charts.gridded(charts.face(pixels, ""), len(pixels), GRID, found.picked)
        charts.show(figure, "guessed-face", "The face with the picked cells framed")
        views.caption(
            "**Your cells on the face.** Which regions annotators relied on is not known. Of a drawn sample face the "
            "drawn features are known, so there the guess is scored against them too."
        )
        return
    figure = charts.face_with_map(pixels, found.evidence, 1.0, 0.55, unit="drawn")
    figure = charts.gridded(figure, len(pixels), GRID, found.picked, found.truth.strongest)
    charts.show(figure, "guessed-truth", "Where the drawn face differs from a neutral one, with the picked cells")
    views.caption(
        f"**Features drawn for {class_},** strongest cells in green. {_in_common(found.truth, found.picked)} A missing "
        "feature, such as no open mouth, is evidence too, but cannot be marked."
    )


def _scores(found: Guess, class_: str) -> None:
    """Draw each guess as a share of the best possible guess with the same number of cells."""
    rows: dict[str, float] = {}
    if found.map:
        rows |= {"your cells, on the map": found.map.reached}
        rows |= {"random cells, on the map": found.map.area / found.map.most}
    if found.truth:
        rows |= {"your cells, on the drawing": found.truth.reached}
        if found.map_truth:
            rows |= {"map, on the drawing": found.map_truth.mass / found.truth.most}
        rows |= {"random cells, on the drawing": found.truth.area / found.truth.most}
    if not rows:
        return
    label = f"evidence, relative to the best {counted(len(found.picked), 'cell')}"
    charts.show(charts.shares(rows, label), "scores", "Your guess and the random baseline, relative to the best guess")
    if found.map:
        n, best = counted(len(found.picked), "cell"), charts.percent(found.map.most)
        views.caption(
            f"**Your score: {charts.percent(found.map.reached)} of the best possible with {n}.** Your cells hold "
            f"{charts.percent(found.map.mass)} of the map for {class_}, the strongest {best}, random cells "
            f"{charts.percent(found.map.area)} on average."
        )
