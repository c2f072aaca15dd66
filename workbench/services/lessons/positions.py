"""The lesson on self-attention between the positions of a feature map."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from models.layers.transformer import TransformerBlock

from ...analysis import attention, cam
from ...analysis.activations import forward_from
from ...faces import Face
from ..networks import Network, open_network
from .common import Symbol, centers, first_module, symbol

HEADS = 8
"""Number of heads for a network without self-attention, as in paper B's block."""


@dataclass(frozen=True, eq=False)
class SelfAttention:
    """Self-attention between the positions of a feature map.

    Attributes:
        learned: True for a transformer block of the network itself; False if the queries, keys and values are the
            layer-normed features themselves, without learned projections.
        layer: the block, or the layer whose map it is.
        pixels: the input of the network in 0..1, (S, S).
        pairs: attention of each query (row) to each key (column), mean over heads, rows summing to 1, (N, N), N = h·w.
        size: (h, w).
        near: share of the attention of each head that goes to a position's own 3×3 neighborhood, mean over
            positions, 0..1, (heads,).
        equal: the same if all positions got equal attention.
        rolled: the same after rollout, with the residual connection (Abnar and Zuidema 2020).
        symbols: of the equation.
    """

    learned: bool
    trained: bool
    layer: str
    pixels: Tensor
    pairs: Tensor
    size: tuple[int, int]
    near: Tensor
    equal: float
    rolled: float
    symbols: tuple[Symbol, ...]

    def attention_from(self, field: int) -> Tensor:
        """Attention of the position in the center of one of nine fields, resized, (S, S)."""
        row, column = centers(*self.size)[field]
        spread = self.pairs[row * self.size[1] + column].unflatten(0, self.size)
        return cam.resize(spread, self.pixels.shape)


def self_attention(face: Face, network: str) -> SelfAttention:
    """Self-attention of a feature map: by the network's own block, or directly from the features."""
    net = open_network(network)
    x = net.prepare(face)
    learned = any(isinstance(net.model.get_submodule(name), TransformerBlock) for name in net.spec.attention_layers)
    if learned:
        layer, _ = first_module(net, TransformerBlock)
        tokens = attention.input_of(net.model, x, layer)[0]  # (N, D)
        steps = attention.steps_of(net.model, x, (layer,))[layer]
        q, k, A = steps.q[0], steps.k[0], steps.attention[0]  # (heads, N, d) twice, (heads, N, N)
        side = round(len(tokens) ** 0.5)
        size = (side, side)
    else:
        layer = net.cam_layer
        map_ = _map_of(net, x)  # (D, h, w)
        size = (map_.shape[-2], map_.shape[-1])
        tokens = map_.flatten(1).T  # (N, D)
        heads = HEADS if tokens.shape[1] % HEADS == 0 else 1
        q = k = F.layer_norm(tokens, tokens.shape[-1:]).unflatten(1, (heads, -1)).transpose(0, 1)  # (heads, N, d)
        A = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)  # (heads, N, N)
    neighbors = _neighbors(*size)  # (N, N)
    rolled = attention.rollout([A[None]])[0]
    return SelfAttention(
        learned=learned,
        trained=net.trained,
        layer=layer,
        pixels=net.see(face),
        pairs=A.mean(0),
        size=size,
        near=(A * neighbors).sum(-1).mean(-1),
        equal=float(neighbors.sum(-1).mean() / len(neighbors)),
        rolled=float((rolled * neighbors).sum(-1).mean()),
        symbols=(
            symbol("x", "tokens: positions of the feature map, N × D", tokens),
            symbol("q", "queries, heads × N × d", q),
            symbol("k", "keys" if learned else "keys, equal to the queries", k),
            symbol("A", "attention of each query (row) to each key", A),
            symbol(r"\tilde A", "rollout: half attention, half residual connection", rolled),
        ),
    )


def _map_of(net: Network, x: Tensor) -> Tensor:
    """Output of the target layer, (D, h, w)."""
    return forward_from(net.model, x, net.cam_layer, net.spec.reshape).A.detach()[0]


def _neighbors(height: int, width: int) -> Tensor:
    """Whether positions are in each other's 3×3 neighborhood, themselves included, as 0 and 1, (N, N)."""
    rows = torch.arange(height).repeat_interleave(width)
    columns = torch.arange(width).repeat(height)
    near = ((rows[:, None] - rows).abs() <= 1) & ((columns[:, None] - columns).abs() <= 1)
    return near.float()
