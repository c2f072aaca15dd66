"""Estimate before the first step whether a batch fits into memory."""

from __future__ import annotations

from dataclasses import dataclass

import psutil
import torch
from torch import Tensor, nn

_BEYOND_THE_MAPS = 1.5
"""Peak memory of a step relative to the activations saved for the backward pass: gradients, copies, workspace."""


@dataclass(frozen=True)
class Room:
    """Memory that a training step needs, and free memory, in bytes.

    Attributes:
        fixed: bytes for weights, gradients and the optimizer's moments.
        each: bytes for one image of the batch, estimated.
        free: free bytes on the device.
    """

    fixed: int
    each: int
    free: int

    @property
    def batch(self) -> int:
        """The largest power of two that fits; 0 if not even two images do."""
        most = (self.free - self.fixed) // max(self.each, 1)
        return 1 << (most.bit_length() - 1) if most >= 2 else 0

    def takes(self, batch_size: int) -> bool:
        """Whether a batch fits."""
        return self.fixed + batch_size * self.each <= self.free


def room(
    model: nn.Module, size: int, device: torch.device, processes: int = 1, precision: str = "auto", channels: int = 1
) -> Room | None:
    """Estimate the memory of a training step from the activations of a forward pass of two images.

    Args:
        model: a network in training mode; its state is restored.
        size: side of its input in pixels.
        device: device on which it will be trained.
        processes: number of processes that share the main memory.
        precision: precision of the training run; with "bf16-mixed", activations take half the memory; others count as
            float32.
        channels: number of channels of its input.

    Returns:
        None for a device that does not report its free memory.
    """
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0]
    elif device.type == "cpu":
        free = psutil.virtual_memory().available // processes
    else:
        return None
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    each = int(_BEYOND_THE_MAPS * _saved_activations(model, channels, size, precision == "bf16-mixed") / 2)
    return Room(fixed=4 * weights, each=each, free=free)


def _saved_activations(model: nn.Module, channels: int, size: int, bf16: bool) -> int:
    """Bytes that a forward pass of two images saves for the backward pass, each storage counted once."""
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    saved: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    before = {name: value.clone() for name, value in model.state_dict().items()}
    device = next(model.parameters()).device
    try:
        with (
            torch.random.fork_rng(),
            torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
            torch.autocast(device.type, torch.bfloat16, enabled=bf16),
        ):
            model(torch.zeros(2, channels, size, size, device=device)).sum()
    finally:
        model.load_state_dict(before)
    return sum(saved.values())
