"""*Export*: the report and the table of what is on the screen."""

import csv
import io
import re
from pathlib import Path

import plotly.graph_objects as go
import pytest
import torch
from streamlit.testing.v1 import AppTest

from workbench.ui import charts, export
from workbench.ui.export import About
from workbench.ui.page_content import Item, Screen

APP = Path(__file__).resolve().parents[3] / "workbench" / "app.py"
ABOUT = About("Explain", "`net` **68.8 %**", "uploaded image", "/", {"network": "net", "sample": None})


@pytest.fixture
def shown() -> Screen:
    pixels = torch.tensor([[0.0, 0.25], [0.5, 1.0]])
    figure = charts.face_with_map(pixels, 2 * pixels, 2.0, 0.7)
    bars = charts.probabilities(("happy", "sad"), torch.tensor([0.75, 0.25]), "sad")
    items = [
        Item("Above everything."),
        Item("A map over the face", "map", figure),
        Item("**The map highlights** the mouth. <script>alert(1)</script>"),
        Item("Bars", "probabilities", bars),
    ]
    return Screen("Explain", "Which regions *support* the prediction?", {"class": ["sad"]}, {None: items})


def body_of(page: str) -> str:
    """The report without its style and scripts."""
    return re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)


def test_the_report_holds_title_sentences_charts_and_facts(shown):
    page = export.report(shown, ABOUT)
    body = body_of(page)
    for words in (
        "<h1>Explain</h1>",
        "<em>support</em>",
        "<strong>The map highlights</strong> the mouth.",
        "<strong>68.8 %</strong>",
        "Face: uploaded image",
        "/?network=net&amp;class=sad",
        "not what a person feels",
        "Article 5(1)(f)",
    ):
        assert words in body, words
    assert body.count("<figure") == body.count("</figure>") == 2
    assert page.count("Plotly.newPlot(") >= 2


def test_words_are_no_code_in_the_report(shown):
    assert "&lt;script&gt;alert(1)" in export.report(shown, ABOUT)


def test_the_report_asks_nobody_for_anything(shown):
    page = export.report(shown, ABOUT)
    assert page.count("plotly.js v") == 1  # the library is inside, once
    assert not re.search(r"<(script|link|img|iframe)[^>]*(src|href)=", page)


def test_a_chart_that_is_wide_on_the_page_is_wide_in_the_report(shown):
    shown.parts[None].append(Item("Side by side", "many", go.Figure(go.Heatmap(z=[[1]])), wide=True))
    assert export.report(shown, ABOUT).count('<figure class="wide"') == 1


def test_a_chart_in_a_column_is_not_wide():
    def page():
        import plotly.graph_objects as go
        import streamlit as st

        from workbench.ui import charts

        charts.show(go.Figure(), "wide", "all of it")
        with st.columns(2)[1]:
            charts.show(go.Figure(), "half", "a column")

    app = AppTest.from_function(page).run()
    assert not app.exception
    assert [(item.key, item.wide) for item in app.session_state["screen"].items] == [("wide", True), ("half", False)]


def test_the_report_is_legible_whatever_the_theme_was(shown):
    charts.style.inked(shown.items[1].figure, "dark")
    assert "#E8E6E1" not in body_of(export.report(shown, ABOUT)) + str(
        re.findall("#E8E6E1", export.report(shown, ABOUT))
    )
    assert shown.items[1].figure.layout.font.color == "#E8E6E1"  # the one on the page stays as it is


def test_the_table_has_the_numbers_of_every_chart(shown):
    rows = list(csv.DictReader(io.StringIO(export.table(shown))))
    gray = [row for row in rows if row["series"] == "gray"]
    assert [(row["x"], row["y"], float(row["value"])) for row in gray] == [
        ("0", "0", 0.0),
        ("1", "0", 0.25),
        ("0", "1", 0.5),
        ("1", "1", 1.0),
    ]
    assert [float(row["value"]) for row in rows if row["series"] == "map"] == [0.0, 0.5, 1.0, 2.0]
    bars = [row for row in rows if row["chart"] == "probabilities"]
    assert [(float(row["x"]), row["y"]) for row in bars] == [(0.75, "happy"), (0.25, "sad")]


@pytest.mark.parametrize(
    ("trace", "numbers"),
    [
        (go.Scatter(y=[3, 4]), [(0, 3, ""), (1, 4, "")]),
        (go.Box(x=[3, 4]), [(0, 3, ""), (1, 4, "")]),
        (go.Pie(labels=["a"], values=[2]), [("a", "", 2)]),
        (go.Heatmap(z=[[5]], x=["sad"], y=["happy"]), [("sad", "happy", 5)]),
        (go.Scatter(), []),
    ],
)
def test_every_kind_of_series_has_its_numbers(trace, numbers):
    assert [tuple(row) for row in export._numbers(trace)] == numbers


def test_it_stands_below_a_page_with_charts_and_writes_nothing_by_itself(monkeypatch):
    monkeypatch.setattr(export, "get_plotlyjs", lambda: pytest.fail("nobody asked for a report"))
    app = AppTest.from_file(str(APP), default_timeout=300)
    app.query_params["class"] = "sad"
    app.run()
    assert not app.exception
    assert [button.key for button in app.get("download_button")] == ["export-html", "export-csv"]
    shown = app.session_state["screen"]
    assert shown.title == app.title[0].value
    assert {"seen", "map", "probabilities"} <= {item.key for item in shown.items}
    assert shown.link == {"class": ["sad"]}


def test_a_page_that_stops_early_does_not_stop_what_stands_below_it(monkeypatch):
    asked = []
    monkeypatch.setattr(export, "offer", lambda *_: asked.append("offered"))
    app = AppTest.from_file(str(APP), default_timeout=300)
    app.switch_page("../pages/svd.py")
    app.session_state["source"] = "Upload"
    app.run()
    assert not app.exception
    assert "No image yet" in app.info[0].value
    assert asked == ["offered"]


def test_a_page_without_charts_offers_nothing():
    app = AppTest.from_file(str(APP), default_timeout=300)
    app.switch_page("../pages/about.py").run()
    assert not app.exception
    assert not app.get("download_button")
