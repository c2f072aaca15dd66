"""Perturbations of gray images: rotation, shift, scale, blur, noise, JPEG compression, occlusion, frequency bands.

Hendrycks and Dietterich (2019, "Benchmarking neural network robustness to common corruptions and perturbations") made
the idea a benchmark. The list and the amounts here are ours, for gray faces of 48 pixels.

Amounts in pixels (blur, resolution) refer to FER2013's side of 48 and are scaled to other sides, so that a face is
perturbed equally at every size.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from models.images import open_image

from .frequency import split_frequencies
from .validation import require_finite

_SIDE = 48  # of FER2013's images


def warped(
    x: Float[Tensor, "B C H W"], degrees: float = 0.0, shift: tuple[float, float] = (0.0, 0.0), zoom: float = 1.0
) -> Float[Tensor, "B C H W"]:
    """Rotate, shift and zoom images in one bilinear interpolation; outside, the nearest border pixel is repeated.

    Args:
        x: images (B, C, H, W), any unit.
        degrees: rotation about the center, counter-clockwise.
        shift: translation to the right and down, in shares of width and height.
        zoom: factor on the size, about the center.
    """
    from kornia.geometry.transform import get_affine_matrix2d, warp_affine  # here: kornia takes a quarter of a second

    b, _, h, w = x.shape
    of_all: dict[str, Any] = {"dtype": x.dtype, "device": x.device}
    M = get_affine_matrix2d(
        translations=torch.tensor([[shift[0] * w, shift[1] * h]], **of_all),
        center=torch.tensor([[(w - 1) / 2, (h - 1) / 2]], **of_all),
        scale=torch.full((1, 2), zoom, **of_all),
        angle=torch.tensor([-degrees], **of_all),  # kornia's angles are clockwise
    )
    return warp_affine(x, M[:, :2].expand(b, 2, 3), (h, w), padding_mode="border")


# ---- the catalog

Change = Callable[[Tensor, float, int], Tensor]
"""Pixels (B, 1, H, W), a value that is not the neutral one, a seed → pixels of the same shape."""


@dataclass(frozen=True)
class Corruption:
    """One kind of perturbation.

    Attributes:
        name: key in CORRUPTIONS.
        title: title for a heading.
        unit: unit of the values, for an axis.
        values: the steps of a curve, rising; the neutral one is among them.
        neutral: the value that leaves images unchanged.
        note: a sentence that describes it.
    """

    name: str
    title: str
    unit: str
    values: tuple[float, ...]
    neutral: float
    note: str
    change: Change = field(repr=False)

    def __call__(self, pixels: Float[Tensor, "B 1 H W"], value: float, seed: int = 0) -> Float[Tensor, "B 1 H W"]:
        """Perturb images with pixels in 0..1 by a value between the first and the last of `values`.

        The result is in 0..1, except for the frequency bands, which ring beyond both ends. Randomness depends
        only on `seed` and the image's index: image i of a batch is perturbed as image 0 with the seed `seed + i`.

        Raises:
            ValueError: `value` lies outside, or `pixels` holds NaN.
        """
        low, high = self.values[0], self.values[-1]
        if not low <= value <= high:
            raise ValueError(f"value={value}: {self.name} takes {low:g} to {high:g} ({self.unit})")
        require_finite(pixels, "pixels")
        return pixels if value == self.neutral else self.change(pixels, value, seed)


_catalog: dict[str, Corruption] = {}


def _corruption(
    name: str, title: str, unit: str, values: tuple[float, ...], neutral: float
) -> Callable[[Change], Change]:
    """Decorator: list a change; its docstring becomes the note."""

    def add(change: Change) -> Change:
        note = " ".join((change.__doc__ or "").split())
        _catalog[name] = Corruption(name, title, unit, values, neutral, note, change)
        return change

    return add


@_corruption(
    "rotation",
    "Rotation",
    "degrees, counter-clockwise",
    (-180, -135, -90, -60, -45, -30, -15, 0, 15, 30, 45, 60, 90, 135, 180),
    0,
)
def _rotation(x: Tensor, degrees: float, seed: int) -> Tensor:
    """Rotation about the center; the border is repeated in the corners."""
    return warped(x, degrees=degrees)


@_corruption("shift", "Shift", "share of the width, to the right", (-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3), 0)
def _shift(x: Tensor, share: float, seed: int) -> Tensor:
    """Horizontal shift; the border is repeated."""
    return warped(x, shift=(share, 0.0))


@_corruption("scale", "Scale", "factor on the size", (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.15, 1.3, 1.5), 1)
def _scale(x: Tensor, factor: float, seed: int) -> Tensor:
    """Reduced with the border repeated, or enlarged and cropped."""
    return warped(x, zoom=factor)


@_corruption("blur", "Blur", "σ in pixels of 48", (0, 0.5, 1, 1.5, 2, 3, 4), 0)
def _blur(x: Tensor, sigma: float, seed: int) -> Tensor:
    """Gaussian blur."""
    import torchvision.transforms.v2.functional as TF  # here: torchvision takes a second

    sigma = sigma * x.shape[-1] / _SIDE
    reach = min(math.ceil(3 * sigma), min(x.shape[-2:]) - 1)  # the mirrored border cannot be wider than the image
    return TF.gaussian_blur(x, [2 * reach + 1] * 2, [sigma] * 2)


@_corruption("noise", "Noise", "standard deviation of pixels in 0..1", (0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3), 0)
def _noise(x: Tensor, std: float, seed: int) -> Tensor:
    """Gaussian noise on each pixel, the same pattern at every strength; clipped to black and white."""
    patterns = [torch.randn(x.shape[1:], generator=_generator(seed + i)) for i in range(len(x))]
    return (x + std * torch.stack(patterns).to(x)).clamp(0, 1)


@_corruption("brightness", "Brightness", "factor on the pixels", (0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3), 1)
def _brightness(x: Tensor, factor: float, seed: int) -> Tensor:
    """All pixels times one factor; clipped to white."""
    import torchvision.transforms.v2.functional as TF  # here: torchvision takes a second

    return TF.adjust_brightness(x, factor)


@_corruption(
    "contrast", "Contrast", "factor on the distance from the mean gray", (0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3), 1
)
def _contrast(x: Tensor, factor: float, seed: int) -> Tensor:
    """Each pixel's distance from the image's mean gray times one factor; clipped to black and white."""
    import torchvision.transforms.v2.functional as TF  # here: torchvision takes a second

    return TF.adjust_contrast(x, factor)


@_corruption("jpeg", "JPEG", "quality; 100 stands for no compression", (1, 5, 10, 20, 30, 50, 75, 100), 100)
def _jpeg(x: Tensor, quality: float, seed: int) -> Tensor:
    """JPEG compression."""
    grays = (255 * x[:, 0].clamp(0, 1)).round().byte().cpu().numpy()
    opened = [np.asarray(open_image(_compressed(image, round(quality)))) for image in grays]
    return torch.from_numpy(np.stack(opened))[:, None].to(x) / 255


def _compressed(image: np.ndarray, quality: int) -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return file


@_corruption("resolution", "Resolution", "side in pixels", (4, 6, 8, 12, 16, 24, 36, 48), 48)
def _resolution(x: Tensor, side: float, seed: int) -> Tensor:
    """Downsampled with antialiasing and upsampled again, both bilinear."""
    import torchvision.transforms.v2.functional as TF  # here: torchvision takes a second

    small = [max(1, round(side * n / _SIDE)) for n in x.shape[-2:]]
    return TF.resize(TF.resize(x, small, antialias=True), list(x.shape[-2:]))


@_corruption("cover", "Covered patch", "side of the patch, share of the width", (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6), 0)
def _cover(x: Tensor, share: float, seed: int) -> Tensor:
    """A square in the image's mean gray at a random position of each image; it grows about that position."""
    h, w = x.shape[-2:]
    half = share * w / 2
    covered = x.clone()
    for i, image in enumerate(covered):
        y, z = torch.rand(2, generator=_generator(seed + i)).tolist()
        row, column = half + y * (h - 2 * half), half + z * (w - 2 * half)  # its center, so that all of it is inside
        rows, columns = (slice(round(c - half), round(c + half)) for c in (row, column))
        image[:, rows, columns] = image.mean()
    return covered


@_corruption(
    "low-pass", "Low frequencies only", "cut-off, cycles per pixel", (0.03, 0.05, 0.08, 0.1, 0.15, 0.2, 0.3, 0.71), 0.71
)
def _low_pass(x: Tensor, cutoff: float, seed: int) -> Tensor:
    """Low-pass filter: frequencies above the cut-off are removed (ideal mask)."""
    return split_frequencies(x, cutoff)[1]


@_corruption("high-pass", "High frequencies only", "cut-off, cycles per pixel", (0, 0.03, 0.05, 0.07, 0.1, 0.2, 0.3), 0)
def _high_pass(x: Tensor, cutoff: float, seed: int) -> Tensor:
    """High-pass filter: frequencies below the cut-off are removed (ideal mask); the mean gray is kept."""
    return split_frequencies(x, cutoff)[0] + x.mean((-2, -1), keepdim=True)


CORRUPTIONS = MappingProxyType(_catalog)
"""All of them by name."""


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
