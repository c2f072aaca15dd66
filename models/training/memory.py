"""How much memory a training step needs, found without taking any: the network is built and run on torch's device
`meta`, where tensors have shapes but no numbers, while autograd's hooks count what the backward pass would keep.

An estimate: what kernels take for themselves is not seen, so callers leave a margin.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from ..registry import create_model, get_spec
from .config import TrainConfig

_CLASSES = 8  # nearly nothing depends on it
_MARGIN = 0.8  # share of the room that is taken


def step_bytes(config: TrainConfig, batch_size: int | None = None) -> int:
    """Bytes of a training step: weights, gradients, the optimiser's slots, and what the backward pass keeps.

    Args:
        config: the training; everything counts as float32 and as trained.
        batch_size: pictures in the step; by default the configuration's.

    Raises:
        RuntimeError, NotImplementedError, ValueError, TypeError: the network cannot be run without numbers.
    """
    size = config.input_size or get_spec(config.model).input_size
    with torch.device("meta"):
        model = create_model(config.model, num_classes=_CLASSES, **config.overrides).train()
        x = torch.empty(batch_size or config.batch_size, 1, size, size)
    return _fixed_bytes(model, config) + x.nbytes + _kept_bytes(model, x)


def fitting_batch(config: TrainConfig, room: float) -> int:
    """The largest power of two, at most half of the configuration's batch, whose step fits into `room` bytes.

    Returns:
        0 where not even two pictures fit.
    """
    two, four = step_bytes(config, 2), step_bytes(config, 4)
    each = max(1.0, (four - two) / 2)
    most = min(config.batch_size / 2, 2 + (_MARGIN * room - two) / each)
    return 0 if most < 2 else 2 ** int(math.log2(most))


def _fixed_bytes(model: nn.Module, config: TrainConfig) -> int:
    """Weights, gradients, slots of the optimiser; buffers."""
    parameters = sum(p.nbytes for p in model.parameters())
    return parameters * (2 + int(config.momentum > 0)) + sum(b.nbytes for b in model.buffers())


def _kept_bytes(model: nn.Module, x: Tensor) -> int:
    """Bytes of the storages that autograd keeps for the backward pass, each counted once, parameters not."""
    own = {p.untyped_storage()._cdata for p in model.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}  # held, so that no number is given twice

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor):
        model(x).sum()
    return sum(storage.nbytes() for storage in kept.values())
