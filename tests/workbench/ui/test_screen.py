"""What is on the screen, also after a fragment of the page ran again."""

from types import SimpleNamespace

import plotly.graph_objects as go
import pytest
import streamlit as st

from workbench.ui import screen
from workbench.ui.screen import Item, Screen


@pytest.fixture
def shown(monkeypatch) -> Screen:
    """A page of which a fragment shows two charts between things that stand still."""
    run(monkeypatch, None)
    monkeypatch.setattr(st, "query_params", {})
    page = Screen()
    for fragment, name in ((None, "title"), ("maps", "map"), ("maps", "bars"), (None, "below"), ("waves", "high")):
        page.add(chart(fragment, name))
    return page


def run(monkeypatch, fragments: list[str] | None) -> None:
    """Pretend that the page, or these fragments of it, runs now."""
    monkeypatch.setattr(screen, "get_script_run_ctx", lambda: SimpleNamespace(fragment_ids_this_run=fragments))


def chart(fragment: str | None, name: str) -> Item:
    return Item(fragment, name, name, go.Figure())


def names(page: Screen) -> list[str]:
    return [item.text for item in page.items]


def test_a_fragment_replaces_its_own_items_where_they_stood(shown, monkeypatch):
    run(monkeypatch, ["maps"])
    for name in ("new map", "words", "new bars"):
        shown.add(chart("maps", name))
    assert names(shown) == ["title", "new map", "words", "new bars", "below", "high"]


def test_a_fragment_that_shows_less_leaves_nothing_behind(shown, monkeypatch):
    for _ in range(2):
        run(monkeypatch, ["maps"])
        shown.add(chart("maps", "only"))
        assert names(shown) == ["title", "only", "below", "high"]


def test_two_fragments_in_one_run_keep_their_places(shown, monkeypatch):
    run(monkeypatch, ["waves", "maps"])
    shown.add(chart("waves", "w1"))
    shown.add(chart("maps", "m1"))
    shown.add(chart("waves", "w2"))
    shown.add(chart("maps", "m2"))
    assert names(shown) == ["title", "m1", "m2", "below", "w1", "w2"]


def test_a_fragment_that_showed_nothing_before_comes_last(shown, monkeypatch):
    run(monkeypatch, ["new"])
    shown.add(chart("new", "late"))
    assert names(shown)[-1] == "late"


def test_the_link_is_that_of_the_last_change(shown, monkeypatch):
    class Parameters(dict):
        get_all = dict.get

    run(monkeypatch, ["maps"])
    monkeypatch.setattr(st, "query_params", Parameters({"class": ["sad"]}))
    shown.add(chart("maps", "map"))
    assert shown.link == {"class": ["sad"]}
