"""Networks and images that several tests explain, and the state that an analysis could leave in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Net(nn.Module):
    """A small network with what can trip an explainer: in-place ReLU, dropout, batch-norm, branches of no use."""

    def __init__(self, inplace: bool = True):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.relu = nn.ReLU(inplace=inplace)
        self.late = nn.Sequential(nn.Conv2d(6, 8, 3, padding=1), nn.ReLU())
        self.unused = nn.Conv2d(6, 6, 1)
        self.sidetrack = nn.Conv2d(6, 6, 1)
        self.drop = nn.Dropout(0.5)
        self.bound = nn.Tanh()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.relu(self.norm(self.conv(x)))
        self.sidetrack(x)
        x = self.late(x)
        return self.head(self.drop(self.pool(self.bound(x)).flatten(1)))


class Halves(nn.Module):
    """Predicts "left" or "right" from the sum of the pixels there, through two maps that hold one half each."""

    def __init__(self):
        super().__init__()
        self.split = nn.Conv2d(1, 2, 1, bias=False)
        self.split.weight.data.fill_(1)
        left = torch.arange(12) < 6
        self.register_buffer("masks", torch.stack([left, ~left]).float()[:, None].expand(2, 12, 12).clone())
        self.maps = nn.Identity()

    def forward(self, x):
        return self.maps(self.split(x) * self.masks).sum((2, 3))


def images(count: int, side: int = 12, seed: int = 3) -> Tensor:
    blobs = 2 * torch.randn(count, 1, 6, 6, generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(blobs, size=(side, side), mode="bicubic")


def state_of(model: nn.Module) -> list:
    """All state that an analysis could leave behind."""
    modes = [(name, type(module), module.training) for name, module in model.named_modules()]
    hooks = [
        list(table.items())
        for module in model.modules()
        for table in (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks)
    ]
    gradients = [
        (id(p), p.requires_grad, p.dtype, None if p.grad is None else (id(p.grad), p.grad.sum().item()))
        for p in model.parameters()
    ]
    return [modes, hooks, gradients]


@contextmanager
def resized_to_96_at_most(model: nn.Module) -> Iterator[nn.Module]:
    """Let networks that resize the image inside do so to 96 pixels at most; for tests where map sizes do not matter."""
    sides = {module: module.side for module in model.modules() if isinstance(getattr(module, "side", None), int)}
    for module, side in sides.items():
        module.side = min(side, 96)
    yield model
    for module, side in sides.items():
        module.side = side
