"""SVD attention: a spatial gate computed from singular values (paper D, eq. 1 to 10).

The idea: faces differ in fine detail, so the high-frequency component h of a feature map (the query) is compared with
the map itself (the key). Comparing all pairs of pixels would be a Kronecker product, far too large to store (eq. 4).
Instead, each of the two is represented by its singular values, and the comparison is their outer product.

    x̃ = C₁ₓ₁(x)                projection of c channels to one, no bias         eq. 1
    h = F⁻¹(H_high ⊙ F(x̃))     high-frequency component of x̃                    eq. 2, 3
    σ_h, σ_x                    singular values of h and x̃, in descending order  eq. 5 to 7
    P = σ_h σ_xᵀ                outer product, of the size of the map            eq. 8
    a = sigmoid(C₇ₓ₇(P))        gate in 0..1, no bias                            eq. 9
    x_refined = a ⊙ x           the same gate for every channel                  eq. 10

What it is not: a[i, j] is computed from the singular values around the i-th of h and the j-th of x̃ (three to either
side), and multiplies *position* (i, j). Singular values are ordered by size and have no spatial position, so the gate
does not depend on the content of the positions that it weights: all images with the same singular values get the same
gate. It is not a saliency map.

Differences from the paper: the cut-off and the shape of H_high are not stated there; ours is an ideal circular mask
whose radius is a quarter of the side, both of them arguments. Maps need not be square: σ_h is padded with zeros to the
height, σ_x to the width. The 7×7 convolution is padded with zeros, so that the map keeps its size. The gate saturates:
σ₁ of a trained map is in the tens or hundreds, P of the order of its square, and the sigmoid is then 0 or 1 almost
everywhere, the same for every face. `normalize=True` (ours, not the paper's) divides the singular values by σ₁, so that
P is in 0..1.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Annotated, Literal, NamedTuple, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..options import Bounds
from .frequency import Mask, radial_mask

Query = Literal["hfc", "lfc", "hfc_lfc", "hfc_lfc_hl"]
"""The query: the high-frequency component of x̃, the low-frequency one, both (two products into the 7×7 convolution), or
both and the high with the low one as key (three). The paper's ablation, table 1, has all four."""


class SVDAttentionSteps(NamedTuple):
    """What the module computes on a map (B, C, H, W); n = min(H, W).

    Attributes:
        x_tilde: the map projected to one channel, (B, H, W).
        high, low: its high- and low-frequency components, (B, H, W); their sum is `x_tilde`.
        sigma_x, sigma_h, sigma_l: singular values of the three, in descending order, (B, n); divided by the largest if
            the layer normalizes; `sigma_h` or `sigma_l` is None where the query does not need it.
        outer: outer products, one for each query, (B, Q, H, W), zero beyond n; in 0..1 if the layer normalizes.
        a: the gate, in 0..1, (B, 1, H, W).
    """

    x_tilde: Tensor
    high: Tensor
    low: Tensor
    sigma_x: Tensor
    sigma_h: Tensor | None
    sigma_l: Tensor | None
    outer: Tensor
    a: Tensor


class SVDAttention(nn.Module):
    """x ↦ a ⊙ x with the gate a of paper D; c + 49·Q parameters, where Q is 1, 2 or 3 products.

    FFT and singular values are computed in float32 (float64 for float64 maps), also under autocast. The gradient
    of the singular values is U diag(∂L/∂σ) Vᵀ, which stays finite where they coincide or vanish (there it is one of
    several valid ones).

    Args:
        channels: c, of the map.
        query: components that are compared with the map: high-frequency, low-frequency, both, or both and their product
            (`Query`).
        cutoff: cut-off frequency between the two components, in cycles per pixel (radius / side).
        mask: shape of the low-pass filter; "ideal" has a sharp edge, the other two are smooth (`frequency.py`).
        normalize: divide the singular values of x̃ and of each query by the largest of them, σ₁ (ours).

    Raises:
        ValueError: unknown `query` or `mask`, `cutoff` outside 0..1; in the forward pass, NaN in the map.
    """

    def __init__(
        self,
        channels: int,
        query: Query = "hfc",
        cutoff: Annotated[float, Bounds(0.0, 1.0)] = 0.25,
        mask: Mask = "ideal",
        normalize: bool = False,
    ) -> None:
        super().__init__()
        if query not in get_args(Query):
            raise ValueError(f'query="{query}": choose one of {", ".join(get_args(Query))}')
        radial_mask(1, 1, cutoff, mask)  # checks the two
        self.query, self.cutoff, self.mask, self.normalize = query, float(cutoff), mask, normalize
        self.enabled = True
        products = {"hfc": 1, "lfc": 1, "hfc_lfc": 2, "hfc_lfc_hl": 3}[query]
        self.compress = nn.Conv2d(channels, 1, 1, bias=False)
        self.score = nn.Conv2d(products, 1, 7, padding=3, bias=False)
        self.gate = nn.Sigmoid()

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Weight the map; with `enabled = False` it is returned unchanged."""
        if not self.enabled:
            return x
        return self.steps(x).a.to(x.dtype) * x  # eq. 10

    def steps(self, x: Float[Tensor, "B C H W"]) -> SVDAttentionSteps:
        """Return the gate of a map and all intermediate results."""
        height, width = (int(side) for side in x.shape[-2:])  # numbers for the cached mask, also in torch.jit.trace
        exact = torch.promote_types(x.dtype, torch.float32)
        with _without_autocast(x.device.type):
            # The 1×1 convolution to one channel as a matrix product: two to five times faster in training on a CPU.
            x_tilde = x.to(exact).movedim(1, -1) @ self.compress.weight.to(exact).flatten()  # (B, H, W)  eq. 1
            low_pass = _low_pass(height, width, self.cutoff, self.mask, x.device)  # (H, W//2+1)
            low = torch.fft.irfft2(low_pass * torch.fft.rfft2(x_tilde), s=(height, width))  # (B, H, W)
            high = x_tilde - low  # (B, H, W)  eq. 2, 3

            needed = {"x": x_tilde, "h": high, "l": low}
            if self.query in ("hfc", "lfc"):
                del needed["l" if self.query == "hfc" else "h"]
            sigmas = _singular_values(torch.stack([*needed.values()]))  # (components, B, n)
            if self.normalize:
                sigmas = _over_largest(sigmas)  # σ / σ₁, so P is in 0..1
            sigma = dict(zip(needed, sigmas, strict=True))  # (B, n) each

            products = []  # (B, H, W) each, eq. 8
            if self.query != "lfc":
                products.append(_outer(sigma["h"], sigma["x"], height, width))
            if self.query != "hfc":
                products.append(_outer(sigma["l"], sigma["x"], height, width))
            if self.query == "hfc_lfc_hl":
                products.append(_outer(sigma["h"], sigma["l"], height, width))
            outer = torch.stack(products, 1)  # (B, Q, H, W)
            a = self.gate(F.conv2d(outer, self.score.weight.to(exact), padding=3))  # (B, 1, H, W)  eq. 9
        return SVDAttentionSteps(x_tilde, high, low, sigma["x"], sigma.get("h"), sigma.get("l"), outer, a)

    def extra_repr(self) -> str:
        """Return the settings that `print(layer)` shows."""
        return f"query={self.query}, cutoff={self.cutoff}, mask={self.mask}, normalize={self.normalize}"


def _without_autocast(device_type: str) -> AbstractContextManager:
    """Disable autocast inside the block, on devices that support it (not meta)."""
    known = torch.amp.is_autocast_available(device_type)
    return torch.autocast(device_type, enabled=False) if known else nullcontext()


def _outer(rows: Tensor, columns: Tensor, height: int, width: int) -> Tensor:
    """σ_h σ_xᵀ, padded with zeros to the map: (B, n), (B, n) → (B, H, W)."""
    n = rows.shape[-1]
    return F.pad(rows, (0, height - n))[:, :, None] * F.pad(columns, (0, width - n))[:, None, :]


def _singular_values(maps: Tensor) -> Tensor:
    """Singular values in descending order: (..., H, W) → (..., min(H, W)); raises ValueError for NaN and infinity."""
    try:
        return torch.linalg.svdvals(maps)
    except RuntimeError as error:
        if not bool(maps.isfinite().all()):
            raise ValueError("x: the map holds NaN or infinite values, so it has no singular values") from error
        raise


def _over_largest(sigma: Tensor) -> Tensor:
    """Divide the singular values of x̃ (first) and its components by their σ₁: (n_components, B, n), result in 0..1.

    A component that is zero up to rounding (h of a constant map) is divided by 10⁻⁵ σ₁ of x̃ instead, so that rounding
    errors do not determine the gate. Singular values of a zero map stay zero.
    """
    largest = sigma[..., :1]
    divisor = torch.maximum(largest, 1e-5 * largest[:1])
    return sigma / torch.where(divisor > 0, divisor, 1)


@lru_cache(maxsize=64)
def _low_pass(height: int, width: int, cutoff: float, mask: Mask, device: torch.device) -> Tensor:
    """Cached mask of a map size; created outside inference mode, so that training can use it too."""
    with torch.inference_mode(False):
        return radial_mask(height, width, cutoff, mask, device)
