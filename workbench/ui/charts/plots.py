"""Bars and curves."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
import torch
from torch import Tensor

from workbench.analysis.colors import class_colors
from workbench.markup import percent

from .style import TEXT, angle_ticks, framed, share_ticks

_MOST_BARS = 20


def probabilities(classes: tuple[str, ...], values: Tensor, marked: str, trained: bool = True) -> go.Figure:
    """Bars of probabilities in the fixed order of the classes, with numbers; the marked class has an outline.

    Of more than 20 classes, the 20 most probable, the most probable first, and the marked one.
    """
    shares = values.tolist()
    if len(classes) > _MOST_BARS:
        order = values.topk(_MOST_BARS).indices.tolist()
        order += [i for i, name in enumerate(classes) if name == marked and i not in order]
        classes, shares = tuple(classes[i] for i in order), [shares[i] for i in order]
    figure = go.Figure(
        go.Bar(
            x=shares,
            y=list(classes),
            orientation="h",
            text=[percent(share) for share in shares],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.4f}<extra></extra>",
            marker={
                "color": class_colors(classes),
                "line": {"width": [3 if name == marked else 0 for name in classes], "color": "#D6336C"},
            },
        ),
        {
            "xaxis": {"visible": False, "range": [0, 1.36], "fixedrange": True},
            "yaxis": {
                "autorange": "reversed",
                "showgrid": False,
                "fixedrange": True,
                "automargin": True,
                "ticks": "outside",
                "tickcolor": "rgba(0,0,0,0)",
            },
        },
    )
    return framed(figure, "probability, calibrated" if trained else "random weights")


def curves(
    x: Tensor,
    ys: Tensor,
    names: tuple[str, ...],
    x_title: str,
    y_title: str,
    colors: tuple[str, ...],
    log: bool = False,
    marks: Sequence[float] = (),
    points: bool = False,
) -> go.Figure:
    """Lines over a common axis, each with its name at its end: x (n,), ys (number of lines, n).

    On a linear axis `ys` are shares of 1. Names of lines that end near each other are moved apart, and thin lines
    lead to them. At each x of `marks` stands a dotted line. `points` draws markers at each x.
    """
    drawn = {"type": "scatter", "mode": "lines+markers" if points else "lines", "x": x.numpy(), "marker": {"size": 8}}
    lines = [
        {**drawn, "y": y.numpy(), "line": {"width": 3, "color": color}, "name": name, "cliponaxis": not points}
        for y, name, color in zip(ys, names, colors, strict=True)
    ]
    shown = ys.clamp_min(1e-12).log10() if log else ys
    low, high = (float(shown.min()), float(shown.max())) if log else (0.0, 1.0)
    lead = {"x": 1, "xref": "paper", "ax": 16, "ayref": "y", "xanchor": "left", "arrowhead": 0, "arrowwidth": 1}
    ends = shown[:, -1].tolist()
    words = [
        {**lead, "y": y, "ay": at, "text": f'<span style="color:{color}">■</span> {name}', "arrowcolor": color}
        for y, at, name, color in zip(ends, _spread(ends, low, high), names, colors, strict=True)
        if name
    ]
    fixed = {"fixedrange": True, "zeroline": False}
    across = {**fixed, "range": [float(x[0]), float(x[-1])], "showgrid": False, **angle_ticks(x[0], x[-1])}
    y_title += " (logarithmic)" if log else ""
    upwards = {**fixed, "title": {"text": y_title, "font": {"size": TEXT}, "standoff": 16}, "automargin": True}
    upwards |= {"type": "log", "dtick": _step(low, high)} if log else {"range": [-0.03, 1.05], **share_ticks()}
    layout = {"annotations": words, "xaxis": across, "yaxis": upwards, "margin": {"r": 38 + 9 * max(map(len, names))}}
    upright = {"type": "line", "y0": 0, "y1": 1, "yref": "y domain"}
    upright |= {"line": {"dash": "dot", "width": 2, "color": "#7F7F7F"}}
    layout["shapes"] = [{**upright, "x0": mark, "x1": mark} for mark in marks]
    return framed(go.Figure(lines), x_title, below=14, layout=layout)


def _step(low: float, high: float) -> int | str:
    """The tick distance of a logarithmic axis from 10^low to 10^high, in Plotly's notation."""
    if not 0 < high - low <= 2:
        return 1
    return "D2" if high - low > 1 else f"L{(10**high - 10**low) / 5:.1g}"  # 1, 2 and 5; about five even steps


def _spread(ends: list[float], low: float, high: float) -> list[float]:
    """Heights for the names of lines that end at `ends`: near them, in their order, and one text line apart."""
    apart = 0.085 * (high - low)
    heights, order = list(ends), sorted(range(len(ends)), key=ends.__getitem__)
    floor = low
    for i in order:  # upwards from the lowest
        heights[i] = max(heights[i], floor)
        floor = heights[i] + apart
    ceiling = high
    for i in reversed(order):  # and down again where that went over the top
        heights[i] = min(heights[i], ceiling)
        ceiling = heights[i] - apart
    return heights


def spectra(lists: dict[str, Tensor]) -> go.Figure:
    """Up to three lists of singular values (n,), each with its name, on a logarithmic axis."""
    values = torch.stack([*lists.values()]).clamp_min(1e-4)
    i = torch.arange(1, values.shape[1] + 1)
    colors = ("#0072B2", "#D55E00", "#009E73")[: len(lists)]
    return curves(i, values, tuple(lists), "index i", "σ", colors, log=True)


def singular_values(sigma: Tensor, k: int) -> go.Figure:
    """σ₁ to σ_n on a logarithmic axis; the first k are blue."""
    n = len(sigma)
    figure = go.Figure(
        go.Bar(
            x=list(range(1, n + 1)),
            y=sigma.tolist(),
            marker={"color": ["#0072B2" if i < k else "#B9C4CC" for i in range(n)]},
            hovertemplate="σ%{x} = %{y:.4f}<extra></extra>",
        )
    )
    plain = {"fixedrange": True, "automargin": True}
    title = {"text": "σ (logarithmic)", "font": {"size": TEXT}, "standoff": 16}
    axes = {"xaxis": {**plain, "showgrid": False}, "yaxis": {**plain, "title": title, "type": "log", "dtick": 1}}
    return framed(figure, "index i, in descending order", below=14, layout=axes)
