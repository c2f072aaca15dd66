"""Mean class activation maps over many images: where a network looks for a class, when it is right and when wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .activations import forward_from
from .cam import maps_of_targets


@dataclass(frozen=True, eq=False)
class MeanMap:
    """Maps of the images that a network predicts as one class, rightly or wrongly.

    Attributes:
        class_: index of the predicted class.
        correct: whether the label is that class.
        count: number of images.
        mean: mean of their maps, 0..1, (h, w); zeros without images.
        deviation: standard deviation over the images at each position, 0..0.5, (h, w).
    """

    class_: int
    correct: bool
    count: int
    mean: Tensor
    deviation: Tensor


def mean_maps(
    model: nn.Module,
    x: Float[Tensor, "N C H W"],
    labels: Int[Tensor, " N"],
    layer: str,
    method: str = "gradcam",
    batch: int = 64,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[MeanMap, ...]:
    """The mean map of each predicted class over correct and over wrong predictions.

    The map of an image is that of its predicted class, divided by its maximum, so that every image counts the same.
    The mean shows a region only where the faces are aligned.

    Args:
        model, x, layer: the network, its input and the target layer, as for `cam.atlas`; images (N, C, H, W).
        labels: index of the true class of each image.
        method: one of `cam.METHODS`.
        batch: images in one pass.
        progress: called with the number of images that are done.

    Returns:
        Two entries for each class in the order of the logits: correct, then wrong predictions.
    """
    sums: dict[tuple[int, bool], tuple[int, Tensor, Tensor]] = {}
    for start in range(0, len(x), batch):
        found = forward_from(model, x[start : start + batch], layer)
        predicted = found.logits.detach().argmax(1)
        maps = maps_of_targets(found, method, predicted).double().cpu()
        maps = maps / maps.amax((1, 2), keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
        correct = predicted.cpu() == labels[start : start + batch]
        for class_ in range(found.logits.shape[1]):
            for right in (True, False):
                of = maps[(predicted.cpu() == class_) & (correct == right)]
                n, total, squares = sums.get((class_, right), (0, torch.zeros_like(maps[0]), torch.zeros_like(maps[0])))
                sums[class_, right] = n + len(of), total + of.sum(0), squares + of.square().sum(0)
        progress(min(start + batch, len(x)))
    return tuple(_mean_map(class_, right, *parts) for (class_, right), parts in sums.items())


def _mean_map(class_: int, correct: bool, n: int, total: Tensor, squares: Tensor) -> MeanMap:
    mean = total / max(n, 1)
    deviation = (squares / max(n, 1) - mean.square()).clamp(min=0).sqrt()
    return MeanMap(class_, correct, n, mean.float(), deviation.float())
