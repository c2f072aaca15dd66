"""Saturation, variation and effect of gates that are known by heart; and which of them are called constant."""

from __future__ import annotations

from math import isnan

import pytest
import torch
from helpers.attention_networks import images, network
from torch import nn

from models.layers.angle_attention import AngleAttention
from models.layers.cbam import CBAM
from models.layers.transformer import TransformerBlock
from workbench.analysis.attention import gate_statistics, gates_of, passes
from workbench.analysis.attention.input_dependence import WeightMoments, fixed_share


class Channels(nn.Module):
    """Two channels, both the image, and their sums as logits; the gate of the first channel follows the image."""

    def __init__(self, weight: float, bias: float) -> None:
        super().__init__()
        self.cbam = CBAM(2, reduction=2)
        for parameter in self.cbam.parameters():
            nn.init.zeros_(parameter)
        with torch.no_grad():
            self.cbam.mlp[0].weight[0, 0] = weight
            self.cbam.mlp[0].bias[0] = 1.0  # keeps the ReLU open
            self.cbam.mlp[2].weight[0, 0] = 1.0
            self.cbam.mlp[2].bias[0] = bias - 1.0
            self.cbam.mlp[2].bias[1] = -0.25  # twice: the second channel's gate is sigmoid(−0.5) for every image

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.cbam(x.expand(-1, 2, -1, -1)).mean((-2, -1))


def gray(*values: float) -> torch.Tensor:
    return torch.tensor(values)[:, None, None, None].expand(-1, 1, 4, 4)


def test_a_gate_that_depends_on_the_image_is_not_constant_and_has_the_known_effect():
    x = gray(0.1, 0.2, 0.8, 0.9)
    (module,) = gate_statistics(Channels(weight=4.0, bias=-2.0), x)  # first gate: sigmoid(8 x − 4), second: 0.38
    channels, spatial = module.gates
    first = torch.sigmoid(8 * torch.tensor([0.1, 0.2, 0.8, 0.9]) - 4)
    assert channels.gate.title == "channel weights"
    assert channels.deviation == pytest.approx(float((first.var(correction=0) / 2).sqrt()), rel=1e-4)
    assert not channels.constant
    # As it is, the first class wins for the last two images; at its mean of 0.5, for all four.
    assert channels.changed_mean == 0.5
    assert channels.changed_off == 0.5, "with gates of 1 the logits are equal, and argmax takes the first"
    assert spatial.gate.title == "spatial map"
    assert isnan(spatial.fixed), "sigmoid(0) everywhere"
    assert spatial.constant
    assert spatial.changed_mean == spatial.changed_off == 0
    assert spatial.mean_map.tolist() == [[0.5] * 4] * 4
    assert channels.mean_map is None
    assert module.changed_mean == 0.5


def test_a_gate_that_is_the_same_for_every_image_is_called_constant():
    (module,) = gate_statistics(Channels(weight=0.0, bias=2.0), gray(0.1, 0.5, 0.9))
    gate = module.gates[0]
    assert gate.constant
    assert gate.deviation == pytest.approx(0, abs=1e-6)
    assert gate.fixed == pytest.approx(1)
    assert gate.changed_mean == 0


def test_a_gate_is_saturated_below_a_twentieth_and_above_nineteen():
    (module,) = gate_statistics(Channels(weight=0.0, bias=2.0), gray(0.1, 0.5, 0.9))  # sigmoid(4) and sigmoid(−0.5)
    assert module.gates[0].saturated == 0.5
    assert module.gates[1].saturated == 0


def test_weights_in_batches_have_the_moments_of_all_of_them():
    weights = torch.rand(30, 2, 5, 5, generator=torch.Generator().manual_seed(0)) + torch.rand(2, 5, 5)
    moments = WeightMoments()
    for batch in weights.split(7):
        moments.add(batch)
    assert moments.deviation == pytest.approx(float(weights.var(0, correction=0).mean().sqrt()))
    assert moments.fixed_share == pytest.approx(fixed_share(weights.flatten(1)[:, None]))
    torch.testing.assert_close(moments.mean, weights.mean(0))
    assert moments.saturated == pytest.approx(float(((weights < 0.05) | (weights > 0.95)).float().mean()))


class Tokens(nn.Module):
    """A transformer block over the four pixels of an image."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.spread = nn.Conv2d(1, 8, 1)
        self.block = TransformerBlock(8, heads=2, dropout=0.0)
        with torch.no_grad():
            self.block.qkv.weight[:16] *= scale  # queries and keys

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.block(self.spread(x).flatten(2).mT).mean(1)


def test_self_attention_is_compared_with_its_mean_and_with_uniform_weights():
    torch.manual_seed(0)
    x = torch.randn(40, 1, 2, 2)
    (module,) = gate_statistics(model := Tokens(scale=20.0), x, batch_size=16)
    (gate,) = module.gates
    assert gate.saturated is gate.changed_off is gate.mean_map is None
    assert gate.deviation > 0.1
    assert not gate.constant
    assert gate.changed_uniform > 0
    uniform = Tokens(scale=0.0)
    (module,) = gate_statistics(uniform, x)
    assert module.gates[0].constant
    assert module.gates[0].changed_mean == module.gates[0].changed_uniform == 0
    assert module.changed_off > 0
    assert not model.block._forward_hooks


def test_all_modules_together_come_last_and_every_pass_is_counted():
    model, done = network("hybrid_mobilenet_v3_small"), []
    found = gate_statistics(model, images(4, 3), progress=done.append)
    assert [module.layer for module in found[-3:]] == ["sca", "transformer", ""]
    assert found[-1].gates == ()
    assert done == list(range(1, passes(gates_of(model)) + 1))
    assert model.training, "it came back as it was"


def test_modules_that_are_not_called_and_networks_without_gates_have_no_statistics():
    class Idle(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(nn.Flatten(), nn.Linear(16, 3))
            self.idle = AngleAttention(1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self[1](self[0](x))

    x = torch.randn(3, 1, 4, 4)
    assert gate_statistics(Idle(), x) == ()
    assert gate_statistics(nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), x) == ()


def test_one_image_has_no_variation():
    with pytest.raises(ValueError, match="at least two"):
        gate_statistics(Channels(1.0, 0.0), gray(0.5))
