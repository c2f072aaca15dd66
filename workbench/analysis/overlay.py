"""Images of a face with a heatmap on top, for files without charts."""

from __future__ import annotations

import io

import matplotlib
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

_COLORS = matplotlib.colormaps["inferno"]


def overlay(
    pixels: Float[Tensor, "S S"], heat: Float[Tensor, "S S"], top: float | None = None, opacity: float = 0.7
) -> UInt8[np.ndarray, "S S 3"]:
    """Lay a map over a gray face: zero is clear, strong is bright, as on the pages.

    Args:
        pixels: gray image in 0..1.
        heat: the map, at least 0.
        top: the value that gets the brightest color; None: the map's own largest, which hides how strong it is.
        opacity: opacity of the strongest color, 0..1.

    Returns:
        RGB image. A map that is zero everywhere leaves the face as it is.

    Raises:
        ValueError: `opacity` is outside of 0..1, or `top` is below 0.
    """
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity={opacity}: give a number from 0 to 1")
    top = float(heat.max()) if top is None else top
    if top < 0:
        raise ValueError(f"top={top}: give a number from 0 up")
    strength = (heat.numpy() / top).clip(0, 1) if top > 0 else np.zeros(tuple(heat.shape))
    colors = _COLORS(0.25 + 0.75 * strength)[..., :3]  # (S, S, 3)
    alpha = opacity * strength[..., None] ** 0.7
    gray = pixels.numpy()[..., None].clip(0, 1)
    mixed = (1 - alpha) * gray + alpha * colors
    return (255 * mixed).round().astype(np.uint8)


def png(image: np.ndarray, side: int | None = None) -> bytes:
    """An image, uint8 (H, W) or (H, W, 3), as a PNG file; `side` enlarges it with sharp pixel edges."""
    drawn = Image.fromarray(image)
    if side is not None:
        drawn = drawn.resize((side, side), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
