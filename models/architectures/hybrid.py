"""Hybrid networks of paper B: a convolutional backbone, attention, a transformer block and a branch for each class.

The idea: a backbone trained on ImageNet makes a map of features. SCA weights its channels and positions; a transformer
block relates all positions to each other. Each class then has a small branch, whose input is the average of the
weighted features and that of the transformer's output, and a fusion layer combines the branches:

    gray → adapter → backbone → SCA → transformer → [avg SCA ; avg transformer] → 7 branches → fusion → logits

Differences from the paper: it names the layers, but few of their widths. Ours: SCA with reduction 16, one encoder layer
as wide as the backbone's map, a branch for each class (the paper names four as examples), branches of 96, a fusion
layer of 256. On ResNet-50 that is 77.3 million parameters; the paper says 77.4. "About 2.5 million" for
MobileNetV3-Small is the original network with 1000 classes, without this head. The learnable adapter from gray to RGB
is a small convolutional network; the paper does not describe it. With ImageNet weights it is initialized to repeat the
gray channel, so that the backbone gets the input scale that it was trained with. Several scales are combined by
averaging their maps.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..backbones import (
    RESNET_STEM,
    Stem,
    imagenet_weights,
    lite0_weights,
    load_backbone,
    not_in_place,
    timm_weights,
)
from ..layers.sca import SCA
from ..layers.transformer import TransformerBlock, sine_positions
from ..options import Channels, InputChannels, Share, Side, options_of
from ..preprocessing import resized
from ..registry import RESNET_STAGES, register_model, within
from .efficientnet_lite0 import STAGES as LITE0_STAGES
from .efficientnet_lite0 import lite0

Adapter = Literal["repeat", "learned"]


class Backbone(nn.Module):
    """The convolutional part of a known network: RGB images (B, 3, H, W) → its last map (B, channels, H/32, W/32).

    Args:
        name: "resnet50", "efficientnet_b3", "mobilenet_v3_small" (torchvision), "xception" or "efficientnet_lite0"
            (timm; the latter without its last, widening convolution).
    """

    def __init__(self, name: str) -> None:
        from torchvision.models import get_model  # here: it takes more than a second

        super().__init__()
        self.name = name
        self.channels: int
        if name == "xception":
            import timm  # imported here because it takes a second or two

            net = cast(Any, timm.create_model("legacy_xception", num_classes=0, global_pool=""))
            self.channels = net.num_features
        elif name == "efficientnet_lite0":
            whole = lite0()
            net = nn.Sequential(OrderedDict((part, getattr(whole, part)) for part in ("conv_stem", "bn1", "blocks")))
            self.channels = 320
        elif name == "resnet50":
            net = cast(Any, get_model(name))
            self.channels = net.fc.in_features
            net.avgpool = net.fc = nn.Identity()
        else:
            net = cast(Any, get_model(name)).features
            self.channels = net[-1].out_channels
        self.net = net
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 0.1  # MobileNetV3 has 0.01, which averages over 100 steps, half an epoch of FER2013
        not_in_place(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return the last feature map."""
        if self.name != "resnet50":
            return self.net(x)
        net: Any = self.net
        x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
        return net.layer4(net.layer3(net.layer2(net.layer1(x))))

    def load_imagenet(self) -> None:
        """Load the ImageNet weights of torchvision or timm, adapted to the normalization of our input."""
        if self.name == "xception":
            state = timm_weights("legacy_xception", RESNET_STEM, 3)
        elif self.name == "efficientnet_lite0":
            head = ("conv_head.", "bn2.")
            state = {key: value for key, value in lite0_weights(3).items() if not key.startswith(head)}
        else:
            stem = RESNET_STEM if self.name == "resnet50" else Stem("features.0.0", "features.0.1")
            from torchvision.models import get_model_weights

            weights = get_model_weights(self.name)["IMAGENET1K_V1"]
            state = imagenet_weights(weights, stem, 3)
            state = {key.removeprefix("features."): value for key, value in state.items()}
        load_backbone(self.net, state)


class Hybrid(nn.Module):
    """Adapter, backbone, SCA, transformer block, class branches, fusion.

    Args:
        backbone: see `Backbone`.
        num_classes: number of branches and of logits.
        adapter: conversion from gray to RGB: the channel repeated, or a small convolutional network. RGB input reaches
            the backbone as it is, or through such a network too.
        multiscale: average the backbone's maps of the face at full size and at three quarters of it.
        side: side in pixels to which the image is resized inside the network; the paper has 224.
        branch: width of the branch of each class.
        dropout: dropout probability in transformer and fusion.
        channels: number of input channels, 1 for gray, 3 for RGB.
    """

    def __init__(
        self,
        backbone: str,
        num_classes: int = 7,
        adapter: Adapter = "repeat",
        multiscale: bool = False,
        side: Side = 224,
        branch: Channels = 96,
        dropout: Share = 0.1,
        channels: InputChannels = 1,
    ) -> None:
        super().__init__()
        if adapter not in ("repeat", "learned"):
            raise ValueError(f'adapter="{adapter}": choose "repeat" or "learned"')
        if adapter == "learned":
            self.adapter = nn.Sequential(nn.Conv2d(channels, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 3, 1))
        else:
            self.adapter = Repeat() if channels == 1 else nn.Identity()
        self.multiscale, self.side = multiscale, side
        self.backbone = Backbone(backbone)
        width = self.backbone.channels
        self.sca = SCA(width, reduction=16)
        self.transformer = TransformerBlock(width, heads=8, dropout=dropout)
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Linear(2 * width, branch), nn.ReLU()) for _ in range(num_classes)
        )
        self.fusion = nn.Sequential(nn.Linear(num_classes * branch, 256), nn.ReLU(), nn.Dropout(dropout))
        self.classifier = nn.Linear(256, num_classes)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """Normalized images (B, C, H, W) → logits (B, num_classes)."""
        return self.fuse(self.class_branches(x))

    def class_branches(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K width"]:
        """Return the output of the branch of each class, at least 0, before fusion: (B, K, branch)."""
        x = self.adapter(resized(x, self.side))  # (B, 3, side, side)
        features = self.backbone(x)  # (B, D, side/32, side/32): 7×7, the layer of the class activation maps
        if self.multiscale:
            smaller = self.backbone(resized(x, 3 * self.side // 4))
            features = (features + F.interpolate(smaller, features.shape[-2:], mode="bilinear")) / 2
        features = self.sca(features)  # (B, D, h, w)
        tokens = features.flatten(2).mT  # (B, N, D), N = h·w
        tokens = self.transformer(tokens + sine_positions(*features.shape[-2:], features.shape[1], like=tokens))
        both = torch.cat([features.mean((-2, -1)), tokens.mean(1)], 1)  # (B, 2D)
        return torch.stack([branch(both) for branch in self.branches], 1)

    def fuse(self, outputs: Float[Tensor, "B K width"]) -> Float[Tensor, "B K"]:
        """Combine the branches' outputs (B, K, branch) to logits (B, K)."""
        return self.classifier(self.fusion(outputs.flatten(1)))


class Repeat(nn.Module):
    """Gray (B, 1, H, W) → RGB (B, 3, H, W) with three equal channels."""

    def forward(self, x: Tensor) -> Tensor:
        """Repeat the channel."""
        return x.expand(-1, 3, -1, -1)


@torch.no_grad()
def initialize_as_repetition(adapter: nn.Sequential) -> None:
    """Initialize a learnable adapter to repeat gray or keep RGB: relu(x) - relu(-x) = x; other maps have weight 0."""
    first, second = (cast(Any, adapter[i]) for i in (0, 2))  # convolutions
    channels = first.in_channels
    first.weight[: 2 * channels] = first.bias[: 2 * channels] = 0
    second.weight.zero_()
    second.bias.zero_()
    for c in range(channels):
        first.weight[2 * c, c, 1, 1], first.weight[2 * c + 1, c, 1, 1] = 1, -1
        outputs = slice(None) if channels == 1 else c
        second.weight[outputs, 2 * c], second.weight[outputs, 2 * c + 1] = 1, -1


STAGES = {
    "resnet50": RESNET_STAGES,
    "efficientnet_b3": (("0", "1"), ("2",), ("3",), ("4", "5"), ("6", "7", "8")),
    "mobilenet_v3_small": (("0",), ("1",), ("2", "3"), ("4", "5", "6", "7", "8"), ("9", "10", "11", "12")),
    "efficientnet_lite0": (*LITE0_STAGES[:-1], ("blocks.5", "blocks.6")),
    "xception": (
        ("conv1", "bn1", "conv2", "bn2"),
        ("block1",),
        ("block2",),
        tuple(f"block{i}" for i in range(3, 12)),
        ("block12", "conv3", "bn3", "conv4", "bn4"),
    ),
}
"""Layers of each backbone by the size of their output: H/2, H/4, H/8, H/16, H/32."""


def _register(
    name: str,
    backbone: str,
    title: str,
    parameters: int,
    reported: dict[str, float],
    recipe: str = "adamw",
    side: int = 224,
    cam_layer: str = "backbone",  # 7×7
) -> None:
    def build(num_classes: int = 7, pretrained: bool = False, side: Side = side, **overrides) -> Hybrid:
        model = Hybrid(backbone, num_classes, side=side, **overrides)
        if pretrained:
            model.backbone.load_imagenet()
            if isinstance(model.adapter, nn.Sequential):
                initialize_as_repetition(model.adapter)
        return model

    register_model(
        name,
        paper="B",
        title=title,
        parameters=parameters,
        stride=None,
        stages=within("backbone.net", STAGES[backbone]),
        cam_layer=cam_layer,
        attention_layers=("sca", "transformer"),
        attention="SCA, transformer",
        class_branches=True,
        reported=reported,
        recipe=recipe,
        options=options_of(partial(Hybrid, backbone, side=side)),
    )(build)


_register(
    "hybrid_resnet50",
    "resnet50",
    "Hybrid ResNet-50",
    77_320_137,
    {"balanced accuracy": 0.5830, "macro F1": 0.5829, "recall of happy": 0.832, "recall of surprise": 0.775},
)
_register(
    "hybrid_efficientnet_b3",
    "efficientnet_b3",
    "Hybrid EfficientNet-B3",
    41_563_537,
    {
        "kappa": 0.4281,
        "recall of sad": 0.73,
        "recall of surprise": 0.65,
        "recall of fear": 0.12,
        "recall of disgust": 0.28,
    },
)
_register(
    "hybrid_xception",
    "xception",
    "Hybrid Xception",
    74_619_057,
    {"balanced accuracy": 0.246, "recall of happy": 0.6483, "recall of surprise": 0.0249, "recall of sad": 0.0568},
)
_register(
    "hybrid_mobilenet_v3_small",
    "mobilenet_v3_small",
    "Hybrid MobileNetV3-Small",
    5_906_893,
    {"macro F1": 0.1769, "recall of happy": 0.5992, "recall of disgust": 0.0631, "recall of fear": 0.0205},
)
# Ours: a backbone whose ImageNet weights come in a package, at an input size that can be trained on a CPU.
_register(
    "hybrid_efficientnet_lite0",
    "efficientnet_lite0",
    "Hybrid EfficientNet-Lite0 (ours)",
    4_809_885,
    {},
    recipe="transfer",
    side=96,
    cam_layer="backbone.net.blocks.4",  # 6×6
)
