"""Frequency: which cut-off frequency suffices for a prediction."""

import streamlit as st

from workbench import services
from workbench.services import lessons

from .. import charts, views
from .commitment import Number
from .steps import Lesson, Steps, side_by_side


def _attempt(found, left, right) -> None:
    with left:
        cut = st.slider("Cut-off frequency in cycles per pixel", 0.02, 0.5, 0.1, 0.01, key="cut", bind="query-params")
        views.caption(
            "An image is a sum of sinusoids. Left: low frequencies, up to the cut-off (shadows, head shape). "
            f"Right: high frequencies (edges, wrinkles). At {cut:.2f} cycles per pixel the wavelength is {1 / cut:.0f} "
            "pixels."
        )
    parts = found.parts(cut)
    side_by_side(
        right,
        (charts.face(parts.low, "low frequencies"), "low", "The low-frequency component of the face"),
        (charts.face(parts.high, "high frequencies"), "high", "The high-frequency component, around middle gray"),
    )


def _think(found, right) -> None:
    shown = [
        (charts.face(found.parts(cut).low, f"up to {cut:.2f}"), f"slow-{cut}", f"Low frequencies up to {cut}")
        for cut in (0.08, 0.2)
    ]
    side_by_side(right, *shown)


def _guess(found) -> Number:
    question = (
        f"For the whole face the prediction is **{found.predicted}**. Now only frequencies up to a cut-off are kept. "
        "From which cut-off on is the prediction the same, for this and all higher cut-offs?"
    )
    return Number(
        question,
        0.02,
        0.5,
        0.01,
        answer=found.enough,
        unit=" cycles per pixel",
        digits=2,
        near=0.05,
        none="at no cut-off up to 0.50",
    )


def _reveal(found, predicted, left, right) -> None:
    response, marks = found.response, {}
    if predicted is not None:
        marks["predicted"] = (predicted, charts.PREDICTED)
    if found.enough is not None:
        marks["result"] = (found.enough, charts.ANSWER)
    colors = charts.class_colors(response.classes)
    figure = charts.curves(
        response.cutoffs, response.low.T, response.classes, "cut-off frequency, cycles per pixel", "probability", colors
    )
    alt = "Probability of each class against the cut-off frequency"
    side_by_side(right, (charts.marked(figure, marks), "slow-response", alt), wide=True)
    with left:
        lead = (
            f"From {found.enough:.2f} on, {found.predicted} has the highest probability; below, another class has it "
            "at least once."
            if found.enough is not None and found.enough > float(response.cutoffs[0])
            else f"{found.predicted.capitalize()} has the highest probability at every cut-off."
            if found.enough is not None
            else "Another class has the highest probability up to 0.50: the highest, diagonal frequencies decide."
        )
        views.caption(
            f"{lead} Measured at {len(response.cutoffs)} cut-offs. Blurred faces are unlike the training images, so "
            "this does not prove that higher frequencies are unused."
        )


def _why(found) -> tuple[tuple[str, ...], str]:
    equations = (
        r"\mathrm{low} = \mathcal{F}^{-1}\big(M \odot \mathcal{F}(x)\big)",
        r"M(r) = 1 \text{ where } r \le c, \text{ else } 0",
        r"p = \mathrm{softmax}\big(f(\mathrm{low}) / T\big)",
    )
    return equations, (
        "The Fourier transform $\\mathcal{F}$ writes the face as a sum of sinusoids, the mask $M$ keeps frequencies "
        "$r$ up to the cut-off $c$, and the network $f$ classifies the result. The highest frequency along an axis is "
        "$r = 0.5$."
    )


def _take_away(found) -> str:
    end = "no cut-off up to 0.50 suffices" if found.enough is None else f"a cut-off of {found.enough:.2f} suffices"
    return f"Which frequencies a network needs must be measured, not seen: for {found.predicted} on this face, {end}."


LESSON = Lesson(
    key="frequency",
    title="Frequency: low frequencies and the prediction",
    question="Which low frequencies suffice for the prediction?",
    needs="trained weights",
    network=lambda chosen: lessons.own_or_first(chosen, services.networks.is_trained),
    find=lessons.low_frequencies,
    steps=Steps(_attempt, _think, _guess, _reveal, _why, _take_away),
    code=("workbench.analysis.frequency:split_frequencies", "workbench.services.lessons:low_frequencies"),
)
