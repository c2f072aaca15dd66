"""Low-rank approximation of images by singular value decomposition.

    x = Σ_i σ_i u_i v_iᵀ,   σ₁ ≥ σ₂ ≥ … ≥ 0

Each term is a column pattern u_i times a row pattern v_i, and σ_i is its weight. A few large σ mean an image of
simple stripes and blocks; a long tail means detail. Paper D builds an attention module on σ alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from .frequency import Predict, predict_all
from .validation import float_matrices, require_finite


def singular_spectrum(x: Tensor) -> Float[Tensor, "*maps n"]:
    """Singular values σ₁ ≥ σ₂ ≥ … of each map: (..., H, W) → (..., min(H, W)), at least 0, in the unit of `x`.

    Computed in float32 (float64 stays). A gradient flows, but is defined only where the values differ.

    Raises:
        ValueError: NaN or infinite values in `x`, or fewer than two dimensions.
    """
    return torch.linalg.svdvals(float_matrices(x))


def rank_k(x: Tensor, k: int) -> Float[Tensor, "*maps H W"]:
    """The best rank-k approximation of `x`, the sum of its first k components: (..., H, W) → (..., H, W).

    Its squared distance to `x` is the sum of the squared σ that are left out; no other image of rank k is nearer
    (Eckart and Young 1936).

    Args:
        x: images or maps (..., H, W); each is approximated by itself, in float32 (float64 stays).
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


def rank_one_terms(
    x: Tensor, k: int
) -> tuple[Float[Tensor, "*maps k H"], Float[Tensor, "*maps k"], Float[Tensor, "*maps k W"]]:
    """The first k rank-1 components of `x`: singular vectors u_i, v_i and singular values σ_i; x ≈ Σ_i σ_i u_i v_iᵀ.

    u_i and v_i may change their sign together without changing the term, and libraries do so at will. Here the entry of
    u_i that is largest in size is positive, so that patterns look the same on every computer.

    Args:
        x: images or maps (..., H, W), in float32 (float64 stays).
        k: 1 to min(H, W).

    Returns:
        (u, sigma, v): (..., k, H), each of length 1; (..., k); (..., k, W), each of length 1.

    Raises:
        ValueError: `k` outside that range, NaN or infinite values in `x`, or fewer than two dimensions.
    """
    x = float_matrices(x)
    largest = min(x.shape[-2:])
    if k != int(k) or not 1 <= k <= largest:
        raise ValueError(f"k={k}: give a whole number from 1 to {largest}, the shorter side of x")
    U, sigma, Vt = torch.linalg.svd(x, full_matrices=False)  # (..., H, n), (..., n), (..., n, W)
    u, v = U.mT[..., : int(k), :], Vt[..., : int(k), :]
    sign = torch.where(u.gather(-1, u.abs().argmax(-1, keepdim=True)) < 0, -1.0, 1.0).to(u.dtype)  # (..., k, 1)
    return sign * u, sigma[..., : int(k)], sign * v


def energy(sigma: Tensor) -> Float[Tensor, "*maps n"]:
    """Share of the squared Frobenius norm of x in its first k components, for k = 1, 2, …: (..., n) → (..., n).

    E_k = Σ_{i≤k} σ_i² / Σ_i σ_i², non-decreasing, in 0..1, the last one 1. For a blank image it is 1.

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


@dataclass(frozen=True, eq=False)
class RankResponse:
    """Output of a network for low-rank approximations of an image.

    Attributes:
        ranks: how many terms were kept, in the order given, (n,).
        predictions: output for the approximation of each rank, (n, K).
        whole: output for the original image, (K,).
    """

    ranks: Tensor
    predictions: Tensor
    whole: Tensor


def response_to_rank(
    predict: Predict, pixels: Float[Tensor, "H W"], ranks: Sequence[int] | None = None
) -> RankResponse:
    """Output of a network for the best rank-k approximation of an image, rank by rank, in one call.

    Args:
        predict: pixels (n, H, W) → (n, K), such as probabilities; it normalizes for itself.
        pixels: one image (H, W), any unit. What approximates it is not cut to its range.
        ranks: each 0 (an image of zeros) to min(H, W); None: 1, 2, … min(H, W).

    Raises:
        ValueError: no rank or one outside that range, a prediction that is not (n, K) finite numbers, NaN in `pixels`.
    """
    pixels = float_matrices(pixels, "pixels")
    largest = min(pixels.shape[-2:])
    kept = list(range(1, largest + 1) if ranks is None else ranks)
    wrong = [k for k in kept if k != int(k) or not 0 <= k <= largest]
    if wrong or not kept:
        raise ValueError(
            f"ranks={kept}: give one or more whole numbers from 0 to {largest}, the shorter side of pixels"
        )
    u, sigma, v = rank_one_terms(pixels, largest)  # (n, H), (n,), (n, W)
    nearest = F.pad(sigma[:, None, None] * u[:, :, None] * v[:, None, :], (0, 0, 0, 0, 1, 0)).cumsum(0)  # (1 + n, H, W)
    found = predict_all(predict, torch.cat([pixels[None], nearest[[int(k) for k in kept]]]))
    return RankResponse(torch.tensor(kept), found[1:], found[0])
