"""Start, stop, resume and remove jobs.

A job is `python -m models.train --config <folder>/config.json` in a process group and session of its own, at low
priority and with one processor thread left to the app. It lives on when the app ends; whoever calls `advance` next
finds it again by pid and time of birth, or notes that it is gone.

In `--lan` mode only the teacher may change anything: the pages ask `ui.classroom` before they call what is here.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.training.config import TrainConfig

from .store import Job


@dataclass(frozen=True)
class Estimate:
    """How long a training would take on this machine, from ten steps of each kind of its epochs.

    Attributes:
        seconds_per_epoch: mean over all epochs, validation and test part included.
        total_seconds: of all epochs, start of the process included; at most 60 × `config.minutes`, where set.
        epochs: how many fit: `config.epochs`, fewer where `config.minutes` ends it before.
        steps: optimiser steps in one epoch.
        device: where it was measured, e.g. "cpu, threads: 1".
        memory: bytes that a step needs beside the set, by `models.training.memory`; None where that cannot tell.
    """

    seconds_per_epoch: float
    total_seconds: float
    epochs: int
    steps: int
    device: str
    memory: int | None


def submit(config: TrainConfig, title: str, belongs_to: str | None = None) -> Job:
    """Queue a training; `advance` (called here too) starts it as soon as there is room.

    `out`, `resume`, and where they are not given `threads` and `minutes`, are set here. An equal training that is
    queued or running already is not queued again: that job comes back, so two clicks are one start.

    Args:
        config: what to train. Data or a starting point that belong to a set of people's own pictures make the job
            belong to it too, whatever `belongs_to` says.
        title: for people; "" gives one made of network, recipe and set.
        belongs_to: id of the set of own pictures, see `Job`.

    Raises:
        JobError: unknown network or recipe part, no data, a starting point of another network, or past a limit.
        DiskFullError: there is no room for the folder; nothing is left of it.
    """
    raise NotImplementedError


def stop(id_: str) -> Job:
    """Ask a job to end: the best checkpoint so far stays, and `resume` goes on later.

    A queued one is cancelled at once; a running one is "stopping" until its process is gone, which takes a few seconds.
    One that does not end within a minute is ended hard by `advance`. Asking twice, or for an ended one, changes nothing.

    Raises:
        JobError: there is no such job.
    """
    raise NotImplementedError


def resume(id_: str) -> Job:
    """Queue an ended job again: it goes on after its last whole epoch and reaches the same curve.

    One that is queued or running already comes back as it is.

    Raises:
        JobError: there is no such job, or nothing is left to train (`Job.resumable`).
    """
    raise NotImplementedError


def remove(id_: str) -> None:
    """Delete a job that has ended (or waits) with everything in its folder.

    Raises:
        JobError: there is no such job, or it still runs: stop it first.
    """
    raise NotImplementedError


def forget(belongs_to: str) -> int:
    """End at once and delete every job that belongs to a set of own pictures; how many there were.

    The set itself is whoever's made it. No checkpoint of it stays.
    """
    raise NotImplementedError


def advance() -> list[Job]:
    """Note which jobs have ended, end those that were asked to and did not, start the next; all jobs, newest first.

    Quick and safe to call from anywhere as often as one likes: the app's thread, each refresh, each command. A full
    disk or a lock that another holds leaves things as they are until the next call.
    """
    raise NotImplementedError


def watch(seconds: float = 1.0) -> None:
    """Call `advance` every so often in a daemon thread of this process; a second call starts no second thread."""
    raise NotImplementedError


def estimate(config: TrainConfig, patience: float = 300.0) -> Estimate:
    """Measure how long a training would take, in a process of its own; nothing is written or kept.

    Takes some ten seconds, most of them for the start of the process; call it where waiting is shown.

    Args:
        config: as for `submit`.
        patience: seconds until it is given up.

    Raises:
        JobError: it cannot be trained (the same reasons as `submit`, and what the process said), or takes too long.
    """
    raise NotImplementedError
