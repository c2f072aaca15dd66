"""Contribution of each branch in a network with one branch per class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..model_isolation import isolated
from ..validation import require_images


@dataclass(frozen=True, eq=False)
class BranchShares:
    """What the branches of a network with one branch a class give to its logits; K classes.

    Attributes:
        strength: length (L2 norm) of each branch's output, at least 0, (B, K).
        logits: logits of the network as it is, (B, K).
        without: logits (last axis) when the output of one branch (second axis) is set to zero, (B, K, K).
    """

    strength: Tensor
    logits: Tensor
    without: Tensor

    @property
    def change(self) -> Tensor:
        """without − logits, (B, K branches, K logits): below 0 where the branch supports the class."""
        return self.without - self.logits[:, None]

    @property
    def own(self) -> Tensor:
        """The change of a branch's own class, (B, K)."""
        return self.change.diagonal(dim1=1, dim2=2)


def class_branches(model: nn.Module, x: Float[Tensor, "B C_in H W"]) -> BranchShares:
    """What each class branch of paper B's networks contributes: the logits when its output alone is set to zero.

    Nothing ties branch k to logit k but training, because the fusion layer reads all branches. Whether a branch is
    its class's own is seen in `change`: then the diagonal is the largest of its row.

    Args:
        model: a network with `class_branches(x)` → (B, K, width), outputs that are 0 for "nothing", and `fuse(outputs)`
            → logits (B, K).
        x: images, prepared as the network expects them.

    Raises:
        ValueError: the network has no class branches, or `x` holds NaN.
    """
    if not all(callable(getattr(model, name, None)) for name in ("class_branches", "fuse")):
        raise ValueError(f"model: {type(model).__name__} has no class branches. Choose one of paper B's networks.")
    require_images(x)
    with isolated(model), torch.no_grad():
        network: Any = model
        outputs = network.class_branches(x)  # (B, K, width)
        K = outputs.shape[1]
        rest = 1 - torch.eye(K, dtype=outputs.dtype, device=outputs.device)  # row k drops branch k
        silenced = outputs[:, None] * rest[:, :, None]  # (B, K dropped, K, width)
        without = network.fuse(silenced.flatten(0, 1)).unflatten(0, (-1, K))  # (B, K, K)
        return BranchShares(outputs.norm(dim=-1), network.fuse(outputs), without)
