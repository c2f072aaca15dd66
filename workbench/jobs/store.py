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

import dataclasses
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from filelock import FileLock, Timeout

from models.files import write_json
from models.paths import RUNS
from models.training.config import FILE as CONFIG
from models.training.config import TrainConfig, write_config
from models.training.events import Event, read_events
from models.training.history import FILE as HISTORY
from models.training.history import EpochRow, read_history

from .job import ALIVE, ID, STATUS, Job, JobError, State, read_job

__all__ = ["ALIVE", "ID", "Job", "JobError", "State"]  # of `job`, for those who look after jobs

ROOT: Path = Path(os.environ.get("FERSCOPE_JOBS", RUNS / "jobs")).absolute()
"""Where the folders of the jobs lie. FERSCOPE_JOBS names another place; tests replace it."""

OWN: Path = ROOT.with_name("own")
"""Where sets of people's own pictures lie, a folder each: OWN/<set id>/…. A job whose data lie in here belongs to that
set. FERSCOPE_JOBS moves it to the folder `own` beside the jobs; tests replace it."""

_LOG_BYTES = 64 * 1024  # of the end of a log that is read
_NOT_TEXT = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|[^\n\t -~\u00a0-\uffff]")


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
    """Put what a job is into its `status.json`; for those who hold `locked()`. A broken one is left as it is."""
    if job.state != "broken":
        values = dataclasses.asdict(job)
        del values["id"], values["folder"]
        write_json(job.folder / STATUS, values)
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
        write_config(new, config)
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


def events(job: Job) -> list[Event]:
    """What the training told so far (`models.training.events`), in order; [] before its first word."""
    try:
        return read_events(job.folder / "events.jsonl")
    except OSError:
        return []


def history(job: Job) -> list[EpochRow]:
    """A row for each whole epoch, from `history.csv`: the curve. Complete also after kills, where an event may lack.

    Empty for a job whose history is damaged, which is broken.
    """
    try:
        return read_history(job.folder / HISTORY)
    except (OSError, ValueError):
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
    stamps = tuple(_stamp(folder / name) for name in (STATUS, CONFIG, "card.json", HISTORY))
    job = _checked(folder, stamps)
    return job if folder.is_dir() else None  # it may be removed meanwhile


def _stamp(path: Path) -> tuple[int, ...]:
    """Changes whenever the file does; empty where there is none."""
    try:
        facts = path.stat()
    except OSError:
        return ()
    return facts.st_mtime_ns, facts.st_ino, facts.st_size


@lru_cache(maxsize=512)
def _checked(folder: Path, stamps: tuple[tuple[int, ...], ...]) -> Job:
    """As `read_job`; read again when a file has changed (`stamps`)."""
    return read_job(folder)
