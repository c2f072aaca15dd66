"""How much this computer bears: limits that protect a machine which others share, each with a sentence that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from models.training.config import TrainConfig

from . import store
from .store import JobError


@dataclass(frozen=True)
class Limits:
    """What is allowed.

    Attributes:
        jobs: folders kept at the same time, whatever their state.
        waiting: of them, queued at the same time.
        epochs: of one training.
        minutes: of one process of a training; also what one gets that says nothing.
        batch_size: pictures in one step.
        free_bytes: what must stay free on the disk; less, and nothing new begins.
        parcel_bytes: size of a zip from another FERScope; parcel_unpacked: of all that is in it, unpacked;
            parcel_entries: how many files that may be.
        own_bytes: size of the zip of a set of own pictures; own_pictures: how many in all; own_each: at least so many
            in each class; own_classes: at most so many classes (and at least two).
    """

    jobs: int = 40
    waiting: int = 8
    epochs: int = 500
    minutes: float = 720.0
    batch_size: int = 1024
    free_bytes: int = 2**30
    parcel_bytes: int = 200 * 2**20
    parcel_unpacked: int = 300 * 2**20
    parcel_entries: int = 8
    own_bytes: int = 20 * 2**20
    own_pictures: int = 1000
    own_each: int = 5
    own_classes: int = 8


LIMITS = Limits()
"""Those of this computer."""


def check_config(config: TrainConfig) -> None:
    """Raise JobError where a training asks for more epochs, minutes or pictures in a step than are allowed."""
    asked = {
        "epochs": (config.epochs, LIMITS.epochs),
        "minutes": (config.minutes or 0, LIMITS.minutes),
        "pictures in one step": (config.batch_size, LIMITS.batch_size),
    }
    for name, (value, most) in asked.items():
        if value > most:
            raise JobError(f"{value:g} {name} are more than this computer allows a job: choose at most {most:g}.")


def check_room(kept: int, waiting: int) -> None:
    """Raise JobError where there are too many jobs, or the disk has too little room for one more.

    Args:
        kept: jobs that there are, in any state.
        waiting: those of them that are queued.
    """
    if kept >= LIMITS.jobs:
        raise JobError(f"{kept} jobs are kept, which is the most: remove one that is no longer needed.")
    if waiting >= LIMITS.waiting:
        raise JobError(f"{waiting} jobs wait already, which is the most: let some end, or stop one.")
    if short := disk_is_short():
        raise JobError(short)


def disk_is_short() -> str:
    """A sentence where less than `Limits.free_bytes` are free where the jobs lie, else ""."""
    place = next(folder for folder in (store.ROOT, *store.ROOT.resolve().parents) if folder.is_dir())
    free = psutil.disk_usage(str(place)).free
    if free >= LIMITS.free_bytes:
        return ""
    wanted = LIMITS.free_bytes / 2**30
    return f"Only {free / 2**30:.1f} GiB of the disk are free: a job begins once there are {wanted:g}."


def check_own_set(counts: Mapping[str, int]) -> None:
    """Raise JobError where a set of own pictures is too small or too large to learn from.

    Args:
        counts: pictures of each class.
    """
    few = [f"{name} ({n})" for name, n in counts.items() if n < LIMITS.own_each]
    if not 2 <= len(counts) <= LIMITS.own_classes:
        raise JobError(f"{len(counts)} classes: give pictures of 2 to {LIMITS.own_classes}.")
    if few:
        raise JobError(f"Too few pictures of {', '.join(few)}: each class needs at least {LIMITS.own_each}.")
    if (n := sum(counts.values())) > LIMITS.own_pictures:
        raise JobError(f"{n} pictures are too many: a set of one's own holds at most {LIMITS.own_pictures}.")
