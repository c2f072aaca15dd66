"""What is on the screen: charts and sentences, collected while a page runs, for *Keep this*."""

from __future__ import annotations

from dataclasses import dataclass, field

import plotly.graph_objects as go
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_run_context import ThreadState


@dataclass(frozen=True, eq=False)
class Item:
    """A chart, or sentences.

    Attributes:
        fragment: id of the fragment that showed it; None outside of fragments.
        text: of a chart, what is in it in a few words; else sentences in Markdown.
        key: of a chart, its name on the page; empty for sentences.
        figure: the chart; None for sentences.
        wide: whether it has the whole width of the page.
    """

    fragment: str | None
    text: str
    key: str = ""
    figure: go.Figure | None = None
    wide: bool = False


@dataclass(eq=False)
class Screen:
    """One page as it stands: its question, how it is answered, and its items from the top to the bottom.

    A fragment that runs again replaces its own items and leaves the others alone: `run` is the run that was seen
    last, and `places` says where the next item of each fragment of that run belongs.
    """

    question: str = ""
    how: str = ""
    items: list[Item] = field(default_factory=list)
    link: dict[str, list[str]] = field(default_factory=dict)
    run: object = None
    places: dict[str | None, int] = field(default_factory=dict)

    def add(self, item: Item) -> None:
        """Put an item where it belongs."""
        self.link = {key: st.query_params.get_all(key) for key in st.query_params}
        context = get_script_run_ctx()
        rerun = context.fragment_ids_this_run if context else None  # a new list in each run; None: the whole page runs
        if not rerun:
            self.items.append(item)
            return
        if self.run is not rerun:
            self.run, self.places = rerun, {}
        if item.fragment not in self.places:
            old = [i for i, other in enumerate(self.items) if other.fragment == item.fragment]
            self.items[:] = [other for other in self.items if other.fragment != item.fragment]
            self.places = {other: at - sum(i < at for i in old) for other, at in self.places.items()}
            self.places[item.fragment] = old[0] if old else len(self.items)
        place = self.places[item.fragment]
        self.items.insert(place, item)
        self.places = {fragment: at + (at >= place) for fragment, at in self.places.items()}


def begin() -> Screen:
    """An empty screen, at the start of a run of the whole page."""
    st.session_state["screen"] = Screen()
    return st.session_state["screen"]


def titled(question: str, how: str) -> None:
    """The page's question, and how it answers it."""
    shown = _screen()
    shown.question, shown.how = question, how


def words(text: str) -> None:
    """Sentences in Markdown, which belong to the chart above."""
    _screen().add(Item(_fragment(), text))


def chart(key: str, alt: str, figure: go.Figure, wide: bool = True) -> None:
    """A chart; `alt` says in a few words what is in it."""
    _screen().add(Item(_fragment(), alt, key, figure, wide))


def _screen() -> Screen:
    return st.session_state["screen"] if "screen" in st.session_state else begin()


def _fragment() -> str | None:
    """The id of the fragment that is running, which Streamlit keeps to itself; without one None."""
    return ThreadState.get().fragment_id if get_script_run_ctx() else None
