"""Depthwise-separable convolution, as in MobileNet (Howard et al. 2017) and paper E.

The idea: a 3×3 convolution from C to D channels does two things at once, it looks at neighbours and it mixes channels,
and takes 9·C·D weights for that. Done one after the other, with 9 weights for each channel and then a 1×1 convolution,
it takes 9·C + C·D: about nine times fewer.
"""

from __future__ import annotations

from torch import nn


class DSC(nn.Sequential):
    """Depthwise 3×3, batch-norm, ReLU, pointwise 1×1, batch-norm, ReLU: (B, C_in, H, W) → (B, C_out, ⌈H/s⌉, ⌈W/s⌉).

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
    """What a DSC stands in for: one full 3×3 convolution, batch-norm, ReLU; arguments and shapes as for `DSC`."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
        )
