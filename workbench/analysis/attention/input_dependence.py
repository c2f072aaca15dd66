"""How much of a module's weights is the same for every image, and how much they differ between images."""

from __future__ import annotations

from math import nan

import torch
from jaxtyping import Float
from torch import Tensor

from ..validation import require_finite

SATURATED = 0.05
"""A gate value is saturated below this or above 1 minus this: the slope of the sigmoid is then below a fifth of its
largest, so training hardly moves it."""


class WeightMoments:
    """Statistics over images of weights that come in batches (B, …), such as a gate; sums in double precision.

    With w_bp the weight of image b at position (or channel) p, w̄_p its mean over images and w̄ the mean of all:

        deviation² = mean_bp (w_bp − w̄_p)²                      between images
        η² = mean_p (w̄_p − w̄)² / mean_bp (w_bp − w̄)²           the same for every image (Fisher 1925)
    """

    def __init__(self) -> None:
        self.count = self._saturated = 0
        self._low, self._high = float("inf"), float("-inf")

    def add(self, weights: Float[Tensor, "B ..."]) -> None:
        """Add the weights of B more images; raises ValueError for NaN or infinite values."""
        require_finite(weights, "weights")
        weights = weights.detach().cpu().double()
        if not self.count:
            self._first = weights[0]  # sums are of differences from it, so that nothing cancels
            self._sum = self._squares = torch.zeros_like(weights[0])
        difference = weights - self._first
        self._sum = self._sum + difference.sum(0)
        self._squares = self._squares + difference.square().sum(0)
        self._saturated += int(((weights < SATURATED) | (weights > 1 - SATURATED)).sum())
        self._low, self._high = min(self._low, float(weights.min())), max(self._high, float(weights.max()))
        self.count += len(weights)

    @property
    def mean(self) -> Tensor:
        """w̄_p, float32, of the shape of one image's weights."""
        return (self._first + self._sum / self.count).float()

    @property
    def saturated(self) -> float:
        """Share of values below `SATURATED` or above 1 − `SATURATED`, 0..1."""
        return self._saturated / (self.count * self._first.numel())

    @property
    def deviation(self) -> float:
        """Root mean square over positions of the standard deviation over images, in the unit of the weights."""
        return self._within() ** 0.5

    @property
    def fixed_share(self) -> float:
        """η², 0..1; see `fixed_share`."""
        if self._high - self._low <= 1e-6 * max(abs(self._low), abs(self._high)):
            return nan
        between = float((self._first + self._sum / self.count).var(correction=0))
        return between / (between + self._within())

    def _within(self) -> float:
        return float((self._squares / self.count - (self._sum / self.count).square()).clamp_min(0).mean())


def fixed_share(maps: Float[Tensor, "B h w"]) -> float:
    """Share of the variance of a module's weights that depends on the position alone: the correlation ratio η².

    Args:
        maps: one map of attention of several images, (B, h, w), B at least 2; for the equation see `WeightMoments`.

    Returns:
        0..1. 1: a fixed mask, the same for every image; near 0: nothing is fixed. Even weights without any pattern are
        at 1/B on average. NaN where all weights are equal up to rounding (they differ by less than a millionth of the
        largest).

    Raises:
        ValueError: fewer than two images, or NaN or infinite values.
    """
    if maps.ndim != 3 or len(maps) < 2 or 0 in maps.shape:
        raise ValueError(f"maps has shape {tuple(maps.shape)}. Give (B, h, w) of at least two images.")
    require_finite(maps, "maps")
    moments = WeightMoments()
    moments.add(maps)
    return moments.fixed_share
