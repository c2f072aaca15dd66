"""Well-known networks that the papers compare with, as torchvision and timm build them.

Paper A: Inception (it cites Szegedy et al. 2017, on v4 and Inception-ResNet, and names no version, so both v3 and v4)
and MobileNet v1 (Howard et al. 2017). Paper E: ResNet-50 (He et al. 2016; its depth there is our guess), SENet-50 (Hu
et al. 2018) and VGG-16 (Simonyan and Zisserman 2015), members of the ensemble of Khanzada et al. (2020).

Differences from the originals: gray input (RGB is an option), and images of 48 pixels. The Inception networks
downsample too much for that, so they resize the input to 160 pixels; the others take it as it is.
"""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from ..backbones import (
    INCEPTION,
    RESNET_STEM,
    Stem,
    imagenet_weights,
    load_backbone,
    not_in_place,
    set_input_channels,
    timm_weights,
)
from ..options import INPUT_CHANNELS, SHARE, Bounds, InputChannels, Option
from ..preprocessing import resized
from ..registry import RESNET_STAGES, numbered, register_model, within

SIDE = Option(
    "side", 160, "Side in pixels to which the image is resized inside the network.", int, bounds=Bounds(80, 512)
)


def _dropout(default: float) -> Option:
    return Option("dropout", default, "Dropout probability in the classifier.", float, (), SHARE)


class ResizedInput(nn.Module):
    """A network with a fixed input size.

    Args:
        network: maps (B, C, side, side) to logits.
        side: side of the network's input in pixels.
    """

    def __init__(self, network: nn.Module, side: int) -> None:
        super().__init__()
        self.network, self.side = network, side

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """Normalized images (B, C, H, W) → logits (B, num_classes)."""
        return self.network(resized(x, self.side))


def _from_torchvision(name: str, stem: Stem, pixels: tuple | None = None, **fixed) -> Callable[..., nn.Module]:
    """Make a builder for a network of torchvision; `stem` and `pixels` as for `imagenet_weights`."""

    def build(num_classes: int = 7, pretrained: bool = False, channels: InputChannels = 1, **overrides) -> nn.Module:
        from torchvision import models  # here: it takes more than a second

        model = models.get_model(name, num_classes=num_classes, **fixed, **overrides)
        set_input_channels(model, stem.conv, channels)
        if pretrained:
            weights = models.get_model_weights(name)["IMAGENET1K_V1"]
            load_backbone(model, imagenet_weights(weights, stem, channels, pixels))
        not_in_place(model)
        return model

    return build


def _from_timm(name: str, stem: Stem) -> Callable[..., nn.Module]:
    """Make a builder for a network of timm; `stem` as for `timm_weights`."""

    def build(
        num_classes: int = 7, pretrained: bool = False, dropout: float = 0.0, channels: InputChannels = 1
    ) -> nn.Module:
        import timm  # imported here because it takes a second or two

        model = timm.create_model(name, in_chans=channels, num_classes=num_classes, drop_rate=dropout)
        if pretrained:
            load_backbone(model, timm_weights(name, stem, channels))
        not_in_place(model)
        return model

    return build


def _resized(builder: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    def build(num_classes: int = 7, pretrained: bool = False, side: int = SIDE.default, **overrides) -> nn.Module:
        return ResizedInput(builder(num_classes, pretrained, **overrides), side)

    return build


_inception_v3 = _from_torchvision(
    "inception_v3",
    Stem("Conv2d_1a_3x3.conv", "Conv2d_1a_3x3.bn"),
    pixels=INCEPTION,
    aux_logits=False,
    init_weights=True,
)

register_model(
    "inception_v3",
    paper="A",
    title="Inception v3",
    parameters=21_799_335,
    stride=None,
    stages=within(
        "network",
        (
            ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3"),
            ("Mixed_5b", "Mixed_5c", "Mixed_5d"),
            ("Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"),
            ("Mixed_7a", "Mixed_7b", "Mixed_7c"),
        ),
    ),
    cam_layer="network.Mixed_6e",  # 8×8
    options=(SIDE, _dropout(0.5), INPUT_CHANNELS),
    reported={"accuracy of the paper's Inception": 0.5647},
)(_resized(_inception_v3))
register_model(
    "inception_v4",
    paper="A",
    title="Inception v4",
    parameters=41_152_999,
    stride=None,
    stages=numbered("network.features", 0, 6, 10, 18, 22),  # stem, blocks A, blocks B, blocks C
    cam_layer="network.features.17",  # 8×8
    options=(SIDE, _dropout(0.0), INPUT_CHANNELS),
    reported={"accuracy of the paper's Inception": 0.5647},
)(_resized(_from_timm("inception_v4", Stem("features.0.conv", "features.0.bn"))))
register_model(
    "mobilenet_v1",
    paper="A",
    title="MobileNet v1",
    parameters=3_213_575,
    input_size=64,
    stride=32,
    recipe="scratch",
    stages=(("conv_stem", "bn1"), *numbered("blocks", 0, 1, 2, 3, 4, 5)),
    cam_layer="blocks.2",  # 8×8
    options=(_dropout(0.0), INPUT_CHANNELS),
    reported={"accuracy": 0.3634},
)(_from_timm("mobilenetv1_100", Stem("conv_stem", "bn1")))
register_model(
    "resnet50",
    paper="E",
    title="ResNet-50",
    parameters=23_516_103,
    input_size=64,
    stride=32,
    recipe="scratch",
    stages=RESNET_STAGES,
    cam_layer="layer2",  # 8×8
    options=(INPUT_CHANNELS,),
    reported={"accuracy of a ResNet from scratch": 0.5898},
)(_from_torchvision("resnet50", RESNET_STEM))
register_model(
    "senet50",
    paper="E",
    title="SENet-50",
    parameters=26_047_095,
    input_size=64,
    stride=32,
    recipe="scratch",
    stages=RESNET_STAGES,
    cam_layer="layer2",  # 8×8
    attention="squeeze-and-excitation",
    options=(_dropout(0.0), INPUT_CHANNELS),
)(_from_timm("seresnet50", RESNET_STEM))
register_model(
    "vgg16",
    paper="E",
    title="VGG-16",
    parameters=134_288_071,
    input_size=64,
    stride=32,
    recipe="scratch",
    stages=numbered("features", 0, 5, 10, 17, 24, 31),
    cam_layer="features.22",  # 8×8, after the ReLU of the tenth convolution
    options=(_dropout(0.5), INPUT_CHANNELS),
)(_from_torchvision("vgg16", Stem("features.0")))
