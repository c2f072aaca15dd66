"""Charts of uncertainty and faithfulness: spread of probabilities, deletion and insertion curves, shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from torch import Tensor

from models.text import percentage
from workbench.analysis.colors import class_colors
from workbench.markup import percent

from .style import HALVES, TEXT, framed, share_ticks


def spread(classes: tuple[str, ...], views: Tensor, names: Sequence[str], label: str, own: Tensor) -> go.Figure:
    """Probabilities of many predictions for one face: a dot each, a line over their range, a diamond for the plain one.

    Args:
        classes: names of the classes.
        views: probabilities, (n, K).
        names: names of the predictions, for the hover text.
        label: title of the x-axis.
        own: the plain prediction, (K,).
    """
    drawn, words = [], []
    for name, shares, color in zip(classes, views.T, class_colors(classes), strict=True):
        low, high = float(shares.min()), float(shares.max())
        drawn.append({
            "x": [low, high], "y": [name, name], "mode": "lines", "hoverinfo": "skip", "opacity": 0.35,
            "line": {"width": 8, "color": color},
        })  # fmt: skip
        drawn.append({
            "x": shares.tolist(), "y": [name] * len(shares), "mode": "markers", "customdata": list(names),
            "marker": {"size": 8, "color": color, "opacity": 0.7},
            "hovertemplate": "%{customdata}: %{x:.3f}<extra></extra>",
        })  # fmt: skip
        if high >= 0.05:
            text = f"{percent(low)} to {percent(high)}"
            words.append({"x": 1.03, "y": name, "text": text, "xanchor": "left", "showarrow": False})
    drawn.append({
        "x": own.tolist(), "y": list(classes), "mode": "markers",
        "hovertemplate": "unchanged: %{x:.3f}<extra></extra>",
        "marker": {"size": 12, "symbol": "diamond-open", "color": "#7F7F7F", "line": {"width": 2}},
    })  # fmt: skip
    across = {
        "range": [-0.03, 1.56],
        **HALVES,
        "zeroline": False,
        "side": "top",
    }
    down = {
        "categoryorder": "array", "categoryarray": list(classes), "autorange": "reversed", "showgrid": False,
        "automargin": True, "ticks": "outside", "tickcolor": "rgba(0,0,0,0)",
    }  # fmt: skip
    axes = {"xaxis": {**across, "fixedrange": True}, "yaxis": {**down, "fixedrange": True}}
    figure = go.Figure([{"type": "scatter", **one} for one in drawn], {"annotations": words, **axes})
    return framed(figure, label).update_layout(margin_t=28)


def against_random(fraction: Tensor, curves: Tensor, x_title: str, highest: float = 1.0) -> go.Figure:
    """Deletion or insertion curves: of the map, of the Gaussian center baseline, and of random maps in gray.

    Args:
        fraction: share of the pixels, (S,).
        curves: probability, 0..1; rows: the map, the center baseline, then random maps, (N, S).
        x_title: title of the x-axis.
        highest: end of the axis.
    """
    x, figure = fraction.tolist(), go.Figure()
    randoms = [(row.tolist(), "rgba(128,128,128,0.35)", 1) for row in curves[2:]]
    for y, color, width in randoms:
        figure.add_scatter(x=x, y=y, mode="lines", line={"width": width, "color": color}, hoverinfo="skip")
    for row, color, dash, name in ((1, "#E69F00", "dot", "center baseline"), (0, "#0072B2", "solid", "this map")):
        figure.add_scatter(
            x=x, y=curves[row].tolist(), mode="lines", line={"width": 4, "color": color, "dash": dash}, name=name,
            customdata=[percentage(share, 0) for share in x],
            hovertemplate=name + ": %{y:.3f} at %{customdata}<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(range=[0, 1], **share_ticks(), showgrid=False, zeroline=False, fixedrange=True)
    figure.update_yaxes(
        title={"text": "probability, not calibrated", "font": {"size": TEXT}, "standoff": 16}, range=[-0.02, highest],
        zeroline=False, fixedrange=True, automargin=True, **share_ticks(highest),
    )  # fmt: skip
    for trace in figure.data[: len(randoms)]:
        trace.showlegend = False
    legend = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": TEXT}}
    return framed(figure, x_title, below=16).update_layout(showlegend=True, legend=legend, margin_r=12)


def shares(rows: Mapping[str, float], label: str) -> go.Figure:
    """Shares, 0..1, as bars over a gray track, with their names above and their numbers behind them."""
    places = list(range(len(rows)))
    whole = go.Bar(
        x=[1] * len(rows), y=places, orientation="h", width=0.45, marker_color="rgba(128,128,128,0.2)", hoverinfo="skip"
    )
    figure = go.Figure([
        whole,
        go.Bar(
            x=list(rows.values()), y=places, orientation="h", width=0.45, customdata=list(rows),
            marker_color=["#D6336C" if name.startswith("you") else "#7F7F7F" for name in rows],
            hovertemplate="%{customdata}: %{x:.3f}<extra></extra>",
        ),
    ])  # fmt: skip
    for i, share in enumerate(rows.values()):
        figure.add_annotation(x=1.02, y=i, text=percent(share), xanchor="left", showarrow=False)
    for i, name in enumerate(rows):
        figure.add_annotation(x=0, y=i, yshift=20, text=name, xanchor="left", showarrow=False)
    figure.update_xaxes(visible=False, range=[0, 1.2], fixedrange=True)
    figure.update_yaxes(visible=False, range=[max(5, len(rows)) - 0.5, -0.75], fixedrange=True)
    return framed(figure, label).update_layout(barmode="overlay")
