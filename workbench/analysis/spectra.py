"""A picture as a sum of rank-1 pictures: the singular value decomposition.

    x = Σ_i σ_i u_i v_iᵀ,   σ₁ ≥ σ₂ ≥ … ≥ 0

Each term is a column pattern u_i times a row pattern v_i, and σ_i is its strength. Few strong terms mean a picture of
simple stripes and blocks; a long tail means detail. Paper D builds an attention module on σ alone.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .checks import float_matrices, require_finite


def singular_spectrum(x: Tensor) -> Tensor:
    """Singular values σ₁ ≥ σ₂ ≥ … of each map: (..., H, W) → (..., min(H, W)), at least 0, in the unit of `x`.

    Computed in float32 (float64 stays). A gradient flows, but is defined only where the values differ.

    Raises:
        ValueError: NaN or infinite values in `x`, or fewer than two dimensions.
    """
    return torch.linalg.svdvals(float_matrices(x))


def rank_k(x: Tensor, k: int) -> Tensor:
    """The picture of rank k that is nearest to `x`, its first k terms: (..., H, W) → (..., H, W).

    Its squared distance to `x` is the sum of the squared σ that are left out; no other picture of rank k is nearer
    (Eckart and Young 1936).

    Args:
        x: pictures or maps (..., H, W); each is approximated by itself, in float32 (float64 stays).
        k: 0 (nothing) to min(H, W) (all of `x`, up to rounding).

    Raises:
        ValueError: `k` outside that range, NaN or infinite values in `x`, or fewer than two dimensions.
    """
    x = float_matrices(x)
    largest = min(x.shape[-2:])
    if k != int(k) or not 0 <= k <= largest:
        raise ValueError(f"k={k}: give a whole number from 0 to {largest}, the shorter side of x")
    U, sigma, Vt = torch.linalg.svd(x, full_matrices=False)  # (..., H, n), (..., n), (..., n, W) with n = min(H, W)
    k = int(k)
    return (U[..., :k] * sigma[..., None, :k]) @ Vt[..., :k, :]


def energy(sigma: Tensor) -> Tensor:
    """Share of the squared length of x that its first k terms hold, for k = 1, 2, …: (..., n) → (..., n).

    E_k = Σ_{i≤k} σ_i² / Σ_i σ_i², never falling, in 0..1, the last one 1. A blank picture, with nothing to hold, has 1.

    Args:
        sigma: singular values from `singular_spectrum`, at least 0.

    Raises:
        ValueError: negative, NaN or infinite values, or no values at all.
    """
    if sigma.ndim < 1 or sigma.shape[-1] == 0:
        raise ValueError(f"sigma has shape {tuple(sigma.shape)}. Give at least one singular value (..., n).")
    require_finite(sigma, "sigma")
    if bool((sigma < 0).any()):
        raise ValueError("sigma contains negative values. Give singular values, as singular_spectrum returns them.")
    strongest = sigma.amax(-1, keepdim=True)
    held = (sigma / strongest).square().cumsum(-1)  # relative, because squares of very large values would overflow
    return torch.where(strongest > 0, held / held[..., -1:], 1)
