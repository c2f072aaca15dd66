"""Sections of the page *Find the fault*: the banner, what the network says, tests to run, the diagnosis, the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import plotly.graph_objects as go
import streamlit as st
import torch
from torch import Tensor

from workbench import services
from workbench.faces import Face, load_sample, samples
from workbench.services import Explanation, Fault, Prediction, Spoiled

from . import charts, screen, state, views

_ALARM = "#B3261E"  # white on it is legible on both grounds
BY_NUMBER = "the one that the number hides"
_FACES = ("astronaut", "grace_hopper", "drawn_angry", "drawn_fear", "drawn_happy", "drawn_surprise")
_ASKED = 5  # times


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
            found = services.ask_spoiled(pictures, self.network, self.fault.name, self.number, asked)
        return torch.stack([one.probabilities for one in found])

    @property
    def sound(self) -> Case:
        """The same without a fault."""
        return Case(self.face, self.network, None, self.number)


def choose(face: Face, network: str) -> tuple[Case, bool]:
    """The puzzle, the switch, and whether the sound network stands beside."""
    number, switch, beside, teacher = st.columns([2, 2, 3, 2], vertical_alignment="bottom")
    puzzle = int(number.number_input("Puzzle", 1, 9999, 1, key="puzzle", bind="query-params"))
    broken = switch.toggle("Broken", value=True, key="broken", bind="query-params")
    both = beside.toggle("Sound network beside it", key="beside", bind="query-params")
    titles = {fault.title: fault for fault in services.possible_faults(network)}
    with teacher.popover("Show one fault"):
        wanted = st.radio("Fault", (BY_NUMBER, *titles), key="fault", bind="query-params")
        st.caption("To demonstrate one instead of guessing. Its name then stands in the link.")
    fault = titles.get(wanted) or services.fault_of(puzzle, network)
    return Case(face, network, fault if broken else None, puzzle), both


def banner(case: Case) -> None:
    """In red, whenever the switch is on; it is kept with the page too."""
    if case.fault is None:
        views.says("**The switch is off:** this is the sound network.")
        return
    text = (
        f"Broken on purpose (puzzle {case.number}). {case.network} is asked wrongly: what follows says nothing about "
        "the face."
    )
    st.html(
        f'<div role="alert" style="background:{_ALARM};color:#FFFFFF;padding:.6rem 1rem;border-radius:.4rem">'
        f"<strong>{text.partition('. ')[0]}.</strong> {text.partition('. ')[2]}</div>"
    )
    screen.words(f"**{text}**")


def explained(case: Case) -> Explanation:
    """What the network of the case says of the face."""
    if case.fault is None:
        return state.explanation(case.face, case.network)
    return _spoiled(case).explanation


def _spoiled(case: Case) -> Spoiled:
    fault, number = case.fault, case.number
    return state.kept(("spoiled", *case.key), lambda: services.spoil(case.face, case.network, fault.name, number))


def answers(case: Case, both: bool) -> None:
    """Face, map and probabilities; the sound network's map in place of the face where it stands beside."""
    explanation, beside = explained(case), explained(case.sound) if both and case.fault else None
    prediction = explanation.prediction
    class_ = state.choose_class(prediction.classes, prediction.answer)
    left, middle, right = st.columns(3)
    with left:
        if beside:
            _map(case.sound, beside, class_)
        else:
            size = len(explanation.pixels)
            _show(case, charts.face(explanation.pixels, f"{size} × {size} pixels"), "seen", "The face")
            views.says("**The face as this page was given it,** which need not be what reached the network.")
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
    _show(case, figure, f"map-{_word(case)}", f"Map for {class_}, {_word(case)}")
    blank = " It is blank." if float(heat.max()) == 0 else ""
    views.says(f"**The {_word(case)} map for {class_}.**{blank} Does it lie where a face has something to show?")


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
    _show(case, figure, "bars", f"Probabilities of the {_word(case)} network")
    views.says(
        f"**The {_word(case)} network answers {prediction.answer}, {_share(prediction)}.**{more} A sure answer is no "
        "sign of health."
    )


def _share(prediction: Prediction) -> str:
    return charts.percent(float(prediction.probabilities.max()))


def _word(case: Case) -> str:
    return "sound" if case.fault is None else "broken"


def _show(case: Case, figure: go.Figure, key: str, alt: str) -> None:
    """A chart with a stamp over it, so that one that comes from a fault cannot pass for a sound one elsewhere."""
    text, colour = ("sound", "#12504B") if case.fault is None else ("broken on purpose", _ALARM)
    above = figure.layout.margin.t or 0
    figure.add_annotation(
        text=text, x=1, y=1, xref="paper", yref="paper", xanchor="right", yanchor="bottom", yshift=above,
        showarrow=False, font={"color": "#FFFFFF", "size": 14}, bgcolor=colour, borderpad=3,
    )  # fmt: skip
    figure.update_layout(margin_t=above + 28, height=figure.layout.height + 28)
    charts.show(figure, key, alt)


# ---- tests to run


def examine(case: Case, both: bool) -> None:
    """One test of the visitor's choice."""
    st.subheader("Examine it")
    test = st.segmented_control(
        "Test", TESTS, default="Ask again", required=True, wrap=True, key="test", bind="query-params",
        label_visibility="collapsed",
    )  # fmt: skip
    TESTS[test](case, both)


def _table(case: Case, both: bool, ask: Callable[[Case], Tensor], columns: list[str], x: str) -> None:
    cases = [case, case.sound] if both and case.fault else [case]
    shares = torch.stack([ask(one) for one in cases])  # (rows, columns, K)
    classes = explained(case).prediction.classes
    figure = charts.answers_grid(classes, shares, columns, [_word(one) for one in cases], x, "network")
    charts.show(figure, "bench", f"Answers of the {_word(case)} network: {x}")


def _again(case: Case, both: bool) -> None:
    times = [f"time {i + 1}" for i in range(_ASKED)]
    _table(case, both, lambda one: torch.cat([one.ask([case.face], i) for i in range(_ASKED)]), times, "the same face")
    views.says(
        "**The same face, asked again and again.** A sound network answers the same each time, to the last digit; one "
        "that does not, draws something at random or looks at something else beside the face."
    )


def _others(case: Case, both: bool) -> None:
    pictures = [load_sample(name) for name in _FACES]
    titles = {sample.name: sample.title for sample in samples()}
    names = [titles[name].partition(" (")[0].replace("Drawn face: ", "drawn ") for name in _FACES]
    _table(case, both, lambda one: one.ask(pictures), names, "sample faces")
    views.says(
        "**Faces that differ.** One answer for all of them means that the face hardly counts; the same mix-up on each "
        "means that names are exchanged. Drawn faces are named by what was drawn; the sound network misses some too."
    )


def _turned(case: Case, both: bool) -> None:
    pictures = [services.turned(case.face, quarters) for quarters in range(4)]
    names = ["upright", "90° to the left", "upside down", "90° to the right"]
    _table(case, both, lambda one: one.ask(pictures), names, "the face turned")
    views.says(
        "**The face turned before it goes in.** A sound network is surest upright; if another turn brings back a sure "
        "and sensible answer, something turns the picture on its way."
    )


def _numbers(case: Case, _both: bool) -> None:
    if case.fault is None:
        net = services.open_network(case.network)
        inputs = net.prepare(case.face)
    else:
        inputs = _spoiled(case).inputs
    low, high, mean, spread = (float(f(inputs)) for f in (torch.min, torch.max, torch.mean, torch.std))
    views.says(
        f"**The numbers that reach the network** run from {low:.2f} to {high:.2f}, with mean {mean:.2f} and standard "
        f"deviation {spread:.2f}. Over all pictures that it was taught with the mean is 0 and the standard deviation "
        "1; a single face may differ by one or two."
    )


def _all_maps(case: Case, _both: bool) -> None:
    explanation = explained(case)
    if explanation.atlas is None:
        st.info("This network has no layer whose maps could be shown.")
        return
    maps = dict(zip(explanation.prediction.classes, explanation.maps(), strict=True))
    _show(case, charts.many_maps(explanation.pixels, maps, None, 0.7), "bench", "Maps of every class")
    views.says(
        "**Maps of every class, each on a scale of its own.** Wide spots over parts of the face are what the end of a "
        "network gives; thin lines along edges, much alike for all classes, are not."
    )


TESTS: dict[str, Callable[[Case, bool], None]] = {
    "Ask again": _again,
    "Other faces": _others,
    "Turned face": _turned,
    "Numbers": _numbers,
    "All maps": _all_maps,
}
"""Name of a test → what shows it."""


# ---- the diagnosis


def diagnose(case: Case) -> None:
    """Commit to one of the faults; then the answer, with how one could have known."""
    st.subheader("What is broken?")
    titles = [fault.title for fault in services.possible_faults(case.network)]
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


def _answer(case: Case, given: str) -> None:
    fault, spoiled = case.fault, _spoiled(case)
    broken, sound = spoiled.explanation.prediction, explained(case.sound).prediction
    verdict = "Right" if given == fault.title else f"Not this time: you said {given.lower()}"
    left, right = st.columns([2, 1])
    with left:
        views.says(
            f"**{verdict}. The fault: {fault.title.lower()}.** {fault.wrong} Here: {spoiled.detail}.\n\n"
            f"**How one could have known.** {fault.sign} On this face the broken network answers {broken.answer} "
            f"({_share(broken)}), the sound one {sound.answer} "
            f"({_share(sound)}).\n\n"
            f"**So that it cannot happen:** {fault.lesson}"
        )
        following = min(case.number + 1, 9999)
        st.button("Next puzzle", key="next", on_click=_next, args=(following,), type="primary")
    with right:
        inputs = spoiled.inputs
        low, high = float(inputs.min()), float(inputs.max())
        figure = charts.strength(inputs, "input", low, high)
        _show(case, figure, "inputs", "What really reached the network")
        views.says("**What really reached the network,** in the numbers that it got.")
