"""Progress and training curves of a job, from the files that the training run writes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor

from models.training.events import Event
from models.training.history import EpochRow

from ...jobs import store
from ...jobs.store import Job

STATES = {
    "queued": "is queued",
    "running": "is training",
    "stopping": "is stopping",
    "done": "is done",
    "failed": "failed",
    "cancelled": "was stopped",
    "lost": "was lost: its process ended unexpectedly",
    "broken": "is broken: one of its files is damaged",
}
"""State of a job → its description."""


@dataclass(frozen=True, eq=False)
class Progress:
    """The progress of a job.

    Attributes:
        epoch: number of complete epochs; epochs: number of all epochs.
        share: share of all steps that are complete, 0..1.
        seconds_left: estimated remaining seconds; None before the first step, and for a job that is not running.
        numbers: numbers of the epochs, (E,).
        columns: columns of the history by name, such as "validation_accuracy", each (E,).
        best: the epoch with the best validation accuracy; None before the first.
        now: loss and accuracy of the current epoch; None between epochs.
        learning_rate: learning rate of the last complete epoch; None before it.
    """

    epoch: int
    epochs: int
    share: float
    seconds_left: float | None
    numbers: Tensor
    columns: dict[str, Tensor]
    best: int | None
    now: tuple[float | None, float | None] | None
    learning_rate: float | None


def progress(job: Job) -> Progress:
    """The progress of a job."""
    rows, events = store.history(job), store.events(job)
    done, step = len(rows), _step(events, len(rows))
    share = min(1.0, (done + (step["step"] / step["steps"] if step else 0.0)) / max(job.epochs, 1))
    keys = rows[0] if rows else ()
    columns = {key: torch.tensor([float(row.get(key, "nan")) for row in rows]) for key in keys}
    accuracy = columns.get("validation_accuracy", torch.zeros(1))
    return Progress(
        epoch=done,
        epochs=job.epochs,
        share=1.0 if job.state == "done" and done >= job.epochs else share,
        seconds_left=_left(job, rows, share, events) if job.state == "running" else None,
        numbers=torch.tensor([row["epoch"] for row in rows]),
        columns=columns,
        best=int(rows[int(accuracy.nan_to_num(-1).argmax())]["epoch"]) if rows else None,
        now=(step["loss"], step["accuracy"]) if step else None,
        learning_rate=rows[-1].get("learning_rate") if rows else None,
    )


def _step(events: list[Event], done: int) -> Event | None:
    """The last progress event of the current epoch."""
    last = next((event for event in reversed(events) if event.get("event") == "progress"), None)
    return last if last and last.get("epoch", 0) > done and last.get("steps") else None


def _left(job: Job, rows: list[EpochRow], share: float, events: list[Event]) -> float | None:
    """Seconds until the end, from the last epochs, or from the steps of the first."""
    todo, now = (1 - share) * job.epochs, time.time()
    if rows:
        each = median(row["seconds"] for row in rows[-3:])
        left = todo * each - min(each, max(0.0, now - events[-1]["time"])) if events else todo * each
    else:
        started = next((event["time"] for event in events if event.get("event") in ("started", "resumed")), None)
        if started is None or share == 0:
            return None
        left = (now - started) * (1 - share) / share
    left, minutes = max(left, 0.0), job.config.minutes
    return left if minutes is None else min(left, max(0.0, 60 * minutes - (now - (job.started or now))))


def duration(seconds: float) -> str:
    """A time as people read it: 40 s, 1 min 40 s, 2 h 5 min."""
    s = round(seconds)
    if s < 60:
        return f"{s}\N{NO-BREAK SPACE}s"
    if s < 3600:
        return f"{s // 60}\N{NO-BREAK SPACE}min" + (f" {s % 60}\N{NO-BREAK SPACE}s" if s % 60 and s < 600 else "")
    return f"{s // 3600}\N{NO-BREAK SPACE}h {s % 3600 // 60}\N{NO-BREAK SPACE}min"
