"""Penultimate features: what the last linear layer of a network classifies, in few dimensions, and their neighbors."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from threading import get_ident

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .model_isolation import isolated
from .validation import require_images, require_logits


@dataclass(frozen=True, eq=False)
class Projection:
    """Principal components of features (Pearson 1901).

    Attributes:
        mean: mean of the features, (D,).
        components: orthonormal directions, the one of the largest variance first, (K, D).
        kept: share of the variance in these components, 0..1.
    """

    mean: Tensor
    components: Tensor
    kept: float

    def __call__(self, features: Tensor) -> Tensor:
        """Features (N, D) → coordinates (N, K)."""
        return (features.to(self.mean) - self.mean) @ self.components.T


def penultimate_features(model: nn.Module, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D"]:
    """The input of the last linear layer, whose output are the logits: (B, D), float32.

    Args:
        model, x: the network and its input, as for `cam.atlas`.

    Raises:
        ValueError: the network does not end in a linear layer.
    """
    require_images(x)
    called: list[tuple[Tensor, Tensor]] = []  # input and output of each linear layer
    thread = get_ident()

    def note(_module: nn.Module, inputs: tuple, output: Tensor) -> None:
        if get_ident() == thread:
            called.append((inputs[0], output))

    with isolated(model), torch.no_grad(), ExitStack() as hooks:
        for module in model.modules():
            if isinstance(module, nn.Linear):
                hooks.enter_context(module.register_forward_hook(note))
        logits = require_logits(model(x), x)
    for given, output in reversed(called):
        if output.shape == logits.shape and given.ndim == 2:
            return given.float()
    raise ValueError("the network has no linear layer that puts out the logits, so it has no penultimate features")


def principal_components(features: Float[Tensor, "N D"], count: int) -> Projection:
    """The principal components of features, at most `count` of them.

    Raises:
        ValueError: fewer than two rows, or a `count` below 1.
    """
    if len(features) < 2 or count < 1:
        raise ValueError(f"{len(features)} rows, count={count}: give at least two rows and one component")
    mean = features.double().mean(0)
    centered = features.double() - mean
    variances, directions = torch.linalg.eigh(centered.T @ centered / (len(features) - 1))  # ascending
    kept = variances.clamp(min=0).flip(0)
    count = min(count, len(kept))
    share = float(kept[:count].sum() / kept.sum().clamp(min=torch.finfo(torch.float64).tiny))
    return Projection(mean.float(), directions.flip(1).T[:count].float(), share)


def nearest(query: Float[Tensor, " K"], rows: Float[Tensor, "N K"], count: int) -> tuple[Int[Tensor, " n"], Tensor]:
    """Indices of the `count` rows nearest to a query by Euclidean distance, and the distances; exact."""
    distances = (rows.float() - query.float()).square().sum(1).sqrt()
    found = distances.topk(min(count, len(rows)), largest=False)
    return found.indices, found.values
