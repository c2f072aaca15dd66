"""Deep feature factorization: the parts into which a layer's activations split, and those that support a class."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from .case import Case

PARTS = 5
"""Parts; grad-cam's default for an image."""


def feature_factorization(case: Case) -> Tensor:
    """Σ_r max(0, w_r^c) H_r with A^k ≈ min A^k + Σ_r W_kr H_r and w_r^c = Σ_k α_k^c W_kr: (B, h, w).

    W (K, R) and H (R, h, w) are the non-negative factors that grad-cam's `dff` finds, α_k^c the mean gradients of
    Grad-CAM. The paper's maps H_r have no class; weighting them by the gradient along each part is ours.
    """
    alpha, A = case.gradient().mean((2, 3)), case.A.detach()  # (B, K), (B, K, h, w)
    return torch.stack([_of_image(*pair) for pair in zip(A, alpha, strict=True)])


def _of_image(A: Tensor, alpha: Tensor) -> Tensor:
    from pytorch_grad_cam.feature_factorization.deep_feature_factorization import dff
    from sklearn.exceptions import ConvergenceWarning

    parts = min(PARTS, len(A), A[0].numel())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # parts that are nearly converged do
        concepts, maps = dff(A[None].cpu().numpy().copy(), parts)  # (K, R), (1, R, h, w)
    W = torch.as_tensor(concepts).to(A) - A.amin((1, 2))[:, None]  # it adds the smallest activation
    H = torch.as_tensor(maps[0]).to(A)
    return torch.einsum("r,rhw->hw", (alpha @ W).relu(), H)
