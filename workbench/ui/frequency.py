"""Sections of the page Frequency: predictions for each component, hybrid images, amplitude spectrum, channels."""

from __future__ import annotations

import streamlit as st
import torch

from workbench.faces import Face, load_sample, samples
from workbench.services.frequency import Amplitude, BandSwap, Channels, FrequencyResponse, SwapResponse

from . import charts, views

_AXIS = "cut-off frequency, cycles per pixel"


def predictions(response: FrequencyResponse, cutoff: float) -> None:
    """Draw the probabilities against the cut-off frequency, for the low- and the high-frequency component."""
    whole = response.classes[int(response.whole.argmax())]
    texts = {
        "Low frequencies only": (
            response.low,
            f"At the right nearly the whole image is kept; for all of it the prediction is {whole}. Where a line "
            "rises, frequencies that support the class are added.",
        ),
        "High frequencies only": (
            response.high,
            "At the left nearly the whole image is kept. Images without low frequencies are unlike the training "
            "images, so a wrong prediction does not prove that high frequencies are unused.",
        ),
    }
    for column, (title, (part, text)) in zip(st.columns(2), texts.items(), strict=True):
        with column:
            _curves(response.cutoffs, part, response.classes, cutoff, title)
            views.caption(f"**{title}** (dotted: the chosen cut-off). {text}")


def _curves(cutoffs: torch.Tensor, shares: torch.Tensor, classes: tuple[str, ...], cutoff: float, title: str) -> None:
    colors = charts.class_colors(classes)
    chart = charts.curves(cutoffs, shares.T, classes, _AXIS, "probability", colors, marks=(cutoff,))
    charts.show(chart, title, f"Probability of each class. {title}")


# ---- hybrid images


def choose_other(face: Face, default: str) -> Face:
    """Let the visitor choose the other face, by default one with another predicted class."""
    titles = {sample.name: sample.title for sample in samples() if load_sample(sample.name).key != face.key}
    if st.session_state.get("other") not in titles:  # it was chosen as the face
        st.session_state.pop("other", None)
    name = st.selectbox(
        "Other face",
        titles,
        index=[*titles].index(default),
        format_func=titles.get,
        key="other",
        bind="query-params",
    )
    return load_sample(name)


def swap(found: BandSwap) -> None:
    """Draw two faces and their two hybrid images, the prediction under each, and which component it follows."""
    titles = (("this face", " "), ("other face", " "), ("low: this", "high: other"), ("low: other", "high: this"))
    labels = [
        (*title, f"<b>{found.classes[predicted]}</b>", charts.percent(float(shares[predicted])))
        for title, predicted, shares in zip(titles, found.predicted, found.probabilities, strict=True)
    ]
    charts.show(charts.faces_row(found.images, labels), "swap", "Two faces and their two hybrid images")
    views.caption(_which(found))


def _which(found: BandSwap) -> str:
    names = {
        "low": "its low frequencies",
        "high": "its high frequencies",
        "neither": "neither component",
        "both": "both components",
    }
    face, other = (found.classes[i] for i in found.predicted[:2])
    if face == other:
        return (
            f"**Both faces are predicted {face}**, so hybrid images cannot tell the components apart: choose another."
        )
    first, second = found.follows
    if first == second:
        text = f"The predictions for both hybrid images follow {names[first].replace('its', 'their')}"
    else:
        text = f"The prediction for the first hybrid image follows {names[first]}, for the second {names[second]}"
    return (
        f"**{text}** (predicted: {face} for this face, {other} for the other). Two faces and one cut-off are an "
        "example, not a rule: move the slider."
    )


def swap_at_every_cutoff(response: SwapResponse, classes: tuple[str, ...], cutoff: float) -> None:
    """Draw the probabilities for low frequencies of this face and high ones of the other, against the cut-off."""
    title = "Low frequencies of this face, high frequencies of the other"
    _curves(response.cutoffs, response.probabilities, classes, cutoff, title)
    views.caption(
        f"**{title}.** At the left the hybrid image is nearly the other face, at the right nearly this one; where the "
        "lines cross, the prediction changes."
    )


# ---- amplitude spectrum


def amplitudes(found: Amplitude, cutoff: float) -> None:
    """Draw the amplitude spectrum, and its mean at each radius."""
    plane, profile = st.columns([1, 2])
    with plane:
        charts.show(charts.amplitudes(found.plane, cutoff), "amplitudes", "Logarithm of the amplitude spectrum")
        views.caption(
            "**Amplitude spectrum,** log(1 + amplitude): the mean gray in the center, higher frequencies further out. "
            "Low frequencies lie inside the circle."
        )
    with profile:
        radius, strength = found.radius[1:], found.profile[1:]
        chart = charts.curves(
            radius,
            strength[None],
            ("",),
            "cycles per pixel",
            "mean amplitude",
            ("#0072B2",),
            log=True,
            marks=(cutoff,),
        )
        charts.show(chart, "profile", "Mean amplitude against the frequency")
        views.caption(
            f"**The mean amplitude drops from {float(strength.max()):.0f} to {float(strength.min()):.2g}:** in natural "
            "images low frequencies are much stronger. A weak frequency can still decide the prediction."
        )


def channels(parts: Channels) -> None:
    """Draw the high-frequency component of each color channel, all on one scale."""
    values = 2 * parts.high - 1
    most = float(values.abs().flatten().quantile(0.995))
    for column, name, high in zip(st.columns(3), parts.names, values, strict=True):
        with column:
            charts.show(charts.contrast(high, name, most), name, f"High frequencies of the {name} channel")
