"""Predict, then reveal: a visitor picks the places where he expects the map, and then sees how far he was right."""

from __future__ import annotations

import streamlit as st

from models.text import counted
from workbench import services
from workbench.faces import Face
from workbench.services.explain import Explanation
from workbench.services.map_quiz import GRID, Guess, Score

from . import charts, views

_CELLS = tuple(services.map_quiz.cell_name(cell) for cell in range(GRID * GRID))


def revealed(face: Face, network: str, class_: str, method: str) -> bool:
    """Whether the visitor has committed himself for this map."""
    return st.session_state.get("revealed", (None,))[0] == (face.key, network, class_, method)


def ask(explanation: Explanation, face: Face, network: str, class_: str, method: str) -> None:
    """The face under a grid; a click picks a cell, and so does its name in a list. The button reveals the map."""
    left, right = st.columns([1, 1])
    with right:
        st.markdown(
            f"**Where will the map for {class_} be strongest?** Pick the cells on the face, or by their names below; "
            "then commit yourself. The map and the probabilities stay hidden until you do."
        )
        names = st.multiselect("Cells", _CELLS, key="cells", bind="query-params", placeholder="A1 is the upper left")
        key, cells = (face.key, network, class_, method), _numbers(names)
        if names:
            st.button("Reveal", type="primary", on_click=_reveal, args=(key, cells), key="reveal")
        st.caption("A handful of cells is a good guess: who picks everything finds everything, and so does chance.")
    with left:
        figure = charts.gridded(charts.face(explanation.pixels, ""), len(explanation.pixels), GRID, cells)
        clicks = st.session_state.setdefault("grid_clicks", 0)  # a new key after each click, with nothing selected
        charts.show_to_click(figure, f"grid-{clicks}", "The face under a grid of cells", _clicked)


def _reveal(key: tuple[str, str, str, str], cells: list[int]) -> None:
    st.session_state["revealed"] = (key, cells)


def _again() -> None:
    st.session_state.update(revealed=(None,), cells=[])


def _clicked() -> None:
    """Pick the cell that was clicked, or put it back."""
    clicks = st.session_state["grid_clicks"]
    data = [point["customdata"] for point in st.session_state[f"grid-{clicks}"]["selection"]["points"]]
    clicked = {name if isinstance(name, str) else name[0] for name in data}
    picked = clicked ^ set(st.session_state.get("cells", ()))
    st.session_state.update(grid_clicks=clicks + 1, cells=[name for name in _CELLS if name in picked])


def _numbers(names: list[str]) -> list[int]:
    return [_CELLS.index(name) for name in names]


def show(explanation: Explanation, face: Face, class_: str, method: str, opacity: float) -> None:
    """The guess beside the map, and for a drawn face beside what was drawn."""
    found = services.map_quiz.guess(explanation, face, class_, st.session_state["revealed"][1], method)
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
        views.says(f"**The map for {class_} is blank,** so no guess can agree with it.")
    else:
        views.says(
            f"**Solid green: the map's strongest {counted(len(strongest), 'cell')}; dashed red: yours.** "
            f"{_in_common(found.map, found.picked)} Agreement proves neither right."
        )


def _in_common(score: Score, picked: tuple[int, ...]) -> str:
    common = len(set(picked) & set(score.strongest))
    return (
        f"{common} in common: intersection over union {score.overlap:.2f} of 1, a blind guess gets "
        f"{score.blind_overlap:.2f}."
    )


def _truth(explanation: Explanation, found: Guess, class_: str) -> None:
    pixels = explanation.pixels
    if found.truth is None:
        figure = charts.gridded(charts.face(pixels, ""), len(pixels), GRID, found.picked)
        charts.show(figure, "guessed-face", "The face with the picked cells framed")
        views.says(
            "**Your cells on the face.** What made raters name it is not known; of a drawn sample face, for its own "
            "expression, it is, and the guess is scored against that too."
        )
        return
    figure = charts.face_with_map(pixels, found.evidence, 1.0, 0.55, unit="drawn")
    figure = charts.gridded(figure, len(pixels), GRID, found.picked, found.truth.strongest)
    charts.show(figure, "guessed-truth", "Where the drawn face differs from a face at rest, with the picked cells")
    views.says(
        f"**What was drawn for {class_},** its strongest cells in green. {_in_common(found.truth, found.picked)} What "
        "a face does not show (no open mouth) is evidence too, and no mask can mark it."
    )


def _scores(found: Guess, class_: str) -> None:
    """Each guess as a share of the best one that as many cells allow, so that a perfect guess fills its bar."""
    rows: dict[str, float] = {}
    if found.map:
        rows |= {"you, of the map": found.map.reached, "blind guess, of the map": found.map.area / found.map.most}
    if found.truth:
        rows |= {"you, of what was drawn": found.truth.reached}
        if found.map_truth:
            rows |= {"the map, of what was drawn": found.map_truth.mass / found.truth.most}
        rows |= {"blind guess, of what was drawn": found.truth.area / found.truth.most}
    if not rows:
        return
    label = f"share of the best guess of {counted(len(found.picked), 'cell')}"
    charts.show(charts.shares(rows, label), "scores", "Yours and a blind guess, as shares of the best guess")
    if found.map:
        n, best = counted(len(found.picked), "cell"), charts.percent(found.map.most)
        views.says(
            f"**Your guess reaches {charts.percent(found.map.reached)} of what {n} can reach:** yours hold "
            f"{charts.percent(found.map.mass)} of the map for {class_}, the strongest {best}, blindly picked ones "
            f"{charts.percent(found.map.area)} on average."
        )
