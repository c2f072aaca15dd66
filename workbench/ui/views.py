"""What pages are built of: a title, sentences, the code of a computation, and pictures that several pages show."""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from models.text import counted
from workbench.analysis.frequency import FrequencyPictures
from workbench.services.svd import Spectrum

from . import charts, page_content

ROOT = Path(__file__).resolve().parents[2]


_UP = "<script>document.querySelector('[data-testid=\"stMain\"]').scrollTo({top: 0})</script>"


def go_up() -> None:
    """For a button at the end of a page that opens something new: what comes next is seen from its top."""
    st.session_state["up"] = True


def begin() -> None:
    """Where a page or the part of it that is drawn anew begins: show its top, if `go_up` asked for it."""
    if st.session_state.pop("up", False):
        with st.container(key="unseen-up"):
            st.html(_UP, unsafe_allow_javascript=True)  # a fixed line of ours: Streamlit has no command for it


def title(question: str, how: str) -> None:
    """The question that a page answers, and how in one sentence; what can be kept of the page begins here."""
    begin()
    st.title(question)
    st.markdown(how)
    page_content.titled(question, how)


def says(text: str) -> None:
    """The two sentences under a picture, in Markdown: what is seen, and what it does not prove."""
    st.markdown(text)
    page_content.words(text)


def one_of(label: str, options: Iterable[Any], default: Any, key: str, place: Any = st, **more: Any) -> Any:
    """One of some options, which stands in the link as `key`; the default where a damaged link names none (`?class=`).

    Args:
        label, options, default, key: as for `st.segmented_control`.
        place: where it stands, for example a column.
        more: as for `st.segmented_control`.
    """
    chosen = place.segmented_control(
        label, options, default=default, required=True, wrap=True, key=key, bind="query-params", **more
    )
    return default if chosen is None else chosen


@contextmanager
def computed(*functions: str) -> Iterator[None]:
    """The expander *How it is computed*: what is put inside, and below it the code of the named functions.

    Args:
        *functions: "module:name" of functions, methods or classes, e.g. "workbench.analysis.cam:gradcam".
    """
    with st.expander("How it is computed"):
        yield
        for function in functions:
            where, code = source(function)
            st.caption(where)
            st.code(code, language="python")


@lru_cache(maxsize=256)
def source(function: str) -> tuple[str, str]:
    """File and line of "module:name", and its code without the docstring."""
    module, _, name = function.partition(":")
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    found = inspect.unwrap(found)
    lines, start = inspect.getsourcelines(found)
    file = Path(inspect.getsourcefile(found)).relative_to(ROOT)
    return f"`{file}`, line {start}", _without_docstring(textwrap.dedent("".join(lines)))


def _without_docstring(code: str) -> str:
    """A function or a class whose first statement, if it is its text, is left out."""
    first = ast.parse(code).body[0].body[0]
    lines = code.splitlines(keepends=True)
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        del lines[first.lineno - 1 : first.end_lineno]
    return "".join(lines)


def waves(parts: FrequencyPictures) -> None:
    """A face, its high and its low frequencies side by side."""
    lost = charts.percent(float(parts.detail))
    texts = {
        "Original": (parts.original, "High and low frequencies together make it up again, up to rounding."),
        "High frequencies": (
            parts.high,
            f"The fast waves, edges and wrinkles, stretched as far as the bar says: {lost} of the contrast (squared "
            "differences from the mean). That they look telling does not mean that the network uses them.",
        ),
        "Low frequencies": (
            parts.low,
            "The slow waves, shapes and shadows. That you can read them, or not, says nothing about the network.",
        ),
    }
    for column, (title, (pixels, text)) in zip(st.columns(3), texts.items(), strict=True):
        with column:
            high = title == "High frequencies"  # negative as often as positive, and faint
            chart = charts.contrast(2 * pixels - 1, "gray") if high else charts.face(pixels, title.lower())
            charts.show(chart, title, f"{title} of the face")
            st.markdown(f"**{title}.** {text}")


def strongest_terms(result: Spectrum) -> None:
    """The face from its first k terms."""
    n = counted(result.k, "term")
    charts.show(charts.face(result.approximation, f"rank {result.k}"), "rank-k", f"The face from {n}")
    st.markdown(
        f"**The face from its strongest {n}**, of {len(result.sigma)}. No other picture of this rank has pixels nearer "
        "to the original; that alone does not keep an expression."
    )


def singular_values(result: Spectrum) -> None:
    """The singular values, those that are kept in blue, and the energy that they hold."""
    charts.show(charts.singular_values(result.sigma, result.k), "sigma", "Singular values, the strongest first")
    held = f"{100 * float(result.energy[result.k - 1]):.1f}\N{NO-BREAK SPACE}%"
    st.markdown(
        f"**What is blue holds {held} of the energy** (the sum of squared gray values). It says how simple the picture "
        "is, and nothing about where anything is in it."
    )
