"""Convolutional Block Attention Module (Woo, Park, Lee and Kweon 2018), as paper E uses it.

The idea: first weight the channels (*what* matters), then the positions (*where* it matters). Each weight is computed
from both the average and the maximum of the map, because they carry different information.

    M_c(F) = σ(MLP(avg F) + MLP(max F))      one weight for each channel, the MLP shared        paper E, eq. 1
    M_s(F) = σ(f₇ₓ₇[avg F; max F])            one weight for each position                       paper E, eq. 2
    F' = M_c(F) ⊙ F,   F'' = M_s(F') ⊙ F'

Differences from paper E: its equation of M_c closes a bracket too early; σ is applied to the sum, as in the module's
own paper. The MLP has biases and the 7×7 convolution has none, which follows from the parameter count of its authors'
public code.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn


class CBAMSteps(NamedTuple):
    """What the module computes on a map (B, C, H, W).

    Attributes:
        average, maximum: mean and maximum of the map over positions, (B, C).
        m_c: weight of each channel, 0..1, (B, C, 1, 1).
        weighted: the map times m_c, (B, C, H, W).
        pooled: average and maximum of that over channels, (B, 2, H, W).
        m_s: weight of each position, 0..1, (B, 1, H, W).
    """

    average: Tensor
    maximum: Tensor
    m_c: Tensor
    weighted: Tensor
    pooled: Tensor
    m_s: Tensor


class CBAM(nn.Module):
    """x ↦ M_s ⊙ (M_c ⊙ x), for maps (B, C, H, W) of any size.

    Args:
        channels: C, of the map.
        reduction: r, factor by which the MLP's hidden layer is narrower.
        kernel: side of the convolution over positions, odd.
    """

    def __init__(self, channels: int, reduction: int = 16, kernel: int = 7) -> None:
        super().__init__()
        hidden = max(channels // reduction, 1)
        self.enabled = True
        self.mlp = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))
        self.conv = nn.Conv2d(2, 1, kernel, padding=kernel // 2, bias=False)
        self.channel_gate, self.spatial_gate = nn.Sigmoid(), nn.Sigmoid()

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Weight the map; with `enabled = False` it is returned unchanged."""
        if not self.enabled:
            return x
        steps = self.steps(x)
        return steps.m_s * steps.weighted

    def steps(self, x: Float[Tensor, "B C H W"]) -> CBAMSteps:
        """Return both gates of a map and all intermediate results."""
        average, maximum = x.mean((-2, -1)), x.amax((-2, -1))  # (B, C) each
        m_c = self.channel_gate(self.mlp(average) + self.mlp(maximum))[:, :, None, None]  # (B, C, 1, 1)
        weighted = m_c * x  # (B, C, H, W)
        pooled = torch.stack([weighted.mean(1), weighted.amax(1)], 1)  # (B, 2, H, W)
        m_s = self.spatial_gate(self.conv(pooled))  # (B, 1, H, W)
        return CBAMSteps(average, maximum, m_c, weighted, pooled, m_s)
