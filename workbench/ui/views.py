"""Parts that several pages share: title, captions, segmented controls, the code of a computation, a few charts."""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st
from torch import Tensor

from models.paths import CODE
from models.text import counted, percentage
from workbench import services
from workbench.analysis.frequency import FrequencyImages
from workbench.services.svd import Spectrum

from . import charts, page_content, url_state
from .streamlit_internals import SCROLL_UP


def go_up() -> None:
    """Scroll to the top at the next run; for a button at the end of a page that opens something new."""
    st.session_state["up"] = True


def begin() -> None:
    """Scroll to the top if `go_up` was called before this run; call it where a page or its main fragment begins."""
    if st.session_state.pop("up", False):
        with st.container(key="unseen-up"):
            st.html(SCROLL_UP, unsafe_allow_javascript=True)  # a constant script


def title(name: str, question: str) -> None:
    """Draw the title of a page, and below it the question that the page answers, in one sentence."""
    begin()
    st.title(name)
    st.markdown(question)
    page_content.set_title(name, question)


def caption(text: str) -> None:
    """Draw the sentences under a chart, in Markdown: what is seen, and what it does not prove."""
    st.markdown(text)
    page_content.add_text(text)


def table(text: str, keys: int = 1, together: int = 2) -> str:
    """A Markdown table; on a phone several tables below each other, so that none of them has to be scrolled.

    Args:
        text: the table.
        keys: number of columns that name a row; each table repeats them.
        together: number of further columns of a table on a phone.
    """
    if not charts.is_phone():
        return text
    rows = [line.strip("|").split("|") for line in text.splitlines()]
    parts = ([row[:keys] + row[i : i + together] for row in rows] for i in range(keys, len(rows[0]), together))
    return "\n\n".join("\n".join(f"|{'|'.join(row)}|" for row in part) for part in parts)


def meaning(network: str) -> str:
    """What a prediction of a network estimates, by what it was trained on, in one sentence; for captions."""
    card = services.networks.open_network(network).card
    if card is None:
        return "The weights are random, so this means nothing."
    if services.metrics.evaluation.is_of_fer2013(card):
        return "It estimates the label that annotators would give this face, not what the person feels."
    return "It estimates the label that such a face would have in the images that the network was trained on."


def probabilities_alt(network: str, classes: Sequence[str], probabilities: Tensor) -> str:
    """Alternative text of the bars of a prediction: the network, and its three most probable classes."""
    shares, best = probabilities.topk(min(3, len(classes)))
    most = ", ".join(f"{classes[i]} {charts.percent(s)}" for i, s in zip(best.tolist(), shares.tolist(), strict=True))
    return f"Probability of each class by {services.networks.get_spec(network).title}: {most}"


def luminance_note(network: str) -> None:
    """Say on a page that perturbs gray pixels that a network takes RGB; nothing for a gray one."""
    with suppress(ValueError):  # a damaged checkpoint is reported where the page opens it
        if services.networks.open_network(network).color:
            caption("**This network takes RGB.** Here each channel gets the luminance of the face, without its color.")


def choose_one(label: str, options: Iterable[Any], default: Any, key: str, container: Any = st, **more: Any) -> Any:
    """A segmented control with exactly one option chosen, kept in the link as `key`.

    Args:
        label, options, default, key: the arguments of `st.segmented_control`; `default` also replaces an empty value in
            the link.
        container: container that it is drawn in, for example a column.
        **more: further arguments of `st.segmented_control`.
    """
    chosen = container.segmented_control(
        label, options, default=default, required=True, wrap=True, key=key, bind="query-params", **more
    )
    return default if chosen is None else chosen


@page_content.fragment
def tabs(
    sections: Mapping[str, Callable[[], None]],
    opened_by: Mapping[str, str] | None = None,
    how: Mapping[str, tuple[str, ...]] | None = None,
    with_charts: bool = True,
) -> None:
    """Draw one section of a page, chosen by a tab that stands in the address; the others are not computed.

    Args:
        sections: title of the tab → the function that draws it.
        opened_by: key of a control → the tab that has it: a link with that key and no tab opens this one.
        how: title of the tab → how it is computed: the arguments of `how_computed`.
        with_charts: whether some of them have charts, which can be exported.
    """
    st.session_state["screen"].has_tabs = with_charts
    opened_by = {key: title for key, title in (opened_by or {}).items() if key in st.query_params}
    known = st.tabs(list(sections), default=next(iter(opened_by.values()), None), key="tab", bind="query-params")
    for tab, (title, draw) in zip(known, sections.items(), strict=True):
        if tab.open:
            url_state.forget(key for key, other in opened_by.items() if other != title)
            with tab:
                draw()
            if how:
                how_computed(*how[title])


@page_content.fragment
def folded(title: str, key: str, draw: Callable[[], None]) -> None:
    """An expander whose content is computed and sent when it is opened.

    Args:
        title: title of the expander.
        key: key of its state: open or not.
        draw: draws the content.
    """
    with st.expander(title, key=key, on_change="rerun") as expander:
        if expander.open:
            draw()


def how_computed(text: str, *functions: str) -> None:
    """The expander *How it is computed*.

    Args:
        text: Markdown, with equations between `$$`.
        *functions: "module:name" of functions, methods or classes, e.g. "workbench.analysis.cam:gradcam": their source
            code follows the text.
    """

    def draw() -> None:
        st.markdown(text)
        for function in functions:
            where, code = source(function)
            st.caption(where)
            st.code(code, language="python")

    folded("How it is computed", "how-it-is-computed", draw)


@lru_cache(maxsize=256)
def source(function: str) -> tuple[str, str]:
    """File and line of "module:name", and its source code without the docstring."""
    module, _, name = function.partition(":")
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    found = inspect.unwrap(found)
    lines, start = inspect.getsourcelines(found)
    file = Path(inspect.getsourcefile(found)).relative_to(CODE)
    return f"`{file}`, line {start}", _without_docstring(textwrap.dedent("".join(lines)))


def _without_docstring(code: str) -> str:
    """The code of a function or class without its docstring."""
    first = ast.parse(code).body[0].body[0]
    lines = code.splitlines(keepends=True)
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        del lines[first.lineno - 1 : first.end_lineno]
    return "".join(lines)


def frequency_components(parts: FrequencyImages) -> None:
    """Draw a face, its high-frequency and its low-frequency component side by side."""
    lost = charts.percent(float(parts.detail))
    texts = {
        "Original": (parts.original, "The sum of the high- and the low-frequency component."),
        "High frequencies": (
            parts.high,
            f"Edges and wrinkles, {lost} of the variance of the pixels. The contrast is stretched, see the color bar.",
        ),
        "Low frequencies": (
            parts.low,
            "Shapes and shadows. Whether you recognize the expression does not tell whether the network does.",
        ),
    }
    for column, (title, (pixels, text)) in zip(st.columns(3), texts.items(), strict=True):
        with column:
            high = title == "High frequencies"  # negative as often as positive, and faint
            chart = charts.contrast(2 * pixels - 1, "gray") if high else charts.face(pixels, title.lower())
            charts.show(chart, title, f"{title} of the face, as gray values")
            st.markdown(f"**{title}.** {text}")


def approximation(result: Spectrum) -> None:
    """Draw the rank-k approximation of a face."""
    n = counted(result.k, "component")
    alt = f"Rank-{result.k} approximation of the face, of {len(result.sigma)} ranks"
    charts.show(charts.face(result.approximation, f"rank {result.k}"), "rank-k", alt)
    st.markdown(
        f"**Rank-{result.k} approximation:** the sum of the first {n} of {len(result.sigma)}. Of all images of this "
        "rank it has the smallest squared error, which does not mean that it keeps the expression."
    )


def singular_values(result: Spectrum) -> None:
    """Draw the singular values, the first k in blue, with the share of variance that they keep."""
    charts.show(
        charts.singular_values(result.sigma, result.k),
        "sigma",
        f"Singular values of the face in descending order, the first {result.k} marked",
    )
    held = percentage(float(result.energy[result.k - 1]))
    st.markdown(
        f"**The first {result.k} (blue) keep {held} of the variance of the pixels** (the mean gray, which the first "
        "one mostly holds, is not counted). Singular values say nothing about where something is in the image."
    )
