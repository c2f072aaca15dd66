"""What is known of the jobs: a folder each, read by anybody at any time, changed by one at a time.

    checkpoints/runs/jobs/<id>/
        status.json     what `Job` holds
        config.json     the TrainConfig; its `out` is this folder, and `resume` is true: one command begins and goes on
        log.txt         what the process printed, errors too; the end of it where it became long
        events.jsonl, history.csv, state.safetensors, model.safetensors, card.json, epochs/      the training's own

All files are written under a temporary name, then put into place. Whoever changes a state holds `locked()`, so that two
tabs, two apps and the command line never start one job twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from models.training.config import RUNS, TrainConfig

State = Literal["queued", "running", "stopping", "done", "failed", "cancelled", "lost"]
"""queued → running → done | failed | cancelled (stopped by a person) | lost (ended without a word); stopping: asked to
end, not yet gone. A queued job that is stopped is cancelled at once. `resume` queues any ended one again."""

ALIVE = ("queued", "running", "stopping")
"""States that still change by themselves."""

ROOT: Path = RUNS / "jobs"
"""Where the folders of the jobs lie. FERSCOPE_JOBS names another place; tests replace it."""

OWN: Path = RUNS / "own"
"""Where sets of people's own pictures lie, a folder each: OWN/<set id>/…. A job whose data lie in here belongs to that
set. FERSCOPE_JOBS moves it to the folder `own` beside the jobs; tests replace it."""


class JobError(ValueError):
    """What was asked for cannot be done; the message is one sentence that says why and what to do."""


@dataclass(frozen=True)
class Job:
    """One training, as its `status.json` has it.

    Attributes:
        id: made by us, e.g. "20251121-143005-residual_cnn-3fa9"; safe as the name of a folder and in an address.
        folder: where everything of it lies.
        title: what a person called it, one line of at most 80 characters; to be shown, never a path.
        state: see `State`.
        network: name for `create_model`.
        epochs: how many it shall train.
        created, started, ended: seconds since 1970; started: the last time that a process began; None: not yet.
        pid, born: its process and when that began (psutil), by which it is found again; None while none runs.
        runs: how many processes it has had; more than one after `resume`.
        message: one sentence for people: why it waits, failed, or what it left; "" where there is nothing to say.
        belongs_to: id of the set of people's own pictures that it learns from (a folder of `OWN`); None for others.
            Such a job is neither promoted nor exported, and goes with its set.
        imported: whether it came from another FERScope; such a one was done when it came, and is not resumed.
    """

    id: str
    folder: Path
    title: str
    state: State
    network: str
    epochs: int
    created: float
    started: float | None = None
    ended: float | None = None
    pid: int | None = None
    born: float | None = None
    runs: int = 0
    message: str = ""
    belongs_to: str | None = None
    imported: bool = False

    @property
    def alive(self) -> bool:
        """Whether its state still changes by itself: queued, running or stopping."""
        raise NotImplementedError

    @property
    def config(self) -> TrainConfig:
        """What it trains; raises JobError where the file was made by another version."""
        raise NotImplementedError

    @property
    def has_checkpoint(self) -> bool:
        """Whether `models.load_checkpoint(job.folder)` finds weights and card: those of the best epoch so far."""
        raise NotImplementedError

    @property
    def resumable(self) -> bool:
        """Whether `runner.resume` has something left to train: it ended before its last epoch."""
        raise NotImplementedError


def jobs() -> list[Job]:
    """All jobs, the newest first. Reads only; `runner.advance` is what finds out that one has ended."""
    raise NotImplementedError


def read(id_: str) -> Job:
    """One job; raises JobError where there is none of this id (any text may be asked for)."""
    raise NotImplementedError


def events(job: Job) -> list[dict[str, Any]]:
    """What the training told so far (`models.training.events`), in order; [] before its first word."""
    raise NotImplementedError


def history(job: Job) -> list[dict[str, float]]:
    """A row for each whole epoch, from `history.csv`: the curve. Complete also after kills, where an event may lack."""
    raise NotImplementedError


def log_tail(job: Job, lines: int = 40) -> str:
    """The last lines of what the process printed, without control characters; "" where it said nothing."""
    raise NotImplementedError


@contextmanager
def locked() -> Iterator[None]:
    """Inside, nobody else changes a job; raises JobError where another holds it for ten seconds. Not to be nested."""
    raise NotImplementedError
    yield
