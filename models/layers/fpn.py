"""Top-down fusion of the levels of a backbone (feature pyramid; Lin et al. 2017), as paper A uses it.

The idea: deep maps have semantics but little spatial detail, shallow maps the opposite. From the deepest level on, the
map is upsampled and added to the next shallower one, so that the last map has both.

Differences from the paper: levels are added after 1×1 convolutions, upsampling is nearest-neighbor, and one 3×3
convolution smooths the last map, as in Lin et al.; the paper states none of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


class TopDown(nn.Module):
    """Levels A1 … A5 (B, C_i, H_i, W_i), shallow to deep → one map (B, width, H_1, W_1).

    Args:
        channels: C_i of each level, shallow to deep.
        width: channels of the fused map. A lateral 1×1 convolution projects each level to it.
    """

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        self.smooth = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Fuse the levels."""
        fused = self.lateral[-1](levels[-1])  # (B, width, H_5, W_5)
        for lateral, level in zip(reversed(self.lateral[:-1]), reversed(levels[:-1]), strict=True):
            fused = lateral(level) + F.interpolate(fused, level.shape[-2:], mode="nearest")  # (B, width, H_i, W_i)
        return self.smooth(fused)
