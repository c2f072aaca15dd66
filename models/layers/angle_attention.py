"""Angle-sensitive spatial attention of paper A (RARN).

The idea: a convolution answers to a pattern in one direction only, so a turned head answers less. Turn the kernels
instead: every one is applied at several angles, and the responses together, the *angle map*, say how strongly a
position answers at whatever angle. Their average and maximum make one weight for each position.

    R[n, k] = (kernel k, turned by θ_n) * x        angle map, N angles × K kernels        (B, N, K, H, W)
    a = σ(BN(f₇ₓ₇[avg R; max R]))                  weight of each position               (B, 1, H, W)
    x' = a ⊙ x

Differences from the paper: it says that a convolution turns the map into an angle map and does not say how a
convolution becomes sensitive to angles. The bank of turned kernels, turned by bilinear sampling, is our choice; it
makes the angle that won readable at each position. What is between the joined maps and σ is "a convolutional network":
ours is one 7×7 convolution and batch-norm, as in the authors' own code of CBAM. Without batch-norm, and with zeros
around the map, training drove the weights to 0 on every face, but for the two rows at the upper edge.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class AngleSteps(NamedTuple):
    """What the module computes on a map (B, C, H, W).

    Attributes:
        angle_map: responses, (B, N, K, H, W).
        average, maximum: of the angle map over angles and kernels, (B, 1, H, W).
        a: weight of each position, 0..1, (B, 1, H, W).
        angle: the angle in degrees whose response is the largest, counter-clockwise, (B, H, W).
    """

    angle_map: Tensor
    average: Tensor
    maximum: Tensor
    a: Tensor
    angle: Tensor


class AngleAttention(nn.Module):
    """x ↦ a ⊙ x, for maps (B, C, H, W) of any size.

    Args:
        channels: C, of the map.
        kernels: K, how many patterns are learned.
        angles: N, at how many angles each is applied, evenly over the full turn.
        side: of a kernel, odd.
    """

    def __init__(self, channels: int, kernels: int = 4, angles: int = 8, side: int = 5) -> None:
        super().__init__()
        self.enabled = True
        self.angles = angles
        self.weight = nn.Parameter(torch.empty(kernels, channels, side, side))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        self.conv = nn.Conv2d(2, 1, 7, padding=3, padding_mode="replicate", bias=False)
        self.norm = nn.BatchNorm2d(1)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Weigh the map; switched off (`enabled = False`) it returns its input."""
        if not self.enabled:
            return x
        return self.steps(x).a * x

    def steps(self, x: Float[Tensor, "B C H W"]) -> AngleSteps:
        """The gate of a map, everything on the way to it, and the angle that won."""
        turned = self.turned_kernels().to(x.dtype)  # (N, K, C, s, s)
        responses = F.conv2d(x, turned.flatten(0, 1), padding=self.weight.shape[-1] // 2)  # (B, N·K, H, W)
        average, maximum = responses.mean(1, keepdim=True), responses.amax(1, keepdim=True)  # (B, 1, H, W) each
        a = torch.sigmoid(self.norm(self.conv(torch.cat([average, maximum], 1))))  # (B, 1, H, W)
        angle_map = responses.unflatten(1, (self.angles, -1))  # (B, N, K, H, W)
        angle = angle_map.amax(2).argmax(1) * (360 / self.angles)  # (B, H, W)
        return AngleSteps(angle_map, average, maximum, a, angle)

    def turned_kernels(self) -> Float[Tensor, "N K C s s"]:
        """Every kernel at every angle. Corners that a turn brings in from outside of the kernel are zero."""
        theta = torch.arange(self.angles, device=self.weight.device) * (2 * math.pi / self.angles)  # (N,)
        cos, sin, zero = theta.cos(), theta.sin(), torch.zeros_like(theta)
        turns = torch.stack([torch.stack([cos, -sin, zero], 1), torch.stack([sin, cos, zero], 1)], 1)  # (N, 2, 3)
        flat = self.weight.flatten(0, 1).float()  # (K·C, s, s)
        grid = F.affine_grid(turns.float(), (self.angles, *flat.shape), align_corners=False)
        turned = F.grid_sample(flat.expand(self.angles, -1, -1, -1), grid, align_corners=False)  # (N, K·C, s, s)
        return turned.unflatten(1, self.weight.shape[:2])
