"""Sections of the page *Find the fault*: the puzzle, what the network says, the diagnosis, the answer."""

from __future__ import annotations

from dataclasses import dataclass

import plotly.graph_objects as go
import streamlit as st
import torch
from torch import Tensor

from workbench import services
from workbench.faces import Face
from workbench.services.debug_challenge import Fault, Spoiled
from workbench.services.explain import Explanation
from workbench.services.prediction import Prediction

from . import charts, page_content, state, views

_ALARM = "#B3261E"  # white on it is legible on both grounds
BY_NUMBER = "the one that the number hides"


@dataclass(frozen=True, eq=False)
class Case:
    """A face before a network that may be broken.

    Attributes:
        face, network: who is asked about what.
        fault: what is wrong; None while the switch is off.
        number: of the puzzle, which decides the details of the fault.
    """

    face: Face
    network: str
    fault: Fault | None
    number: int

    @property
    def key(self) -> tuple:
        """For answers that are kept."""
        return (self.face.key, self.network, self.fault and self.fault.name, self.number)

    def ask(self, pictures: list[Face], asked: int = 0) -> Tensor:
        """Probabilities for each picture, (n, K), with the fault if there is one."""
        if self.fault is None:
            found = [services.predict(one, self.network) for one in pictures]
        else:
            found = services.debug_challenge.ask_spoiled(pictures, self.network, self.fault.name, self.number, asked)
        return torch.stack([one.probabilities for one in found])

    @property
    def sound(self) -> Case:
        """The same without a fault."""
        return Case(self.face, self.network, None, self.number)

    @property
    def word(self) -> str:
        """Sound, or broken."""
        return "sound" if self.fault is None else "broken"

    @property
    def explanation(self) -> Explanation:
        """What the network of the case says of the face."""
        return state.explanation(self.face, self.network) if self.fault is None else self.spoiled.explanation

    @property
    def spoiled(self) -> Spoiled:
        """The same with what really went in; only of a case with a fault."""
        return state.cached(
            ("spoiled", *self.key),
            lambda: services.debug_challenge.spoil(self.face, self.network, self.fault.name, self.number),
        )


def choose(face: Face, network: str) -> tuple[Case, bool]:
    """The puzzle, the switch, and whether the sound network stands beside."""
    number, switch, beside, teacher = st.columns([2, 2, 3, 2], vertical_alignment="bottom")
    try:
        puzzle = int(number.number_input("Puzzle", 1, 9999, 1, key="puzzle", bind="query-params"))
    except (OverflowError, ValueError):  # Streamlit's own, for a link with ?puzzle=inf
        puzzle = int(number.number_input("Puzzle", 1, 9999, 1, key="puzzle-without-link"))
    broken = switch.toggle("Broken", value=True, key="broken", bind="query-params")
    both = beside.toggle("Sound network beside it", key="beside", bind="query-params")
    titles = {fault.title: fault for fault in services.debug_challenge.possible_faults(network)}
    with teacher.popover("Show one fault"):
        wanted = st.radio("Fault", (BY_NUMBER, *titles), key="fault", bind="query-params")
        st.caption("To demonstrate one instead of guessing. Its name then stands in the link.")
    fault = titles.get(wanted) or services.debug_challenge.fault_of(puzzle, network)
    return Case(face, network, fault if broken else None, puzzle), both


def banner(case: Case) -> None:
    """In red, whenever the switch is on; it is kept with the page too."""
    if case.fault is None:
        views.caption("**The switch is off:** this is the sound network.")
        return
    text = (
        f"Broken on purpose (puzzle {case.number}). {case.network} is asked wrongly: what follows says nothing about "
        "the face."
    )
    st.html(
        f'<div role="alert" style="background:{_ALARM};color:#FFFFFF;padding:.6rem 1rem;border-radius:.4rem">'
        f"<strong>{text.partition('. ')[0]}.</strong> {text.partition('. ')[2]}</div>"
    )
    page_content.add_text(f"**{text}**")


def answers(case: Case, both: bool) -> None:
    """Face, map and probabilities; the sound network's map in place of the face where it stands beside."""
    explanation, beside = case.explanation, case.sound.explanation if both and case.fault else None
    prediction = explanation.prediction
    class_ = state.choose_class(prediction.classes, prediction.answer)
    left, middle, right = st.columns(3)
    with left:
        if beside:
            _map(case.sound, beside, class_)
        else:
            size = len(explanation.pixels)
            show(case, charts.face(explanation.pixels, f"{size} × {size} pixels"), "seen", "The face")
            views.caption("**The face as this page was given it,** which need not be what reached the network.")
    with middle:
        _map(case, explanation, class_)
    with right:
        _bars(case, explanation, class_, beside)


def _map(case: Case, explanation: Explanation, class_: str) -> None:
    pixels = explanation.pixels
    if explanation.atlas is None:
        st.info("This network has no layer whose maps could be shown.")
        return
    heat = explanation.map_of(class_)
    figure = charts.face_with_map(pixels, heat, float(heat.max()), 0.7)
    show(case, figure, f"map-{case.word}", f"Map for {class_}, {case.word}")
    blank = " It is blank." if float(heat.max()) == 0 else ""
    views.caption(f"**The {case.word} map for {class_}.**{blank} Does it lie where a face has something to show?")


def _bars(case: Case, explanation: Explanation, class_: str, beside: Explanation | None) -> None:
    prediction, more = explanation.prediction, ""
    figure = charts.probabilities(prediction.classes, prediction.probabilities, class_, prediction.trained)
    if beside:
        sound = beside.prediction
        seen = [i for i, share in enumerate(sound.probabilities.tolist()) if share >= 0.05]
        figure.add_scatter(
            x=sound.probabilities[seen].tolist(), y=[sound.classes[i] for i in seen], mode="markers",
            marker={"symbol": "diamond-open", "size": 15, "color": "#2F9E44", "line_width": 3},
            hovertemplate="sound: %{x:.4f}<extra></extra>",
        )  # fmt: skip
        more = f" The sound one (green, from 5 % up) answers {sound.answer}, {_share(sound)}."
    show(case, figure, "bars", f"Probabilities of the {case.word} network")
    views.caption(
        f"**The {case.word} network answers {prediction.answer}, {_share(prediction)}.**{more} A sure answer is no "
        "sign of health."
    )


def _share(prediction: Prediction) -> str:
    return charts.percent(float(prediction.probabilities.max()))


def show(case: Case, figure: go.Figure, key: str, alt: str) -> None:
    """A chart with a stamp over it, so that one that comes from a fault cannot pass for a sound one elsewhere."""
    text, color = ("sound", "#12504B") if case.fault is None else ("broken on purpose", _ALARM)
    above = figure.layout.margin.t or 0
    figure.add_annotation(
        text=text, x=0.5, y=1, xref="paper", yref="paper", xanchor="center", yanchor="bottom", yshift=above,
        showarrow=False, font={"color": "#FFFFFF", "size": 14}, bgcolor=color, borderpad=3,
    )  # fmt: skip
    figure.update_layout(margin_t=above + 28, height=figure.layout.height + 28)
    charts.show(figure, key, alt)


# ---- the diagnosis


def diagnose(case: Case) -> None:
    """Commit to one of the faults; then the answer, with how one could have known."""
    st.subheader("What is broken?")
    titles = [fault.title for fault in services.debug_challenge.possible_faults(case.network)]
    given = st.segmented_control("Diagnosis", titles, wrap=True, key="diagnosis", label_visibility="collapsed")
    puzzle = (case.network, case.number, case.fault.name)
    if st.session_state.get("diagnosed", (None,))[0] == puzzle:
        _answer(case, st.session_state["diagnosed"][1])
    elif given:
        st.button("Commit and reveal", type="primary", key="commit", on_click=_commit, args=(puzzle, given))
    else:
        st.caption("Choose one, then commit yourself. Nobody is told, and nothing is stored.")


def _commit(puzzle: tuple, given: str) -> None:
    st.session_state["diagnosed"] = (puzzle, given)


def _next(number: int) -> None:
    st.session_state.update(puzzle=number, diagnosis=None, diagnosed=(None,), fault=BY_NUMBER)
    views.go_up()


def _answer(case: Case, given: str) -> None:
    fault, spoiled = case.fault, case.spoiled
    broken, sound = spoiled.explanation.prediction, case.sound.explanation.prediction
    verdict = "Right" if given == fault.title else f"Not this time: you said {given.lower()}"
    left, right = st.columns([2, 1])
    with left:
        views.caption(
            f"**{verdict}. The fault: {fault.title.lower()}.** {fault.wrong} Here: {spoiled.detail}.\n\n"
            f"**How one could have known.** {fault.sign} On this face the broken network answers {broken.answer} "
            f"({_share(broken)}), the sound one {sound.answer} ({_share(sound)}).\n\n"
            f"**So that it cannot happen:** {fault.lesson}"
        )
        following = min(case.number + 1, 9999)
        st.button("Next puzzle", key="next", on_click=_next, args=(following,), type="primary")
    with right:
        inputs = spoiled.inputs
        low, high = float(inputs.min()), float(inputs.max())
        figure = charts.strength(inputs, "input", low, high)
        show(case, figure, "inputs", "What really reached the network")
        views.caption("**What really reached the network,** in the numbers that it got.")
