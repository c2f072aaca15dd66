"""Charts of frequencies: the amplitude spectrum, and high-frequency components."""

from __future__ import annotations

import math

import plotly.graph_objects as go
import torch
from torch import Tensor

from .images import color_bar
from .style import square

_CIRCLE = "#F2A33A"


def bar_around_zero(most: float, unit: str) -> dict:
    """A color bar from −most to most, with ticks at zero and at half of either end."""
    ends = (-most / 2, 0, most / 2)
    words = [f"{end:.2g}".replace("-", "\N{MINUS SIGN}") for end in ends]
    return color_bar(unit, tickvals=ends, ticktext=words)


def contrast(values: Tensor, label: str, most: float | None = None) -> go.Figure:
    """A high-frequency component (H, W) as a gray image with stretched contrast: zero is middle gray.

    Args:
        values: gray values around zero.
        label: title of the color bar.
        most: value shown as white; None: the 99.5th percentile of the absolute values.
    """
    if most is None:
        most = float(values.abs().flatten().quantile(0.995))
    most = max(most, 1e-6)
    heat = go.Heatmap(
        z=values.numpy(), zmin=-most, zmax=most, colorscale="gray", colorbar=bar_around_zero(most, label),
        hovertemplate="row %{y}, column %{x}: %{z:.3f}<extra></extra>",
    )  # fmt: skip
    return square(go.Figure(heat), values, "", label)


def amplitudes(plane: Tensor, cutoff: float) -> go.Figure:
    """log(1 + |FFT|) of an image (S, S), zero frequency in the center, dark to bright; a circle at the cut-off."""
    side = len(plane)
    heat = go.Heatmap(
        z=plane.numpy(), zmin=0, zmax=float(plane.max()), colorscale="Cividis", colorbar=color_bar("log"),
        hovertemplate="%{customdata:.3f} cycles per pixel: %{z:.2f}<extra></extra>", customdata=_radii(side).numpy(),
    )  # fmt: skip
    turn = [2 * math.pi * i / 90 for i in range(91)]
    x, y = ([side // 2 + cutoff * side * f(t) for t in turn] for f in (math.cos, math.sin))
    circle = go.Scatter(x=x, y=y, mode="lines", line={"width": 3, "color": _CIRCLE}, hoverinfo="skip")
    return square(go.Figure([heat, circle]), plane, "", "log")


def _radii(side: int) -> Tensor:
    steps = (torch.arange(side) - side // 2) / side
    return torch.hypot(steps[:, None], steps)
