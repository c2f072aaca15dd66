"""Robustness to perturbations: predictions of one image, and accuracy over a set, at each value of a corruption.

As Hendrycks and Dietterich (2019) do: perturb the images by a known amount, keep the labels, and plot accuracy against
the amount. Paper A claims robustness to rotation; accuracy against the angle tests that claim.

A network is called through a function `predict`: pixels in 0..1 (B, 1, H, W) → probabilities (B, K). How pixels are
resized and normalized is left to that function, so networks can be compared on the same images.

A falling curve means that the network needs what was removed, or merely that it was not trained on such images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .corruptions import Corruption
from .validation import float_matrices

Predict = Callable[[Tensor], Tensor]
"""Pixels in 0..1 (B, 1, H, W) → probabilities (B, K)."""

_BATCH = 64


# ---- predictions under perturbation


@dataclass(frozen=True, eq=False)
class Response:
    """Predictions of a network for one image at every value of a perturbation.

    Attributes:
        corruption: name of the corruption.
        values: values of the corruption in its unit, rising, (n,).
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
        seed: random seed of what is drawn at random.

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
        values: values of the corruption in its unit, rising, (n,).
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
        seed: random seed of what is drawn at random; the same for an image at every value.
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

    The value of a pixel is the drop in the class's score, such as its probability or its logit, when a patch covers
    it, averaged over the patches that do. Positive: hiding this region lowers the score; negative: it raises it. A
    patch has edges that no face has, and joint evidence of two regions is not seen by hiding one.

    Args:
        predict: pixels in 0..1 (B, 1, H, W) → scores (B, K).
        pixels: gray, in 0..1, (H, W).
        class_: index of the class.
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
