"""A slow computation on a page: what it shows meanwhile."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def page() -> None:
    import streamlit as st

    from workbench.analysis.progress import advance
    from workbench.ui import slow_requests

    shown = []
    st.empty = lambda: type("Place", (), {"progress": lambda _, *bar: shown.append(bar), "empty": shown.clear})()
    for patience in (3600, 0):
        slow_requests._PATIENCE = patience
        with slow_requests.running("Classifying", 4):
            advance(1)
            advance(2)
            st.text(str(shown))
    st.text(str(shown))


def test_a_bar_shows_after_a_second_how_far_it_is_and_goes_at_the_end(monkeypatch):
    import streamlit

    from workbench.ui import slow_requests

    monkeypatch.setattr(streamlit, "empty", streamlit.empty)  # both are changed by the page, and come back
    monkeypatch.setattr(slow_requests, "_PATIENCE", slow_requests._PATIENCE)
    app = AppTest.from_function(page).run()
    assert not app.exception
    assert [text.value for text in app.text] == [
        "[]",
        "[(0.25, '1 of 4 forward passes'), (0.75, '3 of 4 forward passes')]",
        "[]",
    ]
