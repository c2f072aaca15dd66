"""Charts of a whole test set: the scatter of its features."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from torch import Tensor

from workbench.analysis.colors import class_colors

from .. import page_content
from .metrics import ABOVE
from .style import TEXT, framed, inked

_AXIS = {"showgrid": False, "zeroline": False, "showticklabels": False, "fixedrange": False}
_FACE = "#D6336C"


def scatter_by_class(
    points: Tensor,
    groups: Tensor,
    classes: tuple[str, ...],
    ids: Sequence[str],
    axes: tuple[str, str],
    face: Tensor | None,
) -> go.Figure:
    """Test images in two dimensions, colored by class; each point has its id as `customdata`.

    Args:
        points: (N, 2).
        groups: index of the class that gives the color, (N,).
        classes: names of the classes.
        ids: ids of the images.
        axes: names of the two axes.
        face: where the current face lies, (2,); None without one.
    """
    drawn = []
    for k, (name, color) in enumerate(zip(classes, class_colors(classes), strict=True)):
        mine = (groups == k).numpy()
        if mine.any():
            drawn.append(_dots(points.numpy()[mine], np.asarray(ids)[mine], {"color": color}, name))
    return _scatter(drawn, axes, face, legend=True)


def scatter_by_value(
    points: Tensor, values: Tensor, ids: Sequence[str], axes: tuple[str, str], face: Tensor | None, title: str
) -> go.Figure:
    """Test images in two dimensions, colored by a number (N,); NaN is left out. Other arguments as above."""
    known = ~values.isnan().numpy()
    bar = {"title": {"text": title}, "thickness": 14}
    marker = {"color": values.numpy()[known], "colorscale": "Viridis", "showscale": True, "colorbar": bar}
    return _scatter([_dots(points.numpy()[known], np.asarray(ids)[known], marker, title)], axes, face, legend=False)


def _dots(points: np.ndarray, ids: np.ndarray, marker: dict, name: str) -> go.Scattergl:
    return go.Scattergl(
        x=points[:, 0], y=points[:, 1], customdata=ids, mode="markers", name=name,
        marker={"size": 6, "opacity": 0.75, **marker}, hovertemplate=f"{name}<br>%{{customdata}}<extra></extra>",
    )  # fmt: skip


def _scatter(drawn: list, axes: tuple[str, str], face: Tensor | None, legend: bool) -> go.Figure:
    words = []
    if face is not None:
        words = [_over_dots(face, "★", 26, 0), _over_dots(face, "<b>chosen face</b>", TEXT, 30)]
    titles = ({**_AXIS, "title": {"text": name, "font": {"size": TEXT}}} for name in axes)
    layout = dict(zip(("xaxis", "yaxis"), titles, strict=True)) | {
        "height": 556,
        "showlegend": legend,
        "legend": ABOVE | {"itemsizing": "constant"},
        "annotations": words,
        "dragmode": "lasso",
        "margin": {"t": 40, "b": 76, "l": 40},  # with room for the buttons, which a phone always shows
    }
    return framed(go.Figure(drawn), "", layout=layout)


def _over_dots(at: Tensor, text: str, size: int, up: int) -> dict:
    """A text with a white halo, `up` pixels above a point; an annotation, since WebGL dots cover any other trace."""
    font = {"size": size, "color": _FACE, "shadow": ", ".join(["0 0 3px #FFFFFF"] * 6)}
    x, y = at.tolist()
    return {"x": x, "y": y, "text": text, "yshift": up, "showarrow": False, "font": font}


def show_to_select(figure: go.Figure, key: str, alt: str, selected: Callable[[], None] | str = "rerun") -> list[str]:
    """Like `show`, with a lasso and a box; the ids (`customdata`) of the points in it, [] without a selection."""
    inked(figure, st.context.theme.type or "light")
    page_content.add_chart(key, alt, figure)
    config = {"displaylogo": False, "modeBarButtonsToRemove": ["toImage", "autoScale2d"]}
    found = st.plotly_chart(
        figure, key=key, alt=alt, theme=None, config=config, on_select=selected, selection_mode=("lasso", "box")
    )
    points = found["selection"]["points"] if found else []
    return [one["customdata"][0] if isinstance(one["customdata"], list) else one["customdata"] for one in points]
