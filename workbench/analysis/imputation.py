"""What replaces removed pixels: a blurred image, its mean gray, or the weighted mean of the neighbors (ROAD)."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

Baseline = Literal["blur", "mean"]

BASELINES: tuple[Baseline, ...] = ("blur", "mean")
"""What replaces removed pixels: the blurred image, or its mean gray."""

_BLUR = 1 / 12  # standard deviation of the blur, in sides of the image: 4 of 48 pixels remove brows and mouth
_NEIGHBORS = ((1 / 12, 1 / 6, 1 / 12), (1 / 6, 0, 1 / 6), (1 / 12, 1 / 6, 1 / 12))  # weights of ROAD


def fill_linearly(image: Float[Tensor, "C_in H W"], missing: Bool[Tensor, "H W"]) -> Float[Tensor, "C_in H W"]:
    """Each missing pixel as the weighted mean of its neighbors (Rong et al. 2022), all of them at once.

    With P the weights (a pixel at the border has fewer neighbors, which share the weight), m the missing and k the
    known pixels: (I − P_mm) u_m = P_mk x_k.

    Raises:
        ValueError: no pixel is known.
    """
    from scipy import sparse  # here: it takes a fifth of a second
    from scipy.sparse.linalg import spsolve

    gone = missing.flatten().cpu().numpy()
    if gone.all():
        raise ValueError("missing covers the whole image. Leave at least one pixel.")
    P = _neighbor_weights(*missing.shape)[gone]  # (m, H·W)
    A = sparse.identity(P.shape[0], format="csc") - P[:, gone].tocsc()
    values = image.detach().flatten(1).cpu().numpy().T.astype(np.float64)  # (H·W, C_in)
    values[gone] = spsolve(A, P[:, ~gone] @ values[~gone]).reshape(-1, values.shape[1])
    return torch.from_numpy(values.T.copy()).to(image).view(image.shape)


@lru_cache(maxsize=4)
def _neighbor_weights(height: int, width: int) -> Any:
    """P (H·W, H·W), a sparse matrix: the share of each neighbor in a pixel; rows add up to 1."""
    from scipy import sparse

    index = np.arange(height * width).reshape(height, width)
    P = sparse.lil_array((height * width, height * width))
    for i, dy in enumerate((-1, 0, 1)):
        for j, dx in enumerate((-1, 0, 1)):
            here = index[max(0, -dy) : height - max(0, dy), max(0, -dx) : width - max(0, dx)]
            if _NEIGHBORS[i][j]:
                P[here.ravel(), (here + dy * width + dx).ravel()] = _NEIGHBORS[i][j]
    P = P.tocsr()
    return (sparse.diags_array(1 / P.sum(1)) @ P).tocsr()


def without_features(x: Tensor, baseline: Baseline) -> Tensor:
    """The image that deletion ends in: its mean gray, or blurred so that brows and mouth are gone."""
    from torchvision.transforms.functional import gaussian_blur  # here: torchvision takes a second

    if baseline == "mean":
        return x.mean((-2, -1), keepdim=True).expand_as(x)
    sigma = [max(side * _BLUR, 0.1) for side in x.shape[-2:]]
    reach = [min(math.ceil(3 * s), side - 1) for s, side in zip(sigma, x.shape[-2:], strict=True)]
    return gaussian_blur(x, [2 * r + 1 for r in reach[::-1]], sigma[::-1])  # torchvision takes width, height
