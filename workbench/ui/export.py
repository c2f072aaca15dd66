"""*Export*, below every page: the page as shown as one HTML file, and the numbers of its charts as CSV."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from html import escape
from typing import Any
from urllib.parse import urlencode

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from markdown_it import MarkdownIt
from plotly.offline import get_plotlyjs

from models.tables import write_rows
from workbench.services.networks import get_spec

from . import model_picker, state
from .charts import style
from .page_content import Item, Screen

LIMITS = (
    "These networks predict the label that annotators would give a face, not what a person feels; do not base any "
    "decision about a person on it. In the European Union, Article 5(1)(f) of the AI Act prohibits inferring people's "
    "emotions in schools and workplaces, except for medical or safety reasons."
)
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
_STYLE = """
body { font: 17px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #111418 }
main { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); gap: 2rem }
figure { margin: 0; min-width: 0 } .wide { grid-column: 1 / -1 } footer, .facts { color: #4B5563 }
table { border-collapse: collapse } td, th { border: 1px solid #D5D5CE; padding: .2rem .6rem } pre { overflow-x: auto }
"""
# Charts are drawn while the page is parsed; once the layout is complete, each is resized to its own width.
_FIT = "onload = () => document.querySelectorAll('.js-plotly-plot').forEach(chart => Plotly.Plots.resize(chart))"


@dataclass(frozen=True)
class About:
    """The facts in a report besides charts and captions.

    Attributes:
        page: title of the page.
        network, face: descriptions in Markdown.
        address: path of the page, e.g. "/svd".
        choices: network and face as query parameters.
    """

    page: str
    network: str
    face: str
    address: str
    choices: Mapping[str, str | None]


def offer(page: str, url_path: str, choices: Mapping[str, str | None]) -> None:
    """Draw the *Export* menu below a page that has a chart. Files are written only when they are downloaded."""
    shown: Screen = st.session_state["screen"]
    if not any(item.figure for item in shown.items):
        return
    network = f"{get_spec(state.network()).title}, {model_picker.described(state.network())}"
    about = About(page, network, state.face_name(), f"/{url_path}", choices)
    name = f"ferscope-{page.lower()}-{choices.get('sample') or choices.get('set') or 'picture'}-{state.network()}"
    with st.popover("Export"):
        st.markdown("Save this page as shown; the report opens without a network connection.")
        with st.container(horizontal=True):
            for title, kind, write in (
                ("Report (HTML)", "html", partial(report, shown, about)),
                ("Numbers (CSV)", "csv", partial(table, shown)),
            ):
                file = f"{name}.{kind}"
                st.download_button(title, write, file, f"text/{kind}", key=f"export-{kind}", on_click="ignore")
        st.caption(
            "To save one chart as an image, point at it and click the camera. To share this view, copy the address of "
            "the page."
        )


# ---------------------------------------------------------------------------------------------------------------------
# The report


def report(shown: Screen, about: About) -> str:
    """A self-contained HTML page; Plotly's JavaScript is included."""
    title = shown.title or about.page
    when = datetime.now().astimezone().strftime("%d %B %Y, %H:%M %Z")
    cards = "".join(_cards(shown.items))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>FERScope: {escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<script>{get_plotlyjs()}</script><body><h1>{escape(title)}</h1>{_html(shown.question)}"
        f'<div class="facts">{_html(_facts(shown, about, when))}</div><main>{cards}</main>'
        f"<footer><p>{escape(LIMITS)}</p></footer><script>{_FIT}</script></body></html>\n"
    )


def _facts(shown: Screen, about: About, when: str) -> str:
    chosen = {key: value for key, value in about.choices.items() if value is not None}
    link = f"{about.address}?{urlencode(chosen | shown.link, doseq=True)}"
    return (
        f"- Page {about.page}, saved on {when}\n- Network in the sidebar: {about.network}\n"
        f"- Face in the sidebar: {about.face or 'none'}\n"
        f"- Link to this view in FERScope: `{link}`"
    )


def _cards(items: list[Item]) -> Iterator[str]:
    """Each chart with the captions that follow it; captions before the first chart take the whole width."""
    inside = False
    for item in list(items):
        if item.figure is None:
            yield _html(item.text) if inside else f'<div class="wide">{_html(item.text)}</div>'
            continue
        width = "wide" if item.wide else "column"
        yield f'{"</figure>" if inside else ""}<figure class="{width}" aria-label="{escape(item.text)}">'
        yield style.inked(go.Figure(item.figure), "light").to_html(
            full_html=False, include_plotlyjs=False, config={**style.CONFIG, "responsive": True}
        )
        inside = True
    yield "</figure>" if inside else ""


def _html(text: str) -> str:
    return _MARKDOWN.render(text)


# ---------------------------------------------------------------------------------------------------------------------
# The table


def table(shown: Screen) -> str:
    """The numbers of all charts as CSV: chart, series, x, y, value. In an image x is the column and y the row."""
    text = io.StringIO()
    write_rows(text, [("chart", "series", "x", "y", "value")])
    for item in shown.items:
        for i, trace in enumerate(item.figure.data if item.figure else (), 1):
            series = trace.name or _measured(trace) or (str(i) if len(item.figure.data) > 1 else "")
            write_rows(text, ((item.key, series, *numbers) for numbers in _numbers(trace)))
    return text.getvalue()


def _measured(trace: Any) -> str:
    """What the values of a grid measure, such as "gray", taken from its hover text; empty if it has none."""
    found = re.search(r"([^%{}:,]+?)\s*%{z", getattr(trace, "hovertemplate", None) or "")
    return found[1].strip() if found else ""


def _numbers(trace: Any) -> Iterator[tuple[Any, Any, Any]]:
    """(x, y, value) of one series: the value of each cell of a grid, else x and y as drawn."""
    if getattr(trace, "z", None) is not None:
        grid = np.asarray(trace.z)
        xs = range(grid.shape[1]) if trace.x is None else trace.x
        ys = range(grid.shape[0]) if trace.y is None else trace.y
        for y, line in zip(ys, grid, strict=False):
            yield from ((x, y, value) for x, value in zip(xs, line, strict=False))
    elif getattr(trace, "values", None) is not None:
        yield from ((label, "", value) for label, value in zip(trace.labels, trace.values, strict=False))
    else:
        one, other = (getattr(trace, axis, None) for axis in ("x", "y"))
        if one is None or other is None:  # a single list: x is the index
            only = next((axis for axis in (one, other) if axis is not None), ())
            one, other = range(len(only)), only
        yield from ((x, y, "") for x, y in zip(one, other, strict=False))
