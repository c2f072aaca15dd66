"""The convolutional network of Vulpe-Grigoraşi and Grigore (2021), which paper E implements first.

The idea: hyperparameter search instead of design. Widths, dropout probabilities and the size of the hidden layer of a
plain stack of convolutions were selected by random search on FER2013, which found 256, 512, 384, 192 and 384 channels.

Differences from that paper: none known. Padding and biases follow from the parameter count, 5 170 503.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from ..options import InputChannels, Share, options_of
from ..preprocessing import resized
from ..registry import numbered, register_model

SIDE = 48
WIDTHS = (256, 512, 384, 192, 384)


class VulpeCNN(nn.Module):
    """Five convolutions, the last four each with batch norm, max-pool and dropout, and one hidden layer.

    Args:
        num_classes: number of logits.
        dropout: dropout probability after each pooling.
        hidden_dropout: dropout probability after the hidden layer.
        channels: number of input channels, 1 for gray, 3 for RGB.
    """

    def __init__(
        self,
        num_classes: int = 7,
        dropout: Share = 0.4,
        hidden_dropout: Share = 0.3,
        channels: InputChannels = 1,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(channels, WIDTHS[0], 3, padding=1), nn.ReLU())
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(WIDTHS[i], WIDTHS[i + 1], 3, padding=1),
                    nn.ReLU(),
                    nn.BatchNorm2d(WIDTHS[i + 1]),
                    nn.MaxPool2d(2),
                    nn.Dropout(dropout),
                )
                for i in range(4)
            )
        )
        self.hidden = nn.Sequential(
            nn.Linear(WIDTHS[4] * 3 * 3, 256), nn.ReLU(), nn.BatchNorm1d(256), nn.Dropout(hidden_dropout)
        )
        self.classifier = nn.Linear(256, num_classes)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """Normalized images (B, C, H, W), resized to 48×48 → logits (B, num_classes)."""
        x = self.stem(resized(x, SIDE))  # (B, 256, 48, 48)
        x = self.blocks(x)  # (B, 384, 3, 3) via 24×24, 12×12 and 6×6; CAM layer: `blocks.2`, 6×6
        return self.classifier(self.hidden(x.flatten(1)))


@register_model(
    "vulpe_cnn",
    paper="E",
    title="Vulpe-Grigoraşi CNN",
    parameters=5_170_503,
    imagenet=False,
    stride=None,
    stages=(("stem",), *numbered("blocks", 0, 1, 2, 3, 4)),
    cam_layer="blocks.2",
    reported={"accuracy": 0.7216},
    options=options_of(VulpeCNN),
)
def vulpe_cnn(num_classes: int = 7, **overrides) -> VulpeCNN:
    """Build the network that the search found."""
    return VulpeCNN(num_classes, **overrides)
