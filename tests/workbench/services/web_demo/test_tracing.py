"""A recorded network gives the workbench's results for any image, its gradients among them."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from helpers.web_networks import network
from torch import nn

from models.layers.svd_attention import SVDAttention
from workbench.analysis import cam
from workbench.services.web_demo import WebDemoError
from workbench.services.web_demo.tracing import computed, trace


def pooled(*last: nn.Module, channels: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, 6, 3, padding=1), *last, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 7)
    )


@pytest.mark.parametrize(
    ("model", "layer"),
    [
        (pooled(nn.ReLU()), "0"),
        (pooled(nn.BatchNorm2d(6), nn.SiLU(), nn.AvgPool2d(2)), "0"),
        (pooled(nn.GELU(), nn.Conv2d(6, 6, 5, stride=3, padding=1), nn.Hardtanh()), "0"),
        (pooled(nn.ReplicationPad2d((1, 2, 0, 3)), nn.Conv2d(6, 6, 3), nn.ReLU()), "0"),
    ],
)
def test_recorded_maps_are_grad_cam_of_other_images_too(model, layer):
    net = network(model, layer)
    traced = trace(net)
    pixels = torch.rand(1, 1, 32, 32)
    logits, maps = traced.graph(pixels)
    torch.testing.assert_close(logits, net.logits(net.normalized(pixels)), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(maps, cam.gradcam(net.model, net.normalized(pixels), None, layer)[0])
    assert maps.max() > 0


@pytest.mark.parametrize(("gray_images", "planes"), [(True, 1), (False, 3)])
def test_a_network_of_three_channels_takes_colors_only_if_it_was_trained_on_them(gray_images, planes):
    net = network(pooled(nn.ReLU(), channels=3), "0", channels=3, gray_images=gray_images)
    traced, pixels = trace(net), torch.rand(1, planes, 32, 32)
    assert traced.pixels.shape == pixels.shape
    torch.testing.assert_close(traced.graph(pixels)[0], net.logits(net.normalized(pixels)), atol=1e-5, rtol=1e-5)


def test_attention_maps_of_every_kind_are_recorded(late):
    traced = trace(late)
    assert [(m.layer, m.title) for m in traced.attention] == [
        ("attention", "spatial map"), ("block", "head 1"), ("block", "head 2"), ("block", "rollout of this block"),
    ]  # fmt: skip
    pixels = torch.rand(1, 1, 32, 32)
    for found, wanted in zip(traced.graph(pixels), computed(late, pixels)[0], strict=True):
        torch.testing.assert_close(found, wanted)


def test_a_network_of_too_many_classes_is_refused(late):
    many = tuple(f"class {i}" for i in range(21))
    with pytest.raises(WebDemoError, match="21 classes"):
        trace(dataclasses.replace(late, card=dataclasses.replace(late.card, classes=many)))


def test_a_network_with_svd_attention_is_refused_at_once():
    net = network(nn.Sequential(nn.Conv2d(1, 2, 3), SVDAttention(2), nn.Flatten(), nn.LazyLinear(7)), "0", ("1",))
    with pytest.raises(WebDemoError, match="ONNX has no singular value decomposition"):
        trace(net)
