"""Rotation-Aware Residual Network, paper A.

The idea: a residual backbone makes maps of five depths, A1 to A5, each half the size of the last. A top-down path adds
the deep ones, upsampled, to the shallow ones. Angle-sensitive attention then weights positions by how strongly they
respond to patterns at any angle, so that a tilted head should cost less accuracy.

Differences from the paper: how a convolution becomes sensitive to angles is not stated; see `angle_attention.py` for
our choice, and `fpn.py` for the joins. The head, not stated either, is global average, dropout and one linear layer;
the input size is not stated, ours is 48 px. Backbone, fusion and attention are arguments, so that each can be measured
by ablation: without fusion and attention this is the plain ResNet, but for the dropout before its last layer. The paper
calls the network lightweight: with ResNet-152 it has 60 million parameters.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from jaxtyping import Float
from torch import Tensor, nn

from ..backbones import RESNET_STEM, imagenet_weights, load_backbone, not_in_place, set_input_channels
from ..layers.angle_attention import AngleAttention
from ..layers.fpn import TopDown
from ..options import Bounds, Channels, InputChannels, Share, options_of
from ..registry import RESNET_STAGES, register_model, within

Backbone = Literal["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]


class RARN(nn.Module):
    """Backbone, top-down fusion, angle-sensitive attention, linear head.

    Args:
        num_classes: number of logits.
        backbone: the residual network that makes the five levels; the paper has ResNet-152.
        fusion: fuse all five levels; False: only the deepest level.
        attention: weight spatial positions; False: no attention.
        width: channels of the fused map.
        angles: number of angles at which each kernel of the attention is applied.
        kernels: number of kernels of the attention.
        kernel_size: side of the attention's kernels.
        dropout: probability with which training sets a pooled feature to zero.
        channels: number of input channels, 1 for gray, 3 for RGB.
    """

    def __init__(
        self,
        num_classes: int = 7,
        backbone: Backbone = "resnet152",
        fusion: bool = True,
        attention: bool = True,
        width: Channels = 256,
        angles: Annotated[int, Bounds(1, 36)] = 8,
        kernels: Annotated[int, Bounds(1, 64)] = 4,
        kernel_size: Literal[3, 5, 7] = 5,
        dropout: Share = 0.2,
        channels: InputChannels = 1,
    ) -> None:
        from torchvision.models import get_model  # here: it takes more than a second

        super().__init__()
        if backbone not in get_args(Backbone):
            raise ValueError(f'backbone="{backbone}": choose one of {", ".join(get_args(Backbone))}')
        self.fuses = fusion
        self.backbone: Any = get_model(backbone, num_classes=1)
        set_input_channels(self.backbone, "conv1", channels)
        deepest = self.backbone.fc.in_features
        del self.backbone.fc, self.backbone.avgpool
        levels = (64, deepest // 8, deepest // 4, deepest // 2, deepest)
        fused = width if fusion else deepest
        self.fusion = TopDown(levels, width) if fusion else nn.Identity()
        self.attention = AngleAttention(fused, kernels, angles, kernel_size) if attention else nn.Identity()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(fused, num_classes)
        not_in_place(self)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """Normalized images (B, C, H, W) → logits (B, num_classes)."""
        levels = self.levels(x)
        x = self.fusion(levels if self.fuses else levels[-1])  # (B, width, H/2, W/2), or A5 without fusion
        x = self.attention(x)  # the same shape
        return self.classifier(self.dropout(self.pool(x).flatten(1)))

    def levels(self, x: Float[Tensor, "B C H W"]) -> list[Tensor]:
        """Return the maps A1 … A5 of the backbone, shallow to deep, each half the size of the last."""
        net = self.backbone
        a1 = net.relu(net.bn1(net.conv1(x)))  # (B, 64, H/2, W/2)
        a2 = net.layer1(net.maxpool(a1))  # (B, 256, H/4, W/4) with a backbone of 50 layers or more
        a3 = net.layer2(a2)  # (B, 512, H/8, W/8)
        a4 = net.layer3(a3)  # (B, 1024, H/16, W/16)
        a5 = net.layer4(a4)  # (B, 2048, H/32, W/32)
        return [a1, a2, a3, a4, a5]


@register_model(
    "rarn",
    paper="A",
    title="RARN",
    parameters=59_755_819,
    input_size=64,
    stride=32,
    stages=within("backbone", RESNET_STAGES),
    cam_layer="fusion",
    attention_layers=("attention",),
    attention="angle",
    recipe="scratch",
    reported={"accuracy": 0.5751},
    options=options_of(RARN),
)
def rarn(
    num_classes: int = 7,
    pretrained: bool = False,
    backbone: Backbone = "resnet152",
    channels: InputChannels = 1,
    **overrides,
) -> RARN:
    """Build the network of paper A."""
    model = RARN(num_classes, backbone, channels=channels, **overrides)
    if pretrained:
        from torchvision.models import get_model_weights

        weights = get_model_weights(backbone)["IMAGENET1K_V1"]
        load_backbone(model.backbone, imagenet_weights(weights, RESNET_STEM, channels))
    return model
