"""Colors, sizes and layout shared by all charts, and `show`, which draws one on the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go
import plotly.io as pio
import streamlit as st
from torch import Tensor

from models.text import percentage

from .. import page_content

_SIDE = 264  # pixels: of an image on a page ...
_STRIP = 46  # ... and of the strip under it for a color bar or a label
TEXT = 16
_INK = {"light": "#111418", "dark": "#E8E6E1"}  # text on the two grounds of .streamlit/config.toml
CONFIG = {
    "displayModeBar": "hover",
    "modeBarButtons": [["toImage"]],
    "displaylogo": False,
    "scrollZoom": False,
}
"""Configuration of every chart: one button, shown on hover, saves it as an image."""

pio.templates.default = None  # instead of Streamlit's, which would be copied into each chart


def show(figure: go.Figure, key: str, alt: str) -> None:
    """Draw a chart on the page; `alt` is its alternative text."""
    inked(figure, st.context.theme.type or "light")
    picture = {"format": "png", "scale": 2, "filename": f"ferscope-{key}"}
    place = st.plotly_chart(figure, key=key, alt=alt, theme=None, config={**CONFIG, "toImageButtonOptions": picture})
    page_content.add_chart(
        key, alt, figure, wide="column" not in place._ancestor_block_types
    )  # which Streamlit keeps to itself


# Layouts are set at once below: Plotly compares the whole figure for each changed property, which would take longer
# than everything else on a page.


def inked(figure: go.Figure, theme: str) -> go.Figure:
    """Set the number format of the axes, and the color of text and axes for a theme, "light" or "dark"."""
    ink = _INK[theme]
    layout = {"xaxis": {}, "yaxis": {}} | figure.layout.to_plotly_json()
    for name, part in layout.items():
        if name.startswith(("xaxis", "yaxis")):
            numbers = {"exponentformat": "power" if part.get("type") == "log" else "none", "separatethousands": True}
            layout[name] = numbers | part | {"color": ink, "gridcolor": "rgba(128,128,128,0.35)"}
    layout["separators"] = ".\N{NARROW NO-BREAK SPACE}"  # as `models.text.thousands`
    layout["font"] = layout.get("font", {}) | {"color": ink}
    layout["modebar"] = {"bgcolor": "rgba(0,0,0,0)", "color": ink, "activecolor": ink}
    figure.layout = layout
    return figure


def is_phone() -> bool:
    """Whether the visitor's browser calls itself one of a phone, where fewer images fit side by side."""
    return "Mobi" in st.context.headers.get("User-Agent", "")


def square(figure: go.Figure, pixels: Tensor, label: str, unit: str = "") -> go.Figure:
    """Axes hidden, pixels square, the first row at the top; `unit` is beside the color bar."""
    height, width = pixels.shape
    hidden = {"visible": False, "fixedrange": True, "constrain": "domain"}
    across = hidden | {"range": [-0.5, width - 0.5]}
    down = hidden | {"range": [height - 0.5, -0.5], "scaleanchor": "x"}
    notes = [at_the_bar(unit)] if unit else []
    return framed(figure, label, layout={"xaxis": across, "yaxis": down, "annotations": notes})


def share_ticks(top: float = 1.0, lowest: float = 0.0) -> dict[str, Any]:
    """At most six ticks from `lowest` to `top`, shares of 1, in percent with a space: 0 %, 20 %."""
    step = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2) if top <= 5.5 * step)
    values = [i * step for i in range(int(top / step + 1e-6) + 1) if i * step >= lowest - 1e-6]
    return {"tickvals": values, "ticktext": [percentage(value, 0) for value in values]}


def angle_ticks(low: float, high: float) -> dict[str, Any]:
    """Ticks every 90 degrees for an axis over a whole rotation, from −180 to 180; nothing for any other axis."""
    return {"dtick": 90, "tickangle": 0} if (low, high) == (-180, 180) else {}


HALVES = {"tickvals": [0, 0.5, 1], "ticktext": [percentage(value, 0) for value in (0, 0.5, 1)]}
"""Ticks of a narrow axis of shares."""


def bar_length(unit: str) -> float:
    """Length of a color bar as a share of the chart, which leaves room for its unit in the narrowest chart."""
    return 1 - (14 + 7.2 * len(unit)) / _SIDE


def at_the_bar(unit: str, below: int = 12) -> dict[str, Any]:
    """An annotation with the unit of a color bar, beside its right end; the bar is `below` pixels under the chart."""
    place = {"x": bar_length(unit), "y": 0, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "middle"}
    return {"text": unit, "showarrow": False, "font": {"size": 14}, "yshift": -below, **place}


def framed(figure: go.Figure, label: str, below: int = 0, layout: Mapping[str, Any] | None = None) -> go.Figure:
    """Set the same height, text size and space for a label below, so that charts in a row line up.

    Args:
        figure: changed in place.
        label: text below the chart.
        below: pixels between chart and label, for tick labels.
        layout: further properties, which override the default ones.
    """
    old, layout = figure.layout.to_plotly_json(), dict(layout or {})
    under = {"text": label, "yshift": -10 - below, "x": 0.5, "y": 0, "xref": "paper", "yref": "paper"}
    under |= {"yanchor": "top", "showarrow": False}
    words = [*old.get("annotations", ()), *layout.get("annotations", ()), under]
    margin = _FRAME["margin"] | layout.get("margin", {})
    figure.layout = old | _FRAME | layout | {"annotations": words, "margin": margin}
    return figure


_FRAME = {
    "height": _SIDE + _STRIP,
    "margin": {"l": 0, "r": 0, "t": 0, "b": _STRIP, "autoexpand": True},
    "font": {"size": TEXT, "family": '"Source Sans", sans-serif'},
    "showlegend": False,
    "hoverlabel": {"font": {"size": TEXT}},
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
}
