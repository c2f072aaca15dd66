"""Draws that a seed decides, also where several threads draw at the same time: an app has as many as visitors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from threading import RLock

import torch

_DRAWING = RLock()  # torch has one generator for all threads


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let torch's global generator begin with `seed` in this block, and continue afterwards as if nothing had been."""
    with _DRAWING, torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
