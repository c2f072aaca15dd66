"""Charts of datasets: panels of classes, histograms of gray values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots
from torch import Tensor

from workbench.analysis.colors import class_colors

from .metrics import ABOVE
from .style import TEXT, framed


def panels(
    columns: Mapping[str, Sequence[float]],
    classes: tuple[str, ...],
    texts: Mapping[str, Sequence[str]],
    label: str,
    top: float | None = None,
) -> go.Figure:
    """Bars of the classes in a panel for each column, each bar with its number.

    Args:
        columns: title of each panel → a value for each class, at least 0.
        classes: names, in the fixed order.
        texts: labels at the end of the bars.
        label: text below the chart.
        top: end of the shared scale; None: each panel has its own.
    """
    figure = make_subplots(1, len(columns), shared_yaxes=True, subplot_titles=[*columns], horizontal_spacing=0.03)
    for i, (title, values) in enumerate(columns.items(), 1):
        figure.add_bar(
            x=[*values],
            y=[*classes],
            orientation="h",
            text=[*texts[title]],
            textposition="outside",
            cliponaxis=False,
            marker_color=class_colors(classes),
            hovertemplate=f"{title}, %{{y}}: %{{text}}<extra></extra>",
            row=1,
            col=i,
        )
        figure.update_xaxes(visible=False, range=[0, 1.6 * (top or max(*values, 1e-9))], fixedrange=True, row=1, col=i)
    figure.update_annotations(font_size=TEXT)
    figure.update_yaxes(autorange="reversed", showgrid=False, fixedrange=True, automargin=True)
    return framed(figure, label).update_layout(height=112 + 32 * len(classes), margin_t=56)


def intensities(shares: Mapping[str, Tensor]) -> go.Figure:
    """Histogram of gray values, 0 black to 255 white, a line for each split of a dataset.

    Args:
        shares: share of the pixels of each split in bins of equal width, (bins,).
    """
    figure = go.Figure()
    styles = zip(("#0072B2", "#D55E00", "#009E73", "#7F7F7F"), ("solid", "dash", "dot", "dashdot"), strict=True)
    for (name, values), (color, dash) in zip(shares.items(), styles, strict=False):
        width = 256 / len(values)
        figure.add_scatter(
            x=[width * (i + 0.5) for i in range(len(values))],
            y=(100 * values / width).tolist(),
            mode="lines",
            name=name,
            line={"width": 3, "color": color, "dash": dash},
            hovertemplate=f"{name}, gray %{{x:.0f}}: %{{y:.2f}}\N{NO-BREAK SPACE}%<extra></extra>",
        )
    figure.update_xaxes(
        range=[0, 256], tickvals=[0, 64, 128, 192, 255], showgrid=False, fixedrange=True, zeroline=False
    )
    figure.update_yaxes(
        title={"text": "% of pixels, per value", "font": {"size": TEXT}, "standoff": 12}, rangemode="tozero"
    )
    figure.update_yaxes(fixedrange=True, automargin=True, zeroline=False)
    figure = framed(figure, "gray value, 0 black to 255 white", below=22)
    return figure.update_layout(showlegend=True, legend=ABOVE, margin={"t": 34, "b": 66, "r": 24}, height=330)
