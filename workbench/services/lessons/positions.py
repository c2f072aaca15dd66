"""The lesson on self-attention between the positions of a feature map."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models import ModelSpec
from models.layers.transformer import TransformerBlock

from ...analysis import attention, cam
from ...faces import Face
from ..gates import stored_gates
from ..networks import get_spec, network_names, open_network
from .common import Symbol, centers, first_module, symbol


@dataclass(frozen=True, eq=False)
class SelfAttention:
    """Self-attention between the positions of a feature map.

    Attributes:
        trained: whether the network has trained weights.
        layer: the transformer block.
        pixels: the input of the network in 0..1, (S, S).
        pairs: attention of each query (row) to each key (column), mean over heads, rows summing to 1, (N, N), N = h·w.
        size: (h, w).
        near: share of the attention of each head that goes to a position's own 3×3 neighborhood, mean over
            positions, 0..1, (heads,).
        equal: the same if all positions got equal attention.
        rolled: the same after rollout, with the residual connection (Abnar and Zuidema 2020).
        effect: share of predictions that change with uniform attention in its place, and on which images that was
            measured; None where it was not.
        symbols: symbols of the equation.
    """

    trained: bool
    layer: str
    pixels: Tensor
    pairs: Tensor
    size: tuple[int, int]
    near: Tensor
    equal: float
    rolled: float
    effect: tuple[float, str] | None
    symbols: tuple[Symbol, ...]

    def attention_from(self, field: int) -> Tensor:
        """Attention of the position in the center of one of nine fields, resized, (S, S)."""
        row, column = centers(*self.size)[field]
        spread = self.pairs[row * self.size[1] + column].unflatten(0, self.size)
        return cam.resize(spread, self.pixels.shape)


def has_self_attention(spec: ModelSpec) -> bool:
    """Whether a network has transformer blocks."""
    return "transformer" in spec.attention


def network_with_self_attention(chosen: str) -> str:
    """The chosen network if it has self-attention, else the one whose predictions need theirs most.

    That is measured by the share of predictions that change with uniform attention (`attention.json`).
    """
    if has_self_attention(get_spec(chosen)):
        return chosen
    known = [name for name in network_names() if has_self_attention(get_spec(name))]
    return max(known, key=lambda name: max((share for _, share, _ in _effects(name)), default=-1.0))


def _effects(network: str) -> list[tuple[str, float, str]]:
    """Layer, share of predictions changed by uniform attention, and the images, of each self-attention measured."""
    found = stored_gates(network)
    gates = (gate for module in found.modules for gate in module.gates) if found else ()
    return [(g.gate.layer, g.changed_uniform, found.images) for g in gates if found and g.changed_uniform is not None]


def self_attention(face: Face, network: str) -> SelfAttention:
    """Self-attention of a network's first transformer block for a face; see `has_self_attention`."""
    net = open_network(network)
    x = net.prepare(face)
    layer, _ = first_module(net, TransformerBlock)
    tokens = attention.input_of(net.model, x, layer)[0]  # (N, D)
    steps = attention.steps_of(net.model, x, (layer,))[layer]
    q, k, A = steps.q[0], steps.k[0], steps.attention[0]  # (heads, N, d) twice, (heads, N, N)
    side = round(len(tokens) ** 0.5)
    neighbors = _neighbors(side, side)  # (N, N)
    rolled = attention.rollout([A[None]])[0]
    return SelfAttention(
        trained=net.trained,
        layer=layer,
        pixels=net.see(face),
        pairs=A.mean(0),
        size=(side, side),
        near=(A * neighbors).sum(-1).mean(-1),
        equal=float(neighbors.sum(-1).mean() / len(neighbors)),
        rolled=float((rolled * neighbors).sum(-1).mean()),
        effect=next(((share, images) for name, share, images in _effects(network) if name == layer), None),
        symbols=(
            symbol("x", "tokens: positions of the feature map, N × D", tokens),
            symbol("q", "queries, heads × N × d", q),
            symbol("k", "keys", k),
            symbol("A", "attention of each query (row) to each key", A),
            symbol(r"\tilde A", "rollout: half attention, half residual connection", rolled),
        ),
    )


def _neighbors(height: int, width: int) -> Tensor:
    """Whether positions are in each other's 3×3 neighborhood, themselves included, as 0 and 1, (N, N)."""
    rows = torch.arange(height).repeat_interleave(width)
    columns = torch.arange(width).repeat(height)
    near = ((rows[:, None] - rows).abs() <= 1) & ((columns[:, None] - columns).abs() <= 1)
    return near.float()
