"""Charts of attention modules: spatial weights over a face, channel weights, heads, angles, logits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go
import torch
from torch import Tensor

from workbench.analysis.colors import class_colors

from .compare import hundredths
from .images import _gray, clear_to_bright, color_bar, height_of, laid_over, panels, wrapped
from .style import TEXT, at_the_bar, framed, is_phone, square

_PANEL = 140  # pixels: the height of a small map


def weights_over_face(pixels: Tensor, weights: Tensor, label: str, low: float = 0.0, high: float = 1.0) -> go.Figure:
    """Spatial weights (S, S) over a face (S, S), transparent at `low`, bright at `high`, with a color bar."""
    over = laid_over(weights, low, max(high, low + 1e-9), clear_to_bright(0.8), label, color_bar(label))
    return square(go.Figure([_gray(pixels), *over]), pixels, "", label)


def small_maps(
    maps: dict[str, Tensor],
    low: float,
    high: float,
    unit: str,
    columns: int = 4,
    mark: tuple[int, int] | None = None,
    outline: bool = False,
) -> go.Figure:
    """Small maps (h, w) with their titles, all on one scale from `low` to `high`, dark to bright.

    Args:
        maps: title → map.
        low, high: the ends of the scale.
        unit: unit of the color bar.
        columns: maps in a row.
        mark: (row, column) that gets a cross, for the query position.
        outline: draw a schematic face over each map, for maps over aligned faces.
    """
    columns = min(columns, 2 if is_phone() else columns, len(maps))
    maps = {wrapped(title): values for title, values in maps.items()}
    rows, words = -(-len(maps) // columns), height_of(maps)
    height = rows * _PANEL + (rows - 1) * words  # of the maps, with the words between them
    drawn, shapes = [], []
    for i, (title, values) in enumerate(maps.items(), 1):
        place = {"xaxis": f"x{i}", "yaxis": f"y{i}"}
        hover = title + ": %{z:.4g}, row %{y}, column %{x}<extra></extra>"
        drawn.append(go.Heatmap(z=values.numpy(), coloraxis="coloraxis", hovertemplate=hover, **place))
        if mark:
            cross = {"symbol": "x-thin", "size": 12, "line": {"width": 3, "color": "#D6336C"}}
            drawn.append(go.Scatter(x=[mark[1]], y=[mark[0]], mode="markers", marker=cross, hoverinfo="skip", **place))
        shapes += _face_outline(*values.shape, place) if outline else []
    bar = color_bar(unit, ypad=12, nticks=7)
    scale = {"colorscale": "Cividis", "cmin": low, "cmax": max(high, low + 1e-9), "colorbar": bar}
    layout = panels({title: tuple(values.shape) for title, values in maps.items()}, columns, 0.03, words / height)
    layout["annotations"].append(at_the_bar(unit, 18))
    layout |= {"coloraxis": scale, "shapes": shapes, "height": height + words + 50, "margin": {"t": words, "b": 50}}
    return framed(go.Figure(drawn), "", layout=layout)


_FACE = ((0.5, 0.5, 0.44, 0.49), (0.31, 0.38, 0.09, 0.04), (0.69, 0.38, 0.09, 0.04), (0.5, 0.8, 0.16, 0.05))
"""Face, eyes and mouth as in FER2013: center and half axes of ellipses, as shares of the image."""


def _face_outline(h: int, w: int, place: Mapping[str, str]) -> list[dict[str, Any]]:
    """A schematic face over a map of h × w cells, white with a dark edge, for dark and bright cells."""
    lines = [{"width": 4, "color": "rgba(0,0,0,0.3)"}, {"width": 2, "color": "rgba(255,255,255,0.7)"}]
    axes = {"type": "circle", "xref": place["xaxis"], "yref": place["yaxis"]}
    ends = [
        {"x0": (x - a) * w - 0.5, "x1": (x + a) * w - 0.5, "y0": (y - b) * h - 0.5, "y1": (y + b) * h - 0.5}
        for x, y, a, b in _FACE
    ]
    return [{**axes, **one, "line": line} for line in lines for one in ends]


def channel_weights(
    weights: Tensor, label: str, limits: tuple[float | None, float | None], in_order: bool
) -> go.Figure:
    """A bar for each channel (C,), sorted by number or in descending order.

    Args:
        weights: weights of the channels.
        label: title of the y-axis.
        limits: ends of the y-axis; None leaves that end to the data.
        in_order: sort by channel number; False: by weight.
    """
    order = list(range(len(weights))) if in_order else weights.argsort(descending=True).tolist()
    figure = go.Figure(
        go.Bar(
            x=list(range(len(order))),
            y=weights[order].tolist(),
            customdata=order,
            marker={"color": "#0072B2", "line": {"width": 0}},
            hovertemplate="channel %{customdata}: %{y:.4f}<extra></extra>",
        )
    )
    plain, title = {"fixedrange": True, "nticks": 6}, {"text": label, "font": {"size": TEXT}, "standoff": 16}
    ends = {} if None in limits else {"range": list(limits)}
    layout = {
        "xaxis": {**plain, "showgrid": False, "showticklabels": in_order, "zeroline": False},
        "yaxis": {**plain, "title": title, "automargin": True, **ends},
        "bargap": 0 if len(order) > 64 else 0.15,
    }
    return framed(figure, "channel" if in_order else "channels in descending order", below=14, layout=layout)


def winning_angles(degrees: Tensor) -> go.Figure:
    """The angle with the strongest response at each position (h, w), 0..360° counter-clockwise, in cyclic colors."""
    figure = go.Figure(
        go.Heatmap(
            z=degrees.numpy(),
            zmin=0,
            zmax=360,
            colorscale="Twilight",
            hovertemplate="%{z}°, row %{y}, column %{x}<extra></extra>",
            colorbar=color_bar("degrees", tickvals=[0, 90, 180, 270, 360]),
        )
    )
    return square(figure, degrees, "", "degrees")


def logit_pairs(classes: tuple[str, ...], before: Tensor, after: Tensor | None) -> go.Figure:
    """Two bars a class: its logit with all modules and, pale, without the disabled ones, each with its number.

    Args:
        classes: names of the classes in their fixed order.
        before: logits with all modules, (K,).
        after: logits without the disabled ones, (K,); None if none is.
    """
    drawn = []
    pairs = [(before, 1.0, "", 0.0)] if after is None else [(before, 1.0, "on", -0.2), (after, 0.45, "off", 0.2)]
    for values, opacity, word, place in pairs:
        bars = go.Bar(
            y=[i + place for i in range(len(classes))],
            x=values.tolist(),
            orientation="h",
            width=0.36,
            marker={"color": class_colors(classes), "opacity": opacity},
            text=[f"{word} {hundredths(value)}".strip() for value in values.tolist()],
            textposition="outside",
            textfont={"size": 14},
            cliponaxis=False,
            customdata=list(classes),
            hovertemplate="%{customdata}: %{x:.4f} " + word + "<extra></extra>",
        )
        drawn.append(bars)
    both = before if after is None else torch.cat([before, after])
    low, high = min(float(both.min()), 0.0), max(float(both.max()), 0.0)
    room = 0.3 * max(high - low, 1e-6)
    layout = {
        "xaxis": {
            "fixedrange": True,
            "range": [low - room, high + room],
            "zeroline": True,
            "zerolinecolor": "#7F7F7F",
            "gridcolor": "rgba(128,128,128,0.35)",
        },
        "yaxis": {
            "tickvals": list(range(len(classes))),
            "ticktext": list(classes),
            "range": [len(classes) - 0.5, -0.5],
            "fixedrange": True,
            "showgrid": False,
            "zeroline": False,
            "automargin": True,
        },
        "barmode": "overlay",
        "height": 46 * len(classes) + 60,
    }
    return framed(go.Figure(drawn), "logit", below=14, layout=layout)
