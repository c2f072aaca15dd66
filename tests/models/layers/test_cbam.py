"""CBAM and SCA against their equations, written out slowly in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.layers.cbam import CBAM
from models.layers.sca import SCA


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def literal(x: np.ndarray, layer: CBAM) -> dict[str, np.ndarray]:
    """The equations for one map (C, H, W), in double precision."""
    w0, b0, w1, b1 = (p.detach().double().numpy() for p in layer.mlp.parameters())
    kernel = layer.conv.weight.detach().double().numpy()[0]  # (2, k, k)

    def mlp(f):
        return w1 @ np.maximum(w0 @ f + b0, 0) + b1

    average, maximum = x.mean((1, 2)), x.max((1, 2))
    m_c = sigmoid(mlp(average) + mlp(maximum))
    weighted = m_c[:, None, None] * x
    pooled = np.stack([weighted.mean(0), weighted.max(0)])
    side = kernel.shape[-1]
    padded = np.pad(pooled, ((0, 0), (side // 2,) * 2, (side // 2,) * 2))
    m_s = np.zeros(x.shape[1:])
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            m_s[i, j] = (kernel * padded[:, i : i + side, j : j + side]).sum()
    m_s = sigmoid(m_s)
    return {
        "average": average,
        "maximum": maximum,
        "m_c": m_c[:, None, None],
        "weighted": weighted,
        "pooled": pooled,
        "m_s": m_s[None],
        "out": m_s * weighted,
    }


@pytest.mark.parametrize("layer", [CBAM(16, reduction=8), CBAM(12, reduction=4, kernel=3), SCA(32)], ids=str)
@pytest.mark.parametrize("size", [(7, 7), (5, 8), (1, 1)], ids=str)
def test_every_step_equals_the_equations(layer, size):
    x = torch.randn(2, layer.mlp[0].in_features, *size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        steps, out = layer.steps(x), layer(x)
    for b in range(2):
        for name, value in literal(x[b].double().numpy(), layer).items():
            found = out[b] if name == "out" else getattr(steps, name)[b]
            np.testing.assert_allclose(found.numpy(), value, atol=1e-5, err_msg=name)


def test_switched_off_it_returns_its_input():
    layer, x = CBAM(8), torch.randn(1, 8, 4, 4)
    layer.enabled = False
    assert layer(x) is x
