"""Random and Gaussian maps, and the score of a map beside them."""

from __future__ import annotations

import pytest
import torch

from workbench.analysis.baseline_maps import Score, gaussian_map, random_maps


def test_the_bar_is_the_best_of_twenty_on_the_side_that_is_better():
    random = torch.linspace(0.2, 0.8, 20)
    lower, higher = (Score("", "", 0.5, 0, random, up, 0, 1) for up in (False, True))
    assert lower.bar == pytest.approx(0.2)
    assert higher.bar == pytest.approx(0.8)
    assert not lower.beats_random
    assert not higher.beats_random
    assert Score("", "", 0.19, 0, random, False, 0, 1).beats_random
    assert not Score("", "", 0.19, 0, random, True, 0, 1).beats_random
    assert not Score("", "", 0.25, 0, torch.full((20,), 0.25), False, 0, 1).beats_random, "equal is not better"


def test_random_maps_are_smooth_seeded_and_as_often_positive_as_negative():
    maps = random_maps(200, (48, 40), (6, 5), seed=7)
    assert maps.shape == (200, 48, 40)
    assert torch.equal(maps, random_maps(200, (48, 40), (6, 5), seed=7))
    assert not torch.equal(maps, random_maps(200, (48, 40), (6, 5), seed=8))
    assert maps.abs().max() <= 1
    assert abs(float(maps.mean())) < 0.03
    assert (maps[:, 1:] - maps[:, :-1]).abs().max() <= 2 * 6 / 48 + 1e-6, "no step larger than the grid allows"


def test_the_gaussian_is_highest_in_the_middle_and_the_same_on_every_side():
    hill = gaussian_map((31, 21))
    assert hill.argmax() == 15 * 21 + 10
    torch.testing.assert_close(hill, hill.flip(0).flip(1))
    assert hill[15, 10] == 1
