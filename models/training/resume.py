"""The state of a run after an epoch, in one file, so that it is never half of one epoch and half of another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from ..files import write_bytes

FILE = "state.safetensors"


def save_state(
    folder: Path, model: nn.Module, running_mean: AveragedModel | None, optimizer: Optimizer, facts: dict[str, Any]
) -> None:
    """Write network, running mean of its weights and optimiser in full precision, with the `facts` (JSON)."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    if running_mean is not None:
        tensors |= {f"mean.{name}": value for name, value in running_mean.state_dict().items()}
    for index, slots in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{slot}": v for slot, v in slots.items() if isinstance(v, torch.Tensor)}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    write_bytes(folder / FILE, safetensors.torch.save(tensors, metadata={"facts": json.dumps(facts)}))


def load_facts(folder: Path) -> dict[str, Any]:
    """The `facts` of the last whole epoch; raises ValueError for a damaged file."""
    try:
        with safetensors.safe_open(folder / FILE, framework="pt") as file:
            return json.loads(file.metadata()["facts"])
    except (safetensors.SafetensorError, OSError, TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{folder / FILE} is damaged ({error}). Remove it to start the run afresh.") from error


def load_networks(folder: Path, model: nn.Module, running_mean: AveragedModel | None) -> None:
    """Put the network, and the running mean of its weights, back as they were after the last whole epoch."""
    tensors = safetensors.torch.load_file(folder / FILE)
    model.load_state_dict(_part(tensors, "model."))
    if running_mean is not None:
        running_mean.load_state_dict(_part(tensors, "mean."))


def load_optimizer(folder: Path, optimizer: Optimizer) -> None:
    """Put the optimiser back as it was after the last whole epoch."""
    slots: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in _part(safetensors.torch.load_file(folder / FILE), "optimizer.").items():
        index, slot = key.split(".", 1)
        slots.setdefault(int(index), {})[slot] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": slots})
    for parameter, kept in optimizer.state.items():
        for slot, value in kept.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                kept[slot] = torch.empty_like(parameter).copy_(value)  # laid out alike: a GPU takes all at once


def _part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
