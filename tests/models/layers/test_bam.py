"""BAM against its equations, written out slowly in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from models.layers.bam import BAM


def normalized(x: np.ndarray, norm: nn.Module) -> np.ndarray:
    """Batch-norm in evaluation mode, channels first."""
    mean, variance = (v.double().numpy() for v in (norm.running_mean, norm.running_var))
    shape = (-1,) + (1,) * (x.ndim - 1)
    return (x - mean.reshape(shape)) / np.sqrt(variance.reshape(shape) + norm.eps)


def convolved(x: np.ndarray, convolution: nn.Conv2d) -> np.ndarray:
    """A convolution that keeps the size, position by position: (C, H, W) → (C', H, W)."""
    kernel = convolution.weight.detach().double().numpy()  # (C', C, k, k)
    side, dilation = kernel.shape[-1], convolution.dilation[0]
    out = np.zeros((len(kernel), *x.shape[1:]))
    for i, j in np.ndindex(*x.shape[1:]):
        for di, dj in np.ndindex(side, side):
            y, z = i + (di - side // 2) * dilation, j + (dj - side // 2) * dilation
            if 0 <= y < x.shape[1] and 0 <= z < x.shape[2]:
                out[:, i, j] += kernel[:, :, di, dj] @ x[:, y, z]
    return out


def literal(x: np.ndarray, layer: BAM) -> dict[str, np.ndarray]:
    """Equations 1 to 4 for one map (C, H, W), in double precision."""
    average = x.mean((1, 2))
    w0, b0, w1, b1 = (p.detach().double().numpy() for p in layer.channel.parameters())
    m_c = w1 @ np.maximum(normalized(w0 @ average + b0, layer.channel[1]), 0) + b1  # eq. 3
    m_s = x
    for k in range(0, 9, 3):
        m_s = np.maximum(normalized(convolved(m_s, layer.spatial[k]), layer.spatial[k + 1]), 0)
    m_s = convolved(m_s, layer.spatial[9])  # eq. 4
    gate = 1 / (1 + np.exp(-(m_c[:, None, None] + m_s)))  # eq. 2
    return {
        "average": average,
        "m_c": m_c[:, None, None],
        "m_s": m_s,
        "gate": gate,
        "refined": x + x * gate,  # eq. 1
    }


@pytest.mark.parametrize("layer", [BAM(32), BAM(24, reduction=4, dilation=2), BAM(8)], ids=["32", "24, r=4, d=2", "8"])
@pytest.mark.parametrize("size", [(9, 6), (4, 4), (1, 1)], ids=str)
def test_every_step_equals_the_equations(layer, size):
    channels = layer.channel[0].in_features
    generator = torch.Generator().manual_seed(0)
    layer.train()
    for _ in range(3):  # so that the running statistics are not 0 and 1
        layer(2 + torch.randn(8, channels, 9, 6, generator=generator))
    layer.eval()
    x = torch.randn(2, channels, *size, generator=generator)
    with torch.no_grad():
        steps, refined = layer.steps(x), layer(x)
    for b in range(2):
        for name, value in literal(x[b].double().numpy(), layer).items():
            found = refined[b] if name == "refined" else getattr(steps, name)[b]
            np.testing.assert_allclose(found.numpy(), value, atol=1e-5, err_msg=name)


def test_switched_off_it_returns_its_input():
    layer, x = BAM(16), torch.randn(1, 16, 4, 4)
    layer.enabled = False
    assert layer(x) is x
