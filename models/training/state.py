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

from ..files import write_bytes

FILE = "state.safetensors"


def save_state(folder: Path, model: nn.Module, optimizer: Optimizer, facts: dict[str, Any]) -> None:
    """Write network and optimiser in full precision, and the `facts` (JSON) beside them."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
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


def load_state(folder: Path, model: nn.Module, optimizer: Optimizer) -> None:
    """Put network and optimiser back as they were after the last whole epoch."""
    tensors = safetensors.torch.load_file(folder / FILE)
    model.load_state_dict({k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")})
    slots: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, index, slot = key.split(".", 2)
            slots.setdefault(int(index), {})[slot] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": slots})
