"""LIME and KernelSHAP against networks whose superpixels have known weights."""

from __future__ import annotations

import pytest
import torch
from helpers.small_networks import images
from torch import nn

from workbench.analysis.methods import explain_with
from workbench.analysis.methods.superpixels import superpixels


@pytest.mark.parametrize("channels", [1, 3])
def test_superpixels_of_a_linear_network_get_what_their_pixels_add_to_the_logit(channels):
    torch.manual_seed(0)
    x = images(2).expand(-1, channels, -1, -1).contiguous()
    linear = nn.Sequential(nn.Flatten(), nn.Linear(144 * channels, 3))
    weights = linear[1].weight[2].detach().view(channels, 12, 12)
    for i, image in enumerate(x):
        labels, shares = superpixels(image), (weights * image).sum(0)
        right = torch.stack([shares[labels == k].sum() for k in range(int(labels.max()) + 1)])[labels]
        torch.testing.assert_close(explain_with(linear, x, "kernelshap", 2)[i], right, atol=1e-4, rtol=1e-3)
        shrunk = explain_with(linear, x, "lime", 2)[i]  # its ridge shrinks weights a little
        assert (shrunk - right).abs().max() < 0.05 * right.abs().max()


def test_superpixels_are_numbered_from_zero_and_cover_a_blank_image():
    assert superpixels(images(1)[0]).unique().tolist() == list(range(int(superpixels(images(1)[0]).max()) + 1))
    assert superpixels(torch.zeros(3, 12, 12)).shape == (12, 12)
