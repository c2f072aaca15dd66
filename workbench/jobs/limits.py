"""How much this computer bears: limits that protect a machine which others share, each with a sentence that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models.training.config import TrainConfig


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
    raise NotImplementedError


def check_room(kept: int, waiting: int) -> None:
    """Raise JobError where there are too many jobs, or the disk has too little room for one more.

    Args:
        kept: jobs that there are, in any state; waiting: those of them that are queued.
    """
    raise NotImplementedError


def disk_is_short() -> str:
    """A sentence where less than `Limits.free_bytes` are free where the jobs lie, else ""."""
    raise NotImplementedError


def check_own_set(counts: Mapping[str, int]) -> None:
    """Raise JobError where a set of own pictures is too small or too large to learn from.

    Args:
        counts: pictures of each class.
    """
    raise NotImplementedError
