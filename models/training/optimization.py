"""Optimization: which parameters train, the optimizer, and the learning rate schedule."""

from __future__ import annotations

import math
from typing import Any

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, lr_scheduler

from ..registry import ModelSpec
from .config import Phase, TrainConfig


def check_stages(spec: ModelSpec, trained_stages: float | None) -> None:
    """Raise ValueError if a network has fewer stages than `trained_stages`."""
    n = len(spec.stages)
    if trained_stages is not None and (trained_stages > n or n == 0):
        raise ValueError(
            f"trained_stages={trained_stages}: {spec.name} has {n} stages. Leave it out to train all of them."
        )


def freeze(model: nn.Module, spec: ModelSpec, trained_stages: float | None) -> list[nn.Module]:
    """Freeze all stages but the deepest ones; these and the head train.

    Args:
        model: the network of `spec`; every parameter outside frozen stages gets `requires_grad`.
        spec: names its stages.
        trained_stages: number of stages that train, counted from the deepest; None: all. The fraction of 1.4 adds the
            last 40 % of the next stage's convolutions, rounded.

    Returns:
        The frozen modules. They must be put into evaluation mode after each `model.train()`, so that their batch norm
        keeps the statistics that its frozen weights were trained with.

    Raises:
        ValueError: the network has fewer stages.
    """
    check_stages(spec, trained_stages)
    model.requires_grad_(True)
    if trained_stages is None:
        return []
    stages = [[model.get_submodule(name) for name in stage] for stage in spec.stages]
    first = len(stages) - math.ceil(trained_stages)  # the shallowest stage that trains at least in part
    frozen = [module for stage in stages[:first] for module in stage]
    if share := trained_stages % 1:
        frozen += _before_its_last(stages[first], share)
    for module in frozen:
        module.requires_grad_(False)
    return frozen


def _before_its_last(stage: list[nn.Module], share: float) -> list[nn.Module]:
    """The layers of a stage before its last convolutions, which are the given share of all, in order of definition."""
    every = [layer for module in stage for layer in module.modules()]
    layers = [layer for layer in every if [*layer.parameters(recurse=False)] or not [*layer.children()]]
    convolutions = [i for i, layer in enumerate(layers) if isinstance(layer, nn.Conv2d)]
    trained = round(share * len(convolutions))
    return layers[: convolutions[-trained]] if trained else layers


def make_optimizer(config: TrainConfig, model: nn.Module, rate: float) -> Optimizer:
    """Make the optimizer of a configuration, for the parameters that are not frozen."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    fused = all(parameter.device.type in ("cpu", "cuda") for parameter in trained)  # one kernel for all parameters
    shared: dict[str, Any] = {"lr": rate, "weight_decay": config.weight_decay, "fused": fused}
    if config.optimizer == "sgd":
        return SGD(trained, momentum=config.momentum, nesterov=config.nesterov and config.momentum > 0, **shared)
    return (Adam if config.optimizer == "adam" else AdamW)(trained, **shared)


class Schedule:
    """Learning rate schedule over one phase: one of torch's, with one interface for steps and epochs.

    Args:
        config: configuration of the training run, with the name of the schedule and its parameters.
        optimizer: the optimizer whose learning rate is set.
        phase: the phase of the training run, with the maximum learning rate and the number of epochs.
        steps: number of steps in an epoch.
    """

    def __init__(self, config: TrainConfig, optimizer: Optimizer, phase: Phase, steps: int) -> None:
        self.optimizer = optimizer
        self.by_epoch = config.schedule == "plateau"
        self.torch: Any  # what `step` takes depends on the schedule
        total, factor = phase.epochs * steps, config.decay_factor
        if config.schedule == "one-cycle":
            self.torch = lr_scheduler.OneCycleLR(
                optimizer, phase.learning_rate, total_steps=total + 1, pct_start=0.3, cycle_momentum=False
            )
        elif config.schedule == "plateau":
            self.torch = lr_scheduler.ReduceLROnPlateau(optimizer, factor=factor, patience=config.patience)
        elif config.schedule == "step":
            self.torch = lr_scheduler.StepLR(optimizer, config.decay_every * steps, gamma=factor)
        elif config.schedule == "cosine":
            warmup = min(round(config.warmup * steps), total)
            self.torch = lr_scheduler.LambdaLR(optimizer, lambda step: _warm_cosine(step, warmup, total))
        else:
            self.torch = lr_scheduler.ConstantLR(optimizer, factor=1.0)

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return self.optimizer.param_groups[0]["lr"]

    def after_step(self) -> None:
        """Update the learning rate; call after each step of the optimizer."""
        if not self.by_epoch:
            self.torch.step()

    def after_epoch(self, validation_loss: float) -> None:
        """Update the learning rate; call after each epoch."""
        if self.by_epoch:
            self.torch.step(validation_loss)

    def state(self) -> dict[str, Any]:
        """Its state for JSON, with everything that changes."""
        return {k: v for k, v in self.torch.state_dict().items() if isinstance(v, int | float | list)}

    def load(self, state: dict[str, Any]) -> None:
        """Restore a `state`."""
        self.torch.load_state_dict(self.torch.state_dict() | state)
        for group, rate in zip(self.optimizer.param_groups, self.torch.get_last_lr(), strict=True):
            group["lr"] = rate


def _warm_cosine(step: int, warmup: int, total: int) -> float:
    """Factor of the learning rate at a step: linear warm-up, then half a cosine down to zero."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(total - warmup, 1)))
