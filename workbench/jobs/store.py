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

import csv
import dataclasses
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from pydantic import ValidationError

from models.files import write_json
from models.training import state
from models.training.config import RUNS, TrainConfig
from models.training.events import read_events

State = Literal["queued", "running", "stopping", "done", "failed", "cancelled", "lost"]
"""queued → running → done | failed | cancelled (stopped by a person) | lost (ended without a word); stopping: asked to
end, not yet gone. A queued job that is stopped is cancelled at once. `resume` queues any ended one again."""

ALIVE = ("queued", "running", "stopping")
"""States that still change by themselves."""

ROOT: Path = Path(os.environ.get("FERSCOPE_JOBS", RUNS / "jobs")).absolute()
"""Where the folders of the jobs lie. FERSCOPE_JOBS names another place; tests replace it."""

OWN: Path = ROOT.with_name("own")
"""Where sets of people's own pictures lie, a folder each: OWN/<set id>/…. A job whose data lie in here belongs to that
set. FERSCOPE_JOBS moves it to the folder `own` beside the jobs; tests replace it."""

ID = re.compile(r"\d{8}-\d{6}-[a-z0-9_]{1,60}-[0-9a-f]{4}")
_LOG_BYTES = 64 * 1024  # of the end of a log that is read
_NOT_TEXT = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|[^\n\t -~\u00a0-\uffff]")


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
        told: how many events there were when the last of them began: what came before is not its word.
        asked: when it was asked to end; None: it was not.
        paused: whether it is done because its minutes were used up before its last epoch; `resume` gives as many again.
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
    told: int = 0
    asked: float | None = None
    paused: bool = False
    message: str = ""
    belongs_to: str | None = None
    imported: bool = False

    @property
    def alive(self) -> bool:
        """Whether its state still changes by itself: queued, running or stopping."""
        return self.state in ALIVE

    @property
    def config(self) -> TrainConfig:
        """What it trains; raises JobError where the file was made by another version."""
        try:
            return TrainConfig.model_validate_json((self.folder / "config.json").read_text("utf-8"))
        except (OSError, ValidationError) as error:
            raise JobError(f'What "{self.title}" trains was written by another version: remove it.') from error

    @property
    def has_checkpoint(self) -> bool:
        """Whether `models.load_checkpoint(job.folder)` finds weights and card: those of the best epoch so far."""
        return (self.folder / "model.safetensors").is_file() and (self.folder / "card.json").is_file()

    @property
    def resumable(self) -> bool:
        """Whether `runner.resume` has something left to train: it ended before its last epoch."""
        return not self.alive and not self.imported and (self.state != "done" or self.paused)

    @property
    def has_state(self) -> bool:
        """Whether a whole epoch is kept to go on from; a job without begins anew when it is resumed."""
        return (self.folder / state.FILE).is_file()


def jobs() -> list[Job]:
    """All jobs, the newest first. Reads only; `runner.advance` is what finds out that one has ended."""
    found = (_read(folder) for folder in entries(ROOT) if ID.fullmatch(folder.name))
    return sorted(filter(None, found), key=lambda job: (job.created, job.id), reverse=True)


def entries(place: Path) -> list[Path]:
    """What lies in a folder; nothing where there is none, or where this account may not read it (see `trouble`)."""
    try:
        return list(place.iterdir())
    except OSError:
        return []


def trouble() -> str | None:
    """Why this account cannot keep trainings, in a sentence; None where it can."""
    place = next(place for place in (ROOT, *ROOT.parents) if os.path.exists(place))
    mine = os.access in os.supports_effective_ids
    if place.is_dir() and os.access(place, os.R_OK | os.W_OK | os.X_OK, effective_ids=mine):
        return None
    return (
        f"Trainings cannot be kept in {ROOT}: this account may not read and write {place}. Change its rights, or set "
        "FERSCOPE_JOBS to a folder of yours."
    )


def read(id_: str) -> Job:
    """One job; raises JobError where there is none of this id (any text may be asked for)."""
    job = _read(ROOT / id_) if ID.fullmatch(id_) else None
    if job is None:
        shown = "".join(letter for letter in id_[:60] if letter.isprintable())
        raise JobError(f'There is no job "{shown}"; perhaps it was removed.')
    return job


def write(job: Job) -> Job:
    """Put what a job is into its `status.json`; for those who hold `locked()`."""
    values = dataclasses.asdict(job)
    del values["id"], values["folder"]
    write_json(job.folder / "status.json", values)
    return job


def new_id(network: str) -> str:
    """An id that no job has: day, time, network, four letters of chance."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{network}-{secrets.token_hex(2)}"


def create(job: Job, config: TrainConfig, fill: Callable[[Path], None] | None = None) -> None:
    """Put the folder of a new job into place, whole or not at all; for those who hold `locked()`.

    Args:
        job: what its `status.json` shall hold.
        config: what its `config.json` shall hold.
        fill: writes further files into the folder that it is given.
    """
    for left in (*ROOT.glob(".new-*"), *ROOT.glob(".removed-*")):  # by a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    new = ROOT / f".new-{job.id}"
    try:
        write_json(new / "config.json", config.model_dump(mode="json"))
        if fill:
            fill(new)
        write(dataclasses.replace(job, folder=new))
        os.replace(new, job.folder)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def delete(job: Job) -> None:
    """Remove the folder of a job, under a name that nobody reads first; for those who hold `locked()`."""
    gone = ROOT / f".removed-{job.id}"
    os.replace(job.folder, gone)
    shutil.rmtree(gone, ignore_errors=True)


def events(job: Job) -> list[dict[str, Any]]:
    """What the training told so far (`models.training.events`), in order; [] before its first word."""
    try:
        return [event for event in read_events(job.folder / "events.jsonl") if isinstance(event, dict)]
    except FileNotFoundError:
        return []


def history(job: Job) -> list[dict[str, float]]:
    """A row for each whole epoch, from `history.csv`: the curve. Complete also after kills, where an event may lack."""
    try:
        with (job.folder / "history.csv").open(encoding="utf-8", newline="") as file:
            return [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
    except FileNotFoundError:
        return []


def log_tail(job: Job, lines: int = 40) -> str:
    """The last lines of what the process printed, without control characters; "" where it said nothing."""
    try:
        with (job.folder / "log.txt").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_BYTES))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return "\n".join(_NOT_TEXT.sub("", text).rstrip().splitlines()[-lines:])


@contextmanager
def locked(seconds: float = 10.0) -> Iterator[None]:
    """Inside, nobody else changes a job. Not to be nested.

    Raises:
        JobError: another holds it for so long, or the folder of the jobs may not be written.
    """
    lock = FileLock(ROOT / ".lock", timeout=seconds)
    try:
        ROOT.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise JobError("Another FERScope is changing its jobs right now; try again in a moment.") from error
    except (PermissionError, FileExistsError, NotADirectoryError) as error:
        raise JobError(trouble() or str(error)) from error
    try:
        yield
    finally:
        lock.release()


def _read(folder: Path) -> Job | None:
    try:
        return Job(id=folder.name, folder=folder, **json.loads((folder / "status.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
