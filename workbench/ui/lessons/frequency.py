"""Frequency: how few waves of a face an answer needs."""

import streamlit as st

from workbench import services
from workbench.services import lessons

from .. import charts, views
from .commitment import Number
from .steps import Lesson, Steps, side_by_side


def _attempt(found, words, pictures) -> None:
    with words:
        cut = st.slider("Cut-off in cycles per pixel", 0.02, 0.5, 0.1, 0.01, key="cut", bind="query-params")
        views.caption(
            "A picture is a sum of waves. Up to the cut-off they are slow: shadows, the shape of the head. Beyond it "
            f"they are fast: edges, wrinkles. At {cut:.2f} a wave is {1 / cut:.0f} pixels long or more on the left, "
            "less on the right. What you recognize, the network need not."
        )
    parts = found.parts(cut)
    side_by_side(
        pictures,
        (charts.face(parts.low, "slow waves"), "slow", "The slow waves of the face"),
        (charts.face(parts.high, "fast waves"), "fast", "The fast waves of the face, around middle gray"),
    )


def _think(found, pictures) -> None:
    shown = [
        (charts.face(found.parts(cut).low, f"slow waves up to {cut:.2f}"), f"slow-{cut}", f"Slow waves up to {cut}")
        for cut in (0.08, 0.2)
    ]
    side_by_side(pictures, *shown)


def _guess(found) -> Number:
    question = (
        f"To the whole face the network answers **{found.answer}**. Now waves come in from the slowest on. From which "
        "cut-off on does it give that answer, and keep it?"
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


def _reveal(found, said, words, pictures) -> None:
    response, marks = found.response, {}
    if said is not None:
        marks["predicted"] = (said, charts.PREDICTED)
    if found.enough is not None:
        marks["answer"] = (found.enough, charts.ANSWER)
    colors = charts.class_colors(response.classes)
    figure = charts.curves(
        response.cutoffs, response.low.T, response.classes, "slow waves up to this cut-off", "probability", colors
    )
    side_by_side(pictures, (charts.marked(figure, marks), "slow-response", "Each class as waves come in"), wide=True)
    with words:
        lead = (
            f"Below {found.enough:.2f} another class leads at least once; from there on the line of {found.answer} is "
            "the highest."
            if found.enough is not None and found.enough > float(response.cutoffs[0])
            else f"{found.answer} leads from the slowest waves on."
            if found.enough is not None
            else "Even with nearly all waves another class leads: the very fastest, diagonal ones make the difference."
        )
        views.caption(
            f"{lead} Measured at {len(response.cutoffs)} cut-offs. A blurred face is unlike those that the network was "
            "trained on, so this does not prove that it uses nothing faster."
        )


def _why(found) -> tuple[tuple[str, ...], str]:
    equations = (
        r"\mathrm{low} = \mathcal{F}^{-1}\big(M \odot \mathcal{F}(x)\big)",
        r"M(r) = 1 \text{ where } r \le c, \text{ else } 0",
        r"p = \mathrm{softmax}\big(f(\mathrm{low}) / T\big)",
    )
    return equations, (
        "The Fourier transform $\\mathcal{F}$ writes the face as waves, the mask $M$ keeps those up to the cut-off "
        "$c$, and the network $f$ is asked about what is left. The finest stripe along an axis has $r = 0.5$."
    )


def _take_away(found) -> str:
    end = "no cut-off up to 0.50 is enough" if found.enough is None else f"waves up to {found.enough:.2f} are enough"
    return f"Ask the network, not your eyes, which waves it needs: for {found.answer} on this face, {end}."


LESSON = Lesson(
    key="frequency",
    title="Frequency: how few waves suffice",
    question="How few waves does an answer need?",
    needs="trained weights",
    network=lambda chosen: lessons.own_or_first(chosen, services.networks.is_trained),
    find=lessons.slow_waves,
    steps=Steps(_attempt, _think, _guess, _reveal, _why, _take_away),
    code=("workbench.analysis.frequency:split_frequencies", "workbench.services.lessons:slow_waves"),
)
