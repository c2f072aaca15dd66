"""`train`: start or resume a training run from its configuration."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.distributed as dist

from ..datasets.splits import Parts
from .config import TrainConfig
from .errors import NonFiniteLossError, TrainingError
from .events import first_process
from .interrupt import stop_on_signals
from .run_folder import RunFolder
from .setup import checked, parts_of
from .trainer import Trainer


def train(config: TrainConfig) -> Path:
    """Train a network and keep the epoch with the best accuracy on the validation set.

    Returns:
        The run's folder: config.json, events.jsonl, history.csv, state.safetensors (for `resume`) and a checkpoint
        (model.safetensors, card.json).

    Raises:
        Interrupted: after Ctrl-C, once a usable checkpoint is written.
        TrainingError, DataError, ValueError, DiskFullError: the training failed; the message says why and what to do.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    parts = parts_of(config)
    if parts.excluded and first_process():
        print(parts.excluded.sentence)
    with leaving_process_group(), stop_on_signals():
        _train(checked(config, parts.training), parts)
    return config.folder


def _train(config: TrainConfig, parts: Parts) -> None:
    """Train in a function of its own, so that no reference to the process group is left when it returns."""
    folder = RunFolder(config, parts)
    facts = folder.open()
    try:
        Trainer(config, parts, facts).fit(folder)
    except (RuntimeError, ValueError, OSError) as error:
        if isinstance(error, NonFiniteLossError):
            folder.log("not a number", epoch=error.epoch, step=error.step, ids=error.ids)
        clear = explained(error, min(config.batch_size, len(parts.training)), folder.epochs, folder.path)
        folder.log("failed", message=str(clear))
        raise clear from error
    finally:
        folder.close()


def explained(error: Exception, batch_size: int, epochs: int, folder: Path) -> Exception:
    """An error of torch as a TrainingError with advice: out of memory, or a failed GPU; any other error unchanged.

    Args:
        error: the exception that was raised.
        batch_size: batch size of the run.
        epochs: complete epochs that the run folder holds.
        folder: path of the run folder.
    """
    kept = f"{folder} holds {epochs} complete epochs"
    if isinstance(error, torch.OutOfMemoryError):
        smaller = f"--batch-size {max(2, batch_size // 2)}"
        if epochs:  # a resumed run keeps its batch size
            smaller = f"a new run with --start-from {folder} {smaller}"
        return TrainingError(f"Out of memory with a batch size of {batch_size}. {kept}; try {smaller}.")
    of_the_gpu = isinstance(error, torch.AcceleratorError) or re.search("cuda|cudnn|cublas|nccl", str(error), re.I)
    if of_the_gpu and isinstance(error, RuntimeError) and not isinstance(error, TrainingError):
        return TrainingError(f"The GPU failed ({error}). {kept}; --resume continues, on another device too.")
    return error


@contextmanager
def leaving_process_group() -> Iterator[None]:
    """Destroy the process group of `torch.distributed` at the end, also after an error, and wait for its threads.

    A thread of the group that releases a tensor while Python exits ends the process with SIGABRT ("terminate called
    without an active exception"), and `torchrun` reports a failed job. The threads end with the group's last reference:
    `DistributedDataParallel` holds one, within reference cycles, so destroying the group is not enough.
    """
    try:
        yield
    finally:
        if dist.is_available() and dist.is_initialized():
            dist.destroy_process_group()
            gc.collect()
