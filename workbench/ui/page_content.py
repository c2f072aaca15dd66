"""What is on the screen: charts and sentences, collected while a page runs, for *Keep this*."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any, TypeAlias

import plotly.graph_objects as go
import streamlit as st
from streamlit.runtime.scriptrunner_utils.script_run_context import ThreadState


@dataclass(frozen=True, eq=False)
class Item:
    """A chart, or sentences.

    Attributes:
        text: of a chart, what is in it in a few words; else sentences in Markdown.
        key: of a chart, its name on the page; empty for sentences.
        figure: the chart; None for sentences.
        wide: whether it has the whole width of the page.
    """

    text: str
    key: str = ""
    figure: go.Figure | None = None
    wide: bool = False


Part: TypeAlias = "list[Item | Part]"
"""What the page, or a fragment of it, shows from the top to the bottom; a fragment inside of it is one entry."""


@dataclass(eq=False)
class Screen:
    """One page as it stands: its question, how it is answered, and its parts by the id of their fragment.

    A fragment that runs again shows everything anew in its own place, also the fragments inside of it, and leaves the
    rest of the page alone.
    """

    question: str = ""
    how: str = ""
    link: dict[str, list[str]] = field(default_factory=dict)
    parts: dict[str | None, Part] = field(default_factory=lambda: {None: []})
    running: list[str | None] = field(default_factory=lambda: [None])  # the page, then fragments, each inside the last

    @property
    def items(self) -> list[Item]:
        """Everything on the page from the top to the bottom."""
        return list(_flat(self.parts[None]))

    def add(self, item: Item) -> None:
        """Put an item below what the running part has shown."""
        self.parts[self.running[-1]].append(item)
        self._take_link()

    @contextmanager
    def part(self, fragment: str) -> Iterator[None]:
        """While a fragment runs: by itself, or as a piece of the part that is running."""
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
    """`st.fragment`, whose charts and sentences leave the screen when it runs again and shows others, or none."""
    if function is None:
        return partial(fragment, run_every=run_every)

    @wraps(function)
    def part(*args: Any, **values: Any) -> Any:
        with _screen().part(ThreadState.get().fragment_id):  # the id, which Streamlit keeps to itself
            return function(*args, **values)

    return st.fragment(part, run_every=run_every)


def titled(question: str, how: str) -> None:
    """The page's question, and how it answers it."""
    shown = _screen()
    shown.question, shown.how = question, how


def words(text: str) -> None:
    """Sentences in Markdown, which belong to the chart above."""
    _screen().add(Item(text))


def chart(key: str, alt: str, figure: go.Figure, wide: bool = True) -> None:
    """A chart; `alt` says in a few words what is in it."""
    _screen().add(Item(alt, key, figure, wide))


def _screen() -> Screen:
    return st.session_state["screen"] if "screen" in st.session_state else begin()


def _flat(part: Part) -> Iterator[Item]:
    for entry in part:
        if isinstance(entry, Item):
            yield entry
        else:
            yield from _flat(entry)
