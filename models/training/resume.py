"""`RunState`, and `state.safetensors`: what a run is resumed from, in one file, so that it is never of two epochs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from ..cards import Card
from ..files import write_bytes
from .history import EpochRow, best_epoch

FILE = "state.safetensors"


@dataclass(frozen=True)
class RunState:
    """A run after its last complete epoch: everything that the run folder writes.

    Attributes:
        card: card of the run, without results: epochs, best epoch and seconds are 0.
        network: the network, with its weights after the last step.
        evaluated: the network that is evaluated and saved: `network`, or its moving average.
        running_mean: exponential moving average of its weights; None without `TrainConfig.ema`.
        optimizer: the optimizer, with its moments.
        schedule: state of the learning rate schedule, for JSON.
        history: a row for each complete epoch.
        seconds: seconds since this process started or resumed the run.
        device: type of the device, e.g. "cuda".
    """

    card: Card
    network: nn.Module
    evaluated: nn.Module
    running_mean: AveragedModel | None
    optimizer: Optimizer
    schedule: dict[str, Any]
    history: tuple[EpochRow, ...]
    seconds: float
    device: str

    @property
    def best(self) -> dict[str, float]:
        """The best epoch: `epoch` and `validation_accuracy`; see `history.best_epoch`."""
        return best_epoch(self.history)


def save_state(folder: Path, state: RunState, facts: dict[str, Any]) -> None:
    """Write weights, averaged weights and optimizer moments in full precision, with `facts` as JSON in the header."""
    tensors = {f"model.{name}": value for name, value in state.network.state_dict().items()}
    if state.running_mean is not None:
        tensors |= {f"mean.{name}": value for name, value in state.running_mean.state_dict().items()}
    for index, slots in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{slot}": v for slot, v in slots.items() if isinstance(v, torch.Tensor)}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    write_bytes(folder / FILE, safetensors.torch.save(tensors, metadata={"facts": json.dumps(facts)}))


def load_facts(folder: Path) -> dict[str, Any]:
    """The `facts` of the last complete epoch; raises ValueError for a damaged file."""
    try:
        with safetensors.safe_open(folder / FILE, framework="pt") as file:
            return json.loads(file.metadata()["facts"])
    except (safetensors.SafetensorError, OSError, TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{folder / FILE} is damaged ({error}). Remove it to restart the run.") from error


def load_networks(folder: Path, network: nn.Module, running_mean: AveragedModel | None) -> None:
    """Load the weights, and the averaged weights, of the last complete epoch."""
    tensors = safetensors.torch.load_file(folder / FILE)
    network.load_state_dict(_with_prefix(tensors, "model."))
    if running_mean is not None:
        running_mean.load_state_dict(_with_prefix(tensors, "mean."))


def load_optimizer(folder: Path, optimizer: Optimizer) -> None:
    """Load the optimizer's moments of the last complete epoch."""
    slots: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in _with_prefix(safetensors.torch.load_file(folder / FILE), "optimizer.").items():
        index, slot = key.split(".", 1)
        slots.setdefault(int(index), {})[slot] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": slots})
    for parameter, kept in optimizer.state.items():
        for slot, value in kept.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                kept[slot] = torch.empty_like(parameter).copy_(value)  # same strides: a GPU updates all in one kernel


def _with_prefix(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
