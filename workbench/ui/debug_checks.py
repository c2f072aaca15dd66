"""Tests that a visitor of *Find the fault* runs to find it: ask again, other faces, a turned one, numbers, maps."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st
import torch
from torch import Tensor

from workbench import services
from workbench.faces import load_sample, samples

from . import charts, page_content, state, views
from .debug_challenge import Case, show

_FACES = ("astronaut", "grace_hopper", "drawn_angry", "drawn_fear", "drawn_happy", "drawn_surprise")
_ASKED = 5  # times


@page_content.fragment
def examine(case: Case, both: bool) -> None:
    """One test of the visitor's choice."""
    st.subheader("Examine it")
    test = views.choose_one("Test", TESTS, default="Ask again", key="test", label_visibility="collapsed")
    TESTS[test](case, both)


def _table(case: Case, both: bool, ask: Callable[[Case], Tensor], columns: list[str], x: str) -> None:
    cases = [case, case.sound] if both and case.fault else [case]
    asked = [state.cached(("check", x, *one.key), partial(ask, one)) for one in cases]
    shares = torch.stack(asked)  # (rows, columns, K)
    classes = case.explanation.prediction.classes
    figure = charts.predictions_grid(classes, shares, columns, [one.word for one in cases], x, "network")
    charts.show(figure, "bench", f"Answers of the {case.word} network: {x}")


def _again(case: Case, both: bool) -> None:
    times = [f"time {i + 1}" for i in range(_ASKED)]
    _table(case, both, lambda one: torch.cat([one.ask([case.face], i) for i in range(_ASKED)]), times, "the same face")
    views.caption(
        "**The same face, asked again and again.** A sound network answers the same each time, to the last digit. If "
        "the answers differ, it either draws something at random, or something besides the face goes into them."
    )


def _others(case: Case, both: bool) -> None:
    pictures = [load_sample(name) for name in _FACES]
    titles = {sample.name: sample.title for sample in samples()}
    names = [titles[name].partition(" (")[0].replace("Drawn face: ", "drawn ") for name in _FACES]
    _table(case, both, lambda one: one.ask(pictures), names, "sample faces")
    views.caption(
        "**Faces that differ.** One answer for all of them means that the face hardly counts; the same mix-up on each "
        "means that names are exchanged. Drawn faces are named by what was drawn; the sound network misses some too."
    )


def _turned(case: Case, both: bool) -> None:
    pictures = [services.debug_challenge.turned(case.face, quarters) for quarters in range(4)]
    names = ["upright", "90° to the left", "upside down", "90° to the right"]
    _table(case, both, lambda one: one.ask(pictures), names, "the face turned")
    views.caption(
        "**The face turned before it goes in.** A sound network is usually surest upright; if another turn brings "
        "back a sure and sensible answer, something turns the picture on its way."
    )


def _numbers(case: Case, _both: bool) -> None:
    if case.fault is None:
        net = services.networks.open_network(case.network)
        inputs = net.prepare(case.face)
    else:
        inputs = case.spoiled.inputs
    low, high, mean, spread = (float(f(inputs)) for f in (torch.min, torch.max, torch.mean, torch.std))
    views.caption(
        f"**The numbers that reach the network** run from {low:.2f} to {high:.2f}, with mean {mean:.2f} and standard "
        f"deviation {spread:.2f}. Over all pictures that it was taught with the mean is 0 and the standard deviation "
        "1; of a single face each may lie one or two away from that."
    )


def _all_maps(case: Case, _both: bool) -> None:
    explanation = case.explanation
    if explanation.atlas is None:
        st.info("This network has no layer whose maps could be shown.")
        return
    maps = dict(zip(explanation.prediction.classes, explanation.maps(), strict=True))
    show(case, charts.many_maps(explanation.pixels, maps, None, 0.7), "bench", "Maps of every class")
    views.caption(
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
