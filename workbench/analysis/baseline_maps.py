"""Baselines of a faithfulness measure: smooth random maps and a centered Gaussian, and a measure beside theirs.

A number alone means little: removing any part of a face lowers the probability. Faces are centered, so a map that
ignores the image can score well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .cam import resize

PERCENTILE = 95
"""A map beats the random ones where it is better than this share of them, in percent."""


@dataclass(frozen=True, eq=False)
class Score:
    """A measure of a map beside that of baselines.

    Attributes:
        title: what is measured.
        paper: where it comes from.
        own, gaussian: value of the map, and of a centered Gaussian.
        random: values of random maps, (R,).
        higher_is_better: the direction.
        lowest, highest: the range.
    """

    title: str
    paper: str
    own: float
    gaussian: float
    random: Tensor
    higher_is_better: bool
    lowest: float
    highest: float

    @property
    def bar(self) -> float:
        """The threshold: 95th percentile of the random maps, 5th where lower is better.

        It is the number of one of them, the next more extreme one: of 40, the second best. Interpolated between two, it
        would let more than one random map in twenty pass.
        """
        percentile, side = (PERCENTILE, "higher") if self.higher_is_better else (100 - PERCENTILE, "lower")
        return float(torch.quantile(self.random, percentile / 100, interpolation=side))

    @property
    def beats_random(self) -> bool:
        """Whether the map is strictly better than the bar."""
        return self.own > self.bar if self.higher_is_better else self.own < self.bar


def random_maps(count: int, size: Sequence[int], grid: tuple[int, int] = (7, 7), seed: int = 0) -> Tensor:
    """Smooth random maps: uniform noise on a coarse grid, resized bilinearly, as a class activation map is.

    Noise of single pixels would be too weak a baseline: it removes a bit of every region and leaves all of them
    readable, so that any connected map beats it. These highlight regions as large as those of a map.

    Args:
        count: number of maps.
        size: (height, width) in pixels.
        grid: rows and columns of the noise.
        seed: equal seeds give equal maps.

    Returns:
        (count, *size), −1..1; a map and its negative are equally likely.
    """
    noise = 2 * torch.rand(count, *grid, generator=torch.Generator().manual_seed(seed)) - 1
    return resize(noise, size)


def gaussian_map(size: Sequence[int], spread: float = 0.25) -> Float[Tensor, "H W"]:
    """A centered Gaussian, 1 at the maximum: a map that knows only that faces are centered.

    Args:
        size: (height, width) in pixels.
        spread: standard deviation, in heights and widths of the image; a quarter is our choice.
    """
    y, x = ((torch.arange(side) + 0.5) / side - 0.5 for side in size)
    return torch.exp(-(y[:, None] ** 2 + x[None] ** 2) / (2 * spread**2))
