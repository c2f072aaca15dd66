"""Networks with attention of every kind, and pictures for them; for the tests of attention."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import nn

from models import create_model

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


def pictures(seed: int, count: int = 2) -> torch.Tensor:
    return torch.randn(count, 1, 48, 48, generator=torch.Generator().manual_seed(seed))
