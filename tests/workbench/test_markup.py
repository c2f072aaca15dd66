from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from jinja2 import UndefinedError

from workbench import markup
from workbench.services.papers import VERDICTS
from workbench.services.prediction import Prediction
from workbench.ui import charts

HOSTILE = """<script>alert('x')</script>" onload="alert(1)"""
TEMPLATES = sorted(path.name for path in Path(markup.__file__).with_name("templates").glob("*.html"))


def prediction() -> Prediction:
    values = torch.tensor([0.995, 0.005])
    return Prediction((HOSTILE, "sad"), values, values.log(), True)


def harmless(page: str) -> bool:
    """Whether the hostile text opens no element and ends no attribute."""
    return "<script>alert" not in page and '" onload=' not in page and "&lt;script&gt;" in page


def test_names_of_classes_are_escaped_in_bars():
    rows = markup.bars(prediction())
    html = markup.render("pieces.html", "bars", rows)
    assert harmless(html)
    assert "<1\N{NO-BREAK SPACE}%" not in html, "the sign < is escaped too"
    assert html.count('class="bar"') == 2


@pytest.mark.parametrize(
    ("macro", "values"),
    [
        ("attention_maps", ([("data:,", HOSTILE)],)),
        ("frequencies", ([("data:,", HOSTILE)],)),
        ("message", (HOSTILE,)),
        ("compared", ("data:,", HOSTILE, [])),
        ("live", ("data:,", "1", "", markup.bars(prediction()))),
    ],
)
def test_hostile_text_is_escaped_in_the_demo(macro, values):
    assert harmless(markup.render("demo.html", macro, *values))


def test_file_names_and_classes_are_escaped_in_the_report():
    face = {"title": HOSTILE, "images": [("data:,", HOSTILE)], "probabilities": [(HOSTILE, "1.0")], "notes": HOSTILE}
    net = SimpleNamespace(spec=SimpleNamespace(title=HOSTILE), name=HOSTILE, card=SimpleNamespace(split=HOSTILE))
    named = {"layer": HOSTILE, "method": HOSTILE, "left_out": [(Path(HOSTILE), HOSTILE)]}
    page = markup.render("explain_report.html", net=net, of_fer2013=False, faces=[face], **named)
    assert harmless(page)
    assert page.count("&lt;script&gt;") == 11


def test_claims_are_escaped_and_code_stays_code():
    claim = SimpleNamespace(what=f"`a<b` {HOSTILE}", place=HOSTILE, text=HOSTILE)
    checked = SimpleNamespace(claim=claim, ours=HOSTILE, verdict=next(iter(VERDICTS)), way="`ferscope zoo`")
    page = markup.render("claims.html", colors=charts.VERDICT_COLORS, verdicts=(), claims=[checked])
    assert harmless(page)
    assert "<code>a&lt;b</code>" in page
    assert "<code>ferscope zoo</code>" in page


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_escapes(name):
    assert markup.template(name).environment.autoescape is True


def test_a_value_that_is_missing_is_an_error():
    with pytest.raises(UndefinedError, match="host"):
        markup.render("unknown_host.html", name="here")
