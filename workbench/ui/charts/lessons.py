"""Charts of lessons: nine numbered fields, marks for prediction and result, plain bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
import torch
from torch import Tensor

from .style import HALVES, TEXT, framed

PREDICTED, ANSWER = "#D6336C", "#2F9E44"
"""Colors of the student's prediction and of the result; always with a label."""


def numbered(figure: go.Figure, side: int, predicted: int | None = None, answer: int | None = None) -> go.Figure:
    """Nine numbered fields over a square image; a thick frame around the predicted and the correct one.

    Args:
        figure: an image of another module, changed in place.
        side: side of the image in pixels.
        predicted, answer: fields 0 to 8, row by row; None: no frame.
    """
    step = side / 3
    for i in range(1, 3):
        at = i * step - 0.5
        line = {"width": 1, "color": "rgba(255,255,255,0.8)"}
        figure.add_shape(type="line", x0=at, x1=at, y0=-0.5, y1=side - 0.5, line=line)
        figure.add_shape(type="line", y0=at, y1=at, x0=-0.5, x1=side - 0.5, line=line)
    for i in range(9):
        left, top = (i % 3) * step - 0.5, (i // 3) * step - 0.5
        box = {"font": {"color": "#111418", "size": TEXT}, "bgcolor": "rgba(255,255,255,0.85)", "borderpad": 2}
        figure.add_annotation(
            x=left, y=top, text=str(i + 1), xanchor="left", yanchor="top", xshift=5, yshift=-5, showarrow=False, **box
        )
    for field, color, inset in ((predicted, PREDICTED, 0.03), (answer, ANSWER, 0.08)):
        if field is not None:
            x, y, gap = (field % 3) * step - 0.5, (field // 3) * step - 0.5, inset * step
            figure.add_shape(
                type="rect",
                x0=x + gap,
                x1=x + step - gap,
                y0=y + gap,
                y1=y + step - gap,
                line={"width": 4, "color": color, "dash": "dash" if color == PREDICTED else "solid"},
            )
    return figure


def marked(figure: go.Figure, marks: Mapping[str, tuple[float, str]]) -> go.Figure:
    """Add vertical lines to a chart: name → (x, color); names are above, apart from each other."""
    for row, (name, (x, color)) in enumerate(sorted(marks.items(), key=lambda mark: mark[1][0])):
        figure.add_vline(x, line={"width": 3, "color": color, "dash": "dash" if color == PREDICTED else "solid"})
        figure.add_annotation(
            x=x, y=1, yref="paper", text=name, yshift=4 + 20 * row, yanchor="bottom", showarrow=False,
            font={"size": TEXT},
        )  # fmt: skip
    return figure.update_layout(margin_t=10 + 22 * max(len(marks), 1))


def with_axes(figure: go.Figure, across: str, down: str) -> go.Figure:
    """Name the columns and the rows of an image of another module, above and at the left; changes it in place."""
    plain = {"visible": True, "showgrid": False, "zeroline": False, "showticklabels": False, "ticks": ""}
    title = {"font": {"size": TEXT}, "standoff": 4}
    figure.update_xaxes(**plain, side="top", title={**title, "text": across})
    figure.update_yaxes(**plain, title={**title, "text": down})
    return figure.update_layout(margin_t=26, margin_l=26, height=figure.layout.height + 26)


def bars(
    values: Mapping[str, float],
    texts: Sequence[str],
    label: str,
    predicted: str | None = None,
    top: float | None = None,
    colors: Sequence[str] | None = None,
) -> go.Figure:
    """Horizontal bars with names and numbers.

    Args:
        values: name → length, at least 0.
        texts: the numbers as displayed.
        label: title of the x-axis.
        predicted: name of the student's bar.
        top: length of the axis; None: that of the longest bar.
        colors: colors of the bars; None: one for all but the student's.
    """
    figure = go.Figure(
        go.Bar(
            x=[*values.values()],
            y=[*values],
            orientation="h",
            text=list(texts),
            textposition="outside",
            cliponaxis=False,
            marker_color=colors or [PREDICTED if name == predicted else "#0072B2" for name in values],
            hovertemplate="%{y}: %{x:.4g}<extra></extra>",
        )
    )
    top = max(values.values(), default=0) if top is None else top
    room = 1.5 + 0.05 * max(0, max(map(len, texts), default=0) - 6)  # for the numbers
    figure.update_xaxes(visible=False, range=[0, room * max(top, 1e-9)], fixedrange=True)
    figure.update_yaxes(
        autorange="reversed", showgrid=False, fixedrange=True, automargin=True, ticks="outside",
        tickcolor="rgba(0,0,0,0)",
    )  # fmt: skip
    return framed(figure, label)


def few_ticks(figure: go.Figure) -> go.Figure:
    """Reduce the ticks of an axis of shares to 0, 50 and 100 %."""
    return figure.update_xaxes(**HALVES, tickangle=0)


def before_and_after(before: Tensor, after: Tensor, labels: tuple[str, str]) -> go.Figure:
    """A dot for each pair of two lists (n,); unchanged values lie on the dotted line."""
    both = torch.cat([before, after])
    pad = 0.05 * float(both.max() - both.min()) + 1e-6
    ends = [float(both.min()) - pad, float(both.max()) + pad]
    figure = go.Figure(
        go.Scatter(x=ends, y=ends, mode="lines", line={"width": 3, "dash": "dot", "color": "#7F7F7F"}, hoverinfo="skip")
    )
    figure.add_scatter(
        x=before.tolist(), y=after.tolist(), mode="markers", marker={"size": 9, "color": "#0072B2", "opacity": 0.7},
        hovertemplate="%{x:.4f} → %{y:.4f}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(range=ends, fixedrange=True, nticks=5, zeroline=False, showgrid=False)
    figure.update_yaxes(
        title={"text": labels[1], "font": {"size": TEXT}, "standoff": 16}, range=ends, fixedrange=True, nticks=5,
        automargin=True, zeroline=False,
    )  # fmt: skip
    return framed(figure, labels[0], below=14)
