"""A small network with all that the web demo has to record, and networks as services open them."""

from __future__ import annotations

import dataclasses

import torch
from torch import nn

from helpers.checkpoint_folders import CARD
from models import get_spec
from models.layers.cbam import CBAM
from models.layers.transformer import TransformerBlock
from workbench.services.networks import Network


class Late(nn.Module):
    """A network whose target layer is far from its end: strided, grouped and pooled, with attention of two kinds."""

    def __init__(self):
        super().__init__()
        self.maps = nn.Sequential(nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.attention = CBAM(8, reduction=2)
        self.depthwise = nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8, bias=False)
        self.norm, self.activation, self.pool = nn.BatchNorm2d(8), nn.Hardswish(), nn.MaxPool2d(2)
        self.block = TransformerBlock(8, heads=2)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        x = self.attention(self.maps(x))
        x = self.pool(self.activation(self.norm(self.depthwise(x))))
        return self.head(self.block(x.flatten(2).mT).mean(1))


def network(model: nn.Module, layer: str, modules: tuple[str, ...] = (), channels: int = 1, **card) -> Network:
    """A network of a test as services open it; `card` are fields of its card."""
    card |= {"temperature": 1.5, "overrides": {"channels": channels} if channels > 1 else {}}
    with torch.no_grad():
        for _ in range(3):
            model.train()(torch.randn(8, channels, 32, 32))  # statistics of batch normalization
    spec = dataclasses.replace(get_spec("vanilla_cnn"), cam_layer=layer, attention_layers=modules)
    return Network("small", spec, model.eval(), dataclasses.replace(CARD, **card))


def late_network() -> Network:
    """`Late` with random weights, the same each time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return network(Late(), "maps", ("attention", "block"), classes=("happy", "neutral", "sad"))
