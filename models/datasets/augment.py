"""Augmentation by name: every sample of a batch is drawn its own change, on the batch's device (kornia)."""

from __future__ import annotations

from collections.abc import Callable

import kornia.augmentation as K
from torch import Tensor, nn


def _none() -> nn.Module:
    return nn.Identity()


def _quick() -> nn.Module:
    """Mirror, turn by up to 20°, shift by up to 12 %, zoom by up to 15 %, cut out a patch of up to a fifth."""
    return K.ImageSequential(
        K.RandomHorizontalFlip(p=0.5),
        K.RandomAffine(degrees=20, translate=(0.12, 0.12), scale=(0.85, 1.15), padding_mode="border", p=1.0),
        K.RandomErasing(p=0.5, scale=(0.02, 0.2), ratio=(0.3, 3.3), value=0.5),
    )


AUGMENTATIONS: dict[str, Callable[[], nn.Module]] = {"none": _none, "quick": _quick}


def augmentation(name: str) -> Callable[[Tensor], Tensor]:
    """Pixels in 0..1 (B, 1, H, W) → the same shape, changed at random; draws from torch's global generator."""
    if name not in AUGMENTATIONS:
        raise ValueError(f'augmentation="{name}" is not known; there are: {", ".join(AUGMENTATIONS)}')
    return AUGMENTATIONS[name]()
