"""Probabilities over time."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import plotly.graph_objects as go
from torch import Tensor

from workbench.analysis.colors import class_colors

from .style import TEXT, framed, share_ticks


def over_time(
    times: Sequence[float], shares: Tensor, classes: tuple[str, ...], end: float, at: float | None = None
) -> go.Figure:
    """A line for each class over the time in seconds, with points to click; gaps where the face is not found.

    Args:
        times: times in seconds of the frames on which the face is found, (N).
        shares: probabilities, (N, K).
        classes: names of the K classes.
        end: end of the axis in seconds.
        at: time at which a dotted line stands; None: nowhere.
    """
    step = min((b - a for a, b in itertools.pairwise(times)), default=1.0)
    x: list[float | None] = []
    rows: list[int | None] = []
    for i, time in enumerate(times):
        if i and time - times[i - 1] > 2.5 * step:
            x.append(None)
            rows.append(None)
        x.append(time)
        rows.append(i)
    values = shares.tolist()
    figure = go.Figure(
        [
            {
                "type": "scatter",
                "mode": "lines+markers",
                "x": x,
                "y": [None if row is None else values[row][k] for row in rows],
                "name": name,
                "line": {"width": 3, "color": color},
                "marker": {"size": 7},
                "hovertemplate": f"{name}, %{{x:.2f}} s: %{{y:.4f}}<extra></extra>",
            }
            for k, (name, color) in enumerate(zip(classes, class_colors(classes), strict=True))
        ]
    )
    line = {
        "type": "line",
        "y0": 0,
        "y1": 1,
        "yref": "y domain",
        "line": {"dash": "dot", "width": 2, "color": "#7F7F7F"},
    }
    upwards = {
        "title": {"text": "probability", "font": {"size": TEXT}, "standoff": 12},
        "range": [-0.03, 1.05],
        **share_ticks(),
        "automargin": True,
    }
    layout = {
        "xaxis": {"fixedrange": True, "zeroline": False, "showgrid": False, "range": [-0.02 * end, 1.02 * end]},
        "yaxis": {"fixedrange": True, "zeroline": False, **upwards},
        "shapes": [] if at is None else [{**line, "x0": at, "x1": at}],
        "showlegend": True,
        "legend": {"orientation": "v", "font": {"size": TEXT}},
        "clickmode": "event+select",
    }
    return framed(figure, "time in seconds", below=14, layout=layout)
