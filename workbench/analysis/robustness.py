"""Robustness to perturbations: predictions and accuracy under rotation, shift, blur, noise, occlusion and others.

Hendrycks and Dietterich (2019, "Benchmarking neural network robustness to common corruptions and perturbations") made
the idea a benchmark: perturb the images by a known amount, keep the labels, and plot accuracy against the amount. The
list and the amounts here are ours, for gray faces of 48 pixels. Paper A claims robustness to rotation; accuracy
against the angle tests that claim.

A network is called through a function `predict`: pixels in 0..1 (B, 1, H, W) → probabilities (B, K). How pixels are
resized and normalized is left to that function, so networks can be compared on the same images.

Amounts in pixels (blur, resolution) refer to FER2013's side of 48 and are scaled to other sides, so that a face is
perturbed equally at every size.

A falling curve means that the network needs what was removed, or merely that it was not trained on such images.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from models.images import open_image

from .frequency import split_frequencies
from .validation import float_matrices, require_finite

Predict = Callable[[Tensor], Tensor]
"""Pixels in 0..1 (B, 1, H, W) → probabilities (B, K)."""

_SIDE = 48  # of FER2013's images
_BATCH = 64


def warped(
    x: Float[Tensor, "B C H W"], degrees: float = 0.0, shift: tuple[float, float] = (0.0, 0.0), zoom: float = 1.0
) -> Float[Tensor, "B C H W"]:
    """Rotate, shift and zoom images in one bilinear interpolation; outside, the nearest border pixel is repeated.

    Args:
        x: images (B, C, H, W), any unit.
        degrees: rotation about the center, counter-clockwise.
        shift: to the right and down, in shares of width and height.
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
        name: its key in CORRUPTIONS.
        title: for a heading.
        unit: of the values, for an axis.
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


_catalogue: dict[str, Corruption] = {}


def _corruption(
    name: str, title: str, unit: str, values: tuple[float, ...], neutral: float
) -> Callable[[Change], Change]:
    """Decorator: list a change; its docstring becomes the note."""

    def add(change: Change) -> Change:
        note = " ".join((change.__doc__ or "").split())
        _catalogue[name] = Corruption(name, title, unit, values, neutral, note, change)
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


CORRUPTIONS = MappingProxyType(_catalogue)
"""All of them by name."""


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# ---- predictions under perturbation


@dataclass(frozen=True, eq=False)
class Response:
    """Predictions of a network for one image at every value of a perturbation.

    Attributes:
        corruption: its name.
        values: in its unit, rising, (n,).
        probabilities: (n, K).
        images: its inputs, (n, H, W).
    """

    corruption: str
    values: Tensor
    probabilities: Tensor
    images: Tensor


def response(predict: Predict, pixels: Float[Tensor, "H W"], corruption: Corruption, seed: int = 0) -> Response:
    """Predict one image at every value of a corruption.

    Args:
        predict: pixels in 0..1 (n, 1, H, W) → probabilities (n, K).
        pixels: gray, in 0..1, (H, W).
        corruption: out of CORRUPTIONS.
        seed: of what is drawn at random.

    Raises:
        ValueError: `pixels` holds NaN, or is not (H, W).
    """
    x = float_matrices(pixels, "pixels")[None, None]
    shown = torch.cat([corruption(x, value, seed) for value in corruption.values])  # (n, 1, H, W)
    with torch.no_grad():
        return Response(corruption.name, _values(corruption), predict(shown), shown[:, 0])


@dataclass(frozen=True, eq=False)
class Curve:
    """Accuracy over a dataset at every value of a perturbation.

    Attributes:
        values: of the corruption, in its unit, rising, (n,).
        accuracy: share of correct predictions, 0 to 1, higher is better, (n,).
        interval: lower and upper end of its 95 % interval (Wilson), (n, 2).
        images: number of images at each value.
    """

    values: Float[Tensor, " n"]
    accuracy: Float[Tensor, " n"]
    interval: Float[Tensor, "n 2"]
    images: int


def accuracy_curve(
    predict: Predict,
    images: Float[Tensor, "N 1 H W"],
    labels: Int[Tensor, " N"],
    corruption: Corruption,
    progress: Callable[[int], None] = lambda done: None,
    seed: int = 0,
    unperturbed: int | None = None,
) -> Curve:
    """Accuracy of a network over a set at every value of a corruption.

    Args:
        predict: pixels in 0..1 (B, 1, H, W) → probabilities or logits (B, K).
        images: gray, in 0..1, (N, 1, H, W).
        labels: index of the true class, (N,).
        corruption: out of CORRUPTIONS.
        progress: called with the number of predictions so far, of N times the number of values.
        seed: of what is drawn at random; the same for an image at every value.
        unperturbed: correct predictions of the original images, if `count_correct` has counted them before.

    Raises:
        ValueError: there is no image, or `images` holds NaN.
    """
    from scipy.stats import binomtest  # here: scipy.stats takes half a second

    n, right = len(images), []
    for i, value in enumerate(corruption.values):
        if unperturbed is not None and value == corruption.neutral:
            right.append(unperturbed)
        else:
            done_before = partial(_advance, progress, i * n)
            right.append(count_correct(predict, images, labels, corruption, value, done_before, seed))
        progress((i + 1) * n)
    intervals = [binomtest(k, n).proportion_ci(0.95, method="wilson") for k in right]
    return Curve(
        values=_values(corruption),
        accuracy=torch.tensor(right, dtype=torch.float64) / n,
        interval=torch.tensor([[ends.low, ends.high] for ends in intervals], dtype=torch.float64),
        images=n,
    )


def _advance(progress: Callable[[int], None], before: int, done: int) -> None:
    progress(before + done)


def count_correct(
    predict: Predict,
    images: Float[Tensor, "N 1 H W"],
    labels: Int[Tensor, " N"],
    corruption: Corruption,
    value: float,
    progress: Callable[[int], None] = lambda done: None,
    seed: int = 0,
) -> int:
    """Number of correct predictions at one value of a corruption; arguments and errors as for `accuracy_curve`."""
    if len(images) == 0 or len(images) != len(labels):
        raise ValueError(f"images and labels have {len(images)} and {len(labels)} entries. Give as many, at least one.")
    right = 0
    with torch.no_grad():
        for start in range(0, len(images), _BATCH):
            shown = corruption(images[start : start + _BATCH], value, seed + start)
            right += int((predict(shown).argmax(-1).cpu() == labels[start : start + _BATCH]).sum())
            progress(min(start + _BATCH, len(images)))
    return right


def occlusion(
    predict: Predict,
    pixels: Float[Tensor, "H W"],
    class_: int,
    patch: int = 12,
    stride: int = 4,
    fill: float | None = None,
) -> Float[Tensor, "H W"]:
    """Occlusion sensitivity of a class: cover one region after another (Zeiler and Fergus 2014, section 4.2; captum).

    The value of a pixel is the drop in the class's probability when a patch covers it, averaged over the patches that
    do: −1 to 1. Positive: hiding this region lowers the probability; negative: it raises it. A patch has edges that
    no face has, and joint evidence of two regions is not seen by hiding one.

    Args:
        predict: pixels in 0..1 (B, 1, H, W) → probabilities (B, K).
        pixels: gray, in 0..1, (H, W).
        class_: its index.
        patch: side of the square in pixels.
        stride: its steps in pixels, at most `patch`, so that no pixel is left out.
        fill: gray of the square; None: the mean gray of the image.

    Raises:
        ValueError: an argument is wrong; the message names it.
    """
    from captum.attr import Occlusion  # here: captum takes half a second

    x = float_matrices(pixels, "pixels")[None, None]
    if not 1 <= patch <= min(x.shape[-2:]):
        raise ValueError(f"patch={patch}: give a side of 1 to {min(x.shape[-2:])} pixels")
    if not 1 <= stride <= patch:
        raise ValueError(f"stride={stride}: give steps of 1 to {patch} pixels, the side of the patch")
    with torch.no_grad():
        count = predict(x).shape[-1]
    if not 0 <= class_ < count:
        raise ValueError(f"class_={class_}: the network has {count} classes; give an index from 0 to {count - 1}")
    drop = Occlusion(predict).attribute(
        x,
        sliding_window_shapes=(1, patch, patch),
        strides=(1, stride, stride),
        baselines=x.mean().item() if fill is None else fill,
        target=class_,
        perturbations_per_eval=_BATCH,
    )
    return drop[0, 0].detach().to(x.dtype)


def _values(corruption: Corruption) -> Tensor:
    return torch.tensor(corruption.values, dtype=torch.float64)
