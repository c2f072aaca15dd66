"""Angle-sensitive attention: kernels rotate, and the angle with the largest response is that of the pattern."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from models.layers.angle_attention import AngleAttention
from models.layers.fpn import TopDown


def test_a_quarter_turn_of_a_rotated_kernel_is_rot90():
    torch.manual_seed(0)
    kernels = AngleAttention(3, kernels=2, angles=8, side=5).rotated_kernels()
    for n in range(8):
        expected = torch.rot90(kernels[n], 1, (-2, -1))
        torch.testing.assert_close(kernels[(n + 2) % 8], expected, atol=1e-5, rtol=1e-4)


def test_rotated_kernels_keep_their_norm_inside_of_a_circle():
    torch.manual_seed(0)
    layer = AngleAttention(3, kernels=2, angles=8, side=5)
    kernels, circle = layer.rotated_kernels(), layer.circle()
    assert circle.sum() == 21  # 5×5 without its corners
    assert (kernels * (1 - circle) == 0).all()
    norm = (layer.weight * circle).flatten(1).norm(dim=1).expand(8, -1)
    torch.testing.assert_close(kernels.flatten(2).norm(dim=2), norm)
    with torch.no_grad():
        layer.weight.zero_()
    assert (layer.rotated_kernels() == 0).all()


@pytest.mark.parametrize("what", ["noise", "smooth noise"])
def test_no_angle_is_favored_by_the_rotation_of_kernels(what):
    torch.manual_seed(0)
    wins, layers = torch.zeros(8), 24
    for _ in range(layers):  # kernels are random: their mean, not each of them, has no preferred direction
        layer, x = AngleAttention(8), torch.randn(4, 8, 26, 26)
        x = x if what == "noise" else F.avg_pool2d(x, 3, stride=1)  # what deep maps are like
        angle = layer.steps(x).angle
        wins += torch.bincount((angle / 45).long().flatten(), minlength=8) / angle.numel()
    assert (wins / layers - 1 / 8).abs().max() < 0.02


def test_the_angle_with_the_largest_response_is_that_of_the_pattern():
    layer = AngleAttention(1, kernels=1, angles=8, side=5)
    with torch.no_grad():  # an edge: dark on the left, bright on the right
        layer.weight.copy_(torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0]).expand(1, 1, 5, 5))
    y, x = torch.meshgrid(torch.linspace(1, -1, 15), torch.linspace(-1, 1, 15), indexing="ij")
    for n in range(8):
        theta = (n + 0.5) * math.pi / 4
        steps = layer.steps((math.cos(theta) * x + math.sin(theta) * y)[None, None])
        assert steps.angle[0, 7, 7].item() == (n + 0.5) * 45
    assert steps.angle_map.shape == (1, 8, 1, 15, 15)
    assert steps.a.shape == (1, 1, 15, 15)


def test_turning_the_image_turns_the_angle_map():
    torch.manual_seed(0)
    layer, x = AngleAttention(2, kernels=3, angles=4, side=3), torch.randn(1, 2, 9, 9)
    before, after = layer.steps(x).angle_map, layer.steps(torch.rot90(x, 1, (-2, -1))).angle_map
    torch.testing.assert_close(torch.rot90(before, 1, (-2, -1)).roll(1, dims=1), after, atol=1e-4, rtol=1e-3)


def test_the_gate_is_that_of_its_equation_and_switched_off_it_does_nothing():
    torch.manual_seed(0)
    layer, x = AngleAttention(2).eval(), torch.randn(2, 2, 7, 6)
    with torch.no_grad():
        for value in (layer.norm.running_mean, layer.norm.running_var, layer.norm.weight, layer.norm.bias):
            value.copy_(torch.rand(1) + 0.5)
    steps = layer.steps(x)
    flat = steps.angle_map.flatten(1, 2)
    summaries = F.pad(torch.stack([flat.mean(1), flat.amax(1)], 1), (3, 3, 3, 3), mode="replicate")
    gate = layer.norm(F.conv2d(summaries, layer.conv.weight)).sigmoid()
    torch.testing.assert_close(steps.a, gate)
    torch.testing.assert_close(layer(x), gate * x)
    layer.enabled = False
    assert layer(x) is x


def test_the_top_down_path_adds_enlarged_deep_maps_to_shallow_ones():
    torch.manual_seed(0)
    fusion = TopDown((3, 5, 7), width=4)
    levels = [torch.randn(1, 3, 8, 8), torch.randn(1, 5, 4, 4), torch.randn(1, 7, 2, 2)]
    a = fusion.lateral[2](levels[2]).repeat_interleave(2, -1).repeat_interleave(2, -2) + fusion.lateral[1](levels[1])
    a = a.repeat_interleave(2, -1).repeat_interleave(2, -2) + fusion.lateral[0](levels[0])
    torch.testing.assert_close(fusion(levels), fusion.smooth(a))
