"""Sections of the page Debug challenge: the challenge, prediction and map, the diagnosis, the solution."""

from __future__ import annotations

from dataclasses import dataclass

import plotly.graph_objects as go
import streamlit as st
import torch
from torch import Tensor

from workbench import services
from workbench.faces import Face
from workbench.markup import render
from workbench.services.debug_challenge import Fault, FaultyExplanation
from workbench.services.explain import Explanation
from workbench.services.prediction import Prediction

from . import charts, page_content, state, views

_ALARM = "#B3261E"  # white text on it is legible in both themes
BY_NUMBER = "chosen by the number"


@dataclass(frozen=True, eq=False)
class Case:
    """A face and a network, with or without a fault.

    Attributes:
        face, network: the input and the name of the network.
        fault: the fault; None for the reference network.
        number: number of the challenge, which decides the details of the fault.
    """

    face: Face
    network: str
    fault: Fault | None
    number: int

    @property
    def key(self) -> tuple:
        """Key of cached results."""
        return (self.face.key, self.network, self.fault and self.fault.name, self.number)

    def predict(self, faces: list[Face], run: int = 0) -> Tensor:
        """Probabilities for each face, (n, K), with the fault if there is one."""
        if self.fault is None:
            found = [services.predict(one, self.network) for one in faces]
        else:
            found = services.debug_challenge.predict_with_fault(faces, self.network, self.fault.name, self.number, run)
        return torch.stack([one.probabilities for one in found])

    @property
    def reference(self) -> Case:
        """The same without a fault."""
        return Case(self.face, self.network, None, self.number)

    @property
    def word(self) -> str:
        """Either "reference" or "faulty"."""
        return "reference" if self.fault is None else "faulty"

    @property
    def explanation(self) -> Explanation:
        """Prediction and maps of the network of this case."""
        return state.explanation(self.face, self.network) if self.fault is None else self.spoiled.explanation

    @property
    def spoiled(self) -> FaultyExplanation:
        """The result with the actual input of the network; only for a case with a fault."""
        return state.cached(
            ("spoiled", *self.key),
            lambda: services.debug_challenge.explain_with_fault(self.face, self.network, self.fault.name, self.number),
        )


def choose(face: Face, network: str) -> tuple[Case, bool]:
    """Let the visitor choose the challenge, switch its fault off, and compare with the reference network."""
    number, switch, beside, teacher = st.columns([2, 2, 3, 2], vertical_alignment="bottom")
    try:
        puzzle = int(number.number_input("Challenge", 1, 9999, 1, key="puzzle", bind="query-params"))
    except (OverflowError, ValueError):  # Streamlit's own, for a link with ?puzzle=inf
        puzzle = int(number.number_input("Challenge", 1, 9999, 1, key="puzzle-without-link"))
    broken = switch.toggle("Fault on", value=True, key="broken", bind="query-params")
    both = beside.toggle("Compare with reference", key="beside", bind="query-params")
    titles = {fault.title: fault for fault in services.debug_challenge.possible_faults(network)}
    with teacher.popover("Choose a fault"):
        wanted = st.radio("Fault", (BY_NUMBER, *titles), key="fault", bind="query-params")
        st.caption("To demonstrate one fault. The link then contains its name.")
    fault = titles.get(wanted) or services.debug_challenge.fault_of(puzzle, network)
    return Case(face, network, fault if broken else None, puzzle), both


def banner(case: Case) -> None:
    """Draw a red banner while the fault is on; it is part of the exported page too."""
    if case.fault is None:
        views.caption("**The fault is off:** this is the reference network.")
        return
    title = services.networks.get_spec(case.network).title
    text = (
        f"Faulty on purpose (challenge {case.number}). {title} receives corrupted input or settings: results say "
        "nothing about the face."
    )
    first, _, rest = text.partition(". ")
    st.html(render("pieces.html", "alert", _ALARM, f"{first}.", rest))
    page_content.add_text(f"**{text}**")


def predictions(case: Case, both: bool) -> None:
    """Draw face, map and probabilities; with `both` the reference network's map in place of the face."""
    explanation, beside = case.explanation, case.reference.explanation if both and case.fault else None
    prediction = explanation.prediction
    class_ = state.choose_class(prediction.classes, prediction.predicted)
    left, middle, right = st.columns(3)
    with left:
        if beside:
            _map(case.reference, beside, class_)
        else:
            size = len(explanation.pixels)
            show(
                case,
                charts.face(explanation.pixels, f"{size} × {size} pixels"),
                "seen",
                "The face as given to this page",
            )
            views.caption("**The face as given to this page.** The input of the network may differ.")
    with middle:
        _map(case, explanation, class_)
    with right:
        _bars(case, explanation, class_, beside)


def _map(case: Case, explanation: Explanation, class_: str) -> None:
    pixels = explanation.pixels
    if explanation.atlas is None:
        st.info("This network has no layer for maps.")
        return
    heat = explanation.map_of(class_)
    figure = charts.face_with_map(pixels, heat, float(heat.max()), 0.7)
    show(case, figure, f"map-{case.word}", f"Grad-CAM for {class_} over the face, {case.word} network {case.network}")
    blank = " It is blank." if float(heat.max()) == 0 else ""
    views.caption(f"**Map for {class_}, {case.word} network.**{blank} Does it highlight plausible regions of the face?")


def _bars(case: Case, explanation: Explanation, class_: str, beside: Explanation | None) -> None:
    prediction, more = explanation.prediction, ""
    figure = charts.probabilities(prediction.classes, prediction.probabilities, class_, prediction.trained)
    if beside:
        other = beside.prediction
        seen = [i for i, share in enumerate(other.probabilities.tolist()) if share >= 0.05]
        figure.add_scatter(
            x=other.probabilities[seen].tolist(), y=[other.classes[i] for i in seen], mode="markers",
            marker={"symbol": "diamond-open", "size": 15, "color": "#2F9E44", "line_width": 3},
            hovertemplate="reference: %{x:.4f}<extra></extra>",
        )  # fmt: skip
        more = f" Reference network (green, from 5 % on): {other.predicted}, {_share(other)}."
    alt = views.probabilities_alt(case.network, prediction.classes, prediction.probabilities)
    show(case, figure, "bars", f"{alt} ({case.word} network)")
    views.caption(
        f"**Prediction of the {case.word} network: {prediction.predicted}, {_share(prediction)}.**{more} High "
        "confidence does not mean that nothing is wrong."
    )


def _share(prediction: Prediction) -> str:
    return charts.percent(float(prediction.probabilities.max()))


def show(case: Case, figure: go.Figure, key: str, alt: str) -> None:
    """Draw a chart with a stamp on it, so that results of a faulty network are recognized elsewhere too."""
    text, color = ("reference", "#12504B") if case.fault is None else ("faulty on purpose", _ALARM)
    above = figure.layout.margin.t or 0
    figure.add_annotation(
        text=text, x=0.5, y=1, xref="paper", yref="paper", xanchor="center", yanchor="bottom", yshift=above,
        showarrow=False, font={"color": "#FFFFFF", "size": 14}, bgcolor=color, borderpad=3,
    )  # fmt: skip
    figure.update_layout(margin_t=above + 28, height=figure.layout.height + 28)
    charts.show(figure, key, alt)


# ---- the diagnosis


def diagnose(case: Case) -> None:
    """Let the visitor submit a diagnosis, then draw the solution."""
    st.header("Diagnosis: which fault is it?")
    titles = [fault.title for fault in services.debug_challenge.possible_faults(case.network)]
    given = st.segmented_control("Diagnosis", titles, wrap=True, key="diagnosis", label_visibility="collapsed")
    puzzle = (case.network, case.number, case.fault.name)
    if st.session_state.get("diagnosed", (None,))[0] == puzzle:
        _solution(case, st.session_state["diagnosed"][1])
    elif given:
        st.button("Submit and reveal", type="primary", key="commit", on_click=_commit, args=(puzzle, given))
    else:
        st.caption("Choose one and submit it. Your choice is not stored.")


def _commit(puzzle: tuple, given: str) -> None:
    st.session_state["diagnosed"] = (puzzle, given)


def _next(number: int) -> None:
    st.session_state.update(puzzle=number, diagnosis=None, diagnosed=(None,), fault=BY_NUMBER)
    views.go_up()


def _solution(case: Case, given: str) -> None:
    fault, spoiled = case.fault, case.spoiled
    faulty, reference = spoiled.explanation.prediction, case.reference.explanation.prediction
    verdict = "Correct" if given == fault.title else f"Not correct: you chose {given.lower()}"
    left, right = st.columns([2, 1])
    with left:
        views.caption(
            f"**{verdict}. The fault: {fault.title.lower()}.** {fault.wrong} Here: {spoiled.detail}.\n\n"
            f"**How to recognize it.** {fault.sign} On this face the faulty network predicts {faulty.predicted} "
            f"({_share(faulty)}), the reference network {reference.predicted} ({_share(reference)}).\n\n"
            f"**How to prevent it.** {fault.lesson}"
        )
        following = min(case.number + 1, 9999)
        st.button("Next challenge", key="next", on_click=_next, args=(following,), type="primary")
    with right:
        inputs = spoiled.inputs
        low, high = float(inputs.min()), float(inputs.max())
        figure = charts.strength(inputs, "input", low, high)
        show(case, figure, "inputs", f"The actual input of the faulty network: values from {low:.2g} to {high:.2g}")
        views.caption("**The actual input of the network,** with its values.")
