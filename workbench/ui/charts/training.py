"""Training curves of a running or finished training run."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go
from torch import Tensor

from .plots import _spread
from .style import TEXT, framed, share_ticks

LEARNING_COLORS = {"training": "#7F7F7F", "validation": "#0072B2"}
"""Colors of the two curves, always with a label."""
_BEST = "#D6336C"


def learning(
    epochs: Tensor,
    lines: Mapping[str, Tensor],
    y_title: str,
    total: int,
    best: int | None = None,
    now: float | None = None,
    shares: bool = True,
) -> go.Figure:
    """Training curves over epochs 1 to `total`, as far as computed, each with its name at its end.

    Args:
        epochs: completed epochs, (E,); may be empty.
        lines: name → values, (E,).
        y_title: title of the y-axis.
        total: number of epochs of the run; length of the x-axis.
        best: the epoch that is marked on the validation curve.
        now: the value on the training set in the current epoch, a hollow marker.
        shares: whether the values are shares of 1, with an axis from 0 to 100 %.
    """
    figure, x = go.Figure(), epochs.tolist()
    for name, values in lines.items():
        figure.add_scatter(
            x=x, y=values.tolist(), mode="lines+markers", name=name, line={"width": 3, "color": LEARNING_COLORS[name]},
            marker={"size": 7}, cliponaxis=False, hovertemplate=f"{name}, epoch %{{x}}: %{{y:.4f}}<extra></extra>",
        )  # fmt: skip
    if now is not None:
        figure.add_scatter(
            x=[len(x) + 1], y=[now], mode="markers", cliponaxis=False,
            marker={"size": 11, "symbol": "circle-open", "line_width": 3, "color": LEARNING_COLORS["training"]},
            hovertemplate="training, current epoch: %{y:.4f}<extra></extra>",
        )  # fmt: skip
    ends = [float(values[-1]) for values in lines.values()] if x else []
    highest = max([float(v.max()) for v in lines.values()] + [now or 0.0]) if x else (now or 1.0)
    top = 1.0 if shares else 1.1 * highest
    if best is not None and best in x:
        value = float(lines["validation"][x.index(best)])
        ring = {"size": 17, "symbol": "circle-open", "line_width": 3, "color": _BEST}
        figure.add_scatter(x=[best], y=[value], mode="markers", marker=ring, hoverinfo="skip", cliponaxis=False)
        figure.add_annotation(
            x=0, xref="paper", xanchor="left", y=1, yref="paper", yanchor="bottom", text=f"best: epoch {best}",
            showarrow=False, font={"color": _BEST, "size": TEXT},
        )  # fmt: skip
    beside = {"xanchor": "left", "xshift": 10, "showarrow": False}
    for name, y in zip(lines, _spread(ends, 0.0, top), strict=False):
        figure.add_annotation(x=x[-1], y=y, text=name, font={"color": LEARNING_COLORS[name], "size": TEXT}, **beside)
    figure.update_xaxes(
        range=[0.5, max(total, 2) + 0.5], showgrid=False, fixedrange=True, zeroline=False,
        nticks=min(max(total, 2), 12), tickformat="d", showline=True, linecolor="rgba(128,128,128,0.35)",
    )  # fmt: skip
    figure.update_yaxes(
        title={"text": y_title, "font": {"size": TEXT}, "standoff": 16}, range=[0, 1.03 * top], fixedrange=True,
        automargin=True, zeroline=False, **(share_ticks() if shares else {"nticks": 6}),
    )  # fmt: skip
    right = 14 + 9 * max(map(len, lines), default=0) if x and x[-1] > 0.75 * total else 14
    return framed(figure, "epoch", below=14).update_layout(margin_r=right, margin_t=26)
