"""How much of a module's weights is the same on every image."""

from __future__ import annotations

from math import isnan

import pytest
import torch

from workbench.analysis.attention import fixed_share


@pytest.fixture
def noise() -> torch.Tensor:
    return torch.rand(50, 30, 20, generator=torch.Generator().manual_seed(0))


def test_one_mask_for_all_images_is_wholly_fixed(noise):
    assert fixed_share(noise[:1].expand(7, -1, -1)) == pytest.approx(1)


def test_what_differs_between_images_alone_is_not_fixed_at_all(noise):
    assert fixed_share(noise[:, :1, :1].expand(-1, 30, 20)) == pytest.approx(0)


def test_weights_without_any_pattern_have_one_part_in_as_many_as_there_are_images(noise):
    shares = [fixed_share(noise[:n]) for n in (2, 10, 50)]
    assert shares == pytest.approx([1 / 2, 1 / 10, 1 / 50], rel=0.1)


def test_it_is_the_share_of_the_variance_between_positions(noise):
    mask = torch.linspace(0, 1, 600).reshape(30, 20)
    both = mask + noise - noise.mean((1, 2), keepdim=True)
    between = both.mean(0).var(correction=0)
    within = both.var(0, correction=0).mean()
    assert fixed_share(both) == pytest.approx(float(between / (between + within)))
    assert fixed_share(3 * both - 8) == pytest.approx(fixed_share(both)), "whatever unit the weights have"


def test_weights_that_are_all_equal_have_no_share():
    assert isnan(fixed_share(torch.full((3, 4, 4), 0.1)))
    assert isnan(fixed_share(0.1 + 1e-9 * torch.rand(3, 4, 4).double()))


@pytest.mark.parametrize("maps", [torch.rand(1, 4, 4), torch.rand(3, 0, 4), torch.full((2, 2, 2), torch.nan)])
def test_undefined_input_is_refused(maps):
    with pytest.raises(ValueError, match="maps"):
        fixed_share(maps)
