"""Charts of papers: claims by verdict, and per-class figures beside ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from workbench.analysis.colors import class_colors

from .style import TEXT, framed

VERDICT_COLORS = {
    "recomputed": ("#1B5E8C", "#FFFFFF"),
    "reproduced": ("#6DB3DC", "#111418"),
    "different protocol": ("#A3A9B0", "#111418"),
    "not run": ("#DCDFE3", "#111418"),
    "not reproduced under our choices": ("#F6D58A", "#111418"),
    "inconsistent in the paper": ("#F0A35E", "#111418"),
    "not reproduced": ("#A8231B", "#FFFFFF"),
}
"""Background and text of each verdict: blue holds, gray is open, yellow is open under other choices,
orange and red do not hold; always with the word."""
_GRAY = "#7F7F7F"
_THIN = 0.03  # share of a bar in which a number can still be read


def verdicts(counts: Mapping[str, Mapping[str, int]]) -> go.Figure:
    """A stacked bar for each paper with the shares of its claims by verdict; numbers are counts.

    Args:
        counts: name of the paper → verdict → number of claims.
    """
    figure, names = go.Figure(), [*counts]
    totals = [sum(by_verdict.values()) for by_verdict in counts.values()]
    wide = [
        {verdict: max(by_verdict[verdict] / total, _THIN * (by_verdict[verdict] > 0)) for verdict in VERDICT_COLORS}
        for by_verdict, total in zip(counts.values(), totals, strict=True)
    ]
    for verdict, (ground, ink) in VERDICT_COLORS.items():
        n = [by_verdict[verdict] for by_verdict in counts.values()]
        figure.add_bar(
            y=[*range(len(names))],
            width=0.46,
            x=[widths[verdict] / sum(widths.values()) for widths in wide],
            name=verdict,
            orientation="h",
            text=[str(value) if value else "" for value in n],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            constraintext="inside",
            insidetextfont={"color": ink, "size": TEXT},
            marker={"color": ground, "line": {"width": 1, "color": _GRAY}},
            customdata=[*zip(names, n, strict=True)],
            hovertemplate=f"%{{customdata[0]}}: %{{customdata[1]}} {verdict}<extra></extra>",
        )
    for i, (name, total) in enumerate(zip(names, totals, strict=True)):
        figure.add_annotation(x=0, y=i, yshift=23, text=f"{name}, {total} claims", xanchor="left", showarrow=False)
    figure.update_xaxes(visible=False, range=[0, 1.002], fixedrange=True)  # room for the last outline
    figure.update_yaxes(visible=False, range=[len(names) - 0.6, -0.75], fixedrange=True)
    figure = framed(figure, "share of claims (thin segments widened)")
    fit = {"mode": "hide", "minsize": 14}  # a number that would not fit is left to the hover
    return figure.update_layout(barmode="stack", margin={"t": 0, "b": 34}, uniformtext=fit)


def claimed_and_ours(
    classes: Sequence[str], claimed: Sequence[float | None], ours: Mapping[str, tuple[float, float, float]]
) -> go.Figure:
    """Bars of a paper's per-class figures, and diamonds with 95 % intervals for ours.

    Args:
        classes: names of the columns; the last may be the average, which is gray.
        claimed: percentages in their order; None if the paper has none.
        ours: value, lower and upper end in percent for some of the classes.
    """
    printed = ["missing" if value is None else f"{value:g}" for value in claimed]
    names = [f"{name}<br>{figure}" for name, figure in zip(classes, printed, strict=True)]
    figure = go.Figure(
        go.Bar(
            x=names,
            y=[*claimed],
            marker={"color": class_colors(tuple(classes)), "line": {"width": 1, "color": _GRAY}},
            hovertemplate="claimed %{y} %<extra></extra>",
        )
    )
    if ours:
        values = [ours[class_] for class_ in classes if class_ in ours]
        ends = {"array": [high - v for v, _, high in values], "arrayminus": [v - low for v, low, _ in values]}
        figure.add_scatter(
            x=[name for name, class_ in zip(names, classes, strict=True) if class_ in ours],
            y=[v for v, _, _ in values],
            mode="markers",
            marker={"symbol": "diamond", "size": 13, "color": "#FFFFFF", "line": {"width": 3, "color": "#111418"}},
            error_y={"type": "data", "symmetric": False, "thickness": 3, "width": 6, "color": _GRAY, **ends},
            hovertemplate="ours %{y:.1f} %<extra></extra>",
        )
    figure.update_xaxes(showgrid=False, fixedrange=True, automargin=True, categoryorder="array", categoryarray=names)
    figure.update_yaxes(
        title={"text": "recall, % ↑", "font": {"size": TEXT}, "standoff": 12},
        range=[0, 104],
        nticks=6,
        fixedrange=True,
        automargin=True,
        zeroline=False,
    )
    return framed(figure, "").update_layout(height=370, bargap=0.25, margin={"t": 8, "b": 50})
