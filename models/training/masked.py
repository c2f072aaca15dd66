"""Masked-image pretraining of a vision transformer: reconstruct hidden patches, without labels.

The idea (masked autoencoder, He et al. 2022): three quarters of the patches are hidden at random. The encoder, which is
the network, gets the visible ones only; a small decoder gets their tokens, a learned token for each hidden patch, and
positions, and predicts the pixels. To predict them, the encoder has to represent what a face looks like. The decoder is
then discarded, and training with labels starts from the encoder.

    L = mean over hidden patches i of |p̂_i − p̃_i|² / 36,   p̃_i the pixels of patch i, normalized within the patch

Differences from the paper: a decoder of 2 blocks of width 96; flips as the only augmentation, as faces are aligned; the
norm before the classifier belongs to the encoder, and the classifier keeps its random weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..architectures.vit_tiny import PATCH, VisionTransformer
from ..footprint import on_meta
from ..layers.transformer import TransformerBlock, sine_positions
from ..preprocessing import normalize, to_unit, with_channels
from .config import TrainConfig
from .errors import TrainingError

HIDDEN = 0.75
"""Share of the patches that are hidden."""
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.05

_WIDTH, _BLOCKS, _HEADS = 96, 2, 3  # of the decoder
_WARMUP = 0.1  # share of the steps


def check_masked(config: TrainConfig, num_classes: int) -> None:
    """Raise TrainingError where a configuration asks for masked-image pretraining of a network without patches."""
    if not config.masked_epochs:
        return
    if not isinstance(on_meta(config.model, num_classes, config.overrides), VisionTransformer):
        raise TrainingError(
            f"masked_epochs={config.masked_epochs}: {config.model} has no patches to hide. Use --model vit_tiny, or "
            "leave --masked-epochs out."
        )
    if config.start_from:
        raise TrainingError("masked_epochs and start_from exclude each other: give one of them.")


class MaskedAutoencoder(nn.Module):
    """An encoder with a decoder of its own.

    Args:
        encoder: the vision transformer that is pretrained.
    """

    def __init__(self, encoder: VisionTransformer) -> None:
        super().__init__()
        self.encoder = encoder
        self.project = nn.Linear(encoder.norm.normalized_shape[0], _WIDTH)
        self.hidden = nn.Parameter(torch.zeros(_WIDTH))
        nn.init.normal_(self.hidden, std=0.02)
        blocks = [TransformerBlock(_WIDTH, _HEADS, dropout=0.0, activation=nn.GELU) for _ in range(_BLOCKS)]
        self.decoder = nn.Sequential(*blocks, nn.LayerNorm(_WIDTH), nn.Linear(_WIDTH, PATCH * PATCH))

    def forward(self, x: Float[Tensor, "B 1 H W"]) -> Float[Tensor, ""]:
        """Return the loss L of a batch of gray images, for patches hidden at random."""
        patches = self.encoder.patches
        tokens = patches(with_channels(x, patches.project.in_channels))  # (B, N, D)
        batch, count, width = tokens.shape
        order = torch.rand(batch, count, device=x.device).argsort(1)  # (B, N)  a random permutation for each image
        visible = order[:, : max(1, round((1 - HIDDEN) * count))]  # (B, V)
        seen = tokens.gather(1, visible[..., None].expand(-1, -1, width))  # (B, V, D)
        encoded = self.project(self.encoder.encode(seen))  # (B, V, d)
        whole = self.hidden.to(encoded.dtype).expand(batch, count, -1)
        whole = whole.scatter(1, visible[..., None].expand(-1, -1, _WIDTH), encoded)  # (B, N, d)
        positions = sine_positions(x.shape[-2] // PATCH, x.shape[-1] // PATCH, _WIDTH, like=encoded)  # (N, d)
        predicted = self.decoder(whole + positions).float()  # (B, N, 36)
        error = (predicted - _patches(x.float())).square().mean(-1)  # (B, N)
        hidden = torch.ones_like(error).scatter(1, visible, 0.0)
        return (error * hidden).sum() / hidden.sum()


def _patches(x: Tensor) -> Tensor:
    """Pixels of each patch, normalized within it: (B, 1, H, W) → (B, N, 36)."""
    pixels = F.unfold(x, PATCH, stride=PATCH).mT  # (B, N, 36)
    return (pixels - pixels.mean(-1, keepdim=True)) / (pixels.var(-1, keepdim=True) + 1e-6).sqrt()


def pretrain(
    network: VisionTransformer,
    images: Tensor,
    statistics: tuple[float, float],
    size: int,
    epochs: int,
    batch_size: int = 128,
    tell: Callable[[str], object] = print,
) -> list[float]:
    """Pretrain a network in place, with AdamW, a linear warm-up and a cosine; it is in training mode afterwards.

    Args:
        network: the network, on the device of the images.
        images: uint8 (N, H, W), of the training set only.
        statistics: mean and standard deviation of its pixels in 0..1.
        size: side of the network's input in pixels.
        epochs: passes over the images.
        batch_size: images in a step.
        tell: called with a line for each epoch.

    Returns:
        The mean loss of each epoch; 1 is that of predicting each patch's mean.

    Raises:
        TrainingError: the loss is not a number.
    """
    model = MaskedAutoencoder(network).to(images.device).train()
    steps = -(-len(images) // batch_size)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, (0.9, 0.95), weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step / (epochs * steps)))
    history = []
    for epoch in range(1, epochs + 1):
        total = 0.0
        for some in torch.randperm(len(images), device="cpu").split(batch_size):
            x = normalize(to_unit(images[some.to(images.device)], size), *statistics)
            flipped = torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5
            loss = model(torch.where(flipped, x.flip(-1), x))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(x)
        history.append(total / len(images))
        if not math.isfinite(history[-1]):
            raise TrainingError(f"The loss of masked-image pretraining is not a number in epoch {epoch}.")
        tell(f"Masked-image pretraining, epoch {epoch} of {epochs}: loss {history[-1]:.3f}")
    return history


def _rate(share: float) -> float:
    """Factor on the learning rate after a share of the steps: a linear warm-up, then a cosine to 0."""
    if share < _WARMUP:
        return (share + 1e-3) / (_WARMUP + 1e-3)
    return (1 + math.cos(math.pi * (share - _WARMUP) / (1 - _WARMUP))) / 2
