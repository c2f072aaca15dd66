"""Charts that compare networks: predictions side by side, and tables of correlations and changes."""

from __future__ import annotations

import plotly.graph_objects as go
from torch import Tensor

from models.text import thousands
from workbench.analysis.colors import class_colors
from workbench.markup import percent

from .images import wrapped
from .style import TEXT, framed, is_phone

_CELL = 0.88  # of a column: length of a bar for 100 %
_ROW = 56  # pixels: name, numbers, bars


def predictions_side_by_side(names: list[str], classes: tuple[str, ...], shares: Tensor) -> go.Figure:
    """A row for each network, a column for each class, in each cell the probability as a number over a bar.

    Args:
        names: names of the networks, as displayed.
        classes: names of the classes in their fixed order.
        shares: probabilities (networks, classes); NaN where a network has no such class.
    """
    n, k = shares.shape
    cells = [(i, j, float(shares[i, j])) for i in range(n) for j in range(k)]
    known = [(i, j, share) for i, j, share in cells if share == share]
    largest = shares.nan_to_num(-1).max(1).values.tolist()
    headings = [(j, -0.24, name) for j, name in enumerate(classes)]
    rows = [(0, i + 0.2, _bold(name)) for i, name in enumerate(names)]
    numbers = [(j, i + 0.54, _bold(_share(share), share == largest[i])) for i, j, share in cells]
    bar = {"orientation": "h", "width": 0.14, "cliponaxis": False}
    figure = go.Figure(
        [
            _track([j for _, j, _ in known], [i + 0.8 for i, _, _ in known]),
            *(_written(headings, 14), _written(rows + numbers, TEXT)),  # at 14 seven words fit a phone
            go.Bar(
                base=[j for _, j, _ in known],
                x=[_CELL * share for *_, share in known],
                y=[i + 0.8 for i, *_ in known],
                marker_color=[class_colors(classes)[j] for _, j, _ in known],
                customdata=[[names[i], classes[j], share] for i, j, share in known],
                hovertemplate="%{customdata[0]}, %{customdata[1]}: %{customdata[2]:.4f}<extra></extra>",
                **bar,
            ),
        ]
    )
    layout = {
        "xaxis": {"visible": False, "range": [-0.07, k + 0.08], "fixedrange": True},
        "yaxis": {"visible": False, "range": [n, -0.5], "fixedrange": True},
        "height": round(_ROW * (n + 0.5)),
        "margin": {"b": 4},
        "barmode": "overlay",
    }
    return framed(figure, "", layout=layout)


def _track(bases: list[float], heights: list[float]) -> go.Bar:
    """A track of full length behind each bar."""
    return go.Bar(
        base=bases,
        x=[_CELL] * len(bases),
        y=heights,
        orientation="h",
        width=0.14,
        marker_color="rgba(128,128,128,0.25)",
        hoverinfo="skip",
    )


def _share(value: float) -> str:
    return "none" if value != value else percent(value)


def _bold(text: str, bold: bool = True) -> str:
    return f"<b>{text}</b>" if bold else text


def _written(texts: list[tuple[float, float, str]], size: int) -> go.Scatter:
    """Texts (x, y, text) aligned left at x, in one trace: a hundred annotations would take a quarter of a second."""
    xs, ys, words = zip(*texts, strict=True)
    return go.Scatter(
        x=xs,
        y=ys,
        text=words,
        mode="text",
        textposition="middle right",
        textfont_size=size,
        cliponaxis=False,
        hoverinfo="skip",
    )


def hundredths(value: float) -> str:
    """A number with two decimals, such as 0.74, −0.31 or 20 797; a dash for NaN."""
    if value != value:
        return "–"
    rounded = round(value, 2) + 0.0  # + 0.0: no −0.00
    return (thousands(round(value)) if abs(value) >= 1000 else f"{rounded:.2f}").replace("-", "−")


def correlation_table(rows: list[str], columns: list[str], values: Tensor) -> go.Figure:
    """A table of rank correlations (rows, columns), −1..1, blue to red, with numbers; a dash for NaN."""
    return _table(rows, columns, values, 1.0, "rank correlation")


def change_table(rows: list[str], columns: list[str], values: Tensor) -> go.Figure:
    """A table of changes (rows, columns) around zero, blue below, red above, with its numbers."""
    return _table(rows, columns, values, max(float(values.abs().max()), 1e-12), "change of the logit")


def _table(rows: list[str], columns: list[str], values: Tensor, most: float, name: str) -> go.Figure:
    """Numbers (rows, columns) in cells whose color goes from −most to most."""
    figure = go.Figure(
        go.Heatmap(
            z=values.numpy(),
            y=rows,
            x=[wrapped(column, 20 if is_phone() else 12) for column in columns],
            zmin=-most,
            zmax=most,
            colorscale="RdBu_r",
            showscale=False,
            text=[[hundredths(value) for value in row] for row in values.tolist()],
            texttemplate="%{text}",
            textfont_size=TEXT,
            xgap=2,
            ygap=2,
            hovertemplate=name + ", %{y}, %{x}: %{z:.4f}<extra></extra>",
        )
    )
    plain = {"fixedrange": True, "showgrid": False, "automargin": True, "type": "category"}
    across, down = {"side": "top", "tickangle": -90 if is_phone() else 0}, {"autorange": "reversed"}
    axes = {"xaxis": plain | across, "yaxis": plain | down}
    height = (200 if is_phone() else 110) + 40 * len(rows)
    return framed(figure, name, layout={**axes, "height": height, "margin": {"r": 8}})
