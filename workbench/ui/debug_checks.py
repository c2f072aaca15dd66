"""Checks on the page Debug challenge: repeated runs, other faces, rotations, the range of the input, all maps."""

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
_RUNS = 5


@page_content.fragment
def examine(case: Case, both: bool) -> None:
    """Draw the check that the visitor chooses."""
    st.header("Checks")
    check = views.choose_one("Check", CHECKS, default="Repeated runs", key="test", label_visibility="collapsed")
    CHECKS[check](case, both)


def _table(case: Case, both: bool, predict: Callable[[Case], Tensor], columns: list[str], x: str) -> None:
    cases = [case, case.reference] if both and case.fault else [case]
    rows = [state.cached(("check", x, *one.key), partial(predict, one)) for one in cases]
    shares = torch.stack(rows)  # (rows, columns, K)
    classes = case.explanation.prediction.classes
    figure = charts.predictions_grid(classes, shares, columns, [one.word for one in cases], x, "network")
    charts.show(figure, "bench", f"Predictions of the {case.word} network: {x}")


def _again(case: Case, both: bool) -> None:
    runs = [f"run {i + 1}" for i in range(_RUNS)]
    _table(case, both, lambda one: torch.cat([one.predict([case.face], i) for i in range(_RUNS)]), runs, "same face")
    views.caption(
        f"**{_RUNS} runs on the same face.** In evaluation mode a network gives the same probabilities each time. If "
        "they differ, the prediction depends on something random or on another image."
    )


def _others(case: Case, both: bool) -> None:
    pictures = [load_sample(name) for name in _FACES]
    titles = {sample.name: sample.title for sample in samples()}
    names = [titles[name].partition(" (")[0].replace("Drawn face: ", "drawn ") for name in _FACES]
    _table(case, both, lambda one: one.predict(pictures), names, "sample faces")
    views.caption(
        "**Other faces.** The same prediction for all of them: the input hardly matters. The same confusion of classes "
        "on each: labels in another order. The reference network misclassifies some drawn faces too."
    )


def _rotations(case: Case, both: bool) -> None:
    pictures = [services.debug_challenge.rotated(case.face, quarters) for quarters in range(4)]
    names = ["upright", "90° to the left", "upside down", "90° to the right"]
    _table(case, both, lambda one: one.predict(pictures), names, "rotation of the face")
    views.caption(
        "**The face rotated before the network.** Confidence is usually highest upright; if it is highest at another "
        "rotation, the image is probably rotated before the network."
    )


def _numbers(case: Case, _both: bool) -> None:
    if case.fault is None:
        net = services.networks.open_network(case.network)
        inputs = net.prepare(case.face)
    else:
        inputs = case.spoiled.inputs
    low, high, mean, spread = (float(f(inputs)) for f in (torch.min, torch.max, torch.mean, torch.std))
    views.caption(
        f"**The input of the network** ranges from {low:.2f} to {high:.2f}, with mean {mean:.2f} and standard "
        f"deviation {spread:.2f}. Over the training set the mean is 0 and the standard deviation 1; a single face can "
        "differ from that by one or two."
    )


def _all_maps(case: Case, _both: bool) -> None:
    explanation = case.explanation
    if explanation.atlas is None:
        st.info("This network has no layer for maps.")
        return
    maps = dict(zip(explanation.mapped, explanation.maps(), strict=True))
    show(
        case,
        charts.many_maps(explanation.pixels, maps, None, 0.7),
        "bench",
        f"Grad-CAM for every class, {case.word} network {case.network}",
    )
    views.caption(
        "**Maps for every class, each on its own scale.** The last layers give wide spots over parts of the face; thin "
        "lines along edges, similar for all classes, come from early layers."
    )


CHECKS: dict[str, Callable[[Case, bool], None]] = {
    "Repeated runs": _again,
    "Other faces": _others,
    "Rotations": _rotations,
    "Input range": _numbers,
    "All maps": _all_maps,
}
"""Name of a check → function that draws it."""
