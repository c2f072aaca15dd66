"""Every chart and every picture on a page, in one visual language: colours, text size, words for numbers."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st
import torch
from plotly.colors import sample_colorscale, unlabel_rgb
from torch import Tensor

EMOTION_COLOURS = {
    "angry": "#D55E00",
    "disgust": "#009E73",
    "fear": "#CC79A7",
    "happy": "#E69F00",
    "neutral": "#7F7F7F",
    "sad": "#0072B2",
    "surprise": "#56B4E9",
    "contempt": "#6A4C93",
}
"""Safe for the colour-blind; always shown together with the word."""

_SIDE = 264  # pixels: of a picture on a page ...
_STRIP = 46  # ... and of the strip under it for a colour bar or a label
_TEXT = 16
_INK = {"light": "#111418", "dark": "#E8E6E1"}  # text on the two grounds of .streamlit/config.toml

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


def percent(share: float) -> str:
    """A probability as people read it: 73 %, or <1 % where rounding would say nothing."""
    return "<1\N{NO-BREAK SPACE}%" if 0 < share < 0.01 else f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def show(figure: go.Figure, key: str, alt: str) -> None:
    """Put a chart on the page; `alt` says in a few words what is in it. Nothing floats over it."""
    ink = _INK[st.context.theme.type or "light"]
    figure.update_layout(font_color=ink).update_xaxes(color=ink).update_yaxes(
        color=ink, gridcolor="rgba(128,128,128,0.35)"
    )
    st.plotly_chart(figure, key=key, alt=alt, theme=None, config={"displayModeBar": False, "scrollZoom": False})


def probabilities(classes: tuple[str, ...], values: Tensor, marked: str, trained: bool = True) -> go.Figure:
    """Bars in the fixed order of the classes, each with its word and its number; the marked class has an outline."""
    shares = values.tolist()
    figure = go.Figure(
        go.Bar(
            x=shares,
            y=list(classes),
            orientation="h",
            text=[percent(share) for share in shares],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.4f}<extra></extra>",
            marker={
                "color": class_colours(classes),
                "line": {"width": [3 if name == marked else 0 for name in classes], "color": "#D6336C"},
            },
        )
    )
    figure.update_xaxes(visible=False, range=[0, 1.18], fixedrange=True)
    figure.update_yaxes(
        autorange="reversed",
        showgrid=False,
        fixedrange=True,
        automargin=True,
        ticks="outside",
        tickcolor="rgba(0,0,0,0)",
    )
    return _framed(figure, "probability, calibrated" if trained else "probability, of random weights")


def face(pixels: Tensor, label: str) -> go.Figure:
    """A gray picture (S, S) in 0..1, every pixel a square, the label under it; the hover gives the numbers."""
    return _square(go.Figure(_gray(pixels)), pixels, label)


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
    figure = _square(figure, pixels, "" if top > 0 else "blank")
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
    return _unit(_square(go.Figure(_scaled(values, -most, most, "RdBu_r", label)), values, ""), label)


def strength(values: Tensor, label: str, low: float = 0.0, high: float = 1.0) -> go.Figure:
    """A map (H, W) from `low` to `high`, dark to bright; a bar of numbers under it."""
    return _unit(_square(go.Figure(_scaled(values, float(low), float(high), "Cividis", label)), values, ""), label)


def curves(
    x: Tensor,
    ys: Tensor,
    names: tuple[str, ...],
    x_title: str,
    y_title: str,
    colours: tuple[str, ...],
    log: bool = False,
    mark: float | None = None,
) -> go.Figure:
    """Lines over a common axis, each with its name at its end: x (n,), ys (number of lines, n).

    On a linear axis `ys` are shares of 1; names of lines that end near each other are moved apart. `mark` is the x at
    which a dotted line stands.
    """
    figure = go.Figure(
        [
            go.Scatter(x=x.numpy(), y=y.numpy(), mode="lines", line={"width": 3, "color": colour}, name=name)
            for y, name, colour in zip(ys, names, colours, strict=True)
        ]
    )
    if mark is not None:
        figure.add_vline(mark, line={"dash": "dot", "width": 2, "color": "#7F7F7F"})
    shown = ys.clamp_min(1e-12).log10() if log else ys
    low, high = (float(shown.min()), float(shown.max())) if log else (0.0, 1.0)
    for i, y in enumerate(_spread(shown[:, -1].tolist(), low, high)):
        figure.add_annotation(
            x=1, xref="paper", y=y, text=names[i], xanchor="left", xshift=6, showarrow=False, font_color=colours[i]
        )
    figure.update_xaxes(range=[float(x[0]), float(x[-1])], showgrid=False, fixedrange=True, zeroline=False)
    figure.update_yaxes(
        title={"text": y_title, "font": {"size": _TEXT}, "standoff": 12},
        fixedrange=True,
        automargin=True,
        zeroline=False,
        **({"type": "log", "dtick": 1} if log else {"range": [-0.03, 1.05]}),
    )
    return _framed(figure, x_title, below=14).update_layout(margin_r=14 + 9 * max(map(len, names)))


def _spread(ends: list[float], low: float, high: float) -> list[float]:
    """Heights for the names of lines that end at `ends`: near them, in their order, and one text line apart."""
    apart = 0.085 * (high - low)
    heights, order = list(ends), sorted(range(len(ends)), key=ends.__getitem__)
    floor = low
    for i in order:  # upwards from the lowest
        heights[i] = max(heights[i], floor)
        floor = heights[i] + apart
    ceiling = high
    for i in reversed(order):  # and down again where that went over the top
        heights[i] = min(heights[i], ceiling)
        ceiling = heights[i] - apart
    return heights


def spectra(lists: dict[str, Tensor]) -> go.Figure:
    """Up to three lists of singular values (n,), each with its name, on a logarithmic axis."""
    values = torch.stack([*lists.values()]).clamp_min(1e-4)
    i = torch.arange(1, values.shape[1] + 1)
    colours = ("#0072B2", "#D55E00", "#009E73")[: len(lists)]
    return curves(i, values, tuple(lists), "number i", "σ", colours, log=True)


def terms(k: int) -> str:
    """1 term, 8 terms."""
    return "1 term" if k == 1 else f"{k} terms"


def interval(values: tuple[float, float, float], signed: bool = False) -> str:
    """Value, lower and upper end as per cents with one decimal: 69.0 (67.5 to 70.5), or +0.3 (-0.9 to +1.5)."""
    value, low, high = (f"{100 * v:+.1f}" if signed else f"{100 * v:.1f}" for v in values)
    return f"{value} ({low} to {high})"


def memory(count: int) -> str:
    """Bytes as people read them, in powers of 1024: 49 KiB, 600.25 GiB."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.4g}\N{NO-BREAK SPACE}{unit}"
        count /= 1024
    return f"{count:.5g}\N{NO-BREAK SPACE}GiB"


def class_colours(classes: tuple[str, ...]) -> tuple[str, ...]:
    """The colour of each class, the same on every chart."""
    return tuple(EMOTION_COLOURS.get(name, "#7F7F7F") for name in classes)


def singular_values(sigma: Tensor, k: int) -> go.Figure:
    """σ₁ to σ_n on a logarithmic axis; the k that are kept are blue."""
    n = len(sigma)
    figure = go.Figure(
        go.Bar(
            x=list(range(1, n + 1)),
            y=sigma.tolist(),
            marker_color=["#0072B2" if i < k else "#B9C4CC" for i in range(n)],
            hovertemplate="σ%{x} = %{y:.4f}<extra></extra>",
        )
    )
    figure.update_xaxes(showgrid=False, fixedrange=True, automargin=True)
    figure.update_yaxes(
        title={"text": "σ (logarithmic)", "font": {"size": _TEXT}},
        type="log",
        dtick=1,
        fixedrange=True,
        automargin=True,
    )
    return _framed(figure, "term i, from the strongest", below=14)


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


def _square(figure: go.Figure, pixels: Tensor, label: str) -> go.Figure:
    """Axes hidden, pixels square, the first row at the top."""
    height, width = pixels.shape
    figure.update_xaxes(visible=False, fixedrange=True, range=[-0.5, width - 0.5], constrain="domain")
    figure.update_yaxes(visible=False, fixedrange=True, range=[height - 0.5, -0.5], scaleanchor="x", constrain="domain")
    return _framed(figure, label)


def _framed(figure: go.Figure, label: str, below: int = 0) -> go.Figure:
    """One height, one text size, and a strip for the label under every chart, so that rows of them line up."""
    figure.add_annotation(
        text=label, x=0.5, y=0, yshift=-10 - below, xref="paper", yref="paper", yanchor="top", showarrow=False
    )
    return figure.update_layout(
        template="none",
        height=_SIDE + _STRIP,
        margin={"l": 0, "r": 0, "t": 0, "b": _STRIP, "autoexpand": True},
        font={"size": _TEXT, "family": '"Source Sans", sans-serif'},
        showlegend=False,
        hoverlabel={"font": {"size": _TEXT}},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
