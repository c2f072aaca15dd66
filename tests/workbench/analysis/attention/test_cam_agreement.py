"""Rank correlation of attention maps and class activation maps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import spearmanr

from workbench.analysis.attention import (
    correlation_with_cams,
)


def test_the_correlation_is_scipys_of_each_pair_at_the_finer_size():
    generator = torch.Generator().manual_seed(0)
    maps = [torch.rand(2, *size, generator=generator) for size in ((3, 3), (6, 6), (12, 5))]
    cams = torch.randn(2, 3, 4, 6, 6, generator=generator).relu()  # rectified: many equal values
    found = correlation_with_cams(maps, cams)
    assert found.shape == (3, 2, 3, 4)
    for n, size in enumerate([(6, 6), (6, 6), (12, 6)]):
        for b, m, c in np.ndindex(2, 3, 4):
            pair = [F.interpolate(one[None, None], size, mode="bilinear") for one in (maps[n][b], cams[b, m, c])]
            expected = spearmanr(*(one.flatten().numpy() for one in pair)).statistic
            assert found[n, b, m, c] == pytest.approx(expected, abs=0.02 if n == 2 else 1e-6)
    torch.testing.assert_close(correlation_with_cams(maps, cams[:, 0]), found[:, :, 0])


def test_equal_orders_of_positions_correlate_fully_and_constant_maps_not_at_all():
    attention = torch.rand(1, 6, 6, generator=torch.Generator().manual_seed(0))
    cams = torch.stack([attention.exp(), -attention, torch.zeros(1, 6, 6), 0.1 + 3e-8 * attention], 1)
    found = correlation_with_cams([attention], cams)[0, 0]
    assert found[:2].tolist() == pytest.approx([1, -1])
    assert found[2:].isnan().all(), "constant, and constant up to rounding"
    assert correlation_with_cams([torch.full((1, 3, 3), 0.1)], cams).isnan().all()


def test_enlarging_makes_no_order_out_of_a_plateau():
    plateau = torch.full((1, 4, 4), 0.1)
    plateau[0, 0, 0] = 5.0
    finer = F.interpolate(plateau[None].double(), (24, 24), mode="bilinear").float()[0]
    assert (finer == plateau[0, 3, 3]).sum() > 400, "the plateau is one value"
    noise = torch.rand(1, 24, 24, generator=torch.Generator().manual_seed(1))
    found = correlation_with_cams([plateau], noise[:, None]).item()
    assert found == pytest.approx(spearmanr(finer.flatten(), noise.flatten()).statistic, abs=1e-9)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"maps": []}, "maps is empty"),
        ({"maps": [torch.rand(2, 3, 3), torch.rand(2, 5)]}, r"maps\[1\] has shape \(2, 5\)"),
        ({"maps": [torch.rand(3, 3, 3)]}, r"maps\[0\] has shape.*B = 2"),
        ({"maps": [torch.full((2, 3, 3), torch.nan)]}, r"maps\[0\] contains NaN"),
        ({"cams": torch.full((2, 7, 3, 3), torch.inf)}, "cams contains NaN or infinite"),
        ({"cams": torch.rand(3, 3)}, r"cams has shape \(3, 3\)"),
    ],
)
def test_maps_that_do_not_belong_together_are_named(unchecked, wrong, message):
    with pytest.raises(ValueError, match=message):
        correlation_with_cams(**({"maps": [torch.rand(2, 3, 3)], "cams": torch.rand(2, 7, 3, 3)} | wrong))
