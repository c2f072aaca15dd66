"""Low-pass masks on the half spectrum of an image or feature map (paper D, eq. 2).

The idea: `torch.fft.rfft2` decomposes a map into sinusoids. A low-pass mask keeps low frequencies (lighting, the shape
of the head) and removes high ones (edges of eyes, brows and mouth); 1 − mask is the high-pass mask.

Symbols: f_y, f_x are frequencies in cycles per pixel, r = √(f_y² + f_x²) is the radial frequency, c the cut-off. The
highest frequency along an axis, with a period of two pixels, is r = 0.5 (Nyquist); the highest diagonal one is
r ≈ 0.707. In bins of a square spectrum of side n the radius of the mask is c·n, so c is "radius / side".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

Mask = Literal["ideal", "gaussian", "butterworth"]


def _ideal(r: Tensor, c: float) -> Tensor:
    """1 where r ≤ c, else 0. The sharp edge causes ringing."""
    return r <= c + 1e-9  # r = c counts as inside, in spite of rounding


def _gaussian(r: Tensor, c: float) -> Tensor:
    """exp(−r² / 2c²): 0.61 at the cut-off, no ringing."""
    return torch.exp(-((r / c) ** 2) / 2)


def _butterworth(r: Tensor, c: float) -> Tensor:
    """1 / (1 + (r/c)⁴), order 2: 0.5 at the cut-off, between the other two in sharpness."""
    return 1 / (1 + (r / c) ** 4)


_MASKS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "ideal": _ideal,
    "gaussian": _gaussian,
    "butterworth": _butterworth,
}


def radial_mask(
    height: int,
    width: int,
    cutoff: float,
    mask: Mask = "ideal",
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Low-pass mask in the layout of `torch.fft.rfft2`.

    Args:
        height, width: size of the map (not of its spectrum), at least 1.
        cutoff: c in cycles per pixel, 0 to 1; 0 keeps the mean only, an ideal mask over 0.708 keeps everything.
        mask: filter type, see the functions above. All decrease with r and increase with c.
        device, dtype: device and data type of the result.

    Returns:
        Factors in 0..1, shape (height, width // 2 + 1); 1 at zero frequency, so the high pass (1 − mask) has mean zero.

    Raises:
        ValueError: `cutoff` outside 0..1, an unknown `mask`, or a side below 1.
    """
    if height < 1 or width < 1:
        raise ValueError(f"height={height}, width={width}: both must be at least 1")
    if not 0 <= cutoff <= 1:
        raise ValueError(f"cutoff={cutoff}: give a number from 0 to 1, in cycles per pixel (0.5: Nyquist frequency)")
    if mask not in _MASKS:
        raise ValueError(f'mask="{mask}": choose one of {", ".join(_MASKS)}')
    f_y = torch.fft.fftfreq(height, dtype=torch.float64)  # (H,)  in double precision, so that r / c stays defined
    f_x = torch.fft.rfftfreq(width, dtype=torch.float64)  # (W//2+1,)                  for every c above 0
    r = torch.hypot(f_y[:, None], f_x)  # (H, W//2+1)
    profile = r == 0 if cutoff == 0 else _MASKS[mask](r, float(cutoff))
    return profile.to(device=device, dtype=dtype)
