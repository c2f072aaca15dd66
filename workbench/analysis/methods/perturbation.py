"""Perturbation methods: remove a feature map or a part of the image, and run the network again."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..cam import resize
from ..layouts import Layout
from .case import CHUNK, Case, library


def scorecam(case: Case) -> Tensor:
    """Score-CAM, (B, h, w): w_k is the softmax over maps of the logit with the image masked by map k."""
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    engine, target = library().ScoreCAM(case.model, []), [ClassifierOutputTarget(case.class_)]
    engine.batch_size = CHUNK
    pairs = zip(case.x, case.maps, strict=True)  # one by one: it holds K masked images at a time
    weights = [engine.get_cam_weights(x[None], None, target, maps[None], None) for x, maps in pairs]  # (1, K) each
    return case.weighted(np.concatenate(weights))


def ablationcam(case: Case) -> Tensor:
    """Ablation-CAM, (B, h, w): w_k = y^c − y^c without map k. The paper divides by y^c, which inverts the map where
    y^c is negative.

    Not the package's: where a layer has negative values, it subtracts 10⁷ instead of setting a map to zero, and once
    more for each image of a batch.
    """
    without: list[Tensor] = []  # what the layer puts out next
    drops = []
    module = case.model.get_submodule(case.layer)
    layout = case.layout or Layout("channels-first", (case.A.shape[-2], case.A.shape[-1]))
    with module.register_forward_hook(lambda _module, _inputs, output: layout.replaced(output, without[0])):
        for x, A, y in zip(case.x, case.A.detach(), case.y.detach(), strict=True):
            for ks in torch.arange(len(A), device=A.device).split(CHUNK):
                maps = A.repeat(len(ks), 1, 1, 1)  # (n, K, h, w)
                maps[range(len(ks)), ks] = 0
                without[:] = [maps]
                drops.append(y - case.model(x.repeat(len(ks), 1, 1, 1))[:, case.class_])
    return case.weighted(torch.cat(drops).view(case.A.shape[:2]))


def occlusion(case: Case) -> Tensor:
    """Drop of the logit when a window around each pixel is occluded with plain gray: (B, H, W)."""
    from captum.attr import Occlusion

    channels, (windows, strides) = case.x.shape[1], _windows(case.x.shape[-2:])
    drops = Occlusion(case.model).attribute(
        case.x,
        sliding_window_shapes=(channels, *windows),
        strides=(channels, *strides),
        target=case.class_,
        perturbations_per_eval=max(1, CHUNK // len(case.x)),
    )
    return drops.detach()[:, 0].to(case.x)  # the same in every channel: a window hides them all


def _windows(size: Sequence[int]) -> tuple[list[int], list[int]]:
    """Sides of the window, a sixth of the image's, and its steps, half of that: for 48 px, 8 and 4."""
    windows = [max(1, round(side / 6)) for side in size]
    return windows, [max(1, side // 2) for side in windows]


def window_positions(size: Sequence[int]) -> int:
    """How many windows occlusion covers on an image of (height, width)."""
    counts = [math.ceil((n - window) / step) + 1 for n, window, step in zip(size, *_windows(size), strict=True)]
    return math.prod(counts)


MASKS, _CELLS = 1000, 7
"""Parameters of RISE: random masks (the paper has 4000 for 224 px), and cells of a mask on a side, as in the paper."""


def rise(case: Case) -> Tensor:
    """S = Σ_i p^c(x ⊙ M_i) M_i / Σ_i M_i over N random masks M_i, p^c the probability of the class: (B, H, W).

    By hand, because neither captum nor pytorch-grad-cam has it. Petsiuk et al. 2018, section 3.2: a mask is a grid of
    cells, each kept with probability ½, resized bilinearly and shifted at random by less than a cell. Eq. 6 divides by
    N·E[M]; the masks that were drawn instead leave no pattern where the network sees no evidence.
    """
    size = case.x.shape[-2:]
    generator, weighted = torch.Generator().manual_seed(0), case.x.new_zeros(len(case.x), *size)
    kept = case.x.new_zeros(size)
    for n in torch.arange(MASKS).split(CHUNK):
        masks = _masks(len(n), size, generator).to(case.x)  # (n, 1, H, W)
        kept += masks.sum((0, 1))
        for i, x in enumerate(case.x):
            p = case.model(x * masks).softmax(1)[:, case.class_]  # (n,)
            weighted[i] += torch.einsum("n,nhw->hw", p, masks[:, 0])
    return weighted / kept


def _masks(count: int, size: Sequence[int], generator: torch.Generator) -> Tensor:
    """Random masks in 0..1, (count, 1, H, W)."""
    cell = [math.ceil(side / _CELLS) for side in size]
    kept = (torch.rand(count, 1, _CELLS + 1, _CELLS + 1, generator=generator) < 0.5).float()
    whole = resize(kept, [(_CELLS + 1) * side for side in cell])
    starts = [torch.randint(0, side, (count,), generator=generator).tolist() for side in cell]
    (height, width), placed = size, zip(whole, *starts, strict=True)
    return torch.stack([mask[:, y : y + height, x : x + width] for mask, y, x in placed])
