"""Whether a module looks at the picture at all: how much of its weights is the same on every picture."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from ..checks import require_finite


def fixed_share(maps: Float[Tensor, "B h w"]) -> float:
    """Which share of the variance of a module's weights goes with the place alone: the correlation ratio η².

    A weight w_bp of picture b at place p differs from the mean of all, w̄, because of the place or because of the
    picture; w̄_p is the mean of place p over the pictures (Fisher 1925).

        η² = Σ_p B (w̄_p − w̄)² / Σ_bp (w_bp − w̄)²

    Args:
        maps: one map of attention of several pictures, (B, h, w), B at least 2.

    Returns:
        0..1. 1: a fixed mask, the same on every picture; near 0: nothing is fixed. Not even weights without any
        pattern come below 1/B on average. NaN where all weights are equal up to rounding (they differ by less than a
        millionth of the largest).

    Raises:
        ValueError: fewer than two pictures, or NaN or infinite values.
    """
    if maps.ndim != 3 or len(maps) < 2 or 0 in maps.shape:
        raise ValueError(f"maps has shape {tuple(maps.shape)}. Give (B, h, w) of at least two pictures.")
    require_finite(maps, "maps")
    maps = maps.detach().cpu().double()
    if float(maps.max() - maps.min()) <= 1e-6 * float(maps.abs().max()):
        return float("nan")
    mean = maps.mean()
    return float((maps.mean(0) - mean).square().mean() / (maps - mean).square().mean())
