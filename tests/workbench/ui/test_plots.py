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


def test_a_thin_line_leads_from_the_end_of_each_line_to_its_name():
    ends = torch.tensor([[0.5, 0.01], [0.5, 0.02], [0.5, 0.97]])
    drawn = charts.curves(torch.arange(2), ends, ("sad", "fear", "happy"), "step", "probability", ("red",) * 3)
    notes = {note.text.split()[-1]: note for note in drawn.layout.annotations if note.text.startswith("<span")}
    assert [round(notes[name].y, 2) for name in ("sad", "fear", "happy")] == [0.01, 0.02, 0.97]
    assert all(note.showarrow is not False and note.ayref == "y" for note in notes.values())
    heights = [notes[name].ay for name in ("sad", "fear", "happy")]
    assert heights == sorted(heights)
    assert heights[1] - heights[0] > 0.08


def test_a_curve_of_shares_has_an_axis_in_percent_and_a_logarithmic_one_says_so():
    shares = charts.curves(torch.arange(2), torch.tensor([[0.1, 0.9]]), ("a",), "step", "probability", ("red",))
    assert shares.layout.yaxis.ticktext[-1] == "100\N{NO-BREAK SPACE}%"
    assert lines([1, 2]).layout.yaxis.title.text == "loss (logarithmic)"


def test_an_axis_over_a_whole_rotation_ends_at_180_degrees():
    x = torch.tensor([-180.0, 0, 180])
    drawn = charts.accuracies({"one": (x, x * 0 + 0.5, torch.full((3, 2), 0.5))}, "degrees", {})
    low, high = drawn.layout.xaxis.range
    assert -200 < low < -180
    assert 180 < high < 200
    assert drawn.layout.xaxis.dtick == 90


@pytest.mark.parametrize("unit", ["logit", "probability drop", "gray levels of 255"])
def test_the_unit_of_a_color_bar_stands_beside_it_and_inside_of_the_chart(unit):
    figure = charts.signed(torch.eye(4), unit)
    note = next(note for note in figure.layout.annotations if note.text == unit)
    assert note.x == figure.data[0].colorbar.len  # the bar begins at 0
    assert 264 * (1 - note.x) > 6 * len(unit)


def test_mean_maps_have_a_unit_and_a_schematic_face_over_each_map():
    figure = charts.small_maps({"a": torch.eye(6), "b": torch.eye(6)}, 0, 1, "mean weight", outline=True)
    assert "mean weight" in [note.text for note in figure.layout.annotations]
    assert len({shape.xref for shape in figure.layout.shapes}) == 2
    assert not charts.small_maps({"a": torch.eye(6)}, 0, 1, "weight").layout.shapes


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


def test_the_chosen_face_is_over_the_dots_of_an_embedding_with_a_halo():
    at = torch.tensor([0.5, 0.25])
    figure = charts.scatter_by_class(torch.rand(3, 2), torch.zeros(3), ("happy",), list("abc"), ("x", "y"), at)
    star, name = figure.layout.annotations[:2]
    assert (star.text, star.x, star.y) == ("★", 0.5, 0.25)
    assert "chosen face" in name.text
    assert "#FFFFFF" in star.font.shadow
    assert "#FFFFFF" in name.font.shadow


def test_numbers_that_do_not_fit_into_a_bar_are_hidden():
    counts = dict.fromkeys(charts.VERDICT_COLORS, 1)
    assert charts.verdicts({"A": counts}).layout.uniformtext.mode == "hide"
