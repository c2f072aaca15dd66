"""Angle-sensitive spatial attention of paper A (RARN).

The idea: a convolution responds to a pattern in one direction only, so a tilted head gives weaker responses. Rotate the
kernels instead: each one is applied at several angles, and all responses together, the *angle map*, say how strongly a
position responds at any angle. Their average and maximum make one attention weight per position.

    R[n, k] = (kernel k, rotated by θ_n) * x       angle map, N angles × K kernels        (B, N, K, H, W)
    a = σ(BN(f₇ₓ₇[avg R; max R]))                  attention weight of each position      (B, 1, H, W)
    x' = a ⊙ x

Differences from the paper: it says that a convolution turns the map into an angle map, and not how a convolution
becomes sensitive to angles. The bank of rotated kernels is our choice; it gives the angle with the largest response
at each position. Between the concatenated maps and σ is "a convolutional network": ours is one 7×7
convolution and batch norm, as in the authors' own code of CBAM. Without batch norm, and with zero padding,
training drove the weights to 0 on every face, except in the two rows at the upper edge.

No angle may be favored by how kernels are rotated. Bilinear sampling smooths a kernel except at multiples of 90°, and a
square loses its corners. So kernels are restricted to a circle, keep their norm, and the angles are half a step away
from 0°: θ_n = (n + ½)·360°/N. With eight angles all are then 22.5° away from the grid and are smoothed alike. With
angles at multiples of 45°, the four kernels that are not smoothed (multiples of 90°) have the largest response at 88 %
of the positions of white noise; with norms restored, the four smoothed ones have it at 76 % of the positions of a
face.
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
        average, maximum: mean and maximum of the angle map over angles and kernels, (B, 1, H, W).
        a: attention weight of each position, 0..1, (B, 1, H, W).
        angle: θ_n with the largest response, in degrees counterclockwise, 0..360, (B, H, W).
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
        kernels: K, number of learned kernels.
        angles: N, number of angles at which each kernel is applied, evenly over 360°.
        side: s, of a kernel, odd.
    """

    def __init__(self, channels: int, kernels: int = 4, angles: int = 8, side: int = 5) -> None:
        super().__init__()
        self.enabled = True
        self.angles = angles
        self.weight = nn.Parameter(torch.empty(kernels, channels, side, side))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        self.conv = nn.Conv2d(2, 1, 7, padding=3, padding_mode="replicate", bias=False)
        self.norm = nn.BatchNorm2d(1)
        self.gate = nn.Sigmoid()

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Weight the map; with `enabled = False` it is returned unchanged."""
        if not self.enabled:
            return x
        return self.steps(x).a * x

    def steps(self, x: Float[Tensor, "B C H W"]) -> AngleSteps:
        """Return the gate of a map, all intermediate results, and the angle with the largest response."""
        rotated = self.rotated_kernels().to(x.dtype)  # (N, K, C, s, s)
        responses = F.conv2d(x, rotated.flatten(0, 1), padding=self.weight.shape[-1] // 2)  # (B, N·K, H, W)
        average, maximum = responses.mean(1, keepdim=True), responses.amax(1, keepdim=True)  # (B, 1, H, W) each
        a = self.gate(self.norm(self.conv(torch.cat([average, maximum], 1))))  # (B, 1, H, W)
        angle_map = responses.unflatten(1, (self.angles, -1))  # (B, N, K, H, W)
        angle = (angle_map.amax(2).argmax(1) + 0.5) * (360 / self.angles)  # (B, H, W)
        return AngleSteps(angle_map, average, maximum, a, angle)

    def rotated_kernels(self) -> Float[Tensor, "N K C s s"]:
        """Return every kernel at every angle θ_n: zero outside of the circle, with the norm it has inside of it."""
        theta = (torch.arange(self.angles, device=self.weight.device) + 0.5) * (2 * math.pi / self.angles)  # (N,)
        cos, sin, zero = theta.cos(), theta.sin(), torch.zeros_like(theta)
        rotations = torch.stack([torch.stack([cos, -sin, zero], 1), torch.stack([sin, cos, zero], 1)], 1)  # (N, 2, 3)
        circle = self.circle()  # (s, s)
        flat = (self.weight.float() * circle).flatten(0, 1)  # (K·C, s, s)
        grid = F.affine_grid(rotations, [self.angles, *flat.shape], align_corners=False)
        rotated = F.grid_sample(flat.expand(self.angles, -1, -1, -1), grid, align_corners=False) * circle
        rotated = rotated.unflatten(1, self.weight.shape[:2])  # (N, K, C, s, s)
        norm = flat.unflatten(0, self.weight.shape[:2]).flatten(1).norm(dim=1)  # (K,)
        rescale = norm / rotated.flatten(2).norm(dim=2).clamp_min(1e-12)  # (N, K)
        return rotated * rescale[..., None, None, None]

    def circle(self) -> Float[Tensor, "s s"]:
        """Return 1 inside of the circle of diameter s, 0 in the corners."""
        s = self.weight.shape[-1]
        r = torch.arange(s, device=self.weight.device) - (s - 1) / 2
        return (r[:, None].square() + r.square() <= (s / 2) ** 2).float()
