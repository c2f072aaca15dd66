"""Every chart and every picture on a page, in one visual language: colours, text size, words for numbers."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st
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


def probabilities(classes: tuple[str, ...], values: Tensor, marked: str) -> go.Figure:
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
                "color": [EMOTION_COLOURS.get(name, "#7F7F7F") for name in classes],
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
    return _framed(figure, "probability, calibrated")


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
            colorbar={
                "orientation": "h",
                "thickness": 12,
                "thicknessmode": "pixels",
                "len": 0.8,
                "x": 0.44,
                "title": {"text": "logit", "side": "right", "font": {"size": 14}},
                "y": 0,
                "yanchor": "top",
                "ypad": 6,
                "outlinewidth": 0,
                "nticks": 4,
                "tickfont": {"size": 14},
            },
        )
    return _square(figure, pixels, "" if top > 0 else "blank")


def clear_to_bright(opacity: float) -> list[tuple[float, str]]:
    """Inferno whose transparency follows the strength, as a colour scale of Plotly."""
    steps = [i / 16 for i in range(17)]
    colours = [unlabel_rgb(colour) for colour in sample_colorscale("Inferno", [0.25 + 0.75 * s for s in steps])]
    return [
        (s, f"rgba({r:.0f},{g:.0f},{b:.0f},{opacity * s**0.7:.3f})")
        for s, (r, g, b) in zip(steps, colours, strict=True)
    ]


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
