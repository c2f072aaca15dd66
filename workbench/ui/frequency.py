"""What the page Frequency shows below its three pictures: answers to parts of the waves, and the waves themselves."""

from __future__ import annotations

import streamlit as st
import torch

from workbench.faces import Face, load_sample, samples
from workbench.services.frequency import Amplitude, BandSwap, Channels, FrequencyResponse, SwapResponse

from . import charts, views

_AXIS = "cut-off in cycles per pixel"


def answers(response: FrequencyResponse, cutoff: float) -> None:
    """Probabilities against the cut-off, for the slow waves alone and for the fast ones alone."""
    whole = response.classes[int(response.whole.argmax())]
    texts = {
        "Slow waves only, up to the cut-off": (
            response.low,
            f"To the right everything is shown, and the answer is {whole}. Where a line rises, waves that this answer "
            "needs have come in; whether people need the same ones is another question.",
        ),
        "Fast waves only, from the cut-off on": (
            response.high,
            "To the left nearly everything is shown, around its average gray. A picture without slow waves is unlike "
            "any that the network was trained on, so a wrong answer here does not prove that it never uses fast ones.",
        ),
    }
    for column, (title, (part, text)) in zip(st.columns(2), texts.items(), strict=True):
        with column:
            _curves(response.cutoffs, part, response.classes, cutoff, title)
            views.caption(f"**{title}.** {text} The dotted line is the slider's cut-off.")


def _curves(cutoffs: torch.Tensor, shares: torch.Tensor, classes: tuple[str, ...], cutoff: float, title: str) -> None:
    colors = charts.class_colors(classes)
    chart = charts.curves(cutoffs, shares.T, classes, _AXIS, "probability", colors, marks=(cutoff,))
    charts.show(chart, title, f"Probability of each class. {title}")


# ---- two faces exchange their fast waves


def choose_other(face: Face, rival: str) -> Face:
    """Let the visitor choose the other face; at first one that gets another answer."""
    titles = {sample.name: sample.title for sample in samples() if load_sample(sample.name).key != face.key}
    if st.session_state.get("other") not in titles:  # the other one has become the face itself
        st.session_state.pop("other", None)
    name = st.selectbox(
        "The other face",
        titles,
        index=[*titles].index(rival),
        format_func=titles.get,
        key="other",
        bind="query-params",
    )
    return load_sample(name)


def swap(found: BandSwap) -> None:
    """Two faces and their two mixtures, the answer under each, and which waves it follows."""
    titles = (("this face", " "), ("the other", " "), ("slow: this", "fast: other"), ("slow: other", "fast: this"))
    labels = [
        (*title, f"<b>{found.classes[answer]}</b>", charts.percent(float(shares[answer])))
        for title, answer, shares in zip(titles, found.answers, found.probabilities, strict=True)
    ]
    charts.show(
        charts.faces_row(found.pictures, labels), "swap", "Two faces, and the two that exchange their fast waves"
    )
    views.caption(_which(found))


def _which(found: BandSwap) -> str:
    names = {"slow": "its slow waves", "fast": "its fast waves", "neither": "neither", "both": "both"}
    face, other = (found.classes[i] for i in found.answers[:2])
    if face == other:
        return f"**Both faces get the answer {face}**, so their mixtures cannot show which waves count: choose another."
    first, second = found.follows
    if first == second:
        told = f"Both mixtures are named after {names[first].replace('its', 'their')}"
    else:
        told = f"The first mixture is named after {names[first]}, the second after {names[second]}"
    return (
        f"**{told}**: what the face that gave them is called ({face}, {other}). Up close people tend to see the fast "
        "waves, from afar the slow ones. Two faces and one cut-off are an example and not a rule: move the slider."
    )


def swap_at_every_cutoff(response: SwapResponse, classes: tuple[str, ...], cutoff: float) -> None:
    """Probabilities for the slow waves of this face with the fast ones of the other, against the cut-off."""
    title = "Slow waves of this face, fast waves of the other"
    _curves(response.cutoffs, response.probabilities, classes, cutoff, title)
    views.caption(
        f"**{title}.** To the left the picture is nearly all the other face, to the right nearly all this one: where "
        "the lines cross, the waves have changed hands that the answer hangs on, for these two faces."
    )


# ---- the waves themselves


def amplitudes(found: Amplitude, cutoff: float) -> None:
    """How strong each wave is, and how strong on average at each radius."""
    plane, profile = st.columns([1, 2])
    with plane:
        charts.show(charts.amplitudes(found.plane, cutoff), "amplitudes", "Logarithm of the amplitude of each wave")
        views.caption(
            "**Every wave of the face,** log(1 + amplitude): in the middle the mean gray, towards the edge the faster "
            "ones. Inside of the circle lie the slow waves. Where they are in the face this picture does not say."
        )
    with profile:
        radius, strength = found.radius[1:], found.profile[1:]
        chart = charts.curves(
            radius,
            strength[None],
            ("",),
            "cycles per pixel",
            "mean amplitude (logarithmic)",
            ("#0072B2",),
            log=True,
            marks=(cutoff,),
        )
        charts.show(chart, "profile", "Mean amplitude against the frequency")
        views.caption(
            f"**From {float(strength.max()):.0f} down to {float(strength.min()):.2g}:** in pictures of the world slow "
            "waves are far stronger than fast ones, in faces too. A weak wave can still be the one that decides."
        )


def channels(parts: Channels) -> None:
    """The fast waves of each color, all on one scale."""
    waves = 2 * parts.high - 1
    most = float(waves.abs().flatten().quantile(0.995))
    for column, name, values in zip(st.columns(3), parts.names, waves, strict=True):
        with column:
            charts.show(charts.contrast(values, name, most), name, f"Fast waves of the {name} channel")
