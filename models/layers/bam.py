"""Bottleneck Attention Module (Park, Woo, Lee and Kweon 2018), the baseline attention of paper D.

The idea: two small networks read the same map. The channel branch weights *channels* and ignores positions, the spatial
branch weights *positions*. Their outputs are added, so every channel at every position has its own weight, and the
weighted map is added to the input:

    M_c = W₁ ReLU(BN(W₀ avg(x)))        channel attention, (B, C, 1, 1)                      eq. 3
    M_s = f₁ₓ₁ u₃ₓ₃ u₃ₓ₃ u₁ₓ₁ (x)       spatial attention, (B, 1, H, W), 3×3 dilated         eq. 4
    x_refined = x + x ⊙ sigmoid(M_c + M_s)                                                   eq. 1, 2

with u = ReLU(BN(f ·)).

Differences from that paper: in its eq. 3 and 4 each branch ends with batch norm; here, as in public code for it, batch
norm and ReLU are between the layers, and no branch ends with them. Sizes are those that give the parameter counts of
paper D (23 808 on ResNet-18, 11 192 on MobileNetV2): reduced width ⌊C/16⌋, at least 1; fully connected layers with
bias, convolutions without; batch norm without scale and shift.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from ..options import Bounds, Reduction


class BAMSteps(NamedTuple):
    """What the module computes on a map (B, C, H, W).

    Attributes:
        average: mean of the map over positions, (B, C).
        m_c: output of the channel branch, any sign, (B, C, 1, 1).
        m_s: output of the spatial branch, any sign, (B, 1, H, W).
        gate: sigmoid(m_c + m_s), the weight of every channel at every position, 0..1, (B, C, H, W).
    """

    average: Tensor
    m_c: Tensor
    m_s: Tensor
    gate: Tensor


class BAM(nn.Module):
    """x ↦ x + x ⊙ sigmoid(M_c + M_s), for maps (B, C, H, W) of any size.

    Args:
        channels: C, number of channels of the map.
        reduction: factor by which the hidden layers of both branches are narrower.
        dilation: dilation of the two 3×3 convolutions of the spatial branch; at 4 its receptive field is 17 pixels
            wide.
    """

    def __init__(self, channels: int, reduction: Reduction = 16, dilation: Annotated[int, Bounds(1, 16)] = 4) -> None:
        super().__init__()
        width = max(channels // reduction, 1)
        self.enabled = True
        self.channel = nn.Sequential(
            nn.Linear(channels, width),
            nn.BatchNorm1d(width, affine=False),
            nn.ReLU(),
            nn.Linear(width, channels),
        )
        self.spatial = nn.Sequential(
            *_unit(channels, width, kernel=1),
            *_unit(width, width, kernel=3, dilation=dilation),
            *_unit(width, width, kernel=3, dilation=dilation),
            nn.Conv2d(width, 1, 1, bias=False),
        )
        self.gate = nn.Sigmoid()

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Weight the map; with `enabled = False` it is returned unchanged."""
        if not self.enabled:
            return x
        return x + x * self.steps(x).gate

    def steps(self, x: Float[Tensor, "B C H W"]) -> BAMSteps:
        """Return the outputs of both branches and the gate."""
        average = x.mean((-2, -1))  # (B, C)
        m_c = self.channel(average)[:, :, None, None]  # (B, C, 1, 1)
        m_s = self.spatial(x)  # (B, 1, H, W)
        return BAMSteps(average, m_c, m_s, self.gate(m_c + m_s))


def _unit(in_channels: int, out_channels: int, kernel: int, dilation: int = 1) -> tuple[nn.Module, ...]:
    """Convolution that keeps the size, batch norm, ReLU."""
    padding = dilation * (kernel // 2)
    return (
        nn.Conv2d(in_channels, out_channels, kernel, padding=padding, dilation=dilation, bias=False),
        nn.BatchNorm2d(out_channels, affine=False),
        nn.ReLU(),
    )
