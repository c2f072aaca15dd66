"""Five-layer network of Khanzada, Bai and Celepcikay (2020), the small member of paper E's ensemble.

The idea: three convolutions with wide kernels, each followed by an overlapping max-pool, then one hidden layer: a
design from before 3×3 kernels and residual connections.

Differences from that paper: its paddings are not stated; ours keep the maps at 24, 12 and 6 pixels.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from ..options import InputChannels, Share, options_of
from ..preprocessing import resized
from ..registry import register_model

SIDE = 48


def block(in_channels: int, out_channels: int, kernel: int) -> nn.Sequential:
    """Convolution, batch norm, ReLU, max-pool 3/2: (B, C_in, H, W) → (B, C_out, H/2, W/2)."""
    before, after = (kernel - 1) // 2, kernel // 2
    return nn.Sequential(
        nn.ZeroPad2d((before, after, before, after)),  # keeps the size
        nn.Conv2d(in_channels, out_channels, kernel),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
    )


class FiveLayerCNN(nn.Module):
    """Three convolution blocks, a hidden layer of 1024, the output layer.

    Args:
        num_classes: number of logits.
        dropout: dropout probability of the hidden layer.
        channels: number of input channels, 1 for gray, 3 for RGB.
    """

    def __init__(self, num_classes: int = 7, dropout: Share = 0.3, channels: InputChannels = 1) -> None:
        super().__init__()
        self.block1 = block(channels, 32, kernel=5)
        self.block2 = block(32, 32, kernel=4)
        self.block3 = block(32, 64, kernel=5)
        self.hidden = nn.Sequential(nn.Linear(64 * 6 * 6, 1024), nn.ReLU(), nn.Dropout(dropout))
        self.classifier = nn.Linear(1024, num_classes)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """Normalized images (B, C, H, W), resized to 48×48 → logits (B, num_classes)."""
        x = self.block1(resized(x, SIDE))  # (B, 32, 24, 24)
        x = self.block2(x)  # (B, 32, 12, 12)
        x = self.block3(x)  # (B, 64, 6, 6), the layer of the class activation maps
        return self.classifier(self.hidden(x.flatten(1)))


@register_model(
    "five_layer_cnn",
    paper="E",
    title="Five-layer CNN",
    parameters=2_436_263,
    imagenet=False,
    stride=None,
    stages=(("block1",), ("block2",), ("block3",)),
    cam_layer="block3",
    options=options_of(FiveLayerCNN),
)
def five_layer_cnn(num_classes: int = 7, **overrides) -> FiveLayerCNN:
    """Build the small member of the ensemble."""
    return FiveLayerCNN(num_classes, **overrides)
