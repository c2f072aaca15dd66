"""Charts of robustness: rows of perturbed faces, grids of predictions, accuracy curves, occlusion maps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go
from torch import Tensor

from workbench.analysis.colors import class_colors
from workbench.markup import percent

from .frequency import bar_around_zero
from .images import _gray, clear_at_zero, laid_over
from .metrics import ABOVE, DASHES, SYMBOLS, _whiskers, network_colors
from .style import TEXT, angle_ticks, framed, is_phone, share_ticks, square

_GAP = 0.015  # between pictures of a row, share of its width


def faces_row(pictures: Tensor, labels: Sequence[Sequence[str]]) -> go.Figure:
    """Up to six gray images (n, S, S) side by side, each with the lines of its label below."""
    count, side = len(pictures), pictures.shape[-1]
    width = (1 - _GAP * (count - 1)) / count
    faces = [_gray(pixels).update(xaxis=f"x{i}", yaxis=f"y{i}") for i, pixels in enumerate(pictures, 1)]
    x = {"visible": False, "fixedrange": True, "range": [-0.5, side - 0.5], "constrain": "domain"}
    y = {"visible": False, "fixedrange": True, "range": [side - 0.5, -0.5], "constrain": "domain"}
    layout, words = {}, []
    for i, lines in enumerate(labels, 1):
        left = (i - 1) * (width + _GAP)
        layout[f"xaxis{i}"] = {**x, "domain": [left, min(left + width, 1)], "anchor": f"y{i}"}
        layout[f"yaxis{i}"] = {**y, "anchor": f"x{i}", "scaleanchor": f"x{i}", "constraintoward": "bottom"}
        words.append({
            "text": "<br>".join(lines), "x": left + width / 2, "y": 0, "yshift": -6, "xref": "paper", "yref": "paper",
            "xanchor": "center", "yanchor": "top", "showarrow": False,
        })  # fmt: skip
    below = 12 + 22 * max(map(len, labels)) + (24 if is_phone() else 0)  # there the button is always shown
    above = 350 // count if is_phone() else max(160, 800 // count)
    layout |= {"annotations": words, "height": above + below, "margin": {"b": below}}
    return framed(go.Figure(faces), "", layout=layout)


def predictions_grid(
    classes: tuple[str, ...], probabilities: Tensor, columns: Sequence[str], rows: Sequence[str], x: str, y: str
) -> go.Figure:
    """The prediction for each cell of a table of images: class, probability, color of the class.

    Args:
        classes: names of the classes.
        probabilities: (rows, columns, K); NaN where there is no image.
        columns, rows: tick labels of the axes.
        x, y: titles of the axes.
    """
    shares, predicted = probabilities.max(-1)
    unknown = shares.isnan()
    z = predicted.double().masked_fill(unknown, math.nan)
    colors = class_colors(classes)
    steps = [(edge / len(classes), colors[i]) for i in range(len(classes)) for edge in (i, i + 1)]  # no blending
    cells = go.Heatmap(
        z=z.numpy(), zmin=-0.5, zmax=len(classes) - 0.5, colorscale=steps,
        showscale=False, xgap=3, ygap=3, hoverinfo="skip",
    )  # fmt: skip
    words = []
    for row, column in [(i, j) for i in range(len(rows)) for j in range(len(columns))]:
        if unknown[row, column]:
            continue
        name, share = classes[predicted[row, column]], percent(float(shares[row, column]))
        words.append({
            "x": column, "y": row, "text": f"<b>{name}</b><br>{share}", "showarrow": False,
            "font": {"color": "#111418"}, "bgcolor": "rgba(255,255,255,0.82)", "borderpad": 2,
        })  # fmt: skip
    plain = {"showgrid": False, "zeroline": False, "fixedrange": True}
    across = {**plain, "tickvals": [*range(len(columns))], "ticktext": list(columns)}
    down = {
        **plain, "tickvals": [*range(len(rows))], "ticktext": list(rows), "autorange": "reversed", "automargin": True,
        "title": {"text": y, "font": {"size": TEXT}, "standoff": 16},
    }  # fmt: skip
    layout = {"xaxis": across, "yaxis": down, "annotations": words, "height": 60 * len(rows) + 60, "margin": {"b": 60}}
    return framed(go.Figure(cells), x, below=20, layout=layout)


def accuracies(
    lines: dict[str, tuple[Tensor, Tensor, Tensor]],
    x_title: str,
    baselines: dict[str, float],
    mark: float | None = None,
) -> go.Figure:
    """Accuracy against a value for several networks, each with a legend and 95 % intervals.

    Args:
        lines: name → (values (n,), accuracy (n,), interval (n, 2)), shares of 1.
        x_title: title of the x-axis.
        baselines: name → accuracy of up to two baselines, such as the chance level; dotted and dashed lines.
        mark: position of a vertical dotted line.
    """
    drawn = []
    for i, (name, (x, y, ends)) in enumerate(lines.items()):
        intervals = [(float(v), float(low), float(high)) for v, (low, high) in zip(y, ends, strict=True)]
        line = {"width": 3, "color": network_colors([*lines])[i], "dash": DASHES[i % len(DASHES)]}
        drawn.append(
            go.Scatter(
                x=x.tolist(), y=y.tolist(), name=name, mode="lines+markers", line=line,
                marker={"size": 10, "symbol": SYMBOLS[i % len(SYMBOLS)]},
                error_y=_whiskers(intervals),
            )
        )  # fmt: skip
    reach = [min(float(x.min()) for x, *_ in lines.values()), max(float(x.max()) for x, *_ in lines.values())]
    room = 0.03 * (reach[1] - reach[0])  # for markers
    for (name, y), dash in zip(baselines.items(), ("dot", "dash"), strict=False):
        line = {"dash": dash, "width": 2, "color": "#7F7F7F"}
        named = f"{name} {percent(y)}"
        drawn.append(go.Scatter(x=reach, y=[y, y], name=named, mode="lines", line=line, hoverinfo="skip"))
    shapes = []
    if mark is not None:
        upright = {"type": "line", "line": {"dash": "dot", "width": 2, "color": "#7F7F7F"}}
        shapes.append({**upright, "yref": "paper", "x0": mark, "x1": mark, "y0": 0, "y1": 1})
    plain = {"fixedrange": True, "zeroline": False}
    title = {"text": "accuracy ↑", "font": {"size": TEXT}, "standoff": 12}
    layout = {
        "xaxis": {
            **plain,
            "showgrid": False,
            "nticks": 7,
            "range": [reach[0] - room, reach[1] + room],
            **angle_ticks(*reach),
        },
        "yaxis": {**plain, "title": title, **share_ticks(lowest=0.2), "range": [0, 1], "automargin": True},
        "shapes": shapes,
        "showlegend": True,
        "legend": ABOVE,
        "margin": {"r": 14, "t": 34},
        "height": 340 + (22 * len(drawn) if is_phone() else 0),  # there the legend has a row for each line
    }
    return framed(go.Figure(drawn), x_title, below=14, layout=layout)


def face_with_signed(pixels: Tensor, values: Tensor, label: str, least: float = 0.1) -> go.Figure:
    """A map (S, S) around zero over a face (S, S): transparent at zero, red above, blue below, with a color bar.

    The scale reaches at least `least`, so that tiny values do not look strong.
    """
    most = max(float(values.abs().max()), least)
    over = laid_over(values, -most, most, clear_at_zero(0.85), label, bar_around_zero(most, label))
    return square(go.Figure([_gray(pixels), *over]), pixels, "", label)
