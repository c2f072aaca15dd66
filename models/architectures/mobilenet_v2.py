"""MobileNetV2 and its variants with attention, the second backbone of paper D (SVD attention on high frequencies).

The idea: MobileNetV2 (Sandler et al. 2018) expands a map with few channels, filters each channel by itself and
projects the map back to few channels, which is cheap. Between its blocks of 32, 16, 24, 32, 64, 96, 160 and 320
channels there are seven attention modules: 767 parameters for SVD attention, 11 192 for BAM, beside 2 232 263.

Differences from the paper: it resizes FER2013 from 48 to 224 pixels; ours trains at 64 px. One gray input channel,
the default, follows from the paper's parameter counts. `mobilenet_v2_svd_hfc_normalized` is ours: singular values
divided by the largest, to keep the gate from saturating.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from ..backbones import Stem, imagenet_weights, load_backbone, not_in_place
from ..layers.bam import BAM
from ..layers.svd_attention import SVDAttention
from ..options import INPUT_CHANNELS, InputChannels, options_of
from ..registry import numbered, register_model

ATTENTION_AFTER = {0: 32, 1: 16, 3: 24, 6: 32, 10: 64, 13: 96, 16: 160}
"""Layers of `features` that an attention module follows, with their channels: the last of each block but the 320."""


class AttentionMobileNetV2(nn.Module):
    """torchvision's MobileNetV2 with optional attention between its blocks.

    Args:
        num_classes: number of logits.
        attention: maps a number of channels to an attention module; None: without attention.
        channels: number of input channels, 1 for gray, 3 for RGB.
    """

    def __init__(
        self,
        num_classes: int = 7,
        attention: Callable[[int], nn.Module] | None = None,
        channels: InputChannels = 1,
    ) -> None:
        from torchvision.models import mobilenet_v2  # here: it takes more than a second

        super().__init__()
        net = mobilenet_v2(num_classes=num_classes)
        self.features: Any = net.features
        self.classifier = net.classifier
        stem = nn.Conv2d(channels, 32, 3, stride=2, padding=1, bias=False)
        nn.init.kaiming_normal_(stem.weight, mode="fan_out")  # as torchvision's
        self.features[0][0] = stem
        self.attention = nn.ModuleDict()
        if attention:
            self.attention.update({f"after{i}": attention(channels) for i, channels in ATTENTION_AFTER.items()})
        not_in_place(self)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """Normalized images (B, C, H, W) → logits (B, num_classes)."""
        for i, layer in enumerate(self.features):
            x = layer(x)  # (B, 32, H/2, W/2) … (B, 1280, H/32, W/32); CAM layer: `features.6`
            if f"after{i}" in self.attention:
                x = self.attention[f"after{i}"](x)
        x = x.mean((-2, -1))  # (B, 1280)
        return self.classifier(x)


def _build(
    attention: Callable[..., nn.Module] | None,
    num_classes: int = 7,
    pretrained: bool = False,
    channels: InputChannels = 1,
    **arguments,
) -> AttentionMobileNetV2:
    """Build a variant; `arguments` go to its attention modules."""
    model = AttentionMobileNetV2(num_classes, attention and partial(attention, **arguments), channels)
    if pretrained:
        from torchvision.models import MobileNet_V2_Weights

        state = imagenet_weights(MobileNet_V2_Weights.IMAGENET1K_V2, Stem("features.0.0", "features.0.1"), channels)
        load_backbone(model, state)
    return model


def _register(
    name: str,
    title: str,
    parameters: int,
    attention: Callable[..., nn.Module] | None,
    reported: dict[str, float],
    kind: str = "",
) -> None:
    register_model(
        name,
        paper="D",
        title=title,
        parameters=parameters,
        input_size=64,
        stride=32,
        stages=numbered("features", 0, 2, 4, 7, 14, 19),  # by the size of the map: H/2, H/4, … H/32
        cam_layer="features.6",
        attention_layers=tuple(f"attention.after{i}" for i in ATTENTION_AFTER) if attention else (),
        attention=kind,
        recipe="scratch",
        options=(INPUT_CHANNELS, *(options_of(attention) if attention else ())),
        reported=reported,
    )(partial(_build, attention))


# Of the paper's table 2. Its averages are means of the classes' accuracies; the plain accuracies follow from its rows
# and the sizes of the classes.
for _name, _title, _parameters, _attention, _kind, _balanced, _accuracy, _ckplus in (
    ("mobilenet_v2", "MobileNetV2", 2_232_263, None, "", 0.5609, 0.5833, 0.8025),
    ("mobilenet_v2_bam", "MobileNetV2 + BAM", 2_243_455, BAM, "BAM", 0.5656, 0.5861, 0.8825),
    ("mobilenet_v2_svd_hfc", "MobileNetV2 + SVD (HFC)", 2_233_030, SVDAttention, "SVD", 0.5702, 0.5915, 0.8934),
):
    _reported = {
        "balanced accuracy on FER2013": _balanced,
        "accuracy on FER2013": _accuracy,
        "balanced accuracy on CK+": _ckplus,
    }
    _register(_name, _title, _parameters, _attention, _reported, _kind)
_normalized = partial(SVDAttention, normalize=True)  # ours
_register("mobilenet_v2_svd_hfc_normalized", "MobileNetV2 + SVD (HFC, normalized)", 2_233_030, _normalized, {}, "SVD")
