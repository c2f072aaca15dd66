"""Faces and maps, every pixel a square."""

from __future__ import annotations

import plotly.graph_objects as go
from plotly.colors import sample_colorscale, unlabel_rgb
from torch import Tensor

from .frame import square

_BAR = {  # of colours, in the strip under a picture
    "orientation": "h",
    "thickness": 12,
    "thicknessmode": "pixels",
    "len": 0.76,
    "x": 0,
    "xanchor": "left",
    "y": 0,
    "yanchor": "top",
    "ypad": 6,
    "outlinewidth": 0,
    "nticks": 4,
    "tickfont": {"size": 14},
}


def face(pixels: Tensor, label: str) -> go.Figure:
    """A gray picture (S, S) in 0..1, every pixel a square, the label under it; the hover gives the numbers."""
    return square(go.Figure(_gray(pixels)), pixels, label)


def face_with_map(pixels: Tensor, heat: Tensor, top: float, opacity: float) -> go.Figure:
    """A map (S, S) over a face (S, S): zero is clear, strong is bright, the bar gives the numbers.

    Args:
        pixels: gray picture in 0..1.
        heat: the map, at least 0.
        top: the value that gets the brightest colour; where it is 0 the map is blank and no bar is drawn.
        opacity: of the strongest colour, 0..1.
    """
    figure = go.Figure(_gray(pixels))
    if top > 0:
        figure.add_heatmap(
            z=heat.numpy(),
            zmin=0,
            zmax=top,
            colorscale=clear_to_bright(opacity),
            zsmooth="fast",
            hovertemplate="map %{z:.4g}<extra></extra>",
            colorbar=_BAR,
        )
    figure = square(figure, pixels, "" if top > 0 else "blank")
    return _unit(figure, "logit") if top > 0 else figure


def clear_to_bright(opacity: float) -> list[tuple[float, str]]:
    """Inferno whose transparency follows the strength, as a colour scale of Plotly."""
    steps = [i / 16 for i in range(17)]
    colours = [unlabel_rgb(colour) for colour in sample_colorscale("Inferno", [0.25 + 0.75 * s for s in steps])]
    return [
        (s, f"rgba({r:.0f},{g:.0f},{b:.0f},{opacity * s**0.7:.3f})")
        for s, (r, g, b) in zip(steps, colours, strict=True)
    ]


def signed(values: Tensor, label: str) -> go.Figure:
    """A map (H, W) around zero: blue below, white at zero, red above, the same strength on both sides, with a bar."""
    most = max(float(values.abs().max()), 1e-12)
    return _unit(square(go.Figure(_scaled(values, -most, most, "RdBu_r", label)), values, ""), label)


def strength(values: Tensor, label: str, low: float = 0.0, high: float = 1.0) -> go.Figure:
    """A map (H, W) from `low` to `high`, dark to bright; a bar of numbers under it."""
    return _unit(square(go.Figure(_scaled(values, float(low), float(high), "Cividis", label)), values, ""), label)


def _scaled(values: Tensor, low: float, high: float, colours: str, label: str) -> go.Heatmap:
    """A map with its bar of numbers; `label` names what they are."""
    hover = label + " %{z:.4g}, row %{y}, column %{x}<extra></extra>"
    return go.Heatmap(z=values.numpy(), zmin=low, zmax=high, colorscale=colours, colorbar=_BAR, hovertemplate=hover)


def _unit(figure: go.Figure, label: str) -> go.Figure:
    """What the numbers of the bar are, at its right end."""
    return figure.add_annotation(
        text=label, x=1, y=0, yshift=-4, xref="paper", yref="paper", xanchor="right", yanchor="top", showarrow=False
    )


def _gray(pixels: Tensor) -> go.Heatmap:
    return go.Heatmap(
        z=pixels.numpy(),
        zmin=0,
        zmax=1,
        colorscale="gray",
        showscale=False,
        hovertemplate="row %{y}, column %{x}: gray %{z:.2f}<extra></extra>",
    )
