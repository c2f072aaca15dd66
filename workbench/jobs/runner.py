"""Start, stop, resume and remove jobs.

A job is `python -m models.train --config <folder>/config.json` in a process group and session of its own, at low
priority and with one processor thread left to the app. It lives on when the app ends; whoever calls `advance` next
finds it again by the lock on its folder, or notes that it is gone.

In `--lan` mode only the teacher may change anything: the pages ask `ui.classroom` before they call what is here.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

from models.files import DiskFullError, write_json
from models.paths import CODE
from models.training.config import TrainConfig

from . import exit_status, limits, processes, requests, store
from .store import Job, JobError

_PATIENCE = 60.0  # seconds that a process asked to end may take
_watching = threading.Lock()  # held for good by the process that watches


@dataclass(frozen=True)
class Estimate:
    """How long a training would take on this machine, from ten steps of each kind of its epochs.

    Attributes:
        seconds_per_epoch: mean over all epochs, validation and test part included.
        total_seconds: of the epochs that fit, start of the process included.
        epochs: how many fit: `config.epochs`, fewer where `config.minutes` ends it before.
        steps: optimiser steps in one epoch.
        device: where it was measured, e.g. "cpu, threads: 1".
    """

    seconds_per_epoch: float
    total_seconds: float
    epochs: int
    steps: int
    device: str


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
        JobError: an unknown network, no data, a starting point of another network, or past a limit.
        DiskFullError: there is no room for the folder; nothing is left of it.
    """
    config = requests.complete(config)
    owner = requests.owner_of(config, belongs_to)
    title = " ".join("".join(c if c.isprintable() else " " for c in title).split())[:80]
    title = title or f"{config.model}, {config.recipe}, {config.data.stem}"
    with store.locked():
        there = store.jobs()
        for job in there:
            if job.alive and requests.same(job, config):
                return job
        limits.check_room(len(there), sum(job.state == "queued" for job in there))
        id_ = store.new_id(config.model)
        folder = store.ROOT / id_
        config = config.model_copy(update={"out": folder, "resume": True})
        job = Job(id_, folder, title, "queued", config.model, config.epochs, time.time(), belongs_to=owner)
        store.create(job, config)
    advance()
    return store.read(id_)


def stop(id_: str) -> Job:
    """Ask a job to end: the best checkpoint so far stays, and `resume` goes on later.

    A queued one is cancelled at once; a running one is "stopping" until its process is gone, which takes a few seconds.
    One that does not end within a minute is ended hard by `advance`. Asking twice, or for an ended one, changes
    nothing.

    Raises:
        JobError: there is no such job.
    """
    with store.locked():
        job = _looked_after(store.read(id_))
        if job.state == "queued":
            message = "Stopped while it waited." if job.runs else "Stopped before it began."
            return store.write(replace(job, state="cancelled", ended=time.time(), message=message))
        if job.state == "broken":
            processes.send(job)
        if job.state == "running":
            message = "Asked to end; it writes down what it has reached."
            processes.send(job)  # first: it must end also where there is no room to note it
            job = store.write(replace(job, state="stopping", asked=time.time(), message=message))
        return job


def resume(id_: str) -> Job:
    """Queue an ended job again: it goes on after its last whole epoch and reaches the same curve.

    One that is queued or running already comes back as it is.

    Raises:
        JobError: there is no such job, nothing is left to train (`Job.resumable`), its data are gone, or past a limit.
    """
    with store.locked():
        job = _looked_after(store.read(id_))
        if job.state in ("queued", "running"):
            return job
        if job.state == "stopping":
            raise JobError(f'"{job.title}" is still ending: wait a moment, then resume it.')
        if not job.resumable:
            raise JobError(f'"{job.title}" has nothing left to train: start a new one from its checkpoint.')
        requests.check_sources(job.config)
        limits.check_room(0, sum(other.state == "queued" for other in store.jobs()))
        store.write(replace(job, state="queued", ended=None, asked=None, paused=False, message=""))
    advance()
    return store.read(id_)


def remove(id_: str) -> None:
    """Delete a job that has ended (or waits) with everything in its folder.

    Raises:
        JobError: there is no such job, or it still runs: stop it first.
    """
    with store.locked():
        job = _looked_after(store.read(id_))
        if processes.runs(job):
            raise JobError(f'"{job.title}" still runs: stop it first, then remove it.')
        store.delete(job)


def forget(belongs_to: str) -> int:
    """End at once and delete every job that belongs to a set of own pictures; how many there were.

    The set itself is its maker's to delete. No checkpoint of it stays.

    Raises:
        JobError: a process does not end; call it again.
    """
    with store.locked():
        mine = [job for job in store.jobs() if job.belongs_to == belongs_to or _names_set(job, belongs_to)]
        for job in mine:
            processes.end_now(job)
            if processes.runs(job):
                raise JobError(f'"{job.title}" does not end; try again in a moment.')
            store.delete(job)
    return len(mine)


def advance() -> list[Job]:
    """Note which jobs have ended, end those that were asked to and did not, start the next; all jobs, newest first.

    Quick and safe to call from anywhere as often as one likes: the app's thread, each refresh, each command. A full
    disk or a lock that another holds leaves things as they are until the next call.
    """
    if any(job.alive for job in store.jobs()):
        with contextlib.suppress(JobError, DiskFullError), store.locked(1.0):
            there = [_looked_after(job) for job in store.jobs()]
            _start_next(there)
    return store.jobs()


def watch(seconds: float = 1.0) -> None:
    """Call `advance` every so often in a daemon thread of this process; a second call starts no second thread."""
    if not _watching.acquire(blocking=False):
        return

    def look() -> None:
        while True:
            with contextlib.suppress(OSError):  # a disk that fails now may answer later
                advance()
            time.sleep(seconds)

    threading.Thread(target=look, name="jobs", daemon=True).start()


def estimate(config: TrainConfig, patience: float = 300.0) -> Estimate:
    """Measure how long a training would take, in a process of its own; nothing is kept.

    Takes some ten seconds, most of them for the start of the process; call it where waiting is shown.

    Args:
        config: as for `submit`.
        patience: seconds until it is given up.

    Raises:
        JobError: it cannot be trained (the same reasons as `submit`, and what the process said), or takes too long.
    """
    config = requests.complete(config)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.json"
        write_json(file, config.model_dump(mode="json"))
        child = subprocess.Popen(
            [sys.executable, "-m", "models.training.estimate", "--config", str(file)],
            cwd=CODE,
            env=processes.environment(config.threads or 1),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.step_back(child.pid)
        try:
            said, complained = child.communicate(timeout=patience)
        except subprocess.TimeoutExpired as error:
            raise JobError(
                f"Ten steps take more than {patience:g} seconds: choose a smaller network or set."
            ) from error
        finally:
            child.kill()
            child.wait()
    if child.returncode != 0:
        lines = complained.strip().splitlines() or [f"it ended with code {child.returncode} and said nothing."]
        raise JobError(f"It cannot be trained: {lines[-1][:300]}")
    return Estimate(**json.loads(said.strip().splitlines()[-1]))


# ---------------------------------------------------------------------------------------------------------------------
# For those who hold the lock


def _names_set(job: Job, own: str) -> bool:
    """Whether the configuration of a broken job names a set of own pictures, as far as it can be read."""
    with contextlib.suppress(OSError):
        return job.state == "broken" and str(store.OWN / own).encode() in (job.folder / "config.json").read_bytes()
    return False


def _looked_after(job: Job) -> Job:
    """The job as it is now: with its process found, or its ending noted."""
    if not job.alive and job.state != "broken" and processes.runs(job):  # begun in a terminal
        job = store.write(replace(job, state="running", started=time.time(), ended=None, paused=False, message=""))
    if job.state not in ("running", "stopping"):
        return job
    process = processes.find(job)
    if process is not None and process.pid != job.pid:
        job = store.write(replace(job, pid=process.pid))
    if process is None and not processes.runs(job):
        pid = job.pid
        job = store.write(exit_status.ended(job, processes.exit_code(job)))
        processes.let_go(pid)
        return job
    if job.asked is not None and time.time() - job.asked > _PATIENCE:
        processes.send(job, hard=True)
    processes.keep_log_short(job)
    return job


def _start_next(there: list[Job]) -> None:
    """Begin the oldest job that waits for a device on which none runs; `there` is the newest first."""
    queued = [job for job in reversed(there) if job.state == "queued"]
    busy = {_device(job) for job in there if job.state in ("running", "stopping")} if queued else set()
    busy |= {_device(job) for job in there if job.state == "broken" and processes.runs(job)} if queued else set()
    short = limits.disk_is_short() if queued else ""
    for job in queued:
        if short and job.message != short:
            store.write(replace(job, message=short))
        if not short and not processes.runs(job) and (device := _device(job)) not in busy:
            busy.add(device)
            _start(job)


def _start(job: Job) -> None:
    told = len(store.events(job))
    job = replace(job, state="running", started=time.time(), runs=job.runs + 1, told=told)
    job = replace(job, message="", asked=None, ended=None)
    store.write(replace(job, pid=None))  # first: whoever comes after a crash looks for the process
    try:
        pid = processes.begin(job, job.config.threads or processes.default_threads())
    except (JobError, OSError) as error:
        store.write(replace(job, state="failed", ended=time.time(), message=f"It could not be started: {error}"))
        return
    store.write(replace(job, pid=pid))


def _device(job: Job) -> str:
    """Where a job computes: "cpu", "cuda" or "mps"."""
    try:
        asked = job.config.device
    except JobError:
        return "cpu"
    if asked != "auto":
        return asked
    import torch

    return getattr(torch.accelerator.current_accelerator(check_available=True), "type", "cpu")
