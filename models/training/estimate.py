"""`python -m models.training.estimate --config FILE`: how long a training would take here, from ten steps of each kind
of its epochs; prints one line of JSON.

Epochs differ where pictures grow or a phase freezes other stages. Of each kind the first epoch is begun as the engine
begins it, in a folder that is deleted afterwards, and left after ten steps. Not seen: the time to write checkpoints.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from itertools import accumulate
from pathlib import Path

import psutil
import torch

from ..datasets import FaceSet
from ..datasets.splits import split
from ..files import DiskFullError
from .config import TrainConfig
from .engine import Run, TrainingError

_STEPS = 10
_WARM = 2  # steps before that: kernels are chosen, memory is fetched
_SECONDS = 15.0  # of one kind; fewer steps where they take longer
_PICTURES = 128  # with which measuring is timed


class _Enough(Exception):  # noqa: N818  (not an error)
    """Leaves an epoch in the middle."""


def measure(config: TrainConfig, started: float | None = None) -> dict[str, float | int | str]:
    """Time a training that is not made; nothing is kept.

    Args:
        config: the training; `out` and `resume` do not count.
        started: when the process began, seconds since 1970; by default now.

    Returns:
        `seconds_per_epoch`: mean over all epochs, validation and test part included; `epochs`: how many fit: all, fewer
        where the minutes end it before; `total_seconds`: of those, the start of the process included; `steps`: of the
        optimiser in one epoch; `device`: where it was measured, e.g. "cpu, threads: 1".

    Raises:
        TrainingError, DataError, ValueError: it could not be trained, with a message for the user.
    """
    started = time.time() if started is None else started
    if config.threads:
        torch.set_num_threads(config.threads)
    parts = split(FaceSet.load(config.data), config.split)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(config.model_copy(update={"out": Path(folder) / "run", "resume": False, "tensorboard": False}), parts)
        start = time.time() - started
        testing = _seconds_of_testing(run)
        kinds = [_kind(config, epoch) for epoch in range(1, config.epochs + 1)]
        steps = {kind: _seconds_of_a_step(run, kinds.index(kind) + 1) for kind in dict.fromkeys(kinds)}
    epochs = [run.steps * steps[kind] + testing for kind in kinds]
    room = 60 * config.minutes if config.minutes else float("inf")  # the engine counts from its own start
    fit = max(1, sum(end <= room for end in accumulate(epochs)))
    times = {"seconds_per_epoch": sum(epochs) / len(epochs), "total_seconds": start + sum(epochs[:fit])}
    return times | {"epochs": fit, "steps": run.steps, "device": run.device_name()}


def _kind(config: TrainConfig, epoch: int) -> tuple[int, int]:
    """What the time of an epoch depends on: which of the growing sizes, and which phase."""
    size = (epoch - 1) * (len(config.growing_sizes) + 1) // config.epochs
    phase = sum(epoch > end for end in accumulate(phase.epochs for phase in config.plan))
    return size, phase


def _seconds_of_a_step(run: Run, epoch: int) -> float:
    """Mean of up to ten steps of an epoch."""
    marks: list[float] = []

    def mark(_: object) -> None:
        if run.device.type == "cuda":
            torch.cuda.synchronize()
        marks.append(time.perf_counter())
        if len(marks) > _WARM + _STEPS or (len(marks) > 1 and marks[-1] - marks[0] > _SECONDS):
            raise _Enough

    before = time.perf_counter()
    if (phase := run._phase_of(epoch)) != run.phase:
        run._begin_phase(phase)
    with contextlib.suppress(_Enough):
        run._train_one_epoch(epoch, mark)
    marks = [before, *marks] if len(marks) < 2 else marks[min(_WARM, len(marks) - 2) :]
    return (marks[-1] - marks[0]) / (len(marks) - 1)


def _seconds_of_testing(run: Run) -> float:
    """Of measuring validation and test part, from one that is no larger than it must be."""
    images, labels = run.parts["validation"]
    run.parts["a few"] = images[:_PICTURES], labels[:_PICTURES]
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        run._measure("a few")
        seconds.append(time.perf_counter() - start)
    pictures = sum(len(run.parts[part][1]) for part in ("validation", "test"))
    return min(seconds) / len(run.parts["a few"][1]) * pictures


def main(argv: list[str] | None = None) -> None:
    """Print the estimate of a saved configuration as JSON; ends with status 1 and one sentence where it cannot."""
    parser = argparse.ArgumentParser(prog="python -m models.training.estimate", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    options = parser.parse_args(argv)
    try:
        config = TrainConfig.model_validate_json(options.config.read_text("utf-8"))
        print(json.dumps(measure(config, psutil.Process().create_time())))
    except (TrainingError, DiskFullError, ValueError, RuntimeError, OSError) as error:
        sys.exit(" ".join(str(error).split()))


if __name__ == "__main__":
    main()
