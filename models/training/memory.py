"""Whether a batch fits into memory: told before the first step, not by the operating system in the middle of one."""

from __future__ import annotations

from dataclasses import dataclass

import psutil
import torch
from torch import Tensor, nn

_BEYOND_THE_MAPS = 1.5
"""Memory at the peak of a step, in units of the maps that are kept for the way back: gradients, copies, workspace."""


@dataclass(frozen=True)
class Room:
    """What a training step needs and what there is, in bytes.

    Attributes:
        fixed: for weights, gradients and the optimiser's averages.
        each: for one picture of the batch, estimated.
        free: on the device.
    """

    fixed: int
    each: int
    free: int

    @property
    def batch(self) -> int:
        """The largest power of two that fits, 0 where not even two pictures do."""
        most = (self.free - self.fixed) // max(self.each, 1)
        return 1 << (most.bit_length() - 1) if most >= 2 else 0

    def takes(self, batch_size: int) -> bool:
        """Whether a batch fits."""
        return self.fixed + batch_size * self.each <= self.free


def room(model: nn.Module, size: int, device: torch.device, processes: int = 1, precision: str = "auto") -> Room | None:
    """Measure two pictures on the way forward; the rest is arithmetic.

    Args:
        model: in training mode; comes back as it was.
        size: side of its pictures in pixels.
        device: where it will be trained.
        processes: that share the memory of the processor.
        precision: "bf16-mixed" keeps maps of half the size; others count as float32.

    Returns:
        None for a device that does not tell its free memory.
    """
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0]
    elif device.type == "cpu":
        free = psutil.virtual_memory().available // processes
    else:
        return None
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    each = int(_BEYOND_THE_MAPS * _kept_for_the_way_back(model, size, precision == "bf16-mixed") / 2)
    return Room(fixed=4 * weights, each=each, free=free)


def _kept_for_the_way_back(model: nn.Module, size: int, bf16: bool) -> int:
    """Bytes that two pictures leave behind on their way forward, each piece of memory counted once."""
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    before = {name: value.clone() for name, value in model.state_dict().items()}
    device = next(model.parameters()).device
    try:
        with (
            torch.random.fork_rng(),
            torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
            torch.autocast(device.type, torch.bfloat16, enabled=bf16),
        ):
            model(torch.zeros(2, 1, size, size, device=device)).sum()
    finally:
        model.load_state_dict(before)
    return sum(kept.values())
