"""Depthwise-separable convolution, as in MobileNet (Howard et al. 2017) and paper E.

The idea: a 3×3 convolution from C to D channels filters neighborhoods and mixes channels in one step, with 9·C·D
weights. In two steps, with a 3×3 filter for each channel and then a 1×1 convolution, it needs 9·C + C·D: about nine
times fewer.
"""

from __future__ import annotations

from torch import nn


class DSC(nn.Sequential):
    """Depthwise 3×3, batch norm, ReLU, pointwise 1×1, batch norm, ReLU: (B, C_in, H, W) → (B, C_out, ⌈H/s⌉, ⌈W/s⌉).

    Args:
        in_channels, out_channels: C_in and C_out.
        stride: s, of the depthwise convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_channels, in_channels, 3, stride=stride, padding=1, groups=in_channels),
            nn.BatchNorm2d(in_channels),
            nn.ReLU(),
            nn.Conv2d(in_channels, out_channels, 1),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
        )


class FullConv(nn.Sequential):
    """The full 3×3 convolution that `DSC` replaces, with batch norm and ReLU; arguments and shapes as for `DSC`."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
        )
