"""Charts of evaluation: recall with intervals, confusion matrix, spread, reliability diagram, risk–coverage curve."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from torch import Tensor

from models.text import counted, percentage, thousands
from workbench.analysis.colors import class_colors
from workbench.markup import percent

from .. import page_content
from .numbers import UP_TO
from .style import TEXT, framed, inked, share_ticks

Interval = tuple[float, float, float]
_MARK = "#D6336C"
_GRAY = "#7F7F7F"


# Of Paul Tol's scheme "bright", which the color-blind can tell apart; neighbors differ in gray too.
_NETWORKS = ("#4477AA", "#DDAA33", "#AA3377", "#66CCEE", "#228833", "#EE6677", "#8C8C8C")
DASHES = ("solid", "dash", "dot", "dashdot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x")
_HATCHES = ("", "/", ".", "x", "\\", "+")


def network_colors(names: Sequence[str]) -> tuple[str, ...]:
    """A color for each network; always shown with the name and a dash, hatching or symbol."""
    return tuple(_NETWORKS[i % len(_NETWORKS)] for i in range(len(names)))


def recall_bars(recall: Mapping[str, Mapping[str, Interval]]) -> go.Figure:
    """Bars of per-class recall with 95 % intervals: of one network in class colors with numbers, of several side by
    side in colors and hatchings named in a legend.

    Args:
        recall: recall of each class for each network, value and ends of the interval in 0..1.
    """
    alone, drawn = len(recall) == 1, []
    looks = zip(network_colors([*recall]), itertools.cycle(_HATCHES), strict=False)
    for (name, by_class), (color, hatch) in zip(recall.items(), looks, strict=True):
        bars = {
            "x": [*by_class],
            "y": [value for value, _, _ in by_class.values()],
            "name": name,
            "marker": {
                "color": class_colors(tuple(by_class)) if alone else color,
                "line": {"width": 1, "color": _GRAY},
                "pattern": {
                    "shape": "" if alone else hatch,
                    "size": 8,
                    "solidity": 0.1,
                    "fillmode": "overlay",
                    "fgcolor": "rgba(255,255,255,0.7)",
                },
            },
            "text": [percent(value) for value, _, _ in by_class.values()] if alone else None,
            "textposition": "inside",
            "insidetextanchor": "start",
            "textangle": 0,
            "constraintext": "none",
            "insidetextfont": {"color": "#000000"},
            "error_y": _whiskers([*by_class.values()]),
            "customdata": [with_interval(values) for values in by_class.values()],
            "hovertemplate": f"{name}, %{{x}}: %{{customdata}}<extra></extra>",
        }
        drawn.append(go.Bar(bars))
    label = {"text": "label", "standoff": 8, "font": {"size": TEXT}}
    layout = {
        "xaxis": {"title": label, "showgrid": False, "fixedrange": True, "automargin": True, "autotickangles": [0, 90]},
        "yaxis": _shares("recall ↑"),
        "height": 285,
        "bargap": 0.25,
        "showlegend": not alone,
        "legend": ABOVE,
        "margin": {"t": 34, "b": 8},
    }
    return framed(go.Figure(drawn), "", layout=layout)


ABOVE = {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom", "font": {"size": TEXT}}
"""A horizontal legend above the chart."""


def _whiskers(intervals: list[Interval]) -> dict:
    ends = {
        "array": [high - value for value, _, high in intervals],
        "arrayminus": [value - low for value, low, _ in intervals],
    }
    return {"type": "data", "symmetric": False, "thickness": 2, "width": 4, "color": _GRAY, **ends}


def _shares(title: str, top: float = 1.0) -> dict[str, Any]:
    """An axis upwards from 0 to `top`, in percent."""
    return {
        "title": {"text": title, "font": {"size": TEXT}, "standoff": 12},
        "range": [0, top],
        **share_ticks(top),
        "fixedrange": True,
        "automargin": True,
        "zeroline": False,
    }


_SHARE_OF_ONE = {
    "range": [0, 1],
    **share_ticks(lowest=0.2),  # the other axis has the 0
    "fixedrange": True,
    "showgrid": False,
    "zeroline": False,
}
"""A horizontal axis from 0 to 100 %."""


def with_interval(values: Interval) -> str:
    """A share with its interval, whose ends stay on one line: 69.0 % (67.5–70.5)."""
    value, low, high = values
    return f"{percentage(value)} ({100 * low:.1f}{UP_TO}{100 * high:.1f})"


def confusion(counts: Tensor, classes: tuple[str, ...], marked: tuple[str, str]) -> go.Figure:
    """A confusion matrix to click: labels in rows, predictions in columns, color by share of the row.

    Every cell has its count; an invisible point with `customdata` (label, prediction) receives clicks.

    Args:
        counts: numbers of images, (K, K).
        classes: K names.
        marked: label and prediction of the outlined cell.
    """
    shares = counts / counts.sum(1, keepdim=True).clamp_min(1)
    k = len(classes)
    drawn = [
        go.Heatmap(z=shares.numpy(), zmin=0, zmax=1, colorscale=_CLEAR_TO_STEEL, showscale=False, hoverinfo="skip")
    ]
    cells = [(row, column) for row in range(k) for column in range(k)]
    strong = [cell for cell in cells if shares[cell] > 0.8]
    for some, color in ((strong, "#FFFFFF"), ([cell for cell in cells if cell not in strong], None)):
        points = {
            "x": [column for _, column in some],
            "y": [row for row, _ in some],
            "mode": "markers+text",
            "text": [thousands(int(counts[cell])) for cell in some],
            "textfont": {"size": TEXT, "color": color},
            "marker": {"size": 34, "opacity": 0, "symbol": "square"},
            "customdata": [(classes[row], classes[column]) for row, column in some],
            "hovertemplate": "label %{customdata[0]}, predicted %{customdata[1]}: %{text}<extra></extra>",
            "selected": {"marker": {"opacity": 0}},
            "unselected": {"marker": {"opacity": 0}, "textfont": {"color": color}},
        }
        drawn.append(go.Scatter(points))
    row, column = (classes.index(name) for name in marked)
    box = {"x0": column - 0.5, "x1": column + 0.5, "y0": row - 0.5, "y1": row + 0.5}
    axis = {"tickvals": [*range(k)], "ticktext": [*classes], "showgrid": False, "zeroline": False, "fixedrange": True}
    axis |= {"automargin": True, "showline": True, "mirror": True, "linecolor": _GRAY}
    down, across = ({"text": text, "standoff": 8, "font": {"size": TEXT}} for text in ("label", "predicted class"))
    layout = {
        "xaxis": {**axis, "range": [-0.5, k - 0.5], "title": across},
        "yaxis": {**axis, "range": [k - 0.5, -0.5], "title": down},
        "shapes": [{"type": "rect", **box, "line": {"width": 4, "color": _MARK}}],
        "height": 430,
        "margin": {"b": 8, "t": 8},
        "dragmode": False,
    }
    return framed(go.Figure(drawn), "", layout=layout)


_CLEAR_TO_STEEL = [(0, "rgba(61,100,145,0)"), (1, "rgba(61,100,145,1)")]


def recall_spread(recall: Mapping[str, Mapping[str, Interval]]) -> go.Figure:
    """Spread of per-class recall: a line per network from worst to best, a named dot per class."""
    drawn, words = [], []
    for row, (name, by_class) in enumerate(recall.items()):
        values = {c: value for c, (value, _, _) in sorted(by_class.items(), key=lambda item: item[1][0])}
        drawn.append(
            go.Scatter(
                x=[*values.values()],
                y=[row] * len(values),
                mode="lines+markers",
                line={"width": 3, "color": _GRAY},
                marker={"size": 15, "color": class_colors(tuple(values)), "line": {"width": 1, "color": "#FFFFFF"}},
                customdata=[(found, percentage(value)) for found, value in values.items()],
                hovertemplate=f"{name}, %{{customdata[0]}}: %{{customdata[1]}}<extra></extra>",
            )
        )
        for (found, value), shift in zip(values.items(), _levels([*values.values()]), strict=True):
            words.append({"x": value, "y": row, "text": found, "yshift": shift, "showarrow": False})
    plain = {"fixedrange": True, "showgrid": False, "zeroline": False}
    across = {**plain, "range": [-0.06, 1.02], **share_ticks()}
    down = {**plain, "range": [len(recall) - 0.35, -0.65], "tickvals": [*range(len(recall))], "ticktext": [*recall]}
    layout = {"annotations": words, "xaxis": across, "yaxis": {**down, "automargin": True}}
    layout |= {"height": 70 + 114 * len(recall), "margin": {"b": 66, "r": 24}}
    return framed(go.Figure(drawn), "recall of each class ↑", below=22, layout=layout)


def _levels(values: list[float], apart: float = 0.28) -> list[int]:
    """Shifts in pixels, above and below, of the names of dots at rising `values`, so that neighbors do not touch."""
    ends, shifts = {22: -1.0, -22: -1.0, 40: -1.0, -40: -1.0}, []
    for value in values:
        level = next((shift for shift, end in ends.items() if value - end >= apart), min(ends, key=ends.get))
        ends[level] = value
        shifts.append(level)
    return shifts


def reliability(
    edges: Tensor, accuracy: Tensor, confidence: Tensor, count: Tensor, label: str, few: int = 20
) -> go.Figure:
    """A reliability diagram: bars are the accuracy in each bin of confidence; the dotted line is perfect calibration,
    bars below it are overconfident.

    Args:
        edges: borders of the bins, 0..1, (bins + 1,).
        accuracy, confidence: accuracy and mean confidence of each bin, NaN where it is empty, (bins,).
        count: predictions in each bin, (bins,).
        label: title of the x-axis.
        few: bars of fewer predictions are hollow.
    """
    middle, filled = (edges[:-1] + edges[1:]) / 2, count > 0
    bars = go.Bar(
        x=middle[filled].tolist(),
        y=accuracy[filled].tolist(),
        width=float(edges[1] - edges[0]) * 0.86,
        marker={
            "color": ["#0072B2" if n >= few else "rgba(0,0,0,0)" for n in count[filled].tolist()],
            "line": {"width": 1.5, "color": "#0072B2"},
        },
        customdata=[
            (counted(n, "prediction"), percentage(right), percentage(mean))
            for n, right, mean in zip(*(x[filled].tolist() for x in (count, accuracy, confidence)), strict=True)
        ],
        hovertemplate="%{customdata[0]}: accuracy %{customdata[1]}, mean confidence %{customdata[2]}<extra></extra>",
    )
    line = {"width": 3, "dash": "dot", "color": _MARK}
    equal = go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line=line, hoverinfo="skip")
    layout = {
        "xaxis": _SHARE_OF_ONE,
        "yaxis": _shares("accuracy"),
        "margin": {"b": 66, "t": 12, "r": 24},
        "height": 330,
    }
    return framed(go.Figure([bars, equal]), label, below=22, layout=layout)


def risk_coverage(coverage: Tensor, errors: Mapping[str, Tensor]) -> go.Figure:
    """Risk–coverage curves: share of errors among the most confident predictions, a line per network.

    Args:
        coverage: share of the predictions, increasing to 1, (n,).
        errors: share of errors of each network, (n,).
    """
    names, drawn = [*errors], []
    top = 1.1 * max(float(line.max()) for line in errors.values()) + 0.01
    for name, color, dash in zip(names, network_colors(names), itertools.cycle(DASHES), strict=False):
        points = {
            "x": coverage.tolist(),
            "y": errors[name].tolist(),
            "mode": "lines",
            "name": name,
            "line": {"width": 3, "color": color, "dash": dash},
            "customdata": [
                (percentage(x, 0), percentage(y)) for x, y in zip(coverage.tolist(), errors[name].tolist(), strict=True)
            ],
            "hovertemplate": f"{name}, coverage %{{customdata[0]}}: %{{customdata[1]}} errors<extra></extra>",
        }
        drawn.append(go.Scatter(points))
    layout = {
        "xaxis": _SHARE_OF_ONE,
        "yaxis": _shares("errors ↓", top),
        "showlegend": len(names) > 1,
        "legend": ABOVE,
        "margin": {"b": 66, "t": 34, "r": 24},
        "height": 330,
    }
    label = "coverage, most confident first"
    return framed(go.Figure(drawn), label, below=22, layout=layout)


def show_to_click(figure: go.Figure, key: str, alt: str, clicked: Callable[[], None]) -> None:
    """Like `show`; a click on a point calls `clicked`, which reads `st.session_state[key]["selection"]`."""
    inked(figure, st.context.theme.type or "light")
    page_content.add_chart(key, alt, figure)
    config = {"displayModeBar": False, "scrollZoom": False}
    st.plotly_chart(figure, key=key, alt=alt, theme=None, config=config, on_select=clicked, selection_mode="points")
