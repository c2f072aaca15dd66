"""Methods that hide something and ask again, against networks that lose just what is planted."""

from __future__ import annotations

import pytest
import torch
from helpers.small_networks import Halves, images
from torch import nn

from workbench.analysis.methods import explain_with


@pytest.mark.parametrize("bias", [0, -100])
def test_ablation_weights_a_map_by_what_the_logit_loses_without_it(bias):
    """A linear head loses exactly v_k · mean(A^k), also from maps with negative values and for a negative logit."""
    torch.manual_seed(3)
    model = nn.Sequential(nn.Conv2d(1, 40, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(40, 3))
    model[3].bias.data.fill_(bias)
    x = images(2)
    with torch.no_grad():
        A = model[0](x)  # (2, 40, 12, 12)
        assert A.min() < 0
        right = torch.einsum("bk,bkhw->bhw", model[3].weight[1] * A.mean((2, 3)), A).relu()
    assert right.amax((1, 2)).min() > 0
    torch.testing.assert_close(explain_with(model, x, "ablationcam", 1, "0"), right, atol=1e-4, rtol=1e-3)


def test_ablation_takes_the_last_call_of_a_layer_that_is_called_twice():
    class Twice(nn.Module):
        def __init__(self, last: nn.Module | None):
            super().__init__()
            self.first = nn.Conv2d(3, 3, 3, padding=1)
            self.last = last or self.first
            self.head = nn.Linear(3, 2)

        def forward(self, x):
            return self.head(self.last(self.first(x).relu()).relu_().mean((2, 3)))

    torch.manual_seed(0)
    shared, apart, x = Twice(None), Twice(nn.Conv2d(3, 3, 3, padding=1)), torch.randn(2, 3, 8, 8)
    apart.load_state_dict(shared.state_dict())
    maps = explain_with(shared, x, "ablationcam", 1, "first")
    assert maps.max() > 0
    torch.testing.assert_close(maps, explain_with(apart, x, "ablationcam", 1, "last"))


def test_score_cam_weights_a_map_by_the_logit_of_the_masked_image():
    """What the left map leaves has logit 72 · 0.02 for "left"; what the right one leaves has 0."""
    x = torch.full((1, 1, 12, 12), 0.02)
    weights = torch.tensor([72 * 0.02, 0.0]).softmax(0)
    right = 0.02 * (weights[:, None, None] * Halves().masks).sum(0, keepdim=True)
    # Near the seam the map is blurred by resizing, but here it has the image's size already.
    torch.testing.assert_close(explain_with(Halves(), x, "scorecam", 0, "maps"), right)


def test_occlusion_is_the_drop_of_the_logit_and_signed():
    """Windows of 2×2: four pixels of the left half are lost or none; a network of the opposite opinion gains them."""
    drops = explain_with(Halves(), torch.ones(1, 1, 12, 12), "occlusion", 0)[0]
    assert torch.allclose(drops[:, :5], torch.tensor(4.0))
    assert torch.allclose(drops[:, 7:], torch.tensor(0.0))
    opposite = Halves()
    opposite.masks *= -1
    assert explain_with(opposite, torch.ones(1, 1, 12, 12), "occlusion", 0).min() == -4


def test_rise_is_the_mean_probability_of_the_class_while_a_pixel_is_kept():
    """A pixel of the left half speaks for "left", one of the right half against it; without evidence all are equal."""
    seen = explain_with(Halves(), torch.full((1, 1, 12, 12), 0.2), "rise", 0)[0]
    assert seen.mean() == pytest.approx(0.5, abs=0.02)
    assert seen[:, :4].min() > 0.5 > seen[:, 8:].max()
    blind = nn.Sequential(nn.Flatten(), nn.Linear(144, 4))
    nn.init.zeros_(blind[1].weight)
    nn.init.zeros_(blind[1].bias)
    torch.testing.assert_close(explain_with(blind, torch.ones(1, 1, 12, 12), "rise", 2), torch.full((1, 12, 12), 0.25))
