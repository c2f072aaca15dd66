"""Waves of a picture: how strong they are, and pictures of waves alone."""

from __future__ import annotations

import math

import plotly.graph_objects as go
import torch
from torch import Tensor

from .images import _BAR
from .style import square

_CIRCLE = "#F2A33A"


def bar_around_zero(most: float) -> dict:
    """A bar of colors from −most to most, with a number on either side of zero whatever `most` is."""
    ends = (-most / 2, 0, most / 2)
    words = [f"{end:.2g}".replace("-", "\N{MINUS SIGN}") for end in ends]
    return {**_BAR, "tickvals": ends, "ticktext": words}


def contrast(values: Tensor, label: str, most: float | None = None) -> go.Figure:
    """Waves (H, W) around zero as a gray picture: zero is middle gray, the strongest black or white; the bar says more.

    Args:
        values: gray values around zero.
        label: what the numbers of the bar are.
        most: the value that is white; None: the largest in size but for one pixel in two hundred.
    """
    if most is None:
        most = float(values.abs().flatten().quantile(0.995))
    most = max(most, 1e-6)
    heat = go.Heatmap(
        z=values.numpy(), zmin=-most, zmax=most, colorscale="gray", colorbar=bar_around_zero(most),
        hovertemplate="row %{y}, column %{x}: %{z:.3f}<extra></extra>",
    )  # fmt: skip
    return square(go.Figure(heat), values, "", label)


def amplitudes(plane: Tensor, cutoff: float) -> go.Figure:
    """log(1 + |FFT|) of a picture (S, S), the mean in the middle, dark to bright; a circle stands at the cut-off."""
    side = len(plane)
    heat = go.Heatmap(
        z=plane.numpy(), zmin=0, zmax=float(plane.max()), colorscale="Cividis", colorbar=_BAR,
        hovertemplate="%{customdata:.3f} cycles per pixel: %{z:.2f}<extra></extra>", customdata=_radii(side).numpy(),
    )  # fmt: skip
    turn = [2 * math.pi * i / 90 for i in range(91)]
    x, y = ([side // 2 + cutoff * side * f(t) for t in turn] for f in (math.cos, math.sin))
    circle = go.Scatter(x=x, y=y, mode="lines", line={"width": 3, "color": _CIRCLE}, hoverinfo="skip")
    return square(go.Figure([heat, circle]), plane, "", "log")


def _radii(side: int) -> Tensor:
    steps = (torch.arange(side) - side // 2) / side
    return torch.hypot(steps[:, None], steps)
