"""From stored pixels to what a network takes: the same few lines for training, evaluation and the app."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .images import float_range


def to_unit(images: Tensor, size: int) -> Tensor:
    """Images → floats in 0..1; gray (B, H, W) → (B, 1, size, size), RGB (B, H, W, 3) → (B, 3, size, size).

    Another size is reached with antialiasing.

    Args:
        images: integers in 0..255, or floats in 0..1 or 0..255.
        size: side in pixels.

    Raises:
        ValueError: floats that are in neither range, or NaN; integers beyond 0..255.
    """
    planes = images.movedim(-1, 1) if images.ndim == 4 else images.unsqueeze(1)
    return resized(planes.float() / _white(images), size)


def with_channels(x: Tensor, channels: int) -> Tensor:
    """Images (B, 1, H, W) repeated in every channel, (B, channels, H, W); those with that many channels unchanged.

    Raises:
        ValueError: they have neither one channel nor as many as wanted.
    """
    if x.shape[1] not in (1, channels):
        raise ValueError(f"These images have {x.shape[1]} channels, and the network takes {channels}. Convert them.")
    return x.expand(-1, channels, -1, -1)


def luminance(x: Tensor) -> Tensor:
    """Gray or RGB pixels (..., C, H, W) → luminance (..., H, W), as PIL's mode "L"."""
    return x[..., 0, :, :] if x.shape[-3] == 1 else torch.einsum("...chw,c->...hw", x, x.new_tensor(LUMINANCE))


LUMINANCE = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the luminance of a pixel (ITU-R BT.601)."""


def _white(images: Tensor) -> float:
    """The value of white: 255 for integers, 1 or 255 for floats, by their range."""
    if images.dtype == torch.uint8 or not images.numel():
        return 255.0
    lowest, highest = (float(value) for value in images.aminmax())
    if images.is_floating_point():
        return float_range(lowest, highest)
    if lowest < 0 or highest > 255:
        raise ValueError(f"These images have values from {lowest:g} to {highest:g}. Give 0..255.")
    return 255.0


def resized(x: Tensor, size: int) -> Tensor:
    """Images (B, C, H, W) → (B, C, size, size), bilinear, with antialiasing; unchanged where that is their size."""
    if x.shape[-2:] == (size, size):
        return x
    sampled = F.interpolate(x.float(), (size, size), mode="bilinear", antialias=True, align_corners=False)
    return sampled.to(x.dtype)  # on a CPU torch has no antialiasing in bfloat16


def normalize(x: Tensor, mean: float | Sequence[float], std: float | Sequence[float]) -> Tensor:
    """Pixels (B, C, H, W) in 0..1 → pixels with the mean 0 and the standard deviation 1 of the training set.

    `mean` and `std` are a number, or one for each channel.
    """
    return (x - _of_channels(mean, x)) / _of_channels(std, x)


def denormalize(x: Tensor, mean: float | Sequence[float], std: float | Sequence[float]) -> Tensor:
    """The inverse of `normalize`: normalized pixels (B, C, H, W) → pixels in 0..1."""
    return x * _of_channels(std, x) + _of_channels(mean, x)


def _of_channels(value: float | Sequence[float], x: Tensor) -> float | Tensor:
    return value if isinstance(value, float | int) else x.new_tensor(value)[:, None, None]


def views(x: Tensor, tta: str) -> list[Tensor]:
    """The views (B, C, S, S) of test-time augmentation whose probabilities are averaged.

    Args:
        x: images (B, C, S, S).
        tta: "plain", the image; "flip", it and its mirror image; "ten-crop", the four corners and the center at
            11/12 of the side (44 of 48 pixels), resized to S again, and their mirror images.
    """
    if tta == "plain":
        return [x]
    if tta == "flip":
        return [x, x.flip(-1)]
    if tta == "ten-crop":
        size = x.shape[-1]
        middle = round(size / 24)  # an even rest, so that the center is one and the mirror image has the same views
        side = size - 2 * middle
        corners = [(0, 0), (0, size - side), (size - side, 0), (size - side, size - side)]
        crops = [x[..., top : top + side, left : left + side] for top, left in [*corners, (middle, middle)]]
        crops = [F.interpolate(crop, (size, size), mode="bilinear", align_corners=False) for crop in crops]
        return [*crops, *(crop.flip(-1) for crop in crops)]
    raise ValueError(f'tta="{tta}" is not one of {", ".join(TTA)}')


TTA = ("plain", "flip", "ten-crop")
"""Names of the ways to average over views at test time."""


def mean_log_probability(logits: list[Tensor]) -> Tensor:
    """Logits of several views, each (B, K) → log of the mean probability (B, K); of one view, its logits unchanged."""
    if len(logits) == 1:
        return logits[0]
    return torch.stack(logits).log_softmax(-1).logsumexp(0) - torch.log(torch.tensor(float(len(logits))))
