"""What is on the screen, also after a fragment of the page ran again."""

from contextlib import suppress

import plotly.graph_objects as go
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from workbench.ui.page_content import Item, Screen


@pytest.fixture
def shown(monkeypatch) -> Screen:
    """A page of which one fragment shows two charts, and another inside of it one, between things that stand still."""
    monkeypatch.setattr(st, "query_params", {})
    page = Screen()
    show(page, "title")
    with page.part("maps"):
        show(page, "map")
        with page.part("closer"):
            show(page, "sure")
        show(page, "bars")
    show(page, "below")
    with page.part("waves"):
        show(page, "high")
    return page


def show(page: Screen, *names: str) -> None:
    for name in names:
        page.add(Item(name, name, go.Figure()))


def names(page: Screen) -> list[str]:
    return [item.text for item in page.items]


def test_everything_stands_in_the_order_of_the_page(shown):
    assert names(shown) == ["title", "map", "sure", "bars", "below", "high"]


def test_a_fragment_replaces_its_own_items_where_they_stood(shown):
    with shown.part("maps"):
        show(shown, "new map", "words", "new bars")
        with shown.part("closer"):
            show(shown, "new sure")
    assert names(shown) == ["title", "new map", "words", "new bars", "new sure", "below", "high"]


def test_a_fragment_inside_another_runs_again_by_itself_and_later_with_it(shown):
    with shown.part("closer"):
        show(shown, "how sure", "how often")
    assert names(shown) == ["title", "map", "how sure", "how often", "bars", "below", "high"]
    with shown.part("maps"), shown.part("closer"):
        show(shown, "trust")
    assert names(shown) == ["title", "trust", "below", "high"]


def test_a_fragment_that_shows_less_leaves_nothing_behind_nor_do_those_inside_it(shown):
    with shown.part("maps"):
        show(shown, "only")
    assert names(shown) == ["title", "only", "below", "high"]
    with shown.part("maps"):
        pass
    assert names(shown) == ["title", "below", "high"]


def test_a_fragment_that_breaks_leaves_the_others_their_places(shown):
    with suppress(ValueError), shown.part("maps"):
        show(shown, "half")
        raise ValueError("a page's own message")
    with shown.part("waves"):
        show(shown, "low")
    assert names(shown) == ["title", "half", "below", "low"]


def test_a_fragment_that_showed_nothing_before_keeps_its_place(monkeypatch):
    monkeypatch.setattr(st, "query_params", {})
    page = Screen()
    with page.part("late"):
        pass
    show(page, "below")
    with page.part("late"):
        show(page, "now")
    assert names(page) == ["now", "below"]


def test_the_link_is_that_of_the_last_change(shown, monkeypatch):
    class Parameters(dict):
        get_all = dict.get

    monkeypatch.setattr(st, "query_params", Parameters({"class": ["sad"]}))
    with shown.part("maps"):
        pass
    assert shown.link == {"class": ["sad"]}


def test_two_fragments_of_one_function_are_two_parts():
    def page():
        from workbench.ui import page_content

        @page_content.fragment
        def say(name: str) -> None:
            page_content.add_text(name)

        say("first")
        page_content.add_text("between")
        say("second")

    app = AppTest.from_function(page).run()
    assert not app.exception
    assert names(app.session_state["screen"]) == ["first", "between", "second"]
    assert len(app.session_state["screen"].parts) == 3
