"""Methods that switch superpixels off, at random, and fit a linear model to the logits: KernelSHAP and LIME."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from models.seeding import seeded

from .case import CHUNK, Case

SAMPLES = 500
"""Images with superpixels switched off; the linear model has about `SEGMENTS` weights."""

SEGMENTS = 40


def kernelshap(case: Case) -> Tensor:
    """Shapley values of the superpixels, estimated by a weighted regression: (B, H, W)."""
    from captum.attr import KernelShap

    return _fitted(case, KernelShap(case.model))


def lime(case: Case) -> Tensor:
    """Weights of a ridge regression on superpixels, as the authors' package fits: (B, H, W)."""
    from captum._utils.models.linear_model import SkLearnRidge
    from captum.attr import Lime

    return _fitted(case, Lime(case.model, interpretable_model=SkLearnRidge(alpha=1.0)))


def _fitted(case: Case, method: Any) -> Tensor:
    """One image at a time: each has superpixels of its own. Those that are off are 0, plain gray."""
    maps = []
    for image in case.x:
        with seeded(0):  # the same samples at each call
            found = method.attribute(
                image[None],
                target=case.class_,
                feature_mask=superpixels(image)[None, None].to(image.device),
                n_samples=SAMPLES,
                perturbations_per_eval=CHUNK,
            )
        maps.append(found[0, 0])  # the same in every channel
    return torch.stack(maps).detach().to(case.x)


def superpixels(image: Tensor) -> Tensor:
    """About `SEGMENTS` connected regions of similar brightness by SLIC, numbered from 0: (C, H, W) → (H, W)."""
    from skimage.segmentation import slic

    gray = image.mean(0)
    unit = (gray - gray.min()) / (gray.max() - gray.min()).clamp_min(1e-12)
    labels = slic(unit.cpu().numpy(), SEGMENTS, compactness=0.1, start_label=0, channel_axis=None)
    return torch.from_numpy(labels)
