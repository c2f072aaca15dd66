"""Missing pixels are filled as in the paper of ROAD."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pytorch_grad_cam.metrics.road import NoisyLinearImputer
from torch import Tensor

from workbench.analysis.imputation import fill_linearly


def holes(kind: str, shape: tuple[int, int]) -> Tensor:
    if kind == "nine tenths":
        return torch.rand(shape, generator=torch.Generator().manual_seed(2)) < 0.9
    missing = torch.zeros(shape, dtype=torch.bool)
    missing[{"box": (slice(4, 9), slice(3, 8)), "border": (slice(0, 3), slice(None))}[kind]] = True
    return missing


@pytest.mark.filterwarnings("ignore:__array_wrap__")  # of the reference
@pytest.mark.parametrize("kind", ["box", "border", "nine tenths"])
@pytest.mark.parametrize("channels", [1, 3])
def test_removed_pixels_are_imputed_by_the_linear_system_of_the_paper(kind, channels):
    """Against the system written out densely, one pixel at a time, and against pytorch-grad-cam's imputer."""
    height, width = 13, 11
    image = torch.randn(channels, height, width, generator=torch.Generator().manual_seed(1))
    missing = holes(kind, (height, width))
    filled = fill_linearly(image, missing)
    A, b = np.eye(height * width), image.flatten(1).numpy().T.astype(float)
    for y in range(height):
        for x in range(width):
            if missing[y, x]:
                near = [
                    (y + i, x + j, 1 / 6 if i * j == 0 else 1 / 12) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j
                ]
                near = [(a, c, w) for a, c, w in near if 0 <= a < height and 0 <= c < width]
                b[y * width + x] = 0
                for a, c, w in near:
                    A[y * width + x, a * width + c] = -w / sum(w for *_, w in near)
    expected = np.linalg.solve(A, b).T.reshape(channels, height, width)
    np.testing.assert_allclose(filled, expected, atol=1e-5)
    reference = NoisyLinearImputer(noise=0)(image, (~missing).float())
    torch.testing.assert_close(filled, reference, atol=1e-5, rtol=0)
    assert torch.equal(filled[:, ~missing], image[:, ~missing])


def test_a_hole_in_a_slope_is_filled_with_the_slope():
    slope = (2 * torch.arange(12.0)[:, None] - 3 * torch.arange(15.0))[None]
    torch.testing.assert_close(fill_linearly(slope, holes("box", (12, 15))), slope, atol=1e-4, rtol=0)


def test_an_image_without_a_known_pixel_cannot_be_filled():
    with pytest.raises(ValueError, match="missing covers the whole image"):
        fill_linearly(torch.zeros(1, 5, 5), torch.ones(5, 5, dtype=torch.bool))
