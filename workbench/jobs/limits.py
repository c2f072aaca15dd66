"""Limits on jobs that protect a shared computer. A value past a limit is a JobError that names the limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from models.training.config import TrainConfig

from . import store
from .store import JobError


@dataclass(frozen=True)
class Limits:
    """Largest allowed values.

    Attributes:
        jobs: number of jobs, in any state.
        waiting: number of queued jobs.
        epochs: epochs of one training run.
        minutes: duration of one process of a training run; also the default.
        batch_size: images in one step.
        free_bytes: bytes that must stay free on the disk; with less, no job starts.
        zip_bytes, zip_unpacked, zip_entries: size of an imported zip file in bytes, size of its unpacked files, and
            their number.
        own_bytes, own_images, own_each, own_classes: size of the zip file of a visitor's own dataset, its images, the
            smallest number of images in a class, and its classes (at least two).
    """

    jobs: int = 40
    waiting: int = 8
    epochs: int = 500
    minutes: float = 720.0
    batch_size: int = 1024
    free_bytes: int = 2**30
    zip_bytes: int = 200 * 2**20
    zip_unpacked: int = 300 * 2**20
    zip_entries: int = 8
    own_bytes: int = 20 * 2**20
    own_images: int = 1000
    own_each: int = 5
    own_classes: int = 8


LIMITS = Limits()
"""The limits of this computer."""


def check_config(config: TrainConfig) -> None:
    """Raise JobError if a training run has more epochs, minutes or images in a step than allowed."""
    values = {
        "epochs": (config.epochs, LIMITS.epochs),
        "minutes": (config.minutes or 0, LIMITS.minutes),
        "images in one step": (config.batch_size, LIMITS.batch_size),
    }
    for name, (value, most) in values.items():
        if value > most:
            raise JobError(f"{value:g} {name} exceed the limit of this computer: choose at most {most:g}.")


def check_room(kept: int, waiting: int) -> None:
    """Raise JobError if there are too many jobs, or too little space on the disk for another one.

    Args:
        kept: number of jobs, in any state.
        waiting: number of queued jobs.
    """
    if kept >= LIMITS.jobs:
        raise JobError(f"There are {kept} jobs, the limit of this computer: remove one that is no longer needed.")
    if waiting >= LIMITS.waiting:
        raise JobError(f"{waiting} jobs are queued, the limit of this computer: wait for one, or stop one.")
    if short := disk_is_short():
        raise JobError(short)


def disk_is_short() -> str:
    """A sentence if less than `Limits.free_bytes` are free on the disk of the jobs, else ""."""
    place = next(folder for folder in (store.ROOT, *store.ROOT.resolve().parents) if folder.is_dir())
    free = psutil.disk_usage(str(place)).free
    if free >= LIMITS.free_bytes:
        return ""
    wanted = LIMITS.free_bytes / 2**30
    return f"Only {free / 2**30:.1f} GiB are free on the disk: a job starts once {wanted:g} GiB are free."


def check_own_set(counts: Mapping[str, int]) -> None:
    """Raise JobError if a visitor's own dataset is too small or too large to train on.

    Args:
        counts: number of images in each class.
    """
    few = [f"{name} ({n})" for name, n in counts.items() if n < LIMITS.own_each]
    if not 2 <= len(counts) <= LIMITS.own_classes:
        raise JobError(f"The dataset has {len(counts)} classes: give images of 2 to {LIMITS.own_classes} classes.")
    if few:
        raise JobError(f"Too few images of {', '.join(few)}: give at least {LIMITS.own_each} of each class.")
    if (n := sum(counts.values())) > LIMITS.own_images:
        raise JobError(f"The dataset has {n} images: give at most {LIMITS.own_images}.")
