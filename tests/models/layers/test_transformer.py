"""The transformer block: beside torch's own, with weights that can be looked at."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.layers.transformer import TransformerBlock, sine_positions


@pytest.fixture
def block() -> TransformerBlock:
    torch.manual_seed(0)
    return TransformerBlock(32, heads=4).eval()


def test_it_equals_torchs_encoder_layer_with_the_same_weights(block):
    theirs = nn.TransformerEncoderLayer(32, 4, 128, norm_first=True, batch_first=True).eval()
    theirs.self_attn.in_proj_weight.data, theirs.self_attn.in_proj_bias.data = (
        block.qkv.weight.data,
        block.qkv.bias.data,
    )
    for mine, other in (
        (block.out, theirs.self_attn.out_proj),
        (block.ffn[0], theirs.linear1),
        (block.ffn[2], theirs.linear2),
        (block.norm1, theirs.norm1),
        (block.norm2, theirs.norm2),
    ):
        other.load_state_dict(mine.state_dict())
    x = torch.randn(2, 9, 32)
    torch.testing.assert_close(block(x), theirs(x), atol=1e-5, rtol=1e-4)
    assert sum(p.numel() for p in block.parameters()) == sum(p.numel() for p in theirs.parameters())


def test_attention_weights_sum_to_one_and_the_slow_way_equals_the_fused_one(block):
    x = torch.randn(2, 9, 32)
    steps = block.steps(x)
    assert steps.attention.shape == (2, 4, 9, 9)
    assert steps.attention.min() >= 0
    torch.testing.assert_close(steps.attention.sum(-1), torch.ones(2, 4, 9))
    torch.testing.assert_close(steps.y, block(x), atol=1e-5, rtol=1e-4)


def test_heads_that_do_not_divide_the_width_are_named():
    with pytest.raises(ValueError, match="heads=5 does not divide width=32"):
        TransformerBlock(32, heads=5)


def test_every_position_has_an_encoding_of_its_own():
    waves = sine_positions(5, 7, 16, like=torch.zeros(1))
    assert waves.shape == (35, 16)
    assert len({tuple(row) for row in waves.round(decimals=4).tolist()}) == 35
    torch.testing.assert_close(waves[0], torch.tensor([0.0] * 4 + [1.0] * 4 + [0.0] * 4 + [1.0] * 4))
