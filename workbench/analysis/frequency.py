"""The slow and the fast waves of a picture (paper D, eq. 2 and 3).

Equation 2 filters the spectrum, equation 3 returns to the picture, for the high part h of a map x:

    H = M_high ⊙ FFT(x)          h = FFT⁻¹(H)          low = x − h

The paper does not say where its high-pass starts nor how steep it is. The cut-off (a quarter of the side), the circular
mask with its sharp edge, and the two soft alternatives are our choice.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.layers.frequency import Mask, radial_mask

from .checks import float_matrices


def split_frequencies(
    x: Tensor, cutoff: float = 0.25, mask: Mask = "ideal"
) -> tuple[Float[Tensor, "*maps H W"], Float[Tensor, "*maps H W"]]:
    """Split a picture into its fast and its slow waves; they add up to the picture again.

    Args:
        x: pictures or maps (..., H, W), any unit; each is split by itself. A gradient flows through.
        cutoff: where fast begins, in cycles per pixel (radius / side), 0 to 1; 0.5 is the finest stripe along an axis.
        mask: "ideal" (sharp), "gaussian" or "butterworth" (soft); see `models.layers.frequency`.

    Returns:
        (high, low), each of the shape of `x`, in float32 (float64 for float64). `high` has mean zero, and high + low is
        `x` up to rounding.

    Raises:
        ValueError: NaN or infinite values in `x`, fewer than two dimensions, `cutoff` outside 0..1, unknown `mask`.
    """
    x = float_matrices(x)
    height, width = x.shape[-2:]
    M_low = radial_mask(height, width, cutoff, mask, device=x.device, dtype=x.dtype)  # (H, W//2+1)
    low = torch.fft.irfft2(M_low * torch.fft.rfft2(x), s=(height, width))  # (..., H, W)
    return x - low, low


def likeness(maps: Tensor) -> Float[Tensor, "N N"]:
    """How alike maps are: Pearson's correlation of every pair, (N, H, W) → (N, N), in −1..1.

    A map without contrast is like no other: its correlations are 0, and 1 with itself.

    Raises:
        ValueError: `maps` is not (N, H, W), or holds NaN or infinite values.
    """
    if maps.ndim != 3:
        raise ValueError(f"maps has shape {tuple(maps.shape)}. Give N maps (N, H, W).")
    flat = float_matrices(maps, "maps").flatten(1)  # (N, H·W)
    flat = torch.nn.functional.normalize(flat - flat.mean(1, keepdim=True), dim=1)
    return (flat @ flat.T).fill_diagonal_(1).clamp(-1, 1)


@dataclass(frozen=True)
class FrequencyPictures:
    """A picture and its two parts, ready to be shown side by side on the same scale 0..1.

    Attributes:
        original: the picture (..., H, W).
        high: fast waves around middle gray: 0.5 + high/2, because they are negative as often as positive.
        low: slow waves, cut to 0..1 where a sharp mask rings over the edge.
        detail: share of the picture's contrast (sum of squared differences from its mean) in the fast waves, 0..1, of
            shape (...). A picture without contrast has 0.
    """

    original: Tensor
    high: Tensor
    low: Tensor
    detail: Tensor


def frequency_pictures(picture: Tensor, cutoff: float = 0.25, mask: Mask = "ideal") -> FrequencyPictures:
    """Original, high and low of a picture (..., H, W) with pixels in 0..1; errors as for `split_frequencies`."""
    high, low = split_frequencies(picture, cutoff, mask)
    original = high + low
    contrast = (original - original.mean((-2, -1), keepdim=True)).square().sum((-2, -1))
    detail = torch.where(contrast > 0, high.square().sum((-2, -1)) / contrast, 0).clamp(0, 1)
    return FrequencyPictures(original.clamp(0, 1), (0.5 + high / 2).clamp(0, 1), low.clamp(0, 1), detail)
