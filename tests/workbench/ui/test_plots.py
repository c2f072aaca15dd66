"""Line charts: labels at their ends and along their axes."""

import pytest
import torch

from workbench.ui import charts


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
