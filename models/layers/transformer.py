"""One transformer encoder block over the positions of a feature map (Vaswani et al. 2017; paper B).

The idea: a convolution combines a neighborhood; self-attention combines all positions. Each position has a query q, a
key k and a value v; its output is a mean of all values, weighted by the similarity of its query to their keys.

    q, k, v = W LN(x)                   for each head                                     (B, heads, N, d)
    A = softmax(q kᵀ / √d)              attention weights, each row sums to 1             (B, heads, N, N)
    z = x + W_o (A v)                   residual connection around attention
    y = z + FFN(LN(z))                  the same MLP at each position, FFN = W₂ φ(W₁ ·), φ = ReLU or GELU

Differences from Vaswani et al.: layer norm before each of the two sublayers, not after them, which trains without
warm-up. The sinusoidal position embedding has two dimensions, row and column (`sine_positions`); the caller adds it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class TransformerSteps(NamedTuple):
    """What the block computes on tokens (B, N, D), with d = D / heads.

    Attributes:
        q, k, v: queries, keys, values, (B, heads, N, d).
        attention: A, each row summing to 1, (B, heads, N, N).
        z: after attention, (B, N, D).
        y: after the feed-forward network, (B, N, D).
    """

    q: Tensor
    k: Tensor
    v: Tensor
    attention: Tensor
    z: Tensor
    y: Tensor


class TransformerBlock(nn.Module):
    """Self-attention and feed-forward network over tokens (B, N, D), each with a residual connection.

    Args:
        width: D.
        heads: number of heads; must divide `width`.
        expansion: factor by which the feed-forward network is wider.
        dropout: dropout probability after each of the two.
        drop_path: probability with which training leaves out each of the two for an image (stochastic depth, Huang et
            al. 2016).
        activation: φ of the feed-forward network.
    """

    def __init__(
        self,
        width: int,
        heads: int = 8,
        expansion: int = 4,
        dropout: float = 0.1,
        drop_path: float = 0.0,
        activation: Callable[[], nn.Module] = nn.ReLU,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"heads={heads} does not divide width={width}")
        self.heads, self.enabled = heads, True
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.softmax = nn.Softmax(-1)
        self.out = nn.Linear(width, width)
        self.ffn = nn.Sequential(nn.Linear(width, expansion * width), activation(), nn.Linear(expansion * width, width))
        self.dropout = nn.Dropout(dropout)
        self.drop_path: nn.Module = nn.Identity()
        if drop_path:
            from torchvision.ops import StochasticDepth  # here: importing torchvision takes a second

            self.drop_path = StochasticDepth(drop_path, "row")

    def forward(self, x: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D"]:
        """Transform the tokens; with `enabled = False` they are returned unchanged."""
        if not self.enabled:
            return x
        q, k, v = self._qkv(x)
        return self._rest(x, F.scaled_dot_product_attention(q, k, v))[1]  # fused kernel: A is never stored

    def steps(self, x: Float[Tensor, "B N D"]) -> TransformerSteps:
        """Return all intermediate results, including the attention weights, which the fused kernel does not return."""
        q, k, v = self._qkv(x)
        attention = self.softmax(q @ k.mT / q.shape[-1] ** 0.5)  # (B, heads, N, N)
        return TransformerSteps(q, k, v, attention, *self._rest(x, attention @ v))

    def _qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        qkv = self.qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1))  # (B, N, 3, heads, d)
        return tuple(part.transpose(1, 2) for part in qkv.unbind(2))  # (B, heads, N, d) each

    def _rest(self, x: Tensor, attended: Tensor) -> tuple[Tensor, Tensor]:
        z = x + self.drop_path(self.dropout(self.out(attended.transpose(1, 2).flatten(2))))  # (B, N, D)
        return z, z + self.drop_path(self.dropout(self.ffn(self.norm2(z))))


def sine_positions(height: int, width: int, channels: int, like: Tensor) -> Tensor:
    """Sinusoidal position embedding of row and column: (height · width, channels).

    Args:
        height, width: size of the map.
        channels: D, a multiple of 4; a quarter each for sine and cosine of row and column.
        like: a tensor with the device and dtype of the result.
    """
    if channels % 4:
        raise ValueError(f"channels={channels} is not a multiple of 4")
    rates = 10_000 ** -(torch.arange(channels // 4, device=like.device) / (channels // 4))  # (D/4,)
    rows, columns = (torch.arange(n, device=like.device)[:, None] * rates for n in (height, width))  # (n, D/4)
    waves = torch.cat(
        [
            torch.cat([rows.sin(), rows.cos()], 1)[:, None].expand(-1, width, -1),
            torch.cat([columns.sin(), columns.cos()], 1)[None].expand(height, -1, -1),
        ],
        -1,
    )  # (height, width, D)
    return waves.flatten(0, 1).to(like.dtype)
