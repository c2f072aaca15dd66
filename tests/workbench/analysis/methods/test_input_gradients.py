"""Methods whose map has the pixels of the image, against networks with a known map."""

from __future__ import annotations

import copy

import torch
from helpers.small_networks import images
from torch import nn

from workbench.analysis.methods import explain_with


def test_integrated_gradients_of_a_linear_network_are_weight_times_pixel_and_signed():
    x = images(2)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(144, 3))
    right = linear[1].weight[2].detach().view(12, 12) * x[:, 0]
    assert right.min() < 0 < right.max()
    torch.testing.assert_close(explain_with(linear, x, "integrated_gradients", 2), right)


def test_integrated_gradients_add_up_to_what_the_logit_gains_over_plain_gray(net, x):
    with torch.no_grad():
        gain = (net(x) - net(torch.zeros_like(x)))[:, 4]
    torch.testing.assert_close(explain_with(net, x, "integrated_gradients", 4).sum((1, 2)), gain, atol=1e-3, rtol=1e-2)


def test_occlusion_and_integrated_gradients_sum_over_the_channels_of_a_color_image():
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()), torch.randn(2, 3, 12, 14)
    gray = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    gray[0].weight.data = model[0].weight.data.sum(1, keepdim=True)
    gray[0].bias.data = model[0].bias.data
    one = x[:, :1]
    for name in ("occlusion", "integrated_gradients"):
        assert explain_with(model, x, name, 1).shape == (2, 12, 14)
        torch.testing.assert_close(
            explain_with(model, one.expand(-1, 3, -1, -1), name, 1),
            explain_with(gray, one, name, 1),
            atol=1e-5,
            rtol=1e-4,
        )


def test_full_gradient_pairs_each_bias_with_its_gradient_in_any_order_of_layers(net, x):
    right = explain_with(net, x, "fullgrad", 2)
    shuffled = copy.deepcopy(net)
    shuffled._modules = dict(reversed(shuffled._modules.items()))
    torch.testing.assert_close(explain_with(shuffled, x, "fullgrad", 2), right)
    net.norm.bias.data += 3  # the biases do count
    assert not torch.allclose(explain_with(net, x, "fullgrad", 2), right, atol=1e-2)


def test_smoothgrad_of_a_linear_network_is_the_largest_weight_of_the_channels():
    linear = nn.Sequential(nn.Flatten(), nn.Linear(3 * 144, 3))
    right = linear[1].weight[2].detach().view(3, 12, 12).abs().amax(0)
    found = explain_with(linear, torch.randn(2, 3, 12, 12), "smoothgrad", 2)
    torch.testing.assert_close(found, right.expand(2, -1, -1))
