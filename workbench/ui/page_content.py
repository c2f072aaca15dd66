"""The content of the page as shown, collected while its script runs: charts and captions, for *Export*."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any, TypeAlias

import plotly.graph_objects as go
import streamlit as st

from . import streamlit_internals


@dataclass(frozen=True, eq=False)
class Item:
    """A chart or a caption.

    Attributes:
        text: alternative text of a chart; of a caption its Markdown.
        key: key of a chart on the page; empty for a caption.
        figure: the chart; None for a caption.
        wide: whether it takes the whole width of the page.
    """

    text: str
    key: str = ""
    figure: go.Figure | None = None
    wide: bool = False


Part: TypeAlias = "list[Item | Part]"
"""What the page or one of its fragments shows, from top to bottom; a nested fragment is one entry."""


@dataclass(eq=False)
class Screen:
    """One page as shown: title, question, and its parts by the id of their fragment.

    A fragment that runs again replaces its own part, nested fragments included, and leaves the rest of the page alone.
    `has_tabs`: another tab may bring charts, without a run of the whole page.
    """

    title: str = ""
    question: str = ""
    link: dict[str, list[str]] = field(default_factory=dict)
    parts: dict[str | None, Part] = field(default_factory=lambda: {None: []})
    running: list[str | None] = field(default_factory=lambda: [None])  # the page, then nested fragments, innermost last
    has_tabs: bool = False

    @property
    def items(self) -> list[Item]:
        """Everything on the page from the top to the bottom."""
        return list(_flat(self.parts[None]))

    def add(self, item: Item) -> None:
        """Append an item to the part that is running."""
        self.parts[self.running[-1]].append(item)
        self._take_link()

    @contextmanager
    def part(self, fragment: str) -> Iterator[None]:
        """Collect the items of a fragment while it runs, alone or nested in the part that is running."""
        self._take_link()
        if self.running[-1] is None and fragment in self.parts:
            self.parts[fragment].clear()
        else:
            self.parts[fragment] = []
            self.parts[self.running[-1]].append(self.parts[fragment])
        self.running.append(fragment)
        try:
            yield
        finally:
            self.running.pop()

    def _take_link(self) -> None:
        self.link = {key: st.query_params.get_all(key) for key in st.query_params}


def begin() -> Screen:
    """An empty screen, at the start of a run of the whole page."""
    st.session_state["screen"] = Screen()
    return st.session_state["screen"]


def fragment(function: Callable | None = None, *, run_every: float | None = None) -> Any:
    """`st.fragment` whose charts and captions replace those of its last run."""
    if function is None:
        return partial(fragment, run_every=run_every)

    @wraps(function)
    def part(*args: Any, **values: Any) -> Any:
        with _screen().part(streamlit_internals.fragment_id()):
            return function(*args, **values)

    return st.fragment(part, run_every=run_every)


def set_title(title: str, question: str) -> None:
    """Set the page's title and its question."""
    shown = _screen()
    shown.title, shown.question = title, question


def add_text(text: str) -> None:
    """Add a caption in Markdown, which belongs to the chart above it."""
    _screen().add(Item(text))


def add_chart(key: str, alt: str, figure: go.Figure, wide: bool = True) -> None:
    """Add a chart; `alt` is its alternative text."""
    _screen().add(Item(alt, key, figure, wide))


def _screen() -> Screen:
    return st.session_state["screen"] if "screen" in st.session_state else begin()


def _flat(part: Part) -> Iterator[Item]:
    for entry in part:
        if isinstance(entry, Item):
            yield entry
        else:
            yield from _flat(entry)
