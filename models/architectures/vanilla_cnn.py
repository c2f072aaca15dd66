"""Vanilla CNN, the baseline of paper C (ResNet-50 + CNN for FER2013, section 3).

The idea: stack blocks of max-pooling, convolution and normalization. Each block halves the map and doubles the
channels, until an average over positions leaves one feature vector for the classifier. There are no skip connections:
this is the baseline for the residual CNN.

Differences from the paper: the paper names the ingredients (convolution, normalization, max-pool) without widths or
depths. Ours: 32-64-128-256 channels, two 3×3 convolutions a block, pooling before each block but the first (so that the
last map is 6×6 at 48 px, large enough for class activation maps), as wide as `residual_cnn`. The two differ in more
than the residual connections: that one has ten convolutions, not eight (1.94 million parameters, not 1.17), and halves
the map by strides, not by pooling.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from ..options import Channels, InputChannels, Share, options_of
from ..registry import register_model


class ConvBlock(nn.Sequential):
    """Max-pool, then (3×3 convolution, batch norm, ReLU) twice: (B, C_in, H, W) → (B, C_out, ⌊H/2⌋, ⌊W/2⌋)."""

    def __init__(self, in_channels: int, out_channels: int, pool: bool = True, batch_norm: bool = True) -> None:
        norm = nn.BatchNorm2d if batch_norm else nn.Identity  # without it, each convolution has a bias
        super().__init__(
            nn.MaxPool2d(2) if pool else nn.Identity(),
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=not batch_norm),
            norm(out_channels),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=not batch_norm),
            norm(out_channels),
            nn.ReLU(),
        )


class VanillaCNN(nn.Module):
    """Convolution blocks, global average, one linear layer.

    Args:
        num_classes: number of logits.
        width: channels of the first block; the next ones have 2, 4 and 8 times as many.
        dropout: dropout probability of the pooled features.
        batch_norm: batch normalization after each convolution; according to the paper, convergence is 31 % faster with
            it.
        channels: number of input channels, 1 for gray, 3 for RGB.
    """

    def __init__(
        self,
        num_classes: int = 7,
        width: Channels = 32,
        dropout: Share = 0.2,
        batch_norm: bool = True,
        channels: InputChannels = 1,
    ) -> None:
        super().__init__()
        w = width
        self.block1 = ConvBlock(channels, w, pool=False, batch_norm=batch_norm)
        self.block2 = ConvBlock(w, 2 * w, batch_norm=batch_norm)
        self.block3 = ConvBlock(2 * w, 4 * w, batch_norm=batch_norm)
        self.block4 = ConvBlock(4 * w, 8 * w, batch_norm=batch_norm)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(8 * w, num_classes)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """Normalized images (B, C, H, W), H and W at least 8 → logits (B, num_classes)."""
        x = self.block1(x)  # (B, w, H, W)
        x = self.block2(x)  # (B, 2w, H/2, W/2)
        x = self.block3(x)  # (B, 4w, H/4, W/4)
        x = self.block4(x)  # (B, 8w, H/8, W/8): 6×6 at 48 px, the layer of the class activation maps
        x = self.pool(x).flatten(1)  # (B, 8w)
        return self.classifier(self.dropout(x))


@register_model(
    "vanilla_cnn",
    paper="C",
    title="Vanilla CNN",
    parameters=1_174_439,
    imagenet=False,
    smallest_side=8,
    stages=(("block1",), ("block2",), ("block3",), ("block4",)),
    cam_layer="block4",
    reported={"training accuracy": 0.682, "validation accuracy": 0.662},
    options=options_of(VanillaCNN),
)
def vanilla_cnn(num_classes: int = 7, **overrides) -> VanillaCNN:
    """Build the baseline of paper C."""
    return VanillaCNN(num_classes, **overrides)
