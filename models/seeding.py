"""Reproducible random numbers from a seed, also when several threads of the app draw at the same time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from threading import RLock

import torch

_DRAWING = RLock()  # torch has one generator for all threads


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's global generator inside the block, and restore its state afterwards."""
    with _DRAWING, torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
