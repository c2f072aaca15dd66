"""Attention is not explanation: agreement of attention maps and class activation maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ..cam import resize
from ..validation import require_finite


def correlation_with_cams(
    maps: Sequence[Float[Tensor, "B _ _"]], cams: Float[Tensor, "B ... h w"]
) -> Float[Tensor, "maps B ..."]:
    """Rank correlation (Spearman) of each map of attention with each class activation map of the same image.

    Attention has one map for all classes, a class activation map belongs to one. If attention were the explanation, it
    would agree with the map of the predicted class, and with that more than with the others (after Jain and
    Wallace 2019). Positions of one map depend on each other, so no p-value goes with these numbers.

    The coarser of two maps is resized to the finer one's size (bilinear, half-pixel centers, each side by itself).
    Ranks are used because the two kinds of map have different units; equal values share their mean rank.

    Args:
        maps: maps of attention (B, h', w') that weight positions (`AttentionMap.spatial`), sizes may
            differ. Not angles: their ranks mean nothing.
        cams: (B, C, h, w), or (B, M, C, h, w) as from `cam.atlas`.

    Returns:
        Correlations in −1..1, float64 on the CPU: (number of maps, B, C) or (number of maps, B, M, C). 1: the same
        order of positions; 0: none in common; −1: the reverse. NaN where one of the two maps is constant up to rounding
        (its range is under a millionth of its largest size), because it then has no order.

    Raises:
        ValueError: shapes that do not belong together, no map, NaN or infinite values.
    """
    if cams.ndim < 3 or 0 in cams.shape:
        raise ValueError(f"cams has shape {tuple(cams.shape)}. Give (B, C, h, w) or (B, M, C, h, w).")
    if not maps:
        raise ValueError("maps is empty. Give at least one map of attention (B, h, w).")
    require_finite(cams, "cams")
    found = []
    for number, attention in enumerate(maps):
        if attention.ndim != 3 or len(attention) != len(cams) or 0 in attention.shape:
            shape = tuple(attention.shape)
            raise ValueError(f"maps[{number}] has shape {shape}. Give (B, h, w) with B = {len(cams)}, as in cams.")
        require_finite(attention, f"maps[{number}]")
        size = tuple(max(sides) for sides in zip(attention.shape[-2:], cams.shape[-2:], strict=True))
        found.append(_spearman(_aligned(attention[:, None], size), _aligned(cams.flatten(1, -3), size)))
    return torch.stack(found).unflatten(2, cams.shape[1:-2])


def _aligned(maps: Tensor, size: Sequence[int]) -> Tensor:
    """(B, R, h, w) → (B, R, P), P = the positions of `size`; in float32, so that a plateau stays one."""
    finer = resize(maps.detach().cpu().double(), size)  # off by 1e-16 on a plateau,
    return finer.flatten(2).float()  # which this rounds away: ties must not become an order


def _spearman(one: Tensor, others: Tensor) -> Tensor:
    """Pearson's correlation of ranks: (B, 1, P), (B, R, P) → (B, R); NaN for a map without order."""
    a, b = (_centerd_ranks(maps) for maps in (one, others))
    return ((a * b).sum(-1) / (a.square().sum(-1) * b.square().sum(-1)).sqrt()).clamp(-1, 1)


def _centerd_ranks(maps: Tensor) -> Tensor:
    """Ranks with mean 0 of the last axis, equal values sharing one; all 0 where rounding is all that differs."""
    from scipy.stats import rankdata  # here: it takes half a second

    ranks = torch.from_numpy(rankdata(maps.numpy(), axis=-1))
    has_order = maps.amax(-1, keepdim=True) - maps.amin(-1, keepdim=True) > 1e-6 * maps.abs().amax(-1, keepdim=True)
    return (ranks - ranks.mean(-1, keepdim=True)) * has_order
