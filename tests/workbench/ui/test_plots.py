"""Charts: labels at the ends of lines, along axes and over small images."""

import pytest
import torch

from workbench.ui import charts
from workbench.ui.charts import images, style


def lines(values: list[float], name: str = "one"):
    ys = torch.tensor([values])
    return charts.curves(torch.arange(len(values)), ys, (name,), "step", "loss", ("#0072B2",), log=True)


def test_a_line_without_a_name_has_no_mark_at_its_end():
    assert [a.text for a in lines([1, 2]).layout.annotations if "■" in a.text] == [
        '<span style="color:#0072B2">■</span> one'
    ]
    assert not [a for a in lines([1, 2], "").layout.annotations if "■" in a.text]


@pytest.mark.parametrize(
    ("values", "step"),
    [([1.9, 0.9], "L0.2"), ([10, 0.5], "D2"), ([100, 0.1], 1), ([2, 2], 1)],
)
def test_a_logarithmic_axis_has_ticks_however_short_it_is(values, step):
    assert lines(values).layout.yaxis.dtick == step


@pytest.mark.parametrize(
    ("title", "width", "lines"),
    [
        ("Element-wise Grad-CAM<br>up to 0.33", 12, ["Element-wise", "Grad-CAM", "up to 0.33"]),
        ("surprise <1\N{NO-BREAK SPACE}%", 12, ["surprise", "<1\N{NO-BREAK SPACE}%"]),
        ("efficientnet_lite0_svd_hfc", 18, ["efficientnet_", "lite0_svd_hfc"]),
        ("happy", 12, ["happy"]),
    ],
)
def test_a_long_title_is_broken_at_spaces_underscores_and_hyphens(title, width, lines):
    assert images.wrapped(title, width).split("<br>") == lines


@pytest.mark.parametrize(
    ("top", "lowest", "ticks"),
    [
        (1.0, 0.0, ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]),
        (1.0, 0.2, ["20 %", "40 %", "60 %", "80 %", "100 %"]),
        (0.3, 0.0, ["0 %", "10 %", "20 %", "30 %"]),
        (0.04, 0.0, ["0 %", "1 %", "2 %", "3 %", "4 %"]),
    ],
)
def test_an_axis_of_shares_has_at_most_six_ticks_in_percent(top, lowest, ticks):
    found = style.share_ticks(top, lowest)
    assert [text.replace("\N{NO-BREAK SPACE}", " ") for text in found["ticktext"]] == ticks
    assert [round(100 * value) for value in found["tickvals"]] == [int(text.split()[0]) for text in ticks]


def test_axes_have_thin_spaces_between_thousands_and_no_si_letters():
    layout = style.inked(lines([1, 100_000]), "light").layout
    assert layout.separators == ".\N{NARROW NO-BREAK SPACE}"
    assert (layout.xaxis.exponentformat, layout.yaxis.exponentformat) == ("none", "power")
