"""Networks with attention of every kind, checkpoints of them, and images for them; for the tests of attention."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import nn

from helpers.checkpoint_folders import CARD
from models import create_model
from models.checkpoints import save_checkpoint
from models.datasets import FaceSet

NETWORKS = {
    "resnet18_bam": {},
    "resnet18_svd_hfc": {},
    "multibranch_dsc_cbam": {},
    "rarn": {"backbone": "resnet18"},
    "hybrid_mobilenet_v3_small": {"side": 96},
}


@lru_cache
def network(name: str) -> nn.Module:
    """In training mode, with statistics of its own."""
    torch.manual_seed(0)
    model = create_model(name, **NETWORKS.get(name, {})).train()
    with torch.no_grad():
        model(torch.randn(4, 1, 48, 48))
    return model


def images(seed: int, count: int = 2) -> torch.Tensor:
    return torch.randn(count, 1, 48, 48, generator=torch.Generator().manual_seed(seed))


def write_checkpoint(folder: Path, name: str, seed: int = 0, sharp: str | None = None) -> None:
    """A checkpoint with random weights; the last weights before the gate of the SVD attention `sharp` are larger."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = create_model(name)
    if sharp:
        with torch.no_grad():
            model.get_submodule(sharp).score.weight *= 20
    save_checkpoint(folder, model, dataclasses.replace(CARD, network=name, input_size=48, seed=seed))


def noise_faces() -> FaceSet:
    """A dataset of 56 images of noise of any contrast in FER2013's three parts: 14, 28 and 14."""
    splits = np.array(["Training"] * 14 + ["PublicTest"] * 28 + ["PrivateTest"] * 14)
    rng = np.random.default_rng(0)
    images = (rng.integers(0, 256, (len(splits), 48, 48)) * rng.random((len(splits), 1, 1))).astype(np.uint8)
    return FaceSet(images, np.arange(len(splits)) % 7, np.array([f"{i}" for i in range(len(splits))]), splits)
