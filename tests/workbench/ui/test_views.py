"""The parts that pages are built of."""

import re

import pytest
from streamlit.testing.v1 import AppTest

from workbench.ui import charts, views


@pytest.mark.parametrize(
    ("function", "file", "line"),
    [
        ("workbench.analysis.cam:atlas", "workbench/analysis/cam.py", "def atlas("),
        ("models.layers.bam:BAM.forward", "models/layers/bam.py", "def forward("),
        ("models.layers.bam:BAM", "models/layers/bam.py", "class BAM("),
    ],
)
def test_the_code_of_a_computation_is_shown_with_its_place(function, file, line):
    where, code = views.source(function)
    assert where.startswith(f"`{file}`, line ")
    assert line in code
    number = int(where.split()[-1])
    found = (views.CODE / file).read_text("utf-8").splitlines()[number - 1]
    assert line in found or found.startswith("@")


def test_every_page_and_lesson_names_code_that_exists():
    ui = views.CODE / "workbench" / "ui"
    files = [*(ui / "how_computed").glob("*.py"), *(ui / "lessons").glob("*.py")]
    found = r'"((?:workbench|models)[.\w]*:[.\w]+)"'
    named = {name for path in files for name in re.findall(found, path.read_text("utf-8"))}
    assert len(named) > 40
    for name in named:
        assert views.source(name)[1], name


def test_the_code_is_shown_without_its_docstring():
    _, code = views.source("workbench.analysis.cam:atlas")
    assert '"""' not in code
    assert "return" in code


def test_the_expander_shows_the_words_and_then_the_code_once_it_is_opened():
    def page():
        from workbench.ui import views

        views.how_computed("$x$", "models.layers.bam:BAM.forward")

    app = AppTest.from_function(page).run()
    assert not app.exception
    expander = app.expander[0]
    assert expander.label == "How it is computed"
    assert not expander.children
    app.session_state["how-it-is-computed"] = True
    expander = app.run().expander[0]
    assert [type(child).__name__ for child in expander.children.values()] == ["Markdown", "Caption", "Code"]


def test_a_page_explains_only_what_its_open_tab_shows():
    def page():
        import streamlit as st

        from workbench.ui import page_content, views

        page_content.begin()
        sections = {"First": lambda: st.write("one"), "Second": lambda: st.write("two")}
        code = "models.layers.bam:BAM.forward"
        views.tabs(sections, how={"First": ("$$x$$", code), "Second": ("$$y$$", code)})

    for link, equation in (({}, "$$x$$"), ({"tab": "Second"}, "$$y$$")):
        app = AppTest.from_function(page)
        app.query_params.update(link)
        app.session_state["how-it-is-computed"] = True
        app.run()
        assert [text.value for expander in app.expander for text in expander.markdown] == [equation]


def test_a_wide_table_is_split_on_a_phone_and_each_part_names_its_rows(monkeypatch):
    table = "| name | a | b | c |\n|---|---:|---:|---:|\n| x | 1 | 2 | 3 |"
    assert views.table(table) == table
    monkeypatch.setattr(charts, "is_phone", lambda: True)
    assert views.table(table).split("\n\n") == [
        "| name | a | b |\n|---|---:|---:|\n| x | 1 | 2 |",
        "| name | c |\n|---|---:|\n| x | 3 |",
    ]
