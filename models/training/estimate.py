"""`python -m models.training.estimate --config FILE`: how long a training run would take here, from ten steps of each
kind of its epochs; prints one line of JSON.

Epochs differ in their input size and in the stages that are trained. The first epoch of each kind is started as the
trainer starts it, and left after ten steps. Nothing is written, so the time to write checkpoints is not included.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from itertools import accumulate
from pathlib import Path

import psutil
import torch
import tyro

from ..files import DiskFullError
from .config import TrainConfig
from .engine import explained
from .setup import checked, device_name, parts_of
from .trainer import Trainer

_STEPS = 10
_WARM_UP = 2  # steps before them, which select kernels and allocate memory
_SECONDS = 15.0  # of one kind; fewer steps where they take longer
_IMAGES = 128  # with which validation is timed


class _EnoughSteps(Exception):  # noqa: N818  (not an error)
    """Leaves an epoch before its end."""


def measure(config: TrainConfig, started: float | None = None) -> dict[str, float | int | str]:
    """Estimate the time of a training run without writing anything.

    Args:
        config: of the run; `out` and `resume` do not matter.
        started: start of the process, seconds since 1970; by default now.

    Returns:
        `seconds_per_epoch`: mean over all epochs, validation and test included; `epochs`: how many fit into the time
        limit, else all; `total_seconds`: of those and of the start of the process; `steps`: of an epoch; `device`:
        where it was measured, e.g. "cpu, threads: 1".

    Raises:
        TrainingError, DataError, ValueError: it could not be trained, with a message for the user.
    """
    started = time.time() if started is None else started
    if config.threads:
        torch.set_num_threads(config.threads)
    parts = parts_of(config)
    config = checked(config.model_copy(update={"resume": False}), parts.training)
    try:
        trainer = Trainer(config, parts)
        start = time.time() - started
        evaluation = _seconds_of_evaluation(trainer)
        kinds = [_kind(trainer, epoch) for epoch in range(1, config.epochs + 1)]
        step = {kind: _seconds_of_a_step(trainer, kinds.index(kind) + 1) for kind in dict.fromkeys(kinds)}
    except RuntimeError as error:
        raise explained(error, config.batch_size, 0, config.folder) from error
    steps = trainer.data.steps
    epochs = [steps * step[kind] + evaluation for kind in kinds]
    limit = 60 * config.minutes if config.minutes else float("inf")  # counted without the start of the process
    fit = max(1, sum(end <= limit for end in accumulate(epochs)))
    times = {"seconds_per_epoch": sum(epochs) / len(epochs), "total_seconds": start + sum(epochs[:fit])}
    return times | {"epochs": fit, "steps": steps, "device": device_name(trainer.fabric)}


def _kind(trainer: Trainer, epoch: int) -> tuple[int, int]:
    """What the time of an epoch depends on: input size and phase."""
    return trainer.data.input_size(epoch), trainer.phase_of(epoch)


def _seconds_of_a_step(trainer: Trainer, epoch: int) -> float:
    """Mean of up to ten steps of an epoch."""
    marks: list[float] = []

    def mark(*_: object) -> None:
        if trainer.fabric.device.type == "cuda":
            torch.cuda.synchronize()
        marks.append(time.perf_counter())
        if len(marks) > _WARM_UP + _STEPS or (len(marks) > 1 and marks[-1] - marks[0] > _SECONDS):
            raise _EnoughSteps

    before = time.perf_counter()
    if (phase := trainer.phase_of(epoch)) != trainer.phase:
        trainer.start_phase(phase)
    with contextlib.suppress(_EnoughSteps):
        trainer.train_epoch(epoch, mark)
    marks = [before, *marks] if len(marks) < 2 else marks[min(_WARM_UP, len(marks) - 2) :]
    return (marks[-1] - marks[0]) / (len(marks) - 1)


def _seconds_of_evaluation(trainer: Trainer) -> float:
    """Seconds that it takes to evaluate validation and test set, extrapolated from a few images."""
    sets = trainer.data.sets
    images, labels = sets["validation"]
    sets["a few"] = images[:_IMAGES], labels[:_IMAGES]
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        trainer.validate("a few")
        seconds.append(time.perf_counter() - start)
    return min(seconds) / len(sets["a few"][1]) * sum(len(sets[name][1]) for name in ("validation", "test"))


def _command(config: Path) -> None:
    """Print the estimate as one line of JSON.

    Args:
        config: the configuration, in the format of a run's config.json.
    """
    read = TrainConfig.model_validate_json(config.read_text("utf-8"))
    print(json.dumps(measure(read, psutil.Process().create_time())))


def main(argv: list[str] | None = None) -> None:
    """Run `python -m models.training.estimate`; exits with status 1 and one sentence if the run cannot start."""
    try:
        tyro.cli(_command, prog="python -m models.training.estimate", args=argv)
    except (DiskFullError, ValueError, RuntimeError, OSError) as error:
        sys.exit(" ".join(str(error).split()))


if __name__ == "__main__":
    main()
