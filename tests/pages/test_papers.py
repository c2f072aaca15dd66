"""The page Papers, as a visitor works it; what holds for every page is in test_every_page.py."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from workbench.navigation import FOLDER
from workbench.services import papers
from workbench.services.metrics import leaderboard, rankings

APP = FOLDER.parent / "workbench" / "app.py"


def opened(page: str = "papers.py", **query: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=300)
    for key, value in query.items():
        app.query_params[key] = value
    app.switch_page(f"../pages/{page}").run()
    assert not app.exception
    return app


def tables(app: AppTest) -> str:
    return "".join(block.proto.body for block in app.get("html"))


@pytest.mark.parametrize("letter", "ABCDE")
def test_a_paper_shows_its_findings_and_every_single_claim(letter):
    app = opened(paper=letter)
    headlines = [expander.label for expander in app.expander]
    for finding in papers.paper_of(letter).findings:
        assert finding.title in headlines
    app = opened(paper=letter, tab="Claims")
    shown = tables(app)
    for page in range(2, 1 + int(app.number_input[0].max) if app.number_input else 2):
        app.number_input[0].set_value(page).run()
        shown += tables(app)
    for claim in papers.paper_of(letter).claims:
        if claim.row is None:
            assert claim.place.replace("'", "&#39;") in shown


def test_networks_that_verdicts_leave_out_are_named(monkeypatch):
    assert not any("Left out" in caption.value for caption in opened().caption)
    monkeypatch.setattr(leaderboard, "left_out", lambda: "Left out, because of test images: `resnet18-x`.")
    assert any("`resnet18-x`" in caption.value for caption in opened().caption)


def test_a_verdict_that_no_claim_has_says_what_to_do():
    app = opened(tab="Claims")
    app.segmented_control(key="verdict").set_value("reproduced").run()
    assert "Choose another verdict" in app.info[0].value


def test_only_claims_of_the_chosen_verdict_are_listed():
    app = opened(tab="Claims", verdict="inconsistent in the paper")
    text = "".join(m.value for m in app.markdown)
    assert "**1 of 10 claims.**" in text


def test_figures_of_classes_say_what_they_are_beside():
    app = opened(paper="D", tab="Per class")
    assert "diamonds: ours" in "".join(m.value for m in app.markdown)
    app = opened(paper="D", table="JAFFE")  # a link to a control opens its tab
    assert "ours were not run" in "".join(m.value for m in app.markdown)


def test_the_commands_of_a_paper_name_what_they_lack():
    app = opened(paper="E", tab="Claims")
    assert any("ferscope train --model multibranch_dsc_cbam" in code.value for code in app.code)
    assert "the draw of its split are not stated" in "".join(m.value for m in app.markdown)


def test_rankings_are_told_with_their_verdict_or_named_as_not_run():
    found = [one for one in rankings.rankings() if one.paper == "C"]
    app = opened(paper="C", tab="Rankings")
    text = "".join(m.value for m in app.markdown)
    assert found
    assert all(f"| {one.verdict} |" in text for one in found)
    assert any("not run" in expander.label for expander in app.expander)
    assert "No two networks" in opened(paper="A", tab="Rankings").info[0].value


def test_about_says_where_images_go_in_each_way_of_starting(monkeypatch):
    text = "".join(m.value for m in opened("about.py").markdown)
    assert "serves this computer only" in text
    assert "Gradio's tunnel" in text
    monkeypatch.setenv("FERSCOPE_LAN", "1")
    assert "over that network, unencrypted" in "".join(m.value for m in opened("about.py").markdown)
