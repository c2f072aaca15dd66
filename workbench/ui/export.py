"""*Export*, below every page: the page as shown as one HTML file, and the numbers of its charts as CSV."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from markdown_it import MarkdownIt
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from models.tables import write_rows
from workbench.markup import render
from workbench.services.networks import get_spec

from . import model_picker, state
from .charts import style
from .page_content import Item, Screen

LIMITS = (
    "These networks estimate the label that annotators would give a face, not what a person feels; do not base any "
    "decision about a person on it. In the European Union, Article 5(1)(f) of the AI Act prohibits inferring people's "
    "emotions in schools and workplaces, except for medical or safety reasons."
)
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


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
    """Draw the *Export* menu below a page that has a chart, or tabs that can have one.

    Files are written only when they are downloaded.
    """
    shown: Screen = st.session_state["screen"]
    if not (shown.has_tabs or any(item.figure for item in shown.items)):
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
    opening, cards = _cards(list(shown.items))
    return render(
        "export.html",
        title=title,
        question=_html(shown.question),
        facts=_html(_facts(shown, about, when)),
        opening=opening,
        cards=cards,
        limits=LIMITS,
        plotly=Markup(get_plotlyjs()),
    )


def _facts(shown: Screen, about: About, when: str) -> str:
    chosen = {key: value for key, value in about.choices.items() if value is not None}
    link = f"{about.address}?{urlencode(chosen | shown.link, doseq=True)}"
    return (
        f"- Page {about.page}, saved on {when}\n- Network: {about.network}\n"
        f"- Face: {about.face or 'none'}\n"
        f"- Link to this view in FERScope: `{link}`"
    )


def _cards(items: list[Item]) -> tuple[list[Markup], list[dict[str, Any]]]:
    """Captions before the first chart, and each chart with the captions that follow it."""
    opening: list[Markup] = []
    cards: list[dict[str, Any]] = []
    for item in items:
        if item.figure is None:
            (cards[-1]["captions"] if cards else opening).append(_html(item.text))
        else:
            chart = style.inked(go.Figure(item.figure), "light").to_html(
                full_html=False, include_plotlyjs=False, config={**style.CONFIG, "responsive": True}
            )
            cards.append({"wide": item.wide, "label": item.text, "chart": Markup(chart), "captions": []})
    return opening, cards


def _html(text: str) -> Markup:
    return Markup(_MARKDOWN.render(text))  # which escapes HTML


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
