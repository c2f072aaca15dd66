"""What all charts share: colours, sizes, the frame, and how one gets onto the page."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st
from torch import Tensor

from workbench.markup import EMOTION_COLOURS

from .. import screen

_SIDE = 264  # pixels: of a picture on a page ...
_STRIP = 46  # ... and of the strip under it for a colour bar or a label
TEXT = 16
_INK = {"light": "#111418", "dark": "#E8E6E1"}  # text on the two grounds of .streamlit/config.toml
CONFIG = {
    "displayModeBar": "hover",
    "modeBarButtons": [["toImage"]],
    "displaylogo": False,
    "scrollZoom": False,
}
"""Of every chart: pointing at it shows one button, which saves it as a picture."""


def class_colours(classes: tuple[str, ...]) -> tuple[str, ...]:
    """The colour of each class, the same on every chart."""
    return tuple(EMOTION_COLOURS.get(name, "#7F7F7F") for name in classes)


def show(figure: go.Figure, key: str, alt: str) -> None:
    """Put a chart on the page; `alt` says in a few words what is in it."""
    inked(figure, st.context.theme.type or "light")
    picture = {"format": "png", "scale": 2, "filename": f"ferscope-{key}"}
    place = st.plotly_chart(figure, key=key, alt=alt, theme=None, config={**CONFIG, "toImageButtonOptions": picture})
    screen.chart(key, alt, figure, wide="column" not in place._ancestor_block_types)  # which Streamlit keeps to itself


def inked(figure: go.Figure, theme: str) -> go.Figure:
    """Text and axes in the colour that is legible on the ground of a theme, "light" or "dark"."""
    ink = _INK[theme]
    button = {"bgcolor": "rgba(0,0,0,0)", "color": ink, "activecolor": ink}
    figure.update_layout(font_color=ink, modebar=button).update_xaxes(color=ink)
    return figure.update_yaxes(color=ink, gridcolor="rgba(128,128,128,0.35)")


def square(figure: go.Figure, pixels: Tensor, label: str) -> go.Figure:
    """Axes hidden, pixels square, the first row at the top."""
    height, width = pixels.shape
    figure.update_xaxes(visible=False, fixedrange=True, range=[-0.5, width - 0.5], constrain="domain")
    figure.update_yaxes(visible=False, fixedrange=True, range=[height - 0.5, -0.5], scaleanchor="x", constrain="domain")
    return framed(figure, label)


def framed(figure: go.Figure, label: str, below: int = 0) -> go.Figure:
    """One height, one text size, and a strip for the label under every chart, so that rows of them line up."""
    figure.add_annotation(
        text=label, x=0.5, y=0, yshift=-10 - below, xref="paper", yref="paper", yanchor="top", showarrow=False
    )
    return figure.update_layout(
        template="none",
        height=_SIDE + _STRIP,
        margin={"l": 0, "r": 0, "t": 0, "b": _STRIP, "autoexpand": True},
        font={"size": TEXT, "family": '"Source Sans", sans-serif'},
        showlegend=False,
        hoverlabel={"font": {"size": TEXT}},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
