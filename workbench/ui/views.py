"""Pictures with their two sentences that more than one page shows."""

from __future__ import annotations

import streamlit as st

from workbench.services import FrequencyPictures, Spectrum

from . import charts


def waves(parts: FrequencyPictures) -> None:
    """A face, its high and its low frequencies side by side."""
    lost = charts.percent(float(parts.detail))
    texts = {
        "Original": (parts.original, "High and low frequencies together make it up again, up to rounding."),
        "High frequencies": (
            parts.high,
            f"The fast waves, edges and wrinkles, around middle gray: {lost} of the contrast (squared differences from "
            "the mean). That they look telling does not mean that the network uses them.",
        ),
        "Low frequencies": (
            parts.low,
            "The slow waves, shapes and shadows. That you can read them, or not, says nothing about the network.",
        ),
    }
    for column, (title, (pixels, text)) in zip(st.columns(3), texts.items(), strict=True):
        with column:
            charts.show(charts.face(pixels, title.lower()), title, f"{title} of the face")
            st.markdown(f"**{title}.** {text}")


def strongest_terms(result: Spectrum) -> None:
    """The face from its first k terms."""
    n = charts.terms(result.k)
    charts.show(charts.face(result.approximation, f"rank {result.k}"), "rank-k", f"The face from {n}")
    st.markdown(
        f"**The face from its strongest {n}**, of {len(result.sigma)}. No other picture of this rank has pixels nearer "
        "to the original; that alone does not keep an expression."
    )


def singular_values(result: Spectrum) -> None:
    """The singular values, those that are kept in blue, and the energy that they hold."""
    charts.show(charts.singular_values(result.sigma, result.k), "sigma", "Singular values, the strongest first")
    held = f"{100 * float(result.energy[result.k - 1]):.1f}\N{NO-BREAK SPACE}%"
    st.markdown(
        f"**What is blue holds {held} of the energy** (the sum of squared gray values). It says how simple the picture "
        "is, and nothing about where anything is in it."
    )
