"""Residual CNN, the second network of paper C (ResNet-50 + CNN for FER2013, section 3).

The idea: fewer plain convolution blocks than the vanilla CNN, and pairs of convolutions whose input is added to their
output, y = x + F(x). F then only has to model the *residual*, and the gradient reaches early layers
through the sum without passing F. The network is small enough to train on two CPU cores in an hour or two.

Differences from the paper: it takes out some convolution blocks and adds residual ones, without numbers. Ours: a plain
convolution to each of 32, 64, 128 and 256 channels (the last three with stride 2 instead of max-pooling), and one
residual pair at 64, 128 and 256. F ends with a ReLU, so a pair can only increase values; He et al. (2016) have the
ReLU after the sum. At 48 px the last map is 6×6, large enough for class activation maps.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from ..options import Channels, InputChannels, Share, options_of
from ..registry import register_model


class ConvUnit(nn.Sequential):
    """3×3 convolution, batch norm, ReLU: (B, C_in, H, W) → (B, C_out, ⌈H/stride⌉, ⌈W/stride⌉)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
        )


class ResidualPair(nn.Module):
    """y = x + F(x), where F is two convolution units; the shape (B, C, H, W) stays."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.unit1 = ConvUnit(channels, channels)
        self.unit2 = ConvUnit(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Add the residual to the map."""
        return x + self.unit2(self.unit1(x))


class Stage(nn.Sequential):
    """One strided unit, which halves the map, and one residual pair."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(ConvUnit(in_channels, out_channels, stride=2), ResidualPair(out_channels))


class ResidualCNN(nn.Module):
    """Stem, three residual stages, global average, one linear layer.

    Args:
        num_classes: number of logits.
        width: channels of the stem; the stages have 2, 4 and 8 times as many.
        dropout: dropout probability of the pooled features.
        channels: number of input channels, 1 for gray, 3 for RGB.
    """

    def __init__(
        self, num_classes: int = 7, width: Channels = 32, dropout: Share = 0.2, channels: InputChannels = 1
    ) -> None:
        super().__init__()
        w = width
        self.stem = ConvUnit(channels, w)
        self.stage1 = Stage(w, 2 * w)
        self.stage2 = Stage(2 * w, 4 * w)
        self.stage3 = Stage(4 * w, 8 * w)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(8 * w, num_classes)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """Normalized images (B, C, H, W) → logits (B, num_classes)."""
        x = self.stem(x)  # (B, w, H, W)
        x = self.stage1(x)  # (B, 2w, H/2, W/2)
        x = self.stage2(x)  # (B, 4w, H/4, W/4)
        x = self.stage3(x)  # (B, 8w, H/8, W/8): 6×6 at 48 px, the layer of the class activation maps
        x = self.pool(x).flatten(1)  # (B, 8w)
        return self.classifier(self.dropout(x))


@register_model(
    "residual_cnn",
    paper="C",
    title="Residual CNN",
    parameters=1_940_199,
    imagenet=False,
    smallest_side=8,
    stages=(("stem",), ("stage1",), ("stage2",), ("stage3",)),
    cam_layer="stage3",
    reported={"training accuracy": 0.724, "validation accuracy": 0.681},
    options=options_of(ResidualCNN),
)
def residual_cnn(num_classes: int = 7, **overrides) -> ResidualCNN:
    """Build the residual network of paper C."""
    return ResidualCNN(num_classes, **overrides)
