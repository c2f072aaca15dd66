"""A small vision transformer for faces of 48 pixels: ours, after paper B's future work.

The idea: ViT (Dosovitskiy et al. 2021) cuts the image into patches, projects each to a token, adds an embedding of its
position, and lets transformer blocks relate all tokens to each other. Ours has the width and heads of ViT-Tiny
(Touvron et al. 2021, DeiT): 192 and 3. A patch of 6 pixels makes 8×8 tokens of a FER2013 face.

    t_i = E p_i + e_i                                  patches p_i, position embedding e_i     (B, N, D)
    t ← t + MSA(LN(t)),  t ← t + FFN(LN(t))            `depth` times, see layers/transformer.py
    y = W mean_i LN(t_i)                               logits                                  (B, K)

A vision transformer has to learn what a convolution has built in, that neighbors matter and that a face may be
anywhere; a few ten thousand images hardly suffice. `training/masked.py` can therefore train it first to reconstruct
hidden patches, without labels.

Differences from ViT-Tiny: 6 blocks, not 12; the mean of all tokens, not a class token, so that the tokens are the
positions of a map that class activation maps and the attention of each block can be drawn on; position embeddings are
interpolated where the image has another size.
"""

from __future__ import annotations

from typing import Annotated, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..layers.transformer import TransformerBlock
from ..options import Bounds, InputChannels, Share, options_of
from ..registry import register_model

PATCH = 6
"""Side of a patch in pixels."""
DEPTH = 6
"""Transformer blocks."""
GRID = 8
"""Patches along each side of the image for which there are position embeddings: 48 pixels."""


class PatchEmbedding(nn.Module):
    """Patches projected to tokens, with position embeddings: (B, C, H, W) → (B, N, D), N = ⌊H/6⌋·⌊W/6⌋, row by row."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, width, PATCH, stride=PATCH)
        self.position = nn.Parameter(torch.empty(1, width, GRID, GRID))
        nn.init.trunc_normal_(self.position, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Return the tokens."""
        x = self.project(x)  # (B, D, h, w)
        position = self.position
        if x.shape[-2:] != position.shape[-2:]:
            position = F.interpolate(position, x.shape[-2:], mode="bicubic", align_corners=False)
        return (x + position).flatten(2).mT  # (B, N, D)


class AsMap(nn.Module):
    """Tokens (B, N, D) as the map that they are: (B, D, h, w)."""

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Return the map; `grid` is (h, w)."""
        return tokens.mT.unflatten(2, grid)


class VisionTransformer(nn.Module):
    """Patch embedding, transformer blocks, the mean over positions, one linear layer.

    Args:
        num_classes: number of logits.
        width: D, channels of a token; a multiple of `heads`.
        heads: number of attention heads of each block.
        dropout: dropout probability in the blocks and of the pooled features.
        drop_path: probability with which training leaves out the last block for an image; less for earlier ones.
        channels: number of input channels, 1 for gray, 3 for RGB.
    """

    def __init__(
        self,
        num_classes: int = 7,
        width: Annotated[int, Bounds(12, 768)] = 192,
        heads: Annotated[int, Bounds(1, 12)] = 3,
        dropout: Share = 0.0,
        drop_path: Share = 0.1,
        channels: InputChannels = 1,
    ) -> None:
        super().__init__()
        self.patches = PatchEmbedding(channels, width)
        rates = torch.linspace(0, drop_path, DEPTH, device="cpu").tolist()  # one a block, also where all else is meta
        self.blocks = nn.ModuleList(
            TransformerBlock(width, heads, dropout=dropout, drop_path=rate, activation=nn.GELU) for rate in rates
        )
        self.norm = nn.LayerNorm(width)
        self.maps = AsMap()
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """Normalized images (B, C, H, W) → logits (B, num_classes)."""
        grid = x.shape[-2] // PATCH, x.shape[-1] // PATCH  # (h, w)
        tokens = self.encode(self.patches(x))  # (B, N, D)
        features = self.maps(tokens, grid)  # (B, D, h, w): 8×8 at 48 px, the layer of the class activation maps
        return self.classifier(self.dropout(features.mean((-2, -1))))

    def encode(self, tokens: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D"]:
        """Tokens after all blocks and the last layer norm; in pretraining only those of visible patches."""
        for block in self.blocks:
            tokens = cast(TransformerBlock, block)(tokens)
        return self.norm(tokens)


@register_model(
    "vit_tiny",
    paper="B",
    title="ViT-Tiny, 6 blocks (ours)",
    parameters=2_690_311,
    imagenet=False,
    smallest_side=2 * PATCH,
    stride=PATCH,
    stages=(("patches",), *((f"blocks.{i}", f"blocks.{i + 1}") for i in range(0, DEPTH, 2))),
    cam_layer="maps",
    attention_layers=tuple(f"blocks.{i}" for i in range(DEPTH)),
    attention="transformer",
    recipe="vit",
    options=options_of(VisionTransformer),
)
def vit_tiny(num_classes: int = 7, **overrides) -> VisionTransformer:
    """Build the vision transformer."""
    return VisionTransformer(num_classes, **overrides)
