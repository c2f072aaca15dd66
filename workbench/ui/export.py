"""*Keep this*, below every page: what is on the screen as one page of HTML, and the numbers of its charts as CSV."""

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
    "A network here predicts what raters called a face, not what a person feels; no decision about a person may rest "
    "on it. In the European Union, Article 5(1)(f) of the AI Act prohibits inferring people's emotions in schools and "
    "workplaces, with medical and safety uses excepted."
)
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
_STYLE = """
body { font: 17px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #111418 }
main { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); gap: 2rem }
figure { margin: 0; min-width: 0 } .wide { grid-column: 1 / -1 } footer, .facts { color: #4B5563 }
table { border-collapse: collapse } td, th { border: 1px solid #D5D5CE; padding: .2rem .6rem } pre { overflow-x: auto }
"""
# Charts are drawn while the page is read; once all stand in their places, each gets the width of its own.
_FIT = "onload = () => document.querySelectorAll('.js-plotly-plot').forEach(chart => Plotly.Plots.resize(chart))"


@dataclass(frozen=True)
class About:
    """What stands in a report besides charts and sentences.

    Attributes:
        page: title of the page.
        network, face: in words, Markdown.
        address: of the page without what is chosen on it, e.g. "/svd".
        choices: network and face as the link names them.
    """

    page: str
    network: str
    face: str
    address: str
    choices: Mapping[str, str | None]


def offer(page: str, url_path: str, choices: Mapping[str, str | None]) -> None:
    """The button below a page that has a chart. Nothing is written before somebody asks for it."""
    shown: Screen = st.session_state["screen"]
    if not any(item.figure for item in shown.items):
        return
    network = f"{get_spec(state.network()).title}, {model_picker.described(state.network())}"
    about = About(page, network, state.face_name(), f"/{url_path}", choices)
    name = f"ferscope-{page.lower()}-{choices.get('sample') or choices.get('set') or 'picture'}-{state.network()}"
    with st.popover("Keep this"):
        st.markdown("Everything on this page as it stands now, to open without a network connection:")
        with st.container(horizontal=True):
            for title, kind, write in (
                ("Report (HTML)", "html", partial(report, shown, about)),
                ("Numbers (CSV)", "csv", partial(table, shown)),
            ):
                file = f"{name}.{kind}"
                st.download_button(title, write, file, f"text/{kind}", key=f"keep-{kind}", on_click="ignore")
        st.caption("One chart as a picture: point at it and press the camera. The address of the page is its link.")


# ---------------------------------------------------------------------------------------------------------------------
# The report


def report(shown: Screen, about: About) -> str:
    """One page of HTML that holds everything in itself, also the library that draws its charts."""
    question = shown.question or about.page
    when = datetime.now().astimezone().strftime("%d %B %Y, %H:%M %Z")
    cards = "".join(_cards(shown.items))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>FERScope: {escape(question)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<script>{get_plotlyjs()}</script><body><h1>{escape(question)}</h1>{_html(shown.how)}"
        f'<div class="facts">{_html(_facts(shown, about, when))}</div><main>{cards}</main>'
        f"<footer><p>{escape(LIMITS)}</p></footer><script>{_FIT}</script></body></html>\n"
    )


def _facts(shown: Screen, about: About, when: str) -> str:
    chosen = {key: value for key, value in about.choices.items() if value is not None}
    link = f"{about.address}?{urlencode(chosen | shown.link, doseq=True)}"
    return (
        f"- Page {about.page}, kept on {when}\n- Network in the sidebar: {about.network}\n"
        f"- Face in the sidebar: {about.face or 'none'}\n"
        f"- This view in FERScope: `{link}`"
    )


def _cards(items: list[Item]) -> Iterator[str]:
    """Each chart with the sentences that follow it; those before the first chart over the whole width."""
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
    """The numbers of every chart, one a row: chart, series, x, y, value. In a picture x is the column and y the row."""
    text = io.StringIO()
    write_rows(text, [("chart", "series", "x", "y", "value")])
    for item in shown.items:
        for i, trace in enumerate(item.figure.data if item.figure else (), 1):
            series = trace.name or _measured(trace) or (str(i) if len(item.figure.data) > 1 else "")
            write_rows(text, ((item.key, series, *numbers) for numbers in _numbers(trace)))
    return text.getvalue()


def _measured(trace: Any) -> str:
    """What the values of a grid are, by the word before them in its hover, such as "gray"; else empty."""
    found = re.search(r"([^%{}:,]+?)\s*%{z", getattr(trace, "hovertemplate", None) or "")
    return found[1].strip() if found else ""


def _numbers(trace: Any) -> Iterator[tuple[Any, Any, Any]]:
    """(x, y, value) of one series: a grid's value at each place, else x and y as they are drawn."""
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
        if one is None or other is None:  # a single list: x is the place in it
            only = next((axis for axis in (one, other) if axis is not None), ())
            one, other = range(len(only)), only
        yield from ((x, y, "") for x, y in zip(one, other, strict=False))
