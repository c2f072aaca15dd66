"""Faces and maps, every pixel a square."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

import plotly.graph_objects as go
from plotly.colors import sample_colorscale, unlabel_rgb
from torch import Tensor

from .style import TEXT, at_the_bar, bar_length, framed, is_phone, square

_BAR = {  # of colors, in the strip under a picture
    "orientation": "h",
    "thickness": 12,
    "thicknessmode": "pixels",
    "x": 0,
    "xanchor": "left",
    "y": 0,
    "yanchor": "top",
    "ypad": 6,
    "outlinewidth": 0,
    "nticks": 4,
    "exponentformat": "power",  # instead of SI letters
    "tickfont": {"size": 14},
}
_SMALL = 168  # pixels: of a small map, without its title
_SKIN = 180  # the gray, 0..255, of bright skin


def color_bar(unit: str, **more: Any) -> dict[str, Any]:
    """A color bar below an image, with room for its unit (`at_the_bar`); `more` overrides the default properties."""
    return {**_BAR, "len": bar_length(unit), **more}


def face(pixels: Tensor, label: str) -> go.Figure:
    """A gray image (S, S) in 0..1 with nearest-neighbor edges and a label below; the hover gives the values."""
    return square(go.Figure(_gray(pixels)), pixels, label)


def face_with_map(pixels: Tensor, heat: Tensor, top: float, opacity: float, unit: str = "logit") -> go.Figure:
    """A map (S, S) over a face (S, S): transparent at zero, bright where strong, with a color bar.

    Args:
        pixels: gray image in 0..1.
        heat: the map, at least 0.
        top: the value that gets the brightest color; 0: the map is blank and has no color bar.
        opacity: opacity of the strongest color, 0..1.
        unit: unit of the color bar.
    """
    drawn = [_gray(pixels)]
    if top > 0:
        drawn += _over(heat, top, opacity, "map", color_bar(unit))
    return square(go.Figure(drawn), pixels, *(("", unit) if top > 0 else ("blank",)))


Stops = tuple[tuple[float, tuple[float, ...], float], ...]
"""A color scale: place 0..1; red, green and blue 0..255; opacity 0..1."""


@lru_cache
def clear_to_bright(opacity: float) -> Stops:
    """Inferno whose transparency follows the strength."""
    places = [i / 16 for i in range(17)]
    colors = sample_colorscale("Inferno", [0.25 + 0.75 * place for place in places])
    return tuple((s, unlabel_rgb(c), opacity * s**0.7) for s, c in zip(places, colors, strict=True))


def many_maps(
    pixels: Tensor, maps: Mapping[str, Tensor], top: float | None, opacity: float, unit: str = "logit"
) -> go.Figure:
    """Small maps (S, S) over the same face with titles, on one scale with a color bar or each on its own.

    Args:
        pixels: gray image (S, S) in 0..1.
        maps: title → map. One with negative values is drawn around zero, red above and blue below.
        top: the value that gets the brightest color in all of them; None: each map has its own, without a color bar.
        opacity: opacity of the strongest color, 0..1.
        unit: unit of the color bar.
    """
    columns = 2 if is_phone() else len(maps) if len(maps) <= 7 else 6
    maps = {wrapped(title, 18 if columns <= 4 else 12): heat for title, heat in maps.items()}
    rows, side, words = -(-len(maps) // columns), len(pixels), height_of(maps)
    height = rows * _SMALL + (rows - 1) * words  # of the pictures, with the words between them
    drawn = []
    for i, (title, heat) in enumerate(maps.items(), 1):
        place = {"xaxis": f"x{i}", "yaxis": f"y{i}"}
        drawn.append(_gray(pixels).update(place))
        most = float(heat.abs().max()) if top is None else top
        if most > 0:
            bar = color_bar(unit) if i == 1 and top is not None else None
            drawn += [trace.update(place) for trace in _over(heat, most, opacity, title.split("<br>")[0], bar)]
    layout, below = panels(dict.fromkeys(maps, (side, side)), columns, 0.02, words / height), 46 if top else 0
    layout["annotations"] += [at_the_bar(unit)] if top else []
    layout |= {"height": height + words + below, "margin": {"t": words, "b": below}}
    return framed(go.Figure(drawn), "", layout=layout)


def wrapped(title: str, width: int = 18) -> str:
    """A title of a small image in lines of about `width` characters, broken at spaces, underscores and hyphens."""
    lines = []
    for part in title.split("<br>"):
        line = ""
        for word in re.findall(r" ?[^ _-]*[_-]?", part):
            if line and len(line + word) > width:
                lines.append(line)
                line = word.lstrip()
            else:
                line += word
        lines.append(line)
    return "<br>".join(lines)


def height_of(titles: Collection[str]) -> int:
    """Pixels that the titles over a row of images need."""
    return 22 * (1 + max(title.count("<br>") for title in titles)) + 6


def panels(titles: Mapping[str, tuple[int, int]], columns: int, across: float, down: float) -> dict[str, Any]:
    """A layout of images in rows with titles: the i-th image, from 1 on, has the axes x{i} and y{i}.

    Args:
        titles: title → height and width of its image in pixels.
        columns: images in a row.
        across, down: gaps between images, as shares of the whole.
    """
    rows = -(-len(titles) // columns)
    width, height = (1 - across * (columns - 1)) / columns, (1 - down * (rows - 1)) / rows
    hidden = {"visible": False, "fixedrange": True, "constrain": "domain"}
    layout: dict[str, Any] = {"annotations": []}
    for i, (title, (h, w)) in enumerate(titles.items()):
        left, top = i % columns * (width + across), 1 - i // columns * (height + down)
        x, y = f"x{i + 1}", f"y{i + 1}"
        ends, reach = [left, min(1, left + width)], [max(0, top - height), top]
        layout[f"xaxis{i + 1}"] = {**hidden, "domain": ends, "anchor": y, "range": [-0.5, w - 0.5]}
        layout[f"yaxis{i + 1}"] = {**hidden, "domain": reach, "anchor": x, "range": [h - 0.5, -0.5], "scaleanchor": x}
        over = {
            "x": left + width / 2,
            "y": top,
            "xref": "paper",
            "yref": "paper",
            "xanchor": "center",
            "yanchor": "bottom",
        }
        layout["annotations"].append({**over, "text": title, "showarrow": False, "font": {"size": TEXT}})
    return layout


def laid_over(
    values: Tensor, low: float, high: float, stops: Stops, hover: str, bar: Mapping[str, Any] | None
) -> list[go.Heatmap | go.Scatter]:
    """A map (S, S) drawn over a face, and a color bar that shows its colors as they look on the face in any theme."""
    clear = [(s, f"rgba({r:.0f},{g:.0f},{b:.0f},{a:.3f})") for s, (r, g, b), a in stops]
    limits = {"zmin": low, "zmax": high, "zsmooth": "fast", "showscale": False}
    drawn = [go.Heatmap(z=values.numpy(), colorscale=clear, hovertemplate=hover + " %{z:.4g}<extra></extra>", **limits)]
    if bar:
        seen = [(s, "rgb({:.0f},{:.0f},{:.0f})".format(*(a * c + (1 - a) * _SKIN for c in rgb))) for s, rgb, a in stops]
        marker = {"color": [low], "cmin": low, "cmax": high, "colorscale": seen, "showscale": True, "colorbar": bar}
        drawn.append(go.Scatter(x=[None], y=[None], mode="markers", marker=marker, hoverinfo="skip"))  # no point at all
    return drawn


def _over(heat: Tensor, most: float, opacity: float, title: str, bar: Mapping[str, Any] | None) -> list:
    """The same, transparent at zero and brightest (or reddest and bluest) at `most`."""
    around_zero = float(heat.min()) < 0
    stops = clear_at_zero(opacity) if around_zero else clear_to_bright(opacity)
    return laid_over(heat, -most if around_zero else 0, most, stops, title, bar)


@lru_cache
def clear_at_zero(opacity: float) -> Stops:
    """A color scale from blue over transparent to red."""
    places = [i / 20 for i in range(21)]
    colors = sample_colorscale("RdBu_r", places)
    return tuple((s, unlabel_rgb(c), opacity * abs(2 * s - 1) ** 0.6) for s, c in zip(places, colors, strict=True))


PICKED, FOUND = "#D6336C", "#2F9E44"
"""Colors of the frames of cells: picked by a person (dashed) and strongest (solid)."""


def gridded(
    figure: go.Figure, side: int, cells: int, picked: Collection[int], found: Collection[int] = ()
) -> go.Figure:
    """A grid over a square image, named as on a chessboard, with cells to click and frames around some of them.

    Args:
        figure: an image of this module, changed in place.
        side: side of the image in pixels.
        cells: rows, and columns, of the grid.
        picked, found: numbers of cells, row by row from 0.
    """
    step = side / cells
    for width, color in ((3, "rgba(0,0,0,0.3)"), (1, "rgba(255,255,255,0.8)")):  # seen on dark and on bright skin
        for at in [i * step - 0.5 for i in range(1, cells)]:
            line = {"type": "line", "line": {"width": width, "color": color}}
            figure.add_shape(x0=at, x1=at, y0=-0.5, y1=side - 0.5, **line)
            figure.add_shape(y0=at, y1=at, x0=-0.5, x1=side - 0.5, **line)
    for group, color, inset, dash in ((found, FOUND, 0.03, "solid"), (picked, PICKED, 0.11, "dash")):
        for cell in group:
            x, y, gap = (cell % cells) * step - 0.5, (cell // cells) * step - 0.5, inset * step
            figure.add_shape(
                type="rect", x0=x + gap, x1=x + step - gap, y0=y + gap, y1=y + step - gap,
                line={"width": 4, "color": color, "dash": dash},
            )  # fmt: skip
    middles = [(i + 0.5) * step - 0.5 for i in range(cells)]
    names = [f"{chr(ord('A') + i % cells)}{i // cells + 1}" for i in range(cells * cells)]
    nothing = {"marker": {"opacity": 0}}
    figure.add_scatter(
        x=middles * cells, y=[y for y in middles for _ in range(cells)], mode="markers", customdata=names,
        marker={"symbol": "square", "size": 38, "opacity": 0, "color": "white"},
        selected=nothing, unselected=nothing, hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip
    ticks = {"visible": True, "showgrid": False, "zeroline": False, "ticks": "", "tickvals": middles}
    figure.update_xaxes(**ticks, ticktext=[chr(ord("A") + i) for i in range(cells)], side="top")
    figure.update_yaxes(**ticks, ticktext=[str(i + 1) for i in range(cells)])
    return figure.update_layout(margin_t=26, margin_l=22, height=figure.layout.height + 26, clickmode="event+select")


def signed(values: Tensor, label: str) -> go.Figure:
    """A map (H, W) around zero: blue below, white at zero, red above, symmetric, with a color bar."""
    most = max(float(values.abs().max()), 1e-12)
    return square(go.Figure(_scaled(values, -most, most, "RdBu_r", label)), values, "", label)


def strength(values: Tensor, label: str, low: float = 0.0, high: float = 1.0) -> go.Figure:
    """A map (H, W) from `low` to `high`, dark to bright, with a color bar."""
    return square(go.Figure(_scaled(values, float(low), float(high), "Cividis", label)), values, "", label)


def _scaled(values: Tensor, low: float, high: float, colors: str, label: str) -> go.Heatmap:
    """A map with its color bar; `label` is the quantity."""
    hover, bar = label + " %{z:.4g}, row %{y}, column %{x}<extra></extra>", color_bar(label)
    return go.Heatmap(z=values.numpy(), zmin=low, zmax=high, colorscale=colors, colorbar=bar, hovertemplate=hover)


def _gray(pixels: Tensor) -> go.Heatmap:
    return go.Heatmap(
        z=pixels.numpy(),
        zmin=0,
        zmax=1,
        colorscale="gray",
        showscale=False,
        hovertemplate="row %{y}, column %{x}: gray %{z:.2f}<extra></extra>",
    )
