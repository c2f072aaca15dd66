"""Checks of tensors that several analyses share; each error names the argument and says what to do."""

from __future__ import annotations

import torch
from torch import Tensor


def require_finite(x: Tensor, name: str) -> None:
    """Raise ValueError, naming the argument, if `x` holds a NaN or an infinity."""
    if not bool(torch.isfinite(x).all()):
        raise ValueError(f"{name} contains NaN or infinite values. Replace or drop them first.")


def float_matrices(x: Tensor, name: str = "x") -> Tensor:
    """The last two dimensions of `x` as real matrices: (..., H, W) → the same numbers as float32 (float64 stays).

    Raises:
        ValueError: `x` has fewer than two dimensions, an empty side, complex numbers, NaN or infinite values.
    """
    if x.ndim < 2 or 0 in x.shape[-2:]:
        raise ValueError(f"{name} has shape {tuple(x.shape)}. Give a map (..., H, W) with H and W at least 1.")
    if x.is_complex():
        raise ValueError(f"{name} is complex. Give real numbers, such as the pixels of a picture.")
    require_finite(x, name)
    return x if x.dtype == torch.float64 else x.float()
