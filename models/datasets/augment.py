"""Augmentations by name, drawn for each sample of a batch, on the batch's device (kornia).

Rotation, shift, zoom, shear and crop are one warp, because each further interpolation blurs an image of 48 pixels; a
crop that is resized again is a zoom with a shift. Where a paper states no amount, it is ours, and the builder says so;
its docstring is shown on the page Dataset.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import kornia.augmentation as K
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..seeding import seeded


@dataclass(frozen=True)
class Augmentation:
    """A random augmentation of training images.

    Attributes:
        name: value of `TrainConfig.augmentation`.
        paper: letter of the paper whose list it follows; None for ours.
        build: creates the module: pixels in 0..1 (B, 1, H, W) → the same shape and range.
        steps: steps in order, one phrase each.
        no_effect: steps of the paper without effect on gray images, left out.
        note: what is from the paper, what is ours, and a comment.
    """

    name: str
    paper: str | None
    build: Callable[[], nn.Module]
    steps: tuple[str, ...]
    no_effect: tuple[str, ...]
    note: str


AUGMENTATIONS: dict[str, Augmentation] = {}
"""Every augmentation by name."""


def _register(name: str, *, steps: tuple[str, ...], paper: str | None = None, no_effect: tuple[str, ...] = ()):
    """Decorator: list a builder under `name`; its docstring becomes the note."""

    def add(build: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
        note = " ".join((inspect.getdoc(build) or "").split())
        AUGMENTATIONS[name] = Augmentation(name, paper, build, steps, no_effect, note)
        return build

    return add


@_register("none", steps=())
def _none() -> nn.Module:
    """The images as they are."""
    return nn.Identity()


@_register(
    "quick",
    steps=("horizontal flip", "rotation ±20°", "shift ±12 %", "zoom 0.85–1.15", "erasing a patch of up to a fifth"),
)
def _quick() -> nn.Module:
    """Ours, for short training runs: modest changes, and the edge repeated where the image ends."""
    # The curves of the shipped networks depend on these very draws: change nothing here.
    return K.ImageSequential(
        K.RandomHorizontalFlip(p=0.5),
        K.RandomAffine(degrees=20, translate=(0.12, 0.12), scale=(0.85, 1.15), padding_mode="border", p=1.0),
        K.RandomErasing(p=0.5, scale=(0.02, 0.2), ratio=(0.3, 3.3), value=0.5),
    )


@_register(
    "strong",
    steps=(
        "horizontal flip",
        "half of the images: brightness ×0.75–1.25, contrast ×0.75–1.25",
        "half of the images: rotation ±20°, shift ±12 %, zoom 0.85–1.2, shear ±5°",
        "erasing a patch of up to a fifth",
    ),
)
def _strong() -> nn.Module:
    """Ours, for long training runs of one network: the other half of the images stays as sharp as a test shows it."""
    # The shipped residual_cnn depends on these very draws: change nothing here.
    return K.ImageSequential(
        K.RandomHorizontalFlip(p=0.5),
        _light(brightness=0.25, contrast=0.25, p=0.5),
        _warp(degrees=20, shift=(0.12, 0.12), zoom=(0.85, 1.2), shear=(5, 5), fill="border", p=0.5),
        K.RandomErasing(p=0.5, scale=(0.02, 0.2), ratio=(0.3, 3.3), value=0.5),
    )


@_register(
    "moderate",
    steps=(
        "horizontal flip",
        "brightness ×0.85–1.15, contrast ×0.85–1.15",
        "rotation ±15°",
        "shift ±7 %",
        "zoom 0.88–1.12",
        "edge repeated outside",
    ),
)
def _moderate() -> nn.Module:
    """Ours, for fine-tuning ImageNet weights and for runs of a few epochs: less of each, and nothing erased."""
    return K.ImageSequential(
        K.RandomHorizontalFlip(p=0.5),
        _light(brightness=0.15, contrast=0.15),
        _warp(degrees=15, shift=(0.07, 0.07), zoom=(0.88, 1.12), fill="border"),
    )


@_register(
    "paper-a",
    paper="A",
    steps=(
        "horizontal flip",
        "vertical flip",
        "brightness ×0.8–1.2",
        "contrast ×0.8–1.2",
        "rotation ±90°",
        "horizontal shift ±75 %",
        "vertical shift ±28 %",
        "cropping: zoom 1–1.25",
    ),
    no_effect=("random grayscale 0.2: the images are gray", "hue 0.2: a gray image has no hue"),
)
def _paper_a() -> nn.Module:
    """RARN, table 1, with its amounts.

    Ours, where it is silent: flips of every second image, cropping by up to a fifth of the side, black outside.
    The vertical flip hurts: no test image is upside down, and in that position the raised corners of a smile point
    down like those of a sad mouth. A shift of more than half the width, which one image in three gets, leaves less
    than half a face to learn from.
    """
    return K.ImageSequential(
        K.RandomHorizontalFlip(p=0.5),
        K.RandomVerticalFlip(p=0.5),
        _light(brightness=0.2, contrast=0.2),
        _warp(degrees=90, shift=(0.75, 0.28), zoom=(1.0, 1.25)),
    )


@_register(
    "paper-b",
    paper="B",
    steps=(
        "horizontal flip",
        "brightness ×0.5–1.5",
        "rotation ±35°",
        "shift ±25 %",
        "zoom 0.6–1.4, width and height apart",
        "shear ±22.9°",
        "black outside",
    ),
)
def _paper_b() -> nn.Module:
    """ResNet-50 hybrid, with all its amounts.

    The slide reads the shear of 0.4 as radians, 22.9°; today's Keras, whose names it uses, would shear by 0.4 degrees.
    Ours, where it is silent: flips of every second image, black for the constant outside, shear along the rows, and,
    as in Keras, zoom drawn apart for width and height.
    """
    return K.ImageSequential(
        K.RandomHorizontalFlip(p=0.5),
        _light(brightness=0.5),
        _warp(degrees=35, shift=(0.25, 0.25), zoom=(0.6, 1.4, 0.6, 1.4), shear=(22.9, 0)),
    )


@_register(
    "paper-c",
    paper="C",
    steps=("horizontal flip", "rotation ±15°", "shift ±10 %", "cropping and zoom 0.9–1.2", "edge repeated outside"),
)
def _paper_c() -> nn.Module:
    """ResNet-50 + CNN: rotation, shift, crop, zoom, flip and fill are named without amounts: all amounts are ours.

    So are the direction of the flip, horizontal, and the fill, the nearest pixel of the edge.
    """
    return K.ImageSequential(
        K.RandomHorizontalFlip(p=0.5),
        _warp(degrees=15, shift=(0.1, 0.1), zoom=(0.9, 1.2), fill="border"),
    )


@_register("paper-d", paper="D", steps=("horizontal flip",))
def _paper_d() -> nn.Module:
    """SVD attention: the paper states no augmentation; ours is the mirror image of every second image."""
    return K.ImageSequential(K.RandomHorizontalFlip(p=0.5))


@_register(
    "paper-e",
    paper="E",
    steps=("horizontal flip", "vertical flip", "rotation ±15°", "zoom 0.9–1.1", "shear ±10°", "black outside"),
)
def _paper_e() -> nn.Module:
    """Multi-branch CNN: horizontal and vertical flip, rotation, scaling and shear, with albumentations, no amounts.

    Ours are that library's own: each with probability ½, and the amounts that its `Affine` has when none are given.
    The text resizes or shrinks each scaled image back to its old size, which undoes the scaling; ours is a zoom.
    The vertical flip hurts: no test image is upside down, and in that position the raised corners of a smile point
    down like those of a sad mouth.
    """
    return K.ImageSequential(
        K.RandomHorizontalFlip(p=0.5),
        K.RandomVerticalFlip(p=0.5),
        _warp(degrees=15, zoom=(0.9, 1.1, 0.9, 1.1), shear=(10, 10), p=0.5),
    )


def _light(brightness: float, contrast: float = 0.0, p: float = 1.0) -> nn.Module:
    """Factors 1 ± `brightness` on the pixels and 1 ± `contrast` on their distance from the mean, cut off at 0 and 1.

    `p` is the share of the images that are changed.
    """
    # ColorJitter multiplies, as torchvision and Keras do; kornia's RandomBrightness and ColorJiggle add.
    return K.ColorJitter(brightness=brightness, contrast=contrast, p=p)


def _warp(
    degrees: float,
    shift: tuple[float, float] | None = None,
    zoom: tuple[float, float] | tuple[float, float, float, float] | None = None,
    shear: tuple[float, float] | None = None,
    fill: str = "zeros",
    p: float = 1.0,
) -> nn.Module:
    """One interpolation for all that moves pixels.

    Args:
        degrees: turn by up to this, either way.
        shift: move by up to these shares of width and height, either way.
        zoom: range of the factor on the size; four numbers: range of the width, range of the height.
        shear: slant by up to these degrees along rows and columns, either way.
        fill: outside the image: "zeros", black, or "border", the nearest pixel of the edge.
        p: share of the images that are changed.
    """
    slant: Any = (-shear[0], shear[0], -shear[1], shear[1]) if shear else None
    return K.RandomAffine(degrees=degrees, translate=shift, scale=zoom, shear=slant, padding_mode=fill, p=p)


def augmentation(name: str) -> Callable[[Tensor], Tensor]:
    """Pixels in 0..1 (B, 1, H, W) → the same shape, changed at random; draws from torch's global generator."""
    if name not in AUGMENTATIONS:
        raise ValueError(f'augmentation="{name}" is not known; there are: {", ".join(AUGMENTATIONS)}')
    return AUGMENTATIONS[name].build()


_GAP = 2  # white pixels between two images of a preview


def preview(images: np.ndarray, name: str, columns: int = 8, seed: int = 0) -> np.ndarray:
    """Draw a grid: a row for each image, the image itself in the first column, then augmented versions of it.

    Args:
        images: gray images, uint8 (N, H, W).
        name: a key of `AUGMENTATIONS`.
        columns: changed versions of each image.
        seed: equal seeds draw equal grids; torch's global generator is left as it was.

    Returns:
        One gray image, uint8 (N·(H + 2) + 2, (1 + columns)·(W + 2) + 2), with white lines of two pixels.

    Raises:
        ValueError: the name is not known, or the images are not uint8 (N, H, W) with N of at least 1.
    """
    if images.dtype != np.uint8 or images.ndim != 3 or not len(images):
        raise ValueError(f"images are {images.dtype} {images.shape}; a preview draws uint8 (N, H, W)")
    x = torch.tensor(images).unsqueeze(1).float() / 255  # (N, 1, H, W)
    with seeded(seed):
        change = augmentation(name)
        cells = torch.cat([x, *(change(x) for _ in range(columns))], dim=1)  # (N, 1 + columns, H, W)
    cells = F.pad(cells.clamp(0, 1), (_GAP, 0, _GAP, 0), value=1.0)
    n, k, h, w = cells.shape
    grid = cells.permute(0, 2, 1, 3).reshape(n * h, k * w)
    return (F.pad(grid, (0, _GAP, 0, _GAP), value=1.0) * 255).round().byte().numpy()
