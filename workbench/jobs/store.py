"""The folders of the jobs: any process may read them at any time, and one at a time may change them.

    checkpoints/runs/jobs/<id>/
        status.json     the fields of `Job`
        config.json     the TrainConfig; `out` is this folder and `resume` is true: one command starts and resumes
        log.txt         output of the process, errors included; only the end of a long log
        events.jsonl, history.csv, state.safetensors, model.safetensors, card.json, epochs/      of the training run

All files are written under a temporary name and then renamed. A state is changed inside `locked()` only, so that two
tabs, two apps and the command line never start the same job twice.
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

__all__ = ["ALIVE", "ID", "Job", "JobError", "State"]  # of `job`, for callers that need both modules

ROOT: Path = Path(os.environ.get("FERSCOPE_JOBS", RUNS / "jobs")).absolute()
"""Folder of the jobs. The environment variable FERSCOPE_JOBS sets another one; tests replace it."""

OWN: Path = ROOT.with_name("own")
"""Folder of visitors' own datasets: OWN/<dataset id>/…. A job that uses such data belongs to that dataset. With
FERSCOPE_JOBS it is the folder `own` beside the jobs; tests replace it."""

_LOG_BYTES = 64 * 1024  # of the end of a log that is read
_NOT_TEXT = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|[^\n\t -~\u00a0-\uffff]")


def jobs() -> list[Job]:
    """All jobs, newest first. It reads only; `runner.advance` updates their states."""
    found = (_read(folder) for folder in entries(ROOT) if ID.fullmatch(folder.name))
    return sorted(filter(None, found), key=lambda job: (job.created, job.id), reverse=True)


def entries(place: Path) -> list[Path]:
    """Entries of a folder; empty if it does not exist or this account may not read it (see `trouble`)."""
    try:
        return list(place.iterdir())
    except OSError:
        return []


def trouble() -> str | None:
    """A sentence if this account cannot store jobs, with the reason; None if it can."""
    place = next(place for place in (ROOT, *ROOT.parents) if os.path.exists(place))
    mine = os.access in os.supports_effective_ids
    if place.is_dir() and os.access(place, os.R_OK | os.W_OK | os.X_OK, effective_ids=mine):
        return None
    return (
        f"Jobs cannot be stored in {ROOT}: this account may not read and write {place}. Change its permissions, or set "
        "FERSCOPE_JOBS to a folder of yours."
    )


def read(id_: str) -> Job:
    """A job by its id, which may be any text; JobError if there is none."""
    job = _read(ROOT / id_) if ID.fullmatch(id_) else None
    if job is None:
        shown = "".join(letter for letter in id_[:60] if letter.isprintable())
        raise JobError(f'There is no job "{shown}"; it may have been removed.')
    return job


def write(job: Job) -> Job:
    """Write the `status.json` of a job, inside `locked()`. A broken job is left as it is."""
    if job.state != "broken":
        values = dataclasses.asdict(job)
        del values["id"], values["folder"]
        write_json(job.folder / STATUS, values)
    return job


def new_id(network: str) -> str:
    """A new id: date, time, network, four random hexadecimal digits."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{network}-{secrets.token_hex(2)}"


def create(job: Job, config: TrainConfig, fill: Callable[[Path], None] | None = None) -> None:
    """Create the folder of a new job in one step, inside `locked()`.

    Args:
        job: written to `status.json`.
        config: written to `config.json`.
        fill: writes further files into the folder that it is called with.
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
    """Delete the folder of a job, inside `locked()`. It is renamed first, so that no reader sees half of it."""
    gone = ROOT / f".removed-{job.id}"
    os.replace(job.folder, gone)
    shutil.rmtree(gone, ignore_errors=True)


def events(job: Job) -> list[Event]:
    """Events of the training run so far (`models.training.events`), in order; empty before the first one."""
    try:
        return read_events(job.folder / "events.jsonl")
    except OSError:
        return []


def history(job: Job) -> list[EpochRow]:
    """A row for each complete epoch, from `history.csv`. It is complete even after a kill.

    Empty if the history is damaged: the job is broken then.
    """
    try:
        return read_history(job.folder / HISTORY)
    except (OSError, ValueError):
        return []


def log_tail(job: Job, lines: int = 40) -> str:
    """The last lines of the log, without control characters; "" if it is empty."""
    try:
        with (job.folder / "log.txt").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_BYTES))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return "\n".join(_NOT_TEXT.sub("", text).rstrip().splitlines()[-lines:])


@contextmanager
def locked(seconds: float = 10.0) -> Iterator[None]:
    """Hold the lock on all jobs: no other thread or process changes one meanwhile. Do not nest.

    Raises:
        JobError: another process held the lock for `seconds`, or the folder of the jobs is not writable.
    """
    lock = FileLock(ROOT / ".lock", timeout=seconds)
    try:
        ROOT.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise JobError("Another FERScope process is changing jobs right now: try again in a moment.") from error
    except (PermissionError, FileExistsError, NotADirectoryError) as error:
        raise JobError(trouble() or str(error)) from error
    try:
        yield
    finally:
        lock.release()


def _read(folder: Path) -> Job | None:
    stamps = tuple(stamp(folder / name) for name in (STATUS, CONFIG, "card.json", HISTORY))
    job = _checked(folder, stamps)
    return job if folder.is_dir() else None  # it may be removed meanwhile


def stamp(path: Path) -> tuple[int, ...]:
    """A value that changes whenever the file does; empty if there is no file."""
    try:
        facts = path.stat()
    except OSError:
        return ()
    return facts.st_mtime_ns, facts.st_ino, facts.st_size


@lru_cache(maxsize=512)
def _checked(folder: Path, stamps: tuple[tuple[int, ...], ...]) -> Job:
    """`read_job`, cached until a file changes (`stamps`)."""
    return read_job(folder)
