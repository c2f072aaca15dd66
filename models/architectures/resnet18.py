"""ResNet-18 and its variants with attention, the main networks of paper D (SVD attention on high frequencies).

The idea: ResNet-18 (He et al. 2016) has five stages of 64, 64, 128, 256 and 512 channels. There is one attention module
between each two of them, four in all, the first after the stem before the max-pool (112×112 at 224 px). SVD attention
adds 708 parameters to 11 173 831; BAM, the baseline attention, adds 23 808.

Differences from the paper: it resizes FER2013 from 48 to 224 pixels. Ours trains at 64 px, which is twelve times
cheaper; `--input-size 224` gives theirs. One gray input channel, the default, follows from the paper's parameter
counts. `resnet18_svd_hfc_normalized` is ours: singular values divided by the largest, to keep the gate from saturating.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from ..backbones import RESNET_STEM, imagenet_weights, load_backbone, not_in_place
from ..layers.bam import BAM
from ..layers.svd_attention import SVDAttention
from ..options import INPUT_CHANNELS, InputChannels, options_of
from ..registry import RESNET_STAGES, register_model


class ResNet18(nn.Module):
    """torchvision's ResNet-18 with optional attention between its stages.

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
        from torchvision.models import resnet18  # here: it takes more than a second

        super().__init__()
        for name, module in resnet18(num_classes=num_classes).named_children():
            self.add_module(name, module)
        self.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")  # as torchvision's
        self.attention = nn.ModuleList(attention(c) if attention else nn.Identity() for c in (64, 64, 128, 256))
        not_in_place(self)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """Normalized images (B, C, H, W) → logits (B, num_classes)."""
        net: Any = self
        x = net.relu(net.bn1(net.conv1(x)))  # (B, 64, H/2, W/2)
        x = net.maxpool(net.attention[0](x))  # (B, 64, H/4, W/4)
        x = net.attention[1](net.layer1(x))  # (B, 64, H/4, W/4)
        x = net.attention[2](net.layer2(x))  # (B, 128, H/8, W/8): 6×6 at 48 px, CAM layer: `layer2`
        x = net.attention[3](net.layer3(x))  # (B, 256, H/16, W/16)
        x = net.layer4(x)  # (B, 512, H/32, W/32)
        x = net.avgpool(x).flatten(1)  # (B, 512)
        return net.fc(x)


def _build(
    attention: Callable[..., nn.Module] | None,
    num_classes: int = 7,
    pretrained: bool = False,
    channels: InputChannels = 1,
    **arguments,
) -> ResNet18:
    """Build a variant; `arguments` go to its attention modules."""
    model = ResNet18(num_classes, attention and partial(attention, **arguments), channels)
    if pretrained:
        from torchvision.models import ResNet18_Weights

        load_backbone(model, imagenet_weights(ResNet18_Weights.IMAGENET1K_V1, RESNET_STEM, channels))
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
        stages=RESNET_STAGES,
        cam_layer="layer2",
        attention_layers=tuple(f"attention.{i}" for i in range(4)) if attention else (),
        attention=kind,
        recipe="scratch",
        options=(INPUT_CHANNELS, *(options_of(attention) if attention else ())),
        reported=reported,
    )(partial(_build, attention))


# Of the paper's tables 1 (CK+) and 2. Its averages are means of the classes' accuracies; the plain accuracies follow
# from its rows and the sizes of the classes.
ON_FER2013, BALANCED, ON_CKPLUS = "accuracy on FER2013", "balanced accuracy on FER2013", "balanced accuracy on CK+"

_register("resnet18", "ResNet-18", 11_173_831, None, {BALANCED: 0.5956, ON_FER2013: 0.6256, ON_CKPLUS: 0.869})
_register(
    "resnet18_bam", "ResNet-18 + BAM", 11_197_639, BAM, {BALANCED: 0.6035, ON_FER2013: 0.6272, ON_CKPLUS: 0.9043}, "BAM"
)
for _query, _title, _parameters, _reported in (
    ("hfc", "HFC", 11_174_539, {BALANCED: 0.6043, ON_FER2013: 0.6282, ON_CKPLUS: 0.9231}),
    ("lfc", "LFC", 11_174_539, {ON_CKPLUS: 0.8688}),
    ("hfc_lfc", "HFC, LFC", 11_174_735, {ON_CKPLUS: 0.917}),
    ("hfc_lfc_hl", "HFC, LFC, H×L", 11_174_931, {ON_CKPLUS: 0.8773}),
):
    _attention = partial(SVDAttention, query=_query)
    _register(f"resnet18_svd_{_query}", f"ResNet-18 + SVD ({_title})", _parameters, _attention, _reported, "SVD")
_normalized = partial(SVDAttention, normalize=True)  # ours
_register("resnet18_svd_hfc_normalized", "ResNet-18 + SVD (HFC, normalized)", 11_174_539, _normalized, {}, "SVD")
