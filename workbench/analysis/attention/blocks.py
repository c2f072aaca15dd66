"""Attention through a chain of transformer blocks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def rollout(attentions: Sequence[Float[Tensor, "B _ N N"]]) -> Float[Tensor, "B N N"]:
    """Attention through a chain of transformer blocks (Abnar and Zuidema 2020, section 3): Ã_L ⋯ Ã_2 Ã_1.

    Ã = (Ā + I) / 2 with the mean Ā over heads; I stands for the residual connection. How much the chain's mean
    token takes from each position is `.mean(1)`, (B, N). What values and feed-forward parts do is left out, so this
    follows where tokens mix and not what the mixture is used for.

    Args:
        attentions: attention weights of each block, first to last, rows summing to 1, as `TransformerSteps.attention`.

    Returns:
        How much each token of the last block (row) comes from each token of the first (column), each row summing to 1.

    Raises:
        ValueError: no block, blocks of different sizes, or rows that do not sum to 1.
    """
    shapes = {tuple(A.shape) for A in attentions}
    if len({(shape[0], shape[-1]) for shape in shapes}) != 1 or any(len(s) != 4 or s[-1] != s[-2] for s in shapes):
        raise ValueError(
            f"attentions has shapes {sorted(shapes)}. Give one or more (B, heads, N, N), all with the same B and N."
        )
    if not all(bool(((A.sum(-1) - 1).abs() < 1e-3).all()) for A in attentions):
        raise ValueError("attentions: rows have to sum to 1. Give what stands behind the softmax.")
    return product_of(attentions)


def product_of(attentions: Sequence[Float[Tensor, "B _ N N"]]) -> Float[Tensor, "B N N"]:
    """`rollout` of weights that a softmax returned, whose rows need no check."""
    together = torch.eye(attentions[0].shape[-1], dtype=attentions[0].dtype, device=attentions[0].device)
    for A in attentions:
        identity = torch.eye(A.shape[-1], dtype=A.dtype, device=A.device)
        together = (A.mean(1) + identity) / 2 @ together  # (B, N, N)
    return together
