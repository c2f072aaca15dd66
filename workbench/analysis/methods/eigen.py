"""Methods that draw the first principal component of what a layer holds: the Eigen-CAM family."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .case import Case

_KPCA_POSITIONS = 64 * 64  # it compares every position with every other


def eigencam(case: Case) -> Tensor:
    """Eigen-CAM: the first principal component of the activations A, (B, h, w)."""
    return _first_component(case.A.detach())


def eigengradcam(case: Case) -> Tensor:
    """Eigen-Grad-CAM: the first principal component of G ⊙ A, (B, h, w)."""
    return _first_component(case.gradient() * case.A.detach())


def segeigencam(case: Case) -> Tensor:
    """Seg-Eigen-CAM, (B, h, w), of |G| ⊙ A, with its own rule for the sign (eq. 13): the larger extreme is positive."""
    projection = _first_component(case.gradient().abs() * case.A.detach())
    flipped = projection.amin((1, 2)).abs() > projection.amax((1, 2)).abs()
    return torch.where(flipped[:, None, None], -projection, projection)


def kpcacam(case: Case) -> Tensor:
    """KPCA-CAM, (B, h, w), of A behind a sigmoid kernel; ValueError where the maps are too large to compare all
    positions."""
    from sklearn.decomposition import KernelPCA

    h, w = case.A.shape[-2:]
    if h * w > _KPCA_POSITIONS:
        raise ValueError(
            f'layer="{case.layer}" has maps of {h}×{w}, and kpcacam compares every position with every other. '
            "Choose a deeper layer, with maps of at most 64×64."
        )
    rows = case.A.detach().flatten(2).mT  # (B, Z, K)  each position's K activations
    rows = (rows - rows.mean(1, keepdim=True)).cpu().numpy()
    # With a fixed seed, because its solver would start from NumPy's global one; a dead layer would give rounding.
    kpca = KernelPCA(1, kernel="sigmoid", random_state=0)
    found = [kpca.fit_transform(image) if image.any() else np.zeros((h * w, 1)) for image in rows]  # (Z, 1) each
    return _with_sign(torch.as_tensor(np.stack(found)).to(case.A).view(-1, h, w), case.A.detach())


def _first_component(F: Tensor) -> Tensor:
    """Each position's coordinate on the first principal component of its K values: (B, K, h, w) → (B, h, w).

    As `get_2d_projection` of pytorch-grad-cam, but with the thin decomposition: the full one needs Z² numbers.
    """
    centered = F.flatten(2) - F.flatten(2).mean(-1, keepdim=True)  # (B, K, Z)
    _, sigma, vh = torch.linalg.svd(centered, full_matrices=False)  # (B, n), (B, n, Z)
    return _with_sign((sigma[:, :1] * vh[:, 0]).view(len(F), *F.shape[-2:]), F)


def _with_sign(projection: Tensor, F: Tensor) -> Tensor:
    """The sign of a component is up to the linear-algebra library; this one points to where Σ_k F^k is larger.

    So the positive side is where the layer is more active than on average (F = A), or where there is more evidence for
    the class (F = G ⊙ A). (B, h, w), (B, K, h, w) → (B, h, w).
    """
    total = F.sum(1)
    agreement = (projection * (total - total.mean((1, 2), keepdim=True))).sum((1, 2), keepdim=True)
    return torch.where(agreement < 0, -projection, projection)
