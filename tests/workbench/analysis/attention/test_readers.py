"""What each kind of module shows, against patterns and weights that are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.attention_networks import images
from torch import nn

from models import create_model
from models.layers.angle_attention import AngleAttention
from models.layers.cbam import CBAM
from models.layers.transformer import TransformerBlock
from workbench.analysis.attention import (
    attention_of,
    steps_of,
)


@pytest.mark.parametrize(
    "name", ["resnet18_svd_hfc", "resnet18_svd_lfc", "resnet18_svd_hfc_lfc_hl", "resnet18_svd_hfc_normalized"]
)
def test_the_chain_of_svd_attention_can_be_followed_map_by_map(name):
    torch.manual_seed(0)
    model, layer = create_model(name), "attention.1"
    chain = {m.title: m.values for m in attention_of(model, images(1), [layer])}
    parts = {
        "the projection": chain["projection to one channel"],
        "high frequencies": chain["high-frequency component"],
        "low frequencies": chain["low-frequency component"],
    }
    torch.testing.assert_close(parts["the projection"], parts["high frequencies"] + parts["low frequencies"])
    products = [title for title in chain if title.startswith("outer product")]
    assert len(products) == len(model.get_submodule(layer).score.weight[0])
    for title in products:
        a, b = title.removeprefix("outer product, ").split(" with ")
        sigma = [np.linalg.svd(parts[part].numpy(), compute_uv=False) for part in (a, b)]
        if name.endswith("_normalized"):
            sigma = [values / values[:, :1] for values in sigma]
        np.testing.assert_allclose(chain[title], sigma[0][:, :, None] * sigma[1][:, None, :], atol=1e-5)
    score = model.get_submodule(layer).score.weight.detach()
    P = torch.stack([chain[title] for title in products], 1)
    torch.testing.assert_close(chain["gate"], F.conv2d(P, score, padding=3)[:, 0].sigmoid(), atol=1e-5, rtol=1e-4)


def test_the_angle_that_won_is_the_one_at_which_the_pattern_stands():
    module = AngleAttention(1, kernels=1, angles=8, side=5)
    with torch.no_grad():
        module.weight.zero_()
        module.weight[0, 0, 2, 2:] = 1  # a ray from the middle to the right
    x = torch.zeros(1, 1, 25, 25)
    centers = {22.5: (6, 6), 112.5: (6, 18), 202.5: (18, 6), 292.5: (18, 18)}
    for (row, column), pattern in zip(centers.values(), module.rotated_kernels()[::2, 0, 0].detach(), strict=True):
        x[0, 0, row - 2 : row + 3, column - 2 : column + 3] = pattern
    maps = {m.title: m for m in attention_of(nn.Sequential(module), x)}
    won, response = maps["angle with the strongest response"], maps["response at that angle"].values[0]
    assert {angle: won.values[0][at].item() for angle, at in centers.items()} == {angle: angle for angle in centers}
    assert [response[at].item() for at in centers.values()] == pytest.approx([3] * 4, abs=1e-4)  # the squared norm
    assert not won.spatial, "the rank of an angle means nothing"


def test_gates_of_hand_made_weights_are_those_on_paper():
    """A CBAM whose MLP returns average − 1 and whose convolution returns the maximum, on a map known by heart."""
    module = CBAM(2, reduction=2)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
        module.mlp[0].weight[0, 0] = 1  # the hidden unit is channel 0's summary
        module.mlp[2].weight[1, 0] = 1  # and feeds channel 1
        module.conv.weight[0, 1, 3, 3] = 1
    x = torch.stack([torch.tensor([[0.0, 1], [2, 5]]), torch.zeros(2, 2)])[None]  # average 2, maximum 5
    weights, places = attention_of(nn.Sequential(module), x)
    sigmoid = lambda t: 1 / (1 + np.exp(-t))  # noqa: E731
    np.testing.assert_allclose(weights.values, [[0.5, sigmoid(2 + 5)]], rtol=1e-6)
    np.testing.assert_allclose(places.values[0], sigmoid(0.5 * np.array([[0, 1], [2, 5]])), rtol=1e-6)
    assert (weights.layer, weights.kind, weights.over, places.over) == ("0", "CBAM", "channels", "positions")


class Tokens(nn.Module):
    """An image's pixels as tokens of two numbers: the image's, and 1."""

    def __init__(self) -> None:
        super().__init__()
        self.block = TransformerBlock(4, heads=2)

    def forward(self, x):
        tokens = F.pad(x.flatten(2).mT, (0, 3), value=1.0)  # (B, N, 4)
        return self.block(tokens).mean(1)


def test_heads_show_attention_received_by_each_position_rollout_adds_the_residual():
    torch.manual_seed(0)
    model, x = Tokens(), torch.randn(2, 1, 3, 3)
    *heads, everything = attention_of(model, x)
    A = steps_of(model, x)["block"].attention.numpy()  # (B, heads, N, N)
    tokens = np.stack([x.flatten(1).numpy(), *[np.ones((2, 9), np.float32)] * 3], -1)
    norm = F.layer_norm(torch.tensor(tokens), (4,), model.block.norm1.weight, model.block.norm1.bias)
    q, k, _ = model.block.qkv(norm).detach().unflatten(-1, (3, 2, 2)).permute(2, 0, 3, 1, 4).numpy()
    scores = np.exp(q @ k.transpose(0, 1, 3, 2) / np.sqrt(2))
    np.testing.assert_allclose(A, scores / scores.sum(-1, keepdims=True), atol=1e-6)
    for number, head in enumerate(heads):
        assert head.title == f"head {number + 1}"
        np.testing.assert_allclose(head.values, A[:, number].mean(1).reshape(2, 3, 3), atol=1e-6)
        np.testing.assert_allclose(head.pairs, A[:, number])
        torch.testing.assert_close(head.values.sum((1, 2)), torch.ones(2))
    np.testing.assert_allclose(everything.values.flatten(1), (A.mean(1).mean(1) + 1 / 9) / 2, atol=1e-6)


def test_tokens_of_an_oblong_image_need_their_grid():
    model, x = Tokens(), torch.randn(1, 1, 2, 8)
    with pytest.raises(ValueError, match="grid=None: 16 tokens of an image 2 × 8"):
        attention_of(model, x)
    with pytest.raises(ValueError, match=r"grid=\(3, 5\): the transformer has 16 tokens"):
        attention_of(model, x, grid=(3, 5))
    head = attention_of(model, x, grid=(2, 8))[0]
    assert head.values.shape == (1, 2, 8)
    torch.testing.assert_close(head.values.flatten(1), head.pairs.mean(1))
