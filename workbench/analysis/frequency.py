"""High- and low-frequency components of an image (paper D, eq. 2 and 3).

Equation 2 filters the spectrum, equation 3 returns to the image, for the high part h of a map x:

    H = M_high ⊙ FFT(x)          h = FFT⁻¹(H)          low = x − h

The paper does not say where its high-pass starts nor how steep it is. The cut-off (a quarter of the side), the circular
mask with its sharp edge, and the two soft alternatives are our choice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.layers.frequency import Mask, radial_mask

from .validation import float_matrices, require_finite


def split_frequencies(
    x: Tensor, cutoff: float = 0.25, mask: Mask = "ideal"
) -> tuple[Float[Tensor, "*maps H W"], Float[Tensor, "*maps H W"]]:
    """Split an image into its high- and low-frequency components, which add up to the image.

    Args:
        x: images or maps (..., H, W), any unit; each is split by itself. A gradient flows through.
        cutoff: cut-off frequency in cycles per pixel (radius / side), 0 to 1; 0.5 is the Nyquist frequency of an axis.
        mask: "ideal" (sharp), "gaussian" or "butterworth" (soft); see `models.layers.frequency`.

    Returns:
        (high, low), each of the shape of `x`, in float32 (float64 for float64). `high` has mean zero, and high + low is
        `x` up to rounding.

    Raises:
        ValueError: NaN or infinite values in `x`, fewer than two dimensions, `cutoff` outside 0..1, unknown `mask`.
    """
    x = float_matrices(x)
    height, width = x.shape[-2:]
    M_low = radial_mask(height, width, cutoff, mask, device=x.device, dtype=x.dtype)  # (H, W//2+1)
    low = torch.fft.irfft2(M_low * torch.fft.rfft2(x), s=(height, width))  # (..., H, W)
    return x - low, low


def swap_bands(
    a: Tensor, b: Tensor, cutoff: float = 0.25, mask: Mask = "ideal"
) -> tuple[Float[Tensor, "*maps H W"], Float[Tensor, "*maps H W"]]:
    """Hybrid images: (low frequencies of a + high of b, low of b + high of a).

    From afar such an image shows the first face, from near the second (hybrid images; Oliva, Torralba and Schyns
    2006). Which of the two a network predicts shows which band it relies on.

    Args:
        a, b: images or maps (..., H, W) of the same shape; a gradient flows through.
        cutoff, mask: cut-off frequency and filter type, as for `split_frequencies`. At 0 only the mean brightness stays
            behind; where the mask keeps all, the images come back as they were.

    Returns:
        Two tensors of the shape of `a`, float32 (float64 for float64), not cut to 0..1. Their sum is a + b.

    Raises:
        ValueError: `a` and `b` differ in shape; otherwise as for `split_frequencies`.
    """
    if a.shape != b.shape:
        raise ValueError(f"a has shape {tuple(a.shape)} and b {tuple(b.shape)}. Bring both to the same size first.")
    (high_a, low_a), (high_b, low_b) = (split_frequencies(x, cutoff, mask) for x in (a, b))
    return low_a + high_b, low_b + high_a


def log_amplitude(x: Tensor) -> Float[Tensor, "*maps H W"]:
    """Log-amplitude spectrum log(1 + |FFT(x)|), with frequency 0 in the center: (..., H, W) → (..., H, W), at least 0.

    Entry (H//2 + i, W//2 + j) belongs to i vertical and j horizontal cycles per image. The mean brightness is in the
    center and mostly the largest; the amplitude spectrum of a real image is symmetric about the center.

    Raises:
        ValueError: NaN or infinite values in `x`, or fewer than two dimensions.
    """
    return torch.fft.fftshift(torch.fft.fft2(float_matrices(x)).abs(), dim=(-2, -1)).log1p()


def radial_profile(x: Tensor) -> tuple[Float[Tensor, " n"], Float[Tensor, "*maps n"]]:
    """Radially averaged amplitude spectrum: mean |FFT(x)| of each ring of frequencies.

    Args:
        x: images or maps (..., H, W), each by itself.

    Returns:
        (radius, amplitude): radius (n,) in cycles per pixel, 0, 1/s, 2/s, … with s = max(H, W), up to 0.71; it is on
        the scale of `cutoff`. Amplitude (..., n), at least 0, in the unit of `x` times the number of pixels: the mean
        over frequencies whose radius rounds to that one.

    Raises:
        ValueError: NaN or infinite values in `x`, or fewer than two dimensions.
    """
    amplitude = torch.fft.fft2(float_matrices(x)).abs()  # (..., H, W)
    height, width = amplitude.shape[-2:]
    f_y, f_x = (torch.fft.fftfreq(side, dtype=torch.float64) for side in (height, width))
    ring = (torch.hypot(f_y[:, None], f_x) * max(height, width)).round().long().flatten()  # (H·W,)
    members = ring.bincount()  # (n,)  no ring is empty: along the longer side every whole radius occurs
    total = amplitude.new_zeros(*amplitude.shape[:-2], len(members))
    total.index_add_(-1, ring.to(amplitude.device), amplitude.flatten(-2))
    radius = torch.arange(len(members), device=amplitude.device) / max(height, width)
    return radius, total / members.to(amplitude.device)


Predict = Callable[[Tensor], Tensor]
"""Pixels (n, H, W) → output of a network for each, such as probabilities (n, K)."""


@dataclass(frozen=True, eq=False)
class BandResponse:
    """Output of a network for low- or high-pass filtered versions of an image.

    Attributes:
        cutoffs: radius / side, in the order given, (n,).
        low: output for the low-frequency components alone, (n, K).
        high: output for the high-frequency components alone, around the image's mean, (n, K).
        whole: output for the unfiltered image, (K,).
    """

    cutoffs: Tensor
    low: Tensor
    high: Tensor
    whole: Tensor


def response_to_cutoff(
    predict: Predict, pixels: Float[Tensor, "H W"], cutoffs: Sequence[float] | Tensor, mask: Mask = "ideal"
) -> BandResponse:
    """Output of a network for the low- and high-frequency components of an image, cut-off by cut-off, in one call.

    A network was trained on whole images, and a filtered one is unusual: a prediction that breaks down says
    that the network needs the other band, and not that it uses nothing of this one.

    Args:
        predict: pixels (n, H, W) → (n, K), such as probabilities; it normalizes for itself.
        pixels: one image (H, W), any unit. Its parts are not cut to the range of the whole.
        cutoffs: cut-off frequencies, radius / side, each 0 to 1, at least one.
        mask: see `split_frequencies`.

    Raises:
        ValueError: no cut-off, a prediction that is not (n, K) finite numbers; otherwise as for `split_frequencies`.
    """
    cutoffs = torch.as_tensor(cutoffs, dtype=torch.float64)  # float32 would push frequencies over the edge
    if cutoffs.ndim != 1 or len(cutoffs) == 0:
        raise ValueError("cutoffs is empty or no list. Give at least one number from 0 to 1.")
    pixels = float_matrices(pixels, "pixels")
    parts = [split_frequencies(pixels, cutoff, mask) for cutoff in cutoffs.tolist()]
    images = [pixels, *(low for _, low in parts), *(high + pixels.mean() for high, _ in parts)]
    whole, low, high = predict_all(predict, torch.stack(images)).split([1, len(parts), len(parts)])
    return BandResponse(cutoffs, low, high, whole[0])


def predict_all(predict: Predict, images: Float[Tensor, "n H W"]) -> Float[Tensor, "n K"]:
    """The prediction for each image; raises ValueError where it is not (n, K) finite numbers."""
    found = predict(images)
    if found.ndim != 2 or len(found) != len(images):
        raise ValueError(f"predict returns {tuple(found.shape)}. It has to return (n, K) for n = {len(images)}.")
    require_finite(found, "what predict returns")
    return found.detach()


def likeness(maps: Tensor) -> Float[Tensor, "N N"]:
    """Pearson's correlation of every pair of maps, (N, H, W) → (N, N), in −1..1.

    A map without contrast is similar to no other: its correlations are 0, and 1 with itself.

    Raises:
        ValueError: `maps` is not (N, H, W), or holds NaN or infinite values.
    """
    if maps.ndim != 3:
        raise ValueError(f"maps has shape {tuple(maps.shape)}. Give N maps (N, H, W).")
    flat = float_matrices(maps, "maps").flatten(1)  # (N, H·W)
    flat = torch.nn.functional.normalize(flat - flat.mean(1, keepdim=True), dim=1)
    return (flat @ flat.T).fill_diagonal_(1).clamp(-1, 1)


@dataclass(frozen=True)
class FrequencyImages:
    """An image and its two parts, ready to be shown side by side on the same scale 0..1.

    Attributes:
        original: the image (..., H, W).
        high: high-frequency component around middle gray: 0.5 + high/2, since it is negative as often as positive.
        low: low-frequency component, clipped to 0..1, since a sharp mask rings.
        detail: share of the image's contrast (sum of squared differences from its mean) in the high frequencies,
            0..1, of shape (...). An image without contrast has 0.
    """

    original: Tensor
    high: Tensor
    low: Tensor
    detail: Tensor


def frequency_images(image: Tensor, cutoff: float = 0.25, mask: Mask = "ideal") -> FrequencyImages:
    """Original, high and low of an image (..., H, W) with pixels in 0..1; errors as for `split_frequencies`."""
    high, low = split_frequencies(image, cutoff, mask)
    original = high + low
    contrast = (original - original.mean((-2, -1), keepdim=True)).square().sum((-2, -1))
    detail = torch.where(contrast > 0, high.square().sum((-2, -1)) / contrast, 0).clamp(0, 1)
    return FrequencyImages(original.clamp(0, 1), (0.5 + high / 2).clamp(0, 1), low.clamp(0, 1), detail)
